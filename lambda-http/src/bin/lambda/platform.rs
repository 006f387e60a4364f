//! The only place that picks back ends: which store, which runtimes.

use std::sync::Arc;

use lambda_core::model::RuntimeName;
use lambda_core::store::MemoryStore;
use lambda_core::{Error, ErrorKind, Platform, Runtime, Store};

use crate::config::Config;
use crate::failure::Result;
use crate::unusable::UnusableRuntime;

/// Opens the store and starts the platform.
pub(crate) async fn start(config: &Config, runtimes: &[Arc<dyn Runtime>]) -> Result<Platform> {
    let mut builder = Platform::builder()
        .data_dir(&config.data_dir)
        .store(store(config).await?)
        .pool(config.pool.options());
    for runtime in runtimes {
        builder = builder.runtime(Arc::clone(runtime));
    }
    Ok(builder.build().await?)
}

async fn store(_config: &Config) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(MemoryStore::new()))
}

/// Docker and gVisor; one that cannot be set up is there all the same, and says why.
pub(crate) async fn runtimes(_config: &Config) -> Vec<Arc<dyn Runtime>> {
    [RuntimeName::docker(), RuntimeName::gvisor()]
        .map(|name| -> Arc<dyn Runtime> {
            let why = Error::new(
                ErrorKind::RuntimeUnavailable,
                "runtime_connect",
                "This build has no container runtimes.",
            );
            Arc::new(UnusableRuntime::new(name, why))
        })
        .into()
}
