//! `lambda serve`

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use lambda_core::runtime::{Finding, Severity};
use lambda_core::{Platform, Runtime};
use lambda_http::{HttpOptions, ServerOptions};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::cli::{Cli, ServeArgs};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::token::{self, OperatorToken};
use crate::{logging, platform, terminal};

/// As a shell reports a process that SIGINT has ended.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

/// The look takes some milliseconds where all is well.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn run(cli: &Cli, args: &ServeArgs) -> Result<ExitCode> {
    let config = settings(cli, args)?;
    logging::init(config.log_format)?;
    make_data_dir(&config.data_dir)?;
    let token = OperatorToken::load(&config.data_dir)?;
    let options = http_options(&config, &token)?;
    let mut server_options = ServerOptions::default();
    if let Some(most) = config.http.connections_max {
        server_options = server_options.connections_max(most);
    }
    let tls = config.tls.read()?;
    if let Some((cert, key)) = &tls {
        server_options = server_options.tls(cert, key)?;
    }
    // Before anything is started: a second server on the same port should change nothing.
    let listener = listen(config.listen_address()?).await?;
    let stop = stop_signal()?;
    let runtimes = platform::runtimes(&config);
    let running = platform::start(&config, &runtimes, None).await?;

    let served = async {
        announce(cli, &config, &listener, &token, &runtimes).await?;
        let routes = lambda_http::routes(running.clone(), options);
        lambda_http::serve(listener, routes, server_options, async {
            // An error means that the task that waits for signals is gone: stop as well.
            let _ = stop.await;
        })
        .await;
        Ok(ExitCode::SUCCESS)
    }
    .await;
    close(&running).await;
    served
}

async fn close(running: &Platform) {
    tracing::info!("removing the sandboxes");
    running.close().await;
}

fn settings(cli: &Cli, args: &ServeArgs) -> Result<Config> {
    let mut config = Config::load(cli.data_dir.as_deref(), &args.config)?;
    if let Some(listen) = &args.listen {
        config.listen.clone_from(listen);
    }
    if let Some(format) = args.log_format {
        config.log_format = format;
    }
    if args.tls_cert.is_some() {
        config.tls.cert.clone_from(&args.tls_cert);
        config.tls.key.clone_from(&args.tls_key);
    }
    config.require_token |= args.require_token;
    config.hosts.extend(args.hosts.iter().cloned());
    Ok(config)
}

pub(crate) fn http_options(config: &Config, token: &OperatorToken) -> Result<HttpOptions> {
    let mut options = HttpOptions::default()
        .operator_token(token.secret())?
        .upload_dir(&config.data_dir)
        .anonymous_loopback(!config.require_token);
    if let Some(most) = config.http.log_streams_max {
        options = options.log_streams_max(most);
    }
    for host in &config.hosts {
        options = options.host(host);
    }
    Ok(options)
}

/// Makes the data directory for its owner alone. One that is there keeps its mode: it may be
/// shared, and everything in it has a mode of its own.
pub(crate) fn make_data_dir(path: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(|error| {
        Failure::new(format!(
            "The data directory {} cannot be used: {error}.",
            path.display()
        ))
        .hint("Make it writable, or name another with --data-dir.")
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let failure = Failure::new(format!("The server cannot listen on {address}: {error}."));
        match error.kind() {
            std::io::ErrorKind::AddrInUse => failure
                .hint("Is it running already? Else choose another port: --listen 127.0.0.1:8081."),
            _ => failure.hint("Choose another address with --listen."),
        }
    })
}

/// Ready at the first SIGINT or SIGTERM; the second ends the process at once.
fn stop_signal() -> Result<oneshot::Receiver<()>> {
    let install = |kind| {
        signal(kind).map_err(|error| Failure::new(format!("Signals cannot be handled: {error}.")))
    };
    let mut interrupt = install(SignalKind::interrupt())?;
    let mut terminate = install(SignalKind::terminate())?;
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        tracing::info!("stopping: running requests may end first; a second signal stops at once");
        let _ = sender.send(());
        next().await;
        // What is left behind is removed by the next start.
        std::process::exit(EXIT_INTERRUPTED.into());
    });
    Ok(receiver)
}

/// What a quick look finds wrong. A Docker that hangs must not keep the server from starting.
async fn errors_of(runtime: &dyn Runtime) -> Vec<Finding> {
    let findings = tokio::time::timeout(CHECK_TIMEOUT, runtime.check(false)).await;
    let mut findings = findings.unwrap_or_else(|_| {
        vec![Finding::bad(
            Severity::Error,
            "Docker",
            "It does not answer.",
            "Run `lambda doctor` once it does.",
        )]
    });
    findings.retain(|finding| finding.severity == Severity::Error);
    findings
}

/// Says where everything is, and what cannot be used.
async fn announce(
    cli: &Cli,
    config: &Config,
    listener: &TcpListener,
    token: &OperatorToken,
    runtimes: &[std::sync::Arc<dyn Runtime>],
) -> Result<()> {
    let address = listener
        .local_addr()
        .map_err(|error| Failure::new(format!("The listener has no address: {error}.")))?;
    let scheme = match config.tls.cert {
        Some(_) => "https",
        None => "http",
    };
    let url = format!("{scheme}://{address}/");
    let mut usable = Vec::new();
    let mut broken = Vec::new();
    for runtime in runtimes {
        let name = runtime.name().to_string();
        let errors = errors_of(&**runtime).await;
        if errors.is_empty() {
            usable.push(name);
        } else {
            broken.push((name, errors));
        }
    }
    if cli.json {
        let broken: serde_json::Map<_, _> = broken
            .into_iter()
            .map(|(name, errors)| (name, json!(errors)))
            .collect();
        let token_file = match token {
            OperatorToken::Given(_) => None,
            OperatorToken::Kept(_) | OperatorToken::Made(_) => Some(token::path(&config.data_dir)),
        };
        let started = json!({
            "url": url, "data_dir": config.data_dir, "token_file": token_file,
            "usable": usable, "unusable": broken,
        });
        return terminal::print(&started.to_string());
    }
    let mut text = format!(
        "Dashboard:  {url}\nData:       {}",
        config.data_dir.display()
    );
    if let Some(path) = &config.file_path {
        text.push_str(&format!("\nSettings:   {}", path.display()));
    }
    text.push_str(&match token {
        OperatorToken::Given(_) => format!("\nToken:      the value of {}", token::VARIABLE),
        OperatorToken::Kept(_) => {
            format!(
                "\nToken:      in {}",
                token::path(&config.data_dir).display()
            )
        }
        OperatorToken::Made(secret) => format!(
            "\nToken:      {secret}\n            (shown this once; kept in {})",
            token::path(&config.data_dir).display()
        ),
    });
    let usable = match usable.is_empty() {
        true => "none".to_owned(),
        false => usable.join(", "),
    };
    text.push_str(&format!("\nRuntimes:   {usable}"));
    for (name, errors) in &broken {
        for error in errors {
            text.push_str(&format!("\n  {name} cannot be used: {}", error.detail));
            if let Some(mend) = &error.mend {
                text.push_str(&format!("\n    {mend}"));
            }
        }
    }
    if !address.ip().is_loopback() && config.tls.cert.is_none() {
        text.push_str(
            "\nOther machines can reach this address. The API asks for a token everywhere, but\n\
             the connection is not encrypted: set --tls-cert and --tls-key, or put a proxy with\n\
             TLS in front.",
        );
    }
    terminal::print(&text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_new_data_directory_is_its_owners_and_an_old_one_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let fresh = parent.path().join("a/b");
        make_data_dir(&fresh).unwrap();
        assert_eq!(mode(&fresh), 0o700);
        let shared = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&fresh, shared).unwrap();
        make_data_dir(&fresh).unwrap();
        assert_eq!(mode(&fresh), 0o755);
        std::fs::write(parent.path().join("file"), "").unwrap();
        assert!(make_data_dir(&parent.path().join("file/x")).is_err());
    }
}
