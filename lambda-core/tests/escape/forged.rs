//! Forged traffic on the sandbox protocol: it ends its own sandbox, or spoils its own reply.

use std::time::Duration;

use lambda_core::model::Termination;
use lambda_core::output::OutputCapture;
use lambda_core::runtime::SandboxReply;
use serde_json::json;

use crate::hostile::Hostile;
use crate::report::{Attempt, Report};
use crate::support::{Bench, event};

/// For what the host has to notice without waiting for the deadline.
const PATIENCE: Duration = Duration::from_secs(5);

/// A sandbox's, however many bytes it sends: what was forged counts as its own reply at most.
const FORGED: &[u8] = b"\"forged\"";

pub(crate) async fn run(bench: &Bench, report: &mut Report, secret: &str) {
    let mut config = crate::config();
    config.memory_mib = 128;
    let hostile = Hostile::start(bench, &config).await;
    let names = hostile.call(json!({"forge": "list"})).await;
    let names: Vec<String> = serde_json::from_value(names).unwrap();
    hostile.destroy(secret).await;
    for name in names {
        let hostile = Hostile::start(bench, &config).await;
        hostile.call(json!({"forge": "remember"})).await;
        let result = forge(&hostile, &name).await;
        let is_right = !result.starts_with("accepted");
        let why = "a sandbox can end itself and spoil its own reply, and nothing else".to_owned();
        report.add([Attempt(
            format!("forged.{name}"),
            "harmless".to_owned(),
            why,
            result,
            is_right,
        )]);
        assert_eq!(
            hostile.running().sandbox.destroy().await,
            Termination::Confirmed
        );
        hostile.running().sandbox.removed().await;
    }
}

/// What the host makes of a forged message.
async fn forge(hostile: &Hostile, name: &str) -> String {
    let sandbox = &hostile.running().sandbox;
    let call = event(&json!({"forge": name}).to_string());
    let output = OutputCapture::new();
    match tokio::time::timeout(PATIENCE, sandbox.invoke(call, &output)).await {
        Err(_) => "the host waits for the rest, until the deadline".to_owned(),
        Ok(Err(error)) => format!("refused: {error}"),
        Ok(Ok(SandboxReply::Ended)) => "the sandbox ended".to_owned(),
        // It has answered its own call, with its own id. The next one must be its own, too.
        Ok(Ok(SandboxReply::Response(body))) if body == FORGED => {
            let next = event(&json!({}).to_string());
            let output = OutputCapture::new();
            match tokio::time::timeout(PATIENCE, sandbox.invoke(next, &output)).await {
                Ok(Ok(SandboxReply::Response(_))) => "accepted for another call".to_owned(),
                Ok(Ok(reply)) => format!("its own reply, then {reply:?}"),
                Ok(Err(error)) => format!("its own reply, then refused: {error}"),
                Err(_) => "its own reply, then silence until the deadline".to_owned(),
            }
        }
        Ok(Ok(reply)) => format!("accepted: {reply:?}"),
    }
}
