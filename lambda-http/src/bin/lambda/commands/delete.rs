//! `lambda delete`

use std::process::ExitCode;

use serde_json::json;

use super::function_path;
use crate::cli::{Cli, DeleteArgs};
use crate::client::Client;
use crate::failure::Result;
use crate::own_server::{self, Missing};
use crate::terminal;

pub(crate) async fn run(cli: &Cli, args: &DeleteArgs) -> Result<ExitCode> {
    own_server::with_client(cli, &args.server, Missing::Fail, async |client| {
        delete(cli, args, client).await
    })
    .await
}

async fn delete(cli: &Cli, args: &DeleteArgs, client: &Client) -> Result<ExitCode> {
    for name in &args.names {
        client.delete(&function_path(name)).await?;
        if !cli.json {
            terminal::print(&format!("Deleted {name}."))?;
        }
    }
    if cli.json {
        terminal::print(&json!({ "deleted": args.names }).to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}
