//! Commands that only read can do without a server: they look into the local store.

use std::path::Path;
use std::sync::Arc;

use lambda_core::Store;

use crate::cli::{Cli, ConfigArgs};
use crate::client::Client;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::terminal;

/// What a server on this machine would be told by the environment.
pub(crate) fn config_args() -> ConfigArgs {
    ConfigArgs {
        config: std::env::var_os("LAMBDA_CONFIG").map(Into::into),
        store: std::env::var("LAMBDA_STORE").ok(),
        allowed_images: Vec::new(),
        allowed_networks: Vec::new(),
    }
}

/// The local store, where `failure` is that no server answers on this machine; else `failure`.
pub(crate) async fn store_instead(
    cli: &Cli,
    client: &Client,
    failure: Failure,
) -> Result<Arc<dyn Store>> {
    if failure.code != "Unreachable" || !client.is_local() {
        return Err(failure);
    }
    let Ok(config) = Config::load(cli.data_dir.as_deref(), &config_args()) else {
        return Err(failure);
    };
    // Reading must not make a database.
    let file = config.store_url.strip_prefix("sqlite://");
    let file = file.map(|file| file.split('?').next().unwrap_or(file));
    if config.store_url.contains(":memory:") || file.is_some_and(|file| !Path::new(file).exists()) {
        return Err(failure);
    }
    let store = lambda_store::open(&config.store_url).await?;
    terminal::note("note: no server answers; this is what the local store has")?;
    Ok(store)
}
