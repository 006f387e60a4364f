//! `lambda delete`

use std::process::ExitCode;

use serde_json::json;

use super::function_path;
use crate::cli::{Cli, DeleteArgs};
use crate::client::Client;
use crate::failure::Result;
use crate::terminal;

pub(crate) async fn run(cli: &Cli, args: &DeleteArgs) -> Result<ExitCode> {
    let client = Client::new(cli, &args.server)?;
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
