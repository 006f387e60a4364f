//! `lambda rollback`

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;

use super::function_path;
use crate::cli::{Cli, RollbackArgs};
use crate::client::Client;
use crate::failure::{Failure, Result};
use crate::own_server::{self, Missing};
use crate::terminal;

#[derive(Deserialize)]
struct Function {
    name: String,
    version: u32,
    revision_id: String,
}

pub(crate) async fn run(cli: &Cli, args: &RollbackArgs) -> Result<ExitCode> {
    own_server::with_client(cli, &args.server, Missing::Fail, async |client| {
        rollback(cli, args, client).await
    })
    .await
}

async fn rollback(cli: &Cli, args: &RollbackArgs, client: &Client) -> Result<ExitCode> {
    let path = function_path(&args.name);
    let before: Function = client.get(&path).await?.parse()?;
    let version = match args.version {
        Some(version) => version,
        None if before.version > 1 => before.version - 1,
        None => {
            return Err(Failure::usage(format!(
                "{} is at its first version; there is none before it.",
                before.name
            ))
            .hint("Name the version: lambda rollback NAME VERSION."));
        }
    };
    // What another has deployed since is not undone without having been looked at.
    let body = json!({ "version": version, "revision_id": before.revision_id });
    let path = format!("{path}/aliases/current");
    let answer = client.put(&path, body.to_string().into()).await?;
    if cli.json {
        terminal::print(&String::from_utf8_lossy(&answer.body))?;
    } else {
        let after: Function = answer.parse()?;
        terminal::print(&format!(
            "{} is at version {} now (it was at {}).",
            after.name, after.version, before.version
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
