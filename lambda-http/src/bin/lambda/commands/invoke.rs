//! `lambda invoke`

use std::io::Read as _;
use std::process::ExitCode;

use lambda_core::model::FunctionRef;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cli::{Cli, InvokeArgs};
use crate::client::Client;
use crate::failure::{Failure, Result};
use crate::own_server::{self, Missing};
use crate::terminal;

#[derive(Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qualifier: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    args: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_gvisor: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Outcome {
    status: String,
    output: Box<RawValue>,
    stdout: String,
    stdout_truncated: bool,
    stderr: String,
    stderr_truncated: bool,
    exit_code: Option<i32>,
    error: Option<FunctionError>,
    start: String,
    runtime: String,
    total_ms: f64,
}

#[derive(Deserialize)]
struct FunctionError {
    #[serde(rename = "type")]
    error_type: String,
    message: String,
    trace: Vec<String>,
}

pub(crate) async fn run(cli: &Cli, args: &InvokeArgs) -> Result<ExitCode> {
    own_server::with_client(cli, &args.server, Missing::Fail, async |client| {
        invoke(cli, args, client).await
    })
    .await
}

async fn invoke(cli: &Cli, args: &InvokeArgs, client: &Client) -> Result<ExitCode> {
    let is_id = matches!(args.name.parse(), Ok(FunctionRef::Id(_)));
    let request = Request {
        id: is_id.then_some(&args.name),
        name: (!is_id).then_some(&args.name),
        qualifier: args.qualifier.as_deref(),
        args: &args.args,
        event: args.event.as_deref().map(event).transpose()?,
        use_gvisor: args.gvisor.then_some(true),
        timeout_ms: args.timeout_ms,
    };
    let body = serde_json::to_vec(&request)
        .map_err(|error| Failure::new(format!("The request cannot be printed: {error}.")))?;
    let answer = client.post("/functions/execute", body.into()).await?;
    let outcome: Outcome = answer.parse()?;
    if cli.json {
        terminal::print(&String::from_utf8_lossy(&answer.body))?;
    } else {
        show(&outcome)?;
    }
    Ok(if outcome.status == "success" {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The event, checked: a shell's quoting goes wrong easily.
fn event(given: &str) -> Result<Box<RawValue>> {
    let failed = |what: &str, error: std::io::Error| {
        Failure::usage(format!("{what} cannot be read: {error}."))
    };
    let text = if given == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| failed("The event on stdin", error))?;
        text
    } else if let Some(path) = given.strip_prefix('@') {
        std::fs::read_to_string(path).map_err(|error| failed(path, error))?
    } else {
        given.to_owned()
    };
    RawValue::from_string(text).map_err(|error| {
        Failure::usage(format!("The event is not JSON: {error}."))
            .hint("Quote it for the shell, as in --event '{\"name\": \"Alice\"}'.")
    })
}

/// The function's output on stdout, everything about it on stderr.
fn show(outcome: &Outcome) -> Result<()> {
    let output = outcome.output.get();
    let is_script = outcome.exit_code.is_some()
        || serde_json::from_str::<String>(output)
            .is_ok_and(|text| text == outcome.stdout.strip_suffix('\n').unwrap_or(&outcome.stdout));
    let stdout = outcome.stdout.trim_end_matches('\n');
    if is_script {
        if !outcome.stdout.is_empty() {
            terminal::print(&terminal::foreign(stdout))?;
        }
    } else {
        if !outcome.stdout.is_empty() {
            terminal::note(&terminal::visible(stdout))?;
        }
        if outcome.status == "success" {
            terminal::print(&terminal::foreign(output))?;
        }
    }
    if !outcome.stderr.is_empty() {
        terminal::note(&terminal::visible(outcome.stderr.trim_end_matches('\n')))?;
    }
    if outcome.stdout_truncated || outcome.stderr_truncated {
        terminal::note("note: the function wrote more than is kept")?;
    }
    if let Some(error) = &outcome.error {
        let mut text = format!("{}: {}", error.error_type, error.message);
        for line in &error.trace {
            text.push_str(&format!("\n  {}", line.trim_end()));
        }
        terminal::note(&terminal::visible(&text))?;
    }
    terminal::note(&format!(
        "{} in {:.1} ms ({} start, {})",
        outcome.status, outcome.total_ms, outcome.start, outcome.runtime
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_from_the_line_or_a_file() {
        assert_eq!(event("{\"a\":1}").unwrap().get(), "{\"a\":1}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " [1]\n").unwrap();
        assert_eq!(
            event(&format!("@{}", file.path().display())).unwrap().get(),
            "[1]"
        );
        assert!(event("{a:1}").is_err());
        assert!(event("@/nowhere").is_err());
    }
}
