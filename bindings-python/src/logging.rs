//! What the platform logs, for Python's `logging`.
//!
//! Nothing global is installed: the platform's own threads have a subscriber each. It never waits
//! for the interpreter: records go through a bounded queue to a thread that hands them on.

use std::fmt::{self, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Records that wait for the interpreter; more are thrown away.
const WAITING_MAX: usize = 1_000;

const LOGGER: &str = "lambdabox";

struct Record {
    logger: String,
    level: u8,
    text: String,
}

/// A subscriber for the platform's threads, for what the logger `lambdabox` wants to hear now.
pub(crate) fn dispatch(py: Python<'_>) -> PyResult<Dispatch> {
    let logger = py.import("logging")?.call_method1("getLogger", (LOGGER,))?;
    let level: u32 = logger.call_method0("getEffectiveLevel")?.extract()?;
    let filter = match level {
        ..10 => LevelFilter::TRACE,
        10..20 => LevelFilter::DEBUG,
        20..30 => LevelFilter::INFO,
        30..40 => LevelFilter::WARN,
        _ => LevelFilter::ERROR,
    };
    let (sender, receiver) = sync_channel(WAITING_MAX);
    // Without the thread nothing is logged, and everything else works.
    let _ = thread::Builder::new()
        .name("lambdabox-logging".to_owned())
        .spawn(move || hand_on(&receiver));
    let layer = Forward(sender).with_filter(filter);
    Ok(Dispatch::new(tracing_subscriber::registry().with(layer)))
}

/// Until the platform is gone, or the interpreter.
fn hand_on(records: &Receiver<Record>) {
    for record in records {
        let handed = Python::try_attach(|py| {
            let logged = py.import("logging").and_then(|logging| {
                logging
                    .call_method1("getLogger", (record.logger,))?
                    .call_method1("log", (record.level, "%s", record.text))
            });
            if let Err(error) = logged {
                error.write_unraisable(py, None);
            }
        });
        if handed.is_none() {
            return;
        }
    }
}

struct Forward(SyncSender<Record>);

impl<S: Subscriber> Layer<S> for Forward {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        // What libraries below say about themselves matters to nobody who embeds this one.
        let Some(target) = metadata.target().strip_prefix("lambda_") else {
            return;
        };
        let mut text = Text::default();
        event.record(&mut text);
        let record = Record {
            logger: format!("{LOGGER}.{}", target.replace("::", ".")),
            level: match *metadata.level() {
                Level::ERROR => 40,
                Level::WARN => 30,
                Level::INFO => 20,
                Level::DEBUG => 10,
                Level::TRACE => 5,
            },
            text: text.0,
        };
        let _ = self.0.try_send(record);
    }
}

/// The message, then its fields.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => {
                let message = format!("{value:?}");
                self.0.insert_str(0, &message);
                Ok(())
            }
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
