//! The only place that picks back ends: which store, which runtimes.

use std::sync::Arc;
use std::time::Duration;

use lambda_core::model::RuntimeName;
use lambda_core::runtime::{ContainerOptions, DockerRuntime, GvisorRuntime};
use lambda_core::{Platform, Result, Runtime};

use crate::config::Config;
use crate::failure;
use crate::unusable::UnusableRuntime;

/// Opens the store and starts the platform, which when it is closed waits for what runs, unless
/// told otherwise as long as the library does.
pub(crate) async fn start(
    config: &Config,
    runtimes: &[Arc<dyn Runtime>],
    drain_timeout: Option<Duration>,
) -> failure::Result<Platform> {
    let mut builder = Platform::builder()
        .data_dir(&config.data_dir)
        .store(lambda_store::open(&config.store_url).await?)
        .pool(config.pool.options())
        .retention(config.records.retention())
        .journal_bytes_max(config.records.journal_bytes_max())
        .journal_mapped(config.records.journal_mapped())
        .recording(config.records.recording());
    if let Some(timeout) = drain_timeout {
        builder = builder.drain_timeout(timeout);
    }
    for runtime in runtimes {
        builder = builder.runtime(Arc::clone(runtime));
    }
    Ok(builder.build().await?)
}

/// Docker and gVisor; one that cannot be set up is there all the same, and says why.
pub(crate) fn runtimes(config: &Config) -> Vec<Arc<dyn Runtime>> {
    let options = container_options(config);
    vec![
        usable(
            RuntimeName::docker(),
            DockerRuntime::connect(options.clone()),
        ),
        usable(RuntimeName::gvisor(), GvisorRuntime::connect(options)),
    ]
}

fn usable<R: Runtime>(name: RuntimeName, connected: Result<R>) -> Arc<dyn Runtime> {
    match connected {
        Ok(runtime) => Arc::new(runtime),
        Err(why) => Arc::new(UnusableRuntime::new(name, why)),
    }
}

fn container_options(config: &Config) -> ContainerOptions {
    let section = &config.containers;
    let mut options = ContainerOptions::new(&config.data_dir);
    let set = |target: &mut String, value: &Option<String>| {
        if let Some(value) = value {
            target.clone_from(value);
        }
    };
    set(&mut options.python_image, &section.python_image);
    set(&mut options.javascript_image, &section.javascript_image);
    set(&mut options.runc, &section.runc);
    set(&mut options.runsc, &section.runsc);
    options.docker_socket.clone_from(&section.docker_socket);
    options.allowed_images.clone_from(&section.allowed_images);
    options
        .allowed_networks
        .clone_from(&section.allowed_networks);
    options.clear_tmp = section.clear_tmp;
    options.cgroup_freezer = section.cgroup_freezer.unwrap_or(options.cgroup_freezer);
    if let Some(busy_poll_us) = section.busy_poll_us {
        options.busy_poll = Duration::from_micros(busy_poll_us.into());
    }
    options
}
