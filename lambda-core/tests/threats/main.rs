//! Threats that need a whole platform over real sandboxes; the numbers are those of
//! docs/SECURITY.md.
#![cfg(feature = "docker")]
// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "shared with the tests of the container runtimes")]
#[path = "../container_runtime/support.rs"]
mod support;

mod bomb;
mod disk;
mod floods;
mod reuse;

use std::sync::Arc;
use std::time::Duration;

use lambda_core::model::{FunctionId, Outcome};
use lambda_core::pool::PoolOptions;
use lambda_core::{ExecuteRequest, NewFunction, Platform};

use support::Bench;

/// A platform over a bench's runtime, which keeps no sandboxes ready.
pub(crate) struct World {
    pub(crate) platform: Platform,
    /// One test at a time: they measure this process's memory and the machine.
    _turn: tokio::sync::MutexGuard<'static, ()>,
    bench: Arc<dyn lambda_core::Runtime>,
}

impl World {
    pub(crate) async fn open(bench: &Bench) -> Self {
        static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let turn = TURN.lock().await;
        let mut pool = PoolOptions::default();
        pool.prewarmed = 0;
        let platform = Platform::builder()
            .data_dir(bench.data_dir.path())
            .pool(pool)
            .runtime(Arc::clone(&bench.runtime))
            .build()
            .await
            .unwrap();
        let bench = Arc::clone(&bench.runtime);
        Self {
            platform,
            _turn: turn,
            bench,
        }
    }

    /// Deploys a handler `app.handler` in Python.
    pub(crate) async fn deploy(&self, name: &str, code: &str, memory_mib: u32) -> FunctionId {
        let mut new = NewFunction::python(name, code)
            .unwrap()
            .handler("app.handler");
        new.config.memory_mib = memory_mib;
        new.config.runtime = self.bench.name();
        // Each call has a limit of its own; a long one where a length is set.
        new.config.timeout = Duration::from_secs(600);
        self.platform.deploy(new).await.unwrap().id
    }

    pub(crate) async fn call(&self, function: FunctionId, event: &str, limit: Duration) -> Outcome {
        let request = ExecuteRequest::new(function)
            .event(event.to_owned())
            .timeout(limit);
        self.platform.execute(request).await.unwrap()
    }

    pub(crate) async fn close(self) {
        self.platform.close().await;
        assert!(
            self.bench.owners().await.unwrap().is_empty(),
            "a sandbox is left"
        );
    }
}

/// A handler's result, as text.
pub(crate) fn result(outcome: &Outcome) -> &str {
    let output = outcome.output.as_deref().unwrap_or_default();
    std::str::from_utf8(output).unwrap()
}

/// A length that the environment may set: short by default, long for the record.
pub(crate) fn length(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The peak of this process's memory, in KiB.
pub(crate) fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Begins a new peak.
pub(crate) fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}
