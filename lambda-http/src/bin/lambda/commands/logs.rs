//! `lambda logs`

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use lambda_core::model::{Namespace, RequestId};
use lambda_core::store::ListInvocations;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::function_path;
use super::metrics::function_id;
use crate::cli::{Cli, LogsArgs};
use crate::client::Client;
use crate::events::Event;
use crate::failure::{Failure, Result};
use crate::{local, terminal};

/// Between a connection that broke and the next attempt.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Of a line that does not end, this much is shown.
const LINE_BYTES_MAX: usize = 64 * 1024;

#[derive(Deserialize)]
struct Kept {
    status: String,
    stdout_end: String,
    stderr_end: String,
    error_message: Option<String>,
}

pub(crate) async fn run(cli: &Cli, args: &LogsArgs) -> Result<ExitCode> {
    let client = Client::new(cli, &args.server)?;
    if args.follow {
        return follow(cli, &client, &args.what).await;
    }
    let kept = match from_server(&client, &args.what).await {
        Ok(kept) => kept,
        Err(failure) => {
            let store = local::store_instead(cli, &client, failure).await?;
            let found = from_store(&*store, &args.what).await;
            store.close().await;
            found?
        }
    };
    if cli.json {
        terminal::print(&kept.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let kept: Kept = serde_json::from_value(kept)
        .map_err(|error| Failure::new(format!("The record is not what was expected: {error}.")))?;
    terminal::text(&kept.stdout_end)?;
    terminal::error_text(&kept.stderr_end)?;
    if let Some(message) = &kept.error_message {
        terminal::note(&terminal::visible(message))?;
    }
    terminal::note(&kept.status)?;
    Ok(ExitCode::SUCCESS)
}

fn nothing_yet(what: &str) -> Failure {
    Failure::new(format!("`{what}` has no invocation on record."))
        .code("ResourceNotFoundException")
        .hint("A run is on record a second after its end. `lambda logs -f` shows it live.")
}

fn invocation_path(id: RequestId) -> String {
    format!("/invocations/{id}")
}

/// Ids of functions and of invocations look alike: what is no invocation is a function.
async fn from_server(client: &Client, what: &str) -> Result<Value> {
    #[derive(Deserialize)]
    struct Page {
        items: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        request_id: RequestId,
    }
    if let Ok(id) = what.parse::<RequestId>() {
        match client.get(&invocation_path(id)).await {
            Err(failure) if is_not_found(&failure) => {}
            answer => return answer?.parse(),
        }
    }
    let name = utf8_percent_encode(what, NON_ALPHANUMERIC);
    let page = client
        .get(&format!("/metrics?limit=1&function={name}"))
        .await?;
    let latest = page.parse::<Page>()?.items.into_iter().next();
    let latest = latest.ok_or_else(|| nothing_yet(what))?;
    client
        .get(&invocation_path(latest.request_id))
        .await?
        .parse()
}

async fn from_store(store: &dyn lambda_core::Store, what: &str) -> Result<Value> {
    let namespace = Namespace::default();
    let mut entry = None;
    if let Ok(id) = what.parse::<RequestId>() {
        entry = store.invocation_get(&namespace, id).await.ok();
    }
    if entry.is_none() {
        let mut wanted = ListInvocations::first(namespace.clone(), 1);
        wanted.function = Some(function_id(store, what).await?);
        let latest = store
            .invocation_list(wanted)
            .await?
            .items
            .into_iter()
            .next();
        let latest = latest.ok_or_else(|| nothing_yet(what))?;
        entry = Some(store.invocation_get(&namespace, latest.request_id).await?);
    }
    let entry = entry.ok_or_else(|| nothing_yet(what))?;
    Ok(json!({
        "request_id": entry.record.request_id,
        "function_name": entry.record.function_name,
        "status": entry.record.status,
        "stdout_end": entry.output.stdout,
        "stderr_end": entry.output.stderr,
        "error_message": entry.output.error_message,
    }))
}

fn is_not_found(failure: &Failure) -> bool {
    failure.code == "ResourceNotFoundException"
}

async fn follow(cli: &Cli, client: &Client, what: &str) -> Result<ExitCode> {
    let mut path = format!("{}/logs", function_path(what));
    let mut is_one = false;
    if let Ok(id) = what.parse::<RequestId>() {
        match client
            .events(&format!("{}/logs", invocation_path(id)), None)
            .await
        {
            Err(failure) if is_not_found(&failure) => {}
            Err(failure) => return Err(unfollowable(client, failure)),
            Ok(_) => {
                path = format!("{}/logs", invocation_path(id));
                is_one = true;
            }
        }
    }
    let mut printer = Printer {
        json: cli.json,
        is_one,
        lines: HashMap::new(),
    };
    let mut last: Option<String> = None;
    let mut was_connected = false;
    loop {
        match client.events(&path, last.as_deref()).await {
            Ok(mut events) => {
                if was_connected {
                    terminal::note("note: connected again")?;
                }
                was_connected = true;
                while let Some(event) = events.next().await? {
                    printer.print(&event)?;
                    if is_one && event.name == "end" {
                        return Ok(ExitCode::SUCCESS);
                    }
                    if event.id.is_some() {
                        last = event.id;
                    }
                }
                terminal::note("note: the connection ended; trying again")?;
            }
            Err(failure) if was_connected && failure.code == "Unreachable" => {}
            Err(failure) => return Err(unfollowable(client, failure)),
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

/// Only a server hears what functions write.
fn unfollowable(client: &Client, failure: Failure) -> Failure {
    if failure.code != "Unreachable" {
        return failure;
    }
    Failure::new(format!(
        "No server answers at {}, and only a running server can be followed.",
        client.base()
    ))
    .code("Unreachable")
    .hint("Start one with `lambda serve`, or leave -f out to see what the local store has.")
}

#[derive(Deserialize)]
struct Line {
    request_id: String,
    stream: String,
    text: String,
}

#[derive(Deserialize)]
struct End {
    request_id: String,
    status: String,
}

#[derive(Deserialize)]
struct Skipped {
    lines: Option<u64>,
}

struct Printer {
    json: bool,
    /// One invocation is printed as it comes; of several, whole lines.
    is_one: bool,
    lines: HashMap<(String, String), String>,
}

impl Printer {
    fn print(&mut self, event: &Event) -> Result<()> {
        let data: Value = parse(&event.data)?;
        if self.json {
            let line = json!({"event": event.name, "id": event.id, "data": data});
            return terminal::print(&line.to_string());
        }
        match event.name.as_str() {
            "log" => self.log(parse(&event.data)?),
            "end" => {
                let end: End = parse(&event.data)?;
                for stream in ["stdout", "stderr"] {
                    let key = (end.request_id.clone(), stream.to_owned());
                    if let Some(rest) = self.lines.remove(&key) {
                        line(&end.request_id, stream, &rest)?;
                    }
                }
                if self.is_one {
                    return terminal::note(&terminal::visible(&end.status));
                }
                let tail = tail(&end.request_id);
                terminal::note(&terminal::visible(&format!("{tail} {}", end.status)))
            }
            "skipped" => {
                let skipped: Skipped = parse(&event.data)?;
                terminal::note(&match skipped.lines {
                    Some(1) => "note: 1 line skipped".to_owned(),
                    Some(lines) => format!("note: {lines} lines skipped"),
                    None => "note: some lines skipped".to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    fn log(&mut self, log: Line) -> Result<()> {
        if self.is_one {
            return match log.stream.as_str() {
                "stderr" => terminal::error_text(&log.text),
                _ => terminal::text(&log.text),
            };
        }
        let key = (log.request_id.clone(), log.stream.clone());
        let text = self.lines.remove(&key).unwrap_or_default() + &log.text;
        let mut rest = text.as_str();
        while let Some((whole, after)) = rest.split_once('\n') {
            line(&log.request_id, &log.stream, whole)?;
            rest = after;
        }
        if rest.len() > LINE_BYTES_MAX {
            line(&log.request_id, &log.stream, rest)?;
        } else if !rest.is_empty() {
            self.lines.insert(key, rest.to_owned());
        }
        Ok(())
    }
}

/// The end of an id tells invocations apart: they begin with the time.
fn tail(id: &str) -> &str {
    id.get(id.len().saturating_sub(6)..).unwrap_or(id)
}

fn line(id: &str, stream: &str, text: &str) -> Result<()> {
    let text = format!("{} {text}", tail(id));
    match stream {
        "stderr" => terminal::note(&terminal::visible(&text)),
        _ => terminal::print(&terminal::foreign(&text)),
    }
}

fn parse<T: serde::de::DeserializeOwned>(data: &str) -> Result<T> {
    serde_json::from_str(data).map_err(|error| {
        Failure::new(format!(
            "The server's event is not what was expected: {error}."
        ))
        .hint("Is it a `lambda` server, and as new as this command?")
    })
}
