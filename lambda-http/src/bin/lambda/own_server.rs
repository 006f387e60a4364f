//! Commands that change or run something can do without a server: where none answers on this
//! machine they serve the API themselves, on a port of their own, for as long as they take.

use std::process::ExitCode;
use std::time::Duration;

use lambda_core::Platform;
use lambda_http::ServerOptions;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cli::{Cli, ServerArgs};
use crate::client::Client;
use crate::commands::serve;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::token::OperatorToken;
use crate::{local, platform, terminal};

/// Nothing runs any more when a command has its answer; what runs when it is interrupted is killed
/// after this.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The API, served by this process.
struct OwnServer {
    platform: Platform,
    url: String,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// Whether a command begins a local store where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It does.
    Make,
    /// It would find nothing there: the failure is that no server answers.
    Fail,
}

/// Does `work` with a client of the server, or where none answers on this machine, of this
/// process on the local store.
pub(crate) async fn with_client(
    cli: &Cli,
    server: &ServerArgs,
    missing: Missing,
    work: impl AsyncFnOnce(&Client) -> Result<ExitCode>,
) -> Result<ExitCode> {
    let client = Client::new(cli, server)?;
    if !client.is_local() || !client.is_refused().await {
        return work(&client).await;
    }
    let config = Config::load(cli.data_dir.as_deref(), &local::config_args())?;
    if missing == Missing::Fail && config.is_database_still_to_be_made() {
        return work(&client).await;
    }
    let own = OwnServer::start(config).await?;
    terminal::note("note: no server answers; this works on the local store")?;
    let there = ServerArgs {
        url: own.url.clone(),
        ca_file: None,
        token_file: None,
    };
    let working = async { work(&Client::new(cli, &there)?).await };
    let result = tokio::select! {
        result = working => result,
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(serve::EXIT_INTERRUPTED)),
    };
    own.close().await;
    result
}

impl OwnServer {
    async fn start(mut config: Config) -> Result<Self> {
        config.pool.keep_none_ready();
        serve::make_data_dir(&config.data_dir)?;
        let token = OperatorToken::load(&config.data_dir)?;
        let options = serve::http_options(&config, &token)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener
            .map_err(|error| Failure::new(format!("No port can be listened on: {error}.")))?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::new(format!("The listener has no address: {error}.")))?;
        let runtimes = platform::runtimes(&config);
        let platform = platform::start(&config, &runtimes, Some(DRAIN_TIMEOUT)).await?;
        let routes = lambda_http::routes(platform.clone(), options);
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            lambda_http::serve(listener, routes, ServerOptions::default(), async {
                let _ = stopped.await;
            })
            .await;
        });
        Ok(Self {
            platform,
            url: format!("http://{address}"),
            stop,
            served,
        })
    }

    async fn close(self) {
        let _ = self.stop.send(());
        let _ = self.served.await;
        self.platform.close().await;
    }
}
