//! `lambda completions`

use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs};
use crate::failure::Result;
use crate::terminal;

pub(crate) fn run(args: &CompletionsArgs) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lambda", &mut script);
    terminal::text(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
