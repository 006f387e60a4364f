//! Attempts that may end their own sandbox: each has one of its own.

use std::time::Duration;

use lambda_core::output::OutputCapture;
use lambda_core::runtime::SandboxReply;
use serde_json::{Value, json};

use crate::hostile::Hostile;
use crate::report::{Attempt, Report};
use crate::support::{Bench, event};

pub(crate) const GROUP: &str = "ends";

/// What does not answer by then is killed: the deadline is the host's.
const DEADLINE: Duration = Duration::from_secs(6);

pub(crate) async fn run(bench: &Bench, world: &Value, report: &mut Report, secret: &str) {
    let mut config = crate::config();
    config.memory_mib = 128;
    let hostile = Hostile::start(bench, &config).await;
    let names = hostile.call(json!({"names": GROUP})).await;
    let names: Vec<String> = serde_json::from_value(names).unwrap();
    hostile.destroy(secret).await;
    for name in names {
        let hostile = Hostile::start(bench, &config).await;
        let user = hostile.user().await;
        let call = event(&json!({"alone": name, "world": world}).to_string());
        let output = OutputCapture::new();
        let calling = hostile.running().sandbox.invoke(call, &output);
        let reply = tokio::time::timeout(DEADLINE, calling).await;
        report.add([judge(name, reply)]);
        hostile.destroy(secret).await;
        crate::host::expect_no_process_of(user).await;
    }
}

type Reply = Result<lambda_core::Result<SandboxReply>, tokio::time::error::Elapsed>;

fn judge(name: String, reply: Reply) -> Attempt {
    let result = match reply {
        Err(_) => "it hung until the host's deadline".to_owned(),
        Ok(Err(error)) => format!("refused: {error}"),
        Ok(Ok(SandboxReply::Response(body))) => {
            let mut tried: Vec<Attempt> = serde_json::from_slice(&body).unwrap();
            return tried.remove(0);
        }
        Ok(Ok(SandboxReply::Ended)) => "the sandbox ended".to_owned(),
        Ok(Ok(SandboxReply::OutOfMemory)) => "the sandbox was out of memory".to_owned(),
        Ok(Ok(reply)) => format!("{reply:?}"),
    };
    let why = "a function may end its own sandbox, and no other".to_owned();
    Attempt(name, "harmless".to_owned(), why, result, true)
}
