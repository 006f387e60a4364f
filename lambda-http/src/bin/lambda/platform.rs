//! The only place that picks back ends: which store, which runtimes.

use std::sync::Arc;

use lambda_store::runtime::{ContainerOptions, DockerRuntime, GvisorRuntime};
use lambda_store::{Platform, Runtime};

use crate::config::Config;
use crate::failure::Result;

/// Opens the store and starts the platform.
pub(crate) async fn start(config: &Config, runtimes: &[Arc<dyn Runtime>]) -> Result<Platform> {
    let mut builder = Platform::builder()
        .data_dir(&config.data_dir)
        .store(lambda_store::open(&config.store_url).await?)
        .pool(config.pool.options());
    for runtime in runtimes {
        builder = builder.runtime(Arc::clone(runtime));
    }
    Ok(builder.build().await?)
}

/// Docker and gVisor. Neither is asked for here: one that cannot be used now may be later,
/// and every execution in it says what to mend until then.
pub(crate) fn runtimes(config: &Config) -> Result<[Arc<dyn Runtime>; 2]> {
    let mut options = ContainerOptions::new(&config.data_dir);
    let section = &config.containers;
    options.docker_socket.clone_from(&section.docker_socket);
    options.allowed_images.clone_from(&section.allowed_images);
    options
        .allowed_networks
        .clone_from(&section.allowed_networks);
    for (target, value) in [
        (&mut options.python_image, &section.python_image),
        (&mut options.javascript_image, &section.javascript_image),
        (&mut options.runc, &section.runc),
        (&mut options.runsc, &section.runsc),
    ] {
        if let Some(value) = value {
            target.clone_from(value);
        }
    }
    Ok([
        Arc::new(DockerRuntime::connect(options.clone())?),
        Arc::new(GvisorRuntime::connect(options)?),
    ])
}
