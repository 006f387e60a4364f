//! `lambda list`

use std::process::ExitCode;

use serde::Deserialize;

use crate::cli::{Cli, ListArgs};
use crate::client::Client;
use crate::failure::Result;
use crate::own_server::{self, Missing};
use crate::terminal;

#[derive(Deserialize)]
struct Listed {
    name: String,
    language: String,
    handler: Option<String>,
    runtime: String,
    version: u32,
    memory_mib: u32,
    timeout_ms: u64,
    updated_at: String,
}

pub(crate) async fn run(cli: &Cli, args: &ListArgs) -> Result<ExitCode> {
    own_server::with_client(cli, &args.server, Missing::Fail, async |client| {
        list(cli, client).await
    })
    .await
}

async fn list(cli: &Cli, client: &Client) -> Result<ExitCode> {
    let all = client.get_pages("/functions").await?;
    if cli.json {
        let items: Vec<_> = all.iter().map(|item| item.get()).collect();
        terminal::print(&format!("[{}]", items.join(",")))?;
    } else if all.is_empty() {
        terminal::print("There are no functions yet. Deploy one with `lambda deploy hello.py`.")?;
    } else {
        let rows: Vec<_> = all
            .iter()
            .filter_map(|item| serde_json::from_str(item.get()).ok())
            .map(row)
            .collect();
        let header = [
            "NAME", "VERSION", "LANGUAGE", "HANDLER", "RUNTIME", "MEMORY", "TIMEOUT", "UPDATED",
        ];
        terminal::print(&terminal::table(&header, &rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(function: Listed) -> Vec<String> {
    // Minutes are enough for people: 2025-01-31T12:34
    let updated: String = function.updated_at.chars().take(16).collect();
    vec![
        function.name,
        function.version.to_string(),
        function.language,
        function.handler.unwrap_or_else(|| "(script)".to_owned()),
        function.runtime,
        format!("{} MiB", function.memory_mib),
        format!("{} ms", function.timeout_ms),
        updated.replace('T', " "),
    ]
}
