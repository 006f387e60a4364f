//! What a platform is opened with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lambda_core::model::{Namespace, Retention};
use lambda_core::pool::PoolOptions;
use lambda_core::runtime::{ContainerOptions, DockerRuntime, GvisorRuntime};
use lambda_core::{Error, Platform, Result, Runtime, Store};
use serde::Deserialize;

use crate::request::given;

const OPERATION: &str = "platform_open";

/// The options of `lambdabox.Platform`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    data_dir: PathBuf,
    store: Option<String>,
    runtimes: Vec<String>,
    namespace: Option<String>,
    drain_timeout_ms: Option<u64>,
    recording: bool,
    retention: Keeping,
    journal_bytes_max: Option<u64>,
    live_log_bytes: Option<usize>,
    pool: Pool,
    containers: Containers,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Pool {
    sandboxes_max: Option<u32>,
    memory_mib_max: Option<u64>,
    function_concurrency: Option<u32>,
    cores: Option<u32>,
    creating_max: Option<u32>,
    queue_max: Option<u32>,
    queue_timeout_ms: Option<u64>,
    idle_timeout_ms: Option<u64>,
    freeze_after_ms: Option<u64>,
    prewarmed: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Containers {
    docker_socket: Option<PathBuf>,
    python_image: Option<String>,
    javascript_image: Option<String>,
    allowed_images: BTreeSet<String>,
    allowed_networks: BTreeSet<String>,
    clear_tmp: Option<bool>,
    cgroup_freezer: Option<bool>,
    busy_poll_us: Option<u32>,
    runc: Option<String>,
    runsc: Option<String>,
}

/// How long records are kept, in milliseconds; `null`: for ever.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keeping {
    #[serde(deserialize_with = "given")]
    invocations_ms: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    outputs_ms: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    minutes_ms: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    hours_ms: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    days_ms: Option<Option<u64>>,
}

impl Options {
    pub(crate) fn parse(json: &str) -> Result<Self> {
        serde_json::from_str(json)
            .map_err(|error| Error::invalid(OPERATION, format!("An option is wrong: {error}.")))
    }

    pub(crate) async fn open(self) -> Result<Platform> {
        make_dir(&self.data_dir)?;
        let mut builder = Platform::builder()
            .data_dir(&self.data_dir)
            .pool(self.pool.options())
            .recording(self.recording)
            .retention(self.retention.retention());
        if let Some(bytes) = self.journal_bytes_max {
            builder = builder.journal_bytes_max(bytes);
        }
        if let Some(bytes) = self.live_log_bytes {
            builder = builder.live_log_bytes(bytes);
        }
        for name in &self.runtimes {
            builder = builder.runtime(self.runtime(name)?);
        }
        if let Some(namespace) = &self.namespace {
            builder = builder.namespace(Namespace::new(namespace)?);
        }
        if let Some(ms) = self.drain_timeout_ms {
            builder = builder.drain_timeout(Duration::from_millis(ms));
        }
        builder.store(self.store().await?).build().await
    }

    async fn store(&self) -> Result<Arc<dyn Store>> {
        match &self.store {
            Some(url) => lambda_store::open(url).await,
            None => {
                let path = self.data_dir.join("lambda.db");
                Ok(Arc::new(lambda_store::SqliteStore::open(path).await?))
            }
        }
    }

    fn runtime(&self, name: &str) -> Result<Arc<dyn Runtime>> {
        Ok(match name {
            "docker" => Arc::new(DockerRuntime::connect(self.containers.options(self))?),
            "gvisor" => Arc::new(GvisorRuntime::connect(self.containers.options(self))?),
            // Takes Docker's place: what names no runtime runs there.
            #[cfg(feature = "fake-runtime")]
            "fake" => Arc::new(lambda_core::runtime::fake::FakeRuntime::new(
                lambda_core::model::RuntimeName::docker(),
            )),
            _ => {
                return Err(
                    Error::invalid(OPERATION, format!("There is no runtime {name:?}."))
                        .hint("`runtimes` takes \"docker\" and \"gvisor\"."),
                );
            }
        })
    }
}

impl Pool {
    fn options(&self) -> PoolOptions {
        let mut options = PoolOptions::default();
        set(&mut options.sandboxes_max, self.sandboxes_max);
        set(&mut options.memory_mib_max, self.memory_mib_max);
        set(&mut options.function_concurrency, self.function_concurrency);
        set(&mut options.cores, self.cores);
        set(&mut options.creating_max, self.creating_max);
        set(&mut options.queue_max, self.queue_max);
        set(&mut options.prewarmed, self.prewarmed);
        let duration = |ms: Option<u64>| ms.map(Duration::from_millis);
        set(&mut options.queue_timeout, duration(self.queue_timeout_ms));
        set(&mut options.idle_timeout, duration(self.idle_timeout_ms));
        match self.freeze_after_ms {
            Some(0) => options.freeze_after = None,
            Some(ms) => options.freeze_after = Some(Duration::from_millis(ms)),
            None => {}
        }
        options
    }
}

impl Containers {
    fn options(&self, of: &Options) -> ContainerOptions {
        let mut options = ContainerOptions::new(&of.data_dir);
        options.docker_socket.clone_from(&self.docker_socket);
        set(&mut options.python_image, self.python_image.clone());
        set(&mut options.javascript_image, self.javascript_image.clone());
        options.allowed_images.clone_from(&self.allowed_images);
        options.allowed_networks.clone_from(&self.allowed_networks);
        set(&mut options.clear_tmp, self.clear_tmp);
        set(&mut options.cgroup_freezer, self.cgroup_freezer);
        let busy_poll_us = self.busy_poll_us.map(u64::from);
        set(
            &mut options.busy_poll,
            busy_poll_us.map(Duration::from_micros),
        );
        set(&mut options.runc, self.runc.clone());
        set(&mut options.runsc, self.runsc.clone());
        options
    }
}

impl Keeping {
    fn retention(&self) -> Retention {
        let mut retention = Retention::default();
        let duration = |ms: Option<Option<u64>>| ms.map(|ms| ms.map(Duration::from_millis));
        set(&mut retention.invocations, duration(self.invocations_ms));
        set(&mut retention.outputs, duration(self.outputs_ms));
        set(&mut retention.minutes, duration(self.minutes_ms));
        set(&mut retention.hours, duration(self.hours_ms));
        set(&mut retention.days, duration(self.days_ms));
        retention
    }
}

fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

/// The store's file lies in it, so it is made first, for its owner only.
fn make_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(|error| {
        Error::invalid(OPERATION, "The data directory cannot be made.")
            .hint("Check `data_dir`: a directory that this user may create or write to.")
            .source(error)
    })
}
