//! `lambda versions`

use std::process::ExitCode;

use serde::Deserialize;

use super::function_path;
use crate::cli::{Cli, VersionsArgs};
use crate::client::Client;
use crate::failure::Result;
use crate::own_server::{self, Missing};
use crate::terminal;

#[derive(Deserialize)]
struct Version {
    version: u32,
    description: String,
    handler: Option<String>,
    code_sha256: String,
    code_size_bytes: u64,
    updated_at: String,
}

#[derive(Deserialize)]
struct Alias {
    name: String,
    version: u32,
}

pub(crate) async fn run(cli: &Cli, args: &VersionsArgs) -> Result<ExitCode> {
    own_server::with_client(cli, &args.server, Missing::Fail, async |client| {
        versions(cli, args, client).await
    })
    .await
}

async fn versions(cli: &Cli, args: &VersionsArgs, client: &Client) -> Result<ExitCode> {
    let path = function_path(&args.name);
    let all = client.get_pages(&format!("{path}/versions")).await?;
    if cli.json {
        let items: Vec<_> = all.iter().map(|item| item.get()).collect();
        terminal::print(&format!("[{}]", items.join(",")))?;
        return Ok(ExitCode::SUCCESS);
    }
    let aliases: Vec<Alias> = client.get(&format!("{path}/aliases")).await?.parse()?;
    let rows: Vec<_> = all
        .iter()
        .filter_map(|item| serde_json::from_str(item.get()).ok())
        .map(|version| row(version, &aliases))
        .collect();
    let header = [
        "VERSION",
        "ALIASES",
        "HANDLER",
        "CODE",
        "BYTES",
        "CREATED",
        "DESCRIPTION",
    ];
    terminal::print(&terminal::table(&header, &rows))?;
    Ok(ExitCode::SUCCESS)
}

fn row(version: Version, aliases: &[Alias]) -> Vec<String> {
    let own = aliases
        .iter()
        .filter(|alias| alias.version == version.version);
    let names: Vec<_> = own.map(|alias| alias.name.as_str()).collect();
    let created: String = version.updated_at.chars().take(16).collect();
    vec![
        version.version.to_string(),
        names.join(", "),
        version.handler.unwrap_or_else(|| "(script)".to_owned()),
        version.code_sha256.chars().take(12).collect(),
        version.code_size_bytes.to_string(),
        created.replace('T', " "),
        terminal::visible(&version.description).into_owned(),
    ]
}
