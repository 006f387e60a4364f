//! What can be said on the command line.
//!
//! No `Debug`: a store's URL and a function's environment hold secrets.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use lambda_core::model::{Scope, TokenId};

/// Your own serverless functions: deploy Python and JavaScript, run them in warm sandboxes.
#[derive(Parser)]
#[command(
    name = "lambda",
    version,
    about,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage."
)]
pub(crate) struct Cli {
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Where the server keeps its data [default: $XDG_DATA_HOME/lambda, ~/.local/share/lambda
    /// or, as root, /var/lib/lambda]
    #[arg(long, global = true, value_name = "DIR", env = "LAMBDA_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server, with its dashboard
    Serve(Box<ServeArgs>),
    /// Create a function, or a new version of it, from a file, a directory or a zip archive
    Deploy(Box<DeployArgs>),
    /// List the functions
    List(ListArgs),
    /// Execute a function and print what it returns
    Invoke(InvokeArgs),
    /// List the versions of a function
    Versions(VersionsArgs),
    /// Make an earlier version of a function the current one again
    Rollback(RollbackArgs),
    /// Print what functions write: live (-f), or what is kept of an invocation
    Logs(LogsArgs),
    /// Figures of each function: calls, errors, starts and durations
    Metrics(MetricsArgs),
    /// Print the dashboard's address, and open it in a browser where there is one
    Open(OpenArgs),
    /// Print a script that completes this command line in a shell
    Completions(CompletionsArgs),
    /// Delete functions
    Delete(DeleteArgs),
    /// Make, list and revoke access tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Check Docker, gVisor, images and limits on this machine, and say how to mend them
    Doctor(DoctorArgs),
}

/// Where the server is.
#[derive(Args)]
pub(crate) struct ServerArgs {
    /// The server's address. The token comes from LAMBDA_TOKEN or, for a server on this
    /// machine, from the data directory. Where none answers on this machine, the command works on
    /// the local store by itself
    #[arg(
        long,
        value_name = "URL",
        env = "LAMBDA_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(crate) url: String,

    /// A PEM file with the certificates that a server with https:// may be signed by, instead of
    /// the system's
    #[arg(long, value_name = "FILE", env = "LAMBDA_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// A file that holds the token
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// What `serve` and `doctor` read besides the TOML file.
#[derive(Args)]
pub(crate) struct ConfigArgs {
    /// A TOML file [default: lambda.toml in the data directory, else in the current one]
    #[arg(long, value_name = "FILE", env = "LAMBDA_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The store's URL [default: sqlite://DATA_DIR/lambda.db]
    #[arg(long, value_name = "URL", env = "LAMBDA_STORE", hide_env_values = true)]
    pub(crate) store: Option<String>,

    /// An image that functions may name; repeatable
    #[arg(long = "allow-image", value_name = "IMAGE", action = ArgAction::Append)]
    pub(crate) allowed_images: Vec<String>,

    /// A Docker network that functions may name; repeatable
    #[arg(long = "allow-network", value_name = "NETWORK", action = ArgAction::Append)]
    pub(crate) allowed_networks: Vec<String>,
}

#[derive(Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// The address to listen on; off loopback every API route needs a token
    /// [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT", env = "LAMBDA_LISTEN")]
    pub(crate) listen: Option<String>,

    /// Ask for a token on loopback too
    #[arg(long)]
    pub(crate) require_token: bool,

    /// A PEM file with the certificate, followed by those that sign it: speak TLS
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        env = "LAMBDA_TLS_CERT"
    )]
    pub(crate) tls_cert: Option<PathBuf>,

    /// A PEM file with the certificate's private key
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        env = "LAMBDA_TLS_KEY"
    )]
    pub(crate) tls_key: Option<PathBuf>,

    /// A further name by which browsers may reach a server on loopback; repeatable
    #[arg(long = "host", value_name = "NAME", action = ArgAction::Append)]
    pub(crate) hosts: Vec<String>,

    /// How log lines look; what is logged is set by LAMBDA_LOG, for instance `debug`
    /// [default: text]
    #[arg(long, value_name = "FORMAT", env = "LAMBDA_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Args)]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// A source file (.py, .js, .mjs, .cjs), a directory or a .zip archive
    #[arg(value_name = "FILE|DIR|ZIP")]
    pub(crate) path: PathBuf,

    /// The function's name [default: from the file's name]
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// python or javascript [default: from the file's extension, or from main.* or the
    /// handler's module in a directory or archive]
    #[arg(long)]
    pub(crate) language: Option<String>,

    /// module.function of a handler function; without it the function is a script
    #[arg(long)]
    pub(crate) handler: Option<String>,

    /// For people
    #[arg(long)]
    pub(crate) description: Option<String>,

    /// docker or gvisor
    #[arg(long)]
    pub(crate) runtime: Option<String>,

    /// Longest run of one invocation, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) timeout_ms: Option<u64>,

    /// Memory of a sandbox, in MiB
    #[arg(long, value_name = "MIB")]
    pub(crate) memory_mib: Option<u32>,

    /// CPUs of a sandbox
    #[arg(long, value_name = "N")]
    pub(crate) cpus: Option<f64>,

    /// Size of /tmp, in MiB, out of the memory
    #[arg(long, value_name = "MIB")]
    pub(crate) tmp_mib: Option<u32>,

    /// An environment variable; repeatable; together they replace all that were there
    #[arg(long = "env", value_name = "NAME=VALUE", action = ArgAction::Append)]
    pub(crate) env: Vec<String>,

    /// Most sandboxes of the function at once
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<u32>,

    /// The container image, out of the server's list
    #[arg(long)]
    pub(crate) image: Option<String>,

    /// none, or a network out of the server's list
    #[arg(long)]
    pub(crate) network: Option<String>,

    /// Run each invocation of a handler in a process of its own
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) fresh_process: Option<bool>,

    /// Sandboxes to keep warm, also while nobody calls
    #[arg(long, value_name = "N")]
    pub(crate) min_warm: Option<u32>,

    /// Let what a handler leaves running run on
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) keep_processes: Option<bool>,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Args)]
#[command(
    after_help = "Exits with 1 when the function failed. Args that begin with a hyphen stand after `--`."
)]
pub(crate) struct InvokeArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// The function's name or id
    pub(crate) name: String,

    /// Command-line args, for a script function
    #[arg(conflicts_with = "event")]
    pub(crate) args: Vec<String>,

    /// The event, for a handler function: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(crate) event: Option<String>,

    /// Another version than the current one: its number, or an alias
    #[arg(long, value_name = "VERSION|ALIAS")]
    pub(crate) qualifier: Option<String>,

    /// Run in gVisor
    #[arg(long)]
    pub(crate) gvisor: bool,

    /// A shorter timeout than the function's own, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) timeout_ms: Option<u64>,
}

#[derive(Args)]
pub(crate) struct VersionsArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// The function's name or id
    pub(crate) name: String,
}

#[derive(Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// The function's name or id
    pub(crate) name: String,

    /// The version's number [default: the one before the current one]
    pub(crate) version: Option<u32>,
}

#[derive(Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// A function's name or id, or an invocation's request id. Without -f a function stands for
    /// its latest invocation
    #[arg(value_name = "NAME|REQUEST_ID")]
    pub(crate) what: String,

    /// Print what is written from now on; after a broken connection go on where it broke
    #[arg(long, short)]
    pub(crate) follow: bool,
}

#[derive(Args)]
pub(crate) struct MetricsArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// Only this function: its name or id
    pub(crate) name: Option<String>,

    /// How far back: a number and m, h or d [default: all]
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from", "to"])]
    pub(crate) since: Option<String>,

    /// The beginning, as in 2026-01-31T12:00:00Z
    #[arg(long, value_name = "RFC3339")]
    pub(crate) from: Option<jiff::Timestamp>,

    /// The end
    #[arg(long, value_name = "RFC3339")]
    pub(crate) to: Option<jiff::Timestamp>,
}

#[derive(Args)]
pub(crate) struct OpenArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// Only print the address
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// Names or ids of functions
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print its secret, which is kept nowhere
    Create(TokenCreateArgs),
    /// List the tokens, without their secrets
    List(TokenListArgs),
    /// Revoke tokens: refused by every server of the store within a second
    Revoke(TokenRevokeArgs),
}

/// Where tokens are: in the store, or behind a server.
#[derive(Args)]
pub(crate) struct TokenStoreArgs {
    /// The address of a server, whose operator's token is in LAMBDA_TOKEN or the data directory
    /// [default: none, the store itself is opened]
    #[arg(long, value_name = "URL", env = "LAMBDA_URL", conflicts_with_all = ["store", "config"])]
    pub(crate) url: Option<String>,

    /// As for the other commands
    #[arg(long, value_name = "FILE", env = "LAMBDA_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// A file that holds the token
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) token_file: Option<PathBuf>,

    /// The server's TOML file, which may name the store
    #[arg(long, value_name = "FILE", env = "LAMBDA_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The store's URL [default: sqlite://DATA_DIR/lambda.db]
    #[arg(long, value_name = "URL", env = "LAMBDA_STORE", hide_env_values = true)]
    pub(crate) store: Option<String>,
}

#[derive(Args)]
pub(crate) struct TokenCreateArgs {
    #[command(flatten)]
    pub(crate) place: TokenStoreArgs,

    /// What it is for
    pub(crate) name: String,

    /// functions:read, functions:write, invoke, metrics:read or admin; repeatable
    #[arg(long = "scope", value_name = "SCOPE", required = true, action = ArgAction::Append, value_parser = scope)]
    pub(crate) scopes: Vec<Scope>,
}

#[derive(Args)]
pub(crate) struct TokenListArgs {
    #[command(flatten)]
    pub(crate) place: TokenStoreArgs,
}

#[derive(Args)]
pub(crate) struct TokenRevokeArgs {
    #[command(flatten)]
    pub(crate) place: TokenStoreArgs,

    /// Ids of tokens, as `lambda token list` shows them
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<TokenId>,
}

fn scope(word: &str) -> Result<Scope, String> {
    Scope::from_word(word).ok_or_else(|| {
        let words = Scope::ALL.map(Scope::as_str);
        format!("a scope is one of {}", words.join(", "))
    })
}

#[derive(Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_stand_on_either_side_of_args() {
        let cli = Cli::parse_from(["lambda", "invoke", "f", "a", "--gvisor", "b", "--", "-c"]);
        let Command::Invoke(invoke) = cli.command else {
            panic!("another command")
        };
        assert!(invoke.gvisor);
        assert_eq!(invoke.args, ["a", "b", "-c"]);
    }
}
