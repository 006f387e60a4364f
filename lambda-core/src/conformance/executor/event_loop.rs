//! Runs that the thread of an event loop begins.

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::ExecutorHarness;
use crate::executor::ExecuteRequest;
use crate::model::{FunctionRef, StartKind, Status};

/// A run ends the same, and whoever asks for that is told, cold as well as warm.
pub(super) async fn started(harness: ExecutorHarness) {
    for language in harness.sources.languages() {
        let function = harness.deploy(language, "echo", true).await;
        for round in 0..20 {
            run(&harness, &function, round).await;
        }
    }
}

async fn run(harness: &ExecutorHarness, function: &FunctionRef, round: u32) {
    let event = json!({ "round": round });
    let mut request = ExecuteRequest::new(function.clone()).event(event.to_string());
    request.from_event_loop = true;
    let invocation = harness.platform.start(request).await.expect("it began");
    let id = invocation.request_id();
    let (tell, told) = oneshot::channel();
    invocation.on_end(move |outcome| tell.send(outcome).expect("somebody listens"));
    let outcome = told.await.expect("it was told").expect("it ran");
    assert_eq!((outcome.request_id, outcome.status), (id, Status::Success));
    let output: Value = serde_json::from_slice(&outcome.output.expect("an output")).expect("JSON");
    assert_eq!(output, event);
    assert_eq!(outcome.stderr.text, "echo to stderr\n");
    assert_eq!(round > 0, outcome.start == StartKind::Warm);
}
