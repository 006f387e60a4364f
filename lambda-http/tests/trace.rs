//! Spans lead from a request to what ran in the sandbox, within the caller's trace, and the
//! function sees where in it it stands.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;
use support::Server;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_ID: &str = "00f067aa0ba902b7";

#[derive(Debug, Clone, Default)]
struct Seen {
    name: &'static str,
    parent: Option<u64>,
    fields: BTreeMap<&'static str, String>,
}

/// Keeps every span of ours, and what was recorded in it.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<BTreeMap<u64, Seen>>>);

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let value = format!("{value:?}").trim_matches('"').to_owned();
        self.fields.insert(field.name(), value);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Spans {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("lambda_")
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = context.span(id).unwrap().parent();
        let mut seen = Seen {
            name: attributes.metadata().name(),
            parent: parent.map(|parent| parent.id().into_u64()),
            ..Seen::default()
        };
        attributes.record(&mut seen);
        let mut spans = self.0.lock().unwrap();
        spans.insert(id.into_u64(), seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.0.lock().unwrap();
        if let Some(seen) = spans.get_mut(&id.into_u64()) {
            values.record(seen);
        }
    }
}

impl Spans {
    fn named(&self, name: &str, with: (&str, &str)) -> (u64, Seen) {
        let spans = self.0.lock().unwrap();
        let found = spans.iter().find(|(_, seen)| {
            seen.name == name && seen.fields.get(with.0).is_some_and(|value| value == with.1)
        });
        let (id, seen) = found.unwrap_or_else(|| panic!("no {name} with {with:?} in {spans:?}"));
        (*id, seen.clone())
    }

    fn children(&self, parent: u64) -> BTreeMap<&'static str, Seen> {
        let spans = self.0.lock().unwrap();
        let children = spans.values().filter(|seen| seen.parent == Some(parent));
        children.map(|seen| (seen.name, seen.clone())).collect()
    }
}

#[tokio::test]
async fn spans_lead_from_the_request_to_the_sandbox() {
    let spans = Spans::default();
    let subscriber = tracing_subscriber::registry().with(spans.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let server = Server::start().await;
    server.echo().await;
    for start in ["cold", "warm"] {
        let body = json!({"name": "echo", "event": {}});
        let call = server.call("POST", "/functions/execute").json(&body);
        let call = call.header("traceparent", format!("00-{TRACE_ID}-{PARENT_ID}-01"));
        let outcome = call.send().await.ok();
        assert_eq!(outcome["start"], start);
        let request_id = outcome["request_id"].as_str().unwrap();

        let (id, invocation) = spans.named("invocation", ("request_id", request_id));
        let own = request_id.replace('-', "")[16..].to_owned();
        for (field, value) in [
            ("function", "echo"),
            ("version", "1"),
            ("runtime", "docker"),
            ("trace_id", TRACE_ID),
            ("parent_id", PARENT_ID),
            ("span_id", &own),
            ("start", start),
            ("status", "success"),
        ] {
            assert_eq!(invocation.fields[field], value, "{invocation:?}");
        }
        let request = spans.0.lock().unwrap()[&invocation.parent.unwrap()].clone();
        assert_eq!(request.name, "request");
        assert_eq!(request.fields["method"], "POST");
        assert_eq!(request.fields["route"], "/functions/execute");
        assert_eq!(request.fields["trace_id"], TRACE_ID);
        assert_eq!(request.fields["status"], "200");

        let children = spans.children(id);
        let names: Vec<_> = children.keys().copied().collect();
        if start == "warm" {
            assert_eq!(names, ["run"]);
            continue;
        }
        assert_eq!(names, ["acquire", "init", "run"]);
        let acquire = &children["acquire"].fields;
        let boot_ms: f64 = acquire["boot_ms"].parse().unwrap();
        let told = outcome["boot_ms"].as_f64().unwrap();
        assert!((boot_ms - told).abs() < 0.01, "{boot_ms} and {told}");
        assert!(boot_ms > 0.0, "{acquire:?}");
        assert!(acquire["queue_ms"].parse::<f64>().unwrap() >= 0.0);
        // A sandbox is booted for whoever is first in the queue: a tree of its own.
        let (_, boot) = spans.named("boot", ("sandbox", &acquire["sandbox"]));
        assert_eq!((boot.parent, &*boot.fields["runtime"]), (None, "docker"));
    }
}

#[tokio::test]
async fn only_a_well_formed_traceparent_reaches_the_function() {
    let server = Server::start().await;
    server
        .function("traced", "traceparent", Some("case.handler"))
        .await;
    let valid = format!("00-{TRACE_ID}-{PARENT_ID}-01");
    let test = json!({"language": "python", "code": "fake:traceparent", "handler": "case.handler"});
    let execution = json!({"name": "traced"});
    for (path, body) in [
        ("/functions/execute", &execution),
        ("/functions/traced/invoke", &json!({})),
        ("/functions/test", &test),
    ] {
        let call = server.call("POST", path).json(body);
        let answer = call.header("traceparent", &valid).send().await;
        let id = answer.header("lambda-request-id").map(str::to_owned);
        let json = answer.ok();
        let id = id.unwrap_or_else(|| json["request_id"].as_str().unwrap_or_default().to_owned());
        let seen = json
            .get("output")
            .unwrap_or(&json)
            .as_str()
            .unwrap()
            .to_owned();
        let own = id.replace('-', "")[16..].to_owned();
        assert_eq!(seen, format!("00-{TRACE_ID}-{own}-01"), "{path}");
    }
    for hostile in [
        "".to_owned(),
        "x".repeat(8_000),
        valid.to_uppercase(),
        format!("{valid},{valid}"),
        format!("{valid}-more"),
        valid.replace(PARENT_ID, "0000000000000000"),
        valid.replacen("00-", "ff-", 1),
    ] {
        let call = server
            .call("POST", "/functions/traced/invoke")
            .json(&json!({}));
        let answer = call.header("traceparent", &hostile).send().await;
        assert!(answer.ok().is_null(), "{hostile}");
    }
    let plain = server.call("POST", "/functions/traced/invoke").send().await;
    assert!(plain.ok().is_null());
    // Two of them are none.
    let twice = server.call("POST", "/functions/traced/invoke");
    let twice = twice
        .append_header("traceparent", &valid)
        .append_header("traceparent", &valid);
    assert!(twice.send().await.ok().is_null());
}
