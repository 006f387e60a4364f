//! `lambda open`

use std::process::{Command, ExitCode, Stdio};

use serde_json::json;

use crate::cli::{Cli, OpenArgs};
use crate::client::Client;
use crate::failure::Result;
use crate::terminal;

pub(crate) async fn run(cli: &Cli, args: &OpenArgs) -> Result<ExitCode> {
    let client = Client::new(cli, &args.server)?;
    // An address where nobody answers is of no use.
    client.get("/health").await?;
    let url = format!("{}/", client.base());
    if cli.json {
        terminal::print(&json!({ "url": url }).to_string())?;
    } else {
        terminal::print(&url)?;
    }
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty()));
    if args.print || cli.json || !has_screen {
        return Ok(ExitCode::SUCCESS);
    }
    let opened = Command::new("xdg-open")
        .arg(&url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if opened.is_err() {
        terminal::note("note: there is no xdg-open here; open the address by hand")?;
    }
    Ok(ExitCode::SUCCESS)
}
