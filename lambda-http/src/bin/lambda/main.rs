//! `lambda`: the server and its command line.

mod cli;
mod client;
mod commands;
mod config;
mod events;
mod failure;
mod local;
mod logging;
mod own_server;
mod platform;
mod terminal;
mod token;
mod trust;
mod unusable;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    // clap itself exits with 2 on wrong usage.
    let cli = Cli::parse();
    let json = cli.json;
    match run(cli) {
        Ok(code) => code,
        Err(failure) => {
            terminal::report(&failure, json);
            ExitCode::from(failure.exit_code())
        }
    }
}

#[tokio::main]
async fn run(cli: Cli) -> failure::Result<ExitCode> {
    match &cli.command {
        Command::Serve(args) => commands::serve::run(&cli, args).await,
        Command::Deploy(args) => commands::deploy::run(&cli, args).await,
        Command::List(args) => commands::list::run(&cli, args).await,
        Command::Invoke(args) => commands::invoke::run(&cli, args).await,
        Command::Versions(args) => commands::versions::run(&cli, args).await,
        Command::Rollback(args) => commands::rollback::run(&cli, args).await,
        Command::Logs(args) => commands::logs::run(&cli, args).await,
        Command::Metrics(args) => commands::metrics::run(&cli, args).await,
        Command::Open(args) => commands::open::run(&cli, args).await,
        Command::Completions(args) => commands::completions::run(args),
        Command::Delete(args) => commands::delete::run(&cli, args).await,
        Command::Token(command) => commands::token::run(&cli, command).await,
        Command::Doctor(args) => commands::doctor::run(&cli, args).await,
    }
}
