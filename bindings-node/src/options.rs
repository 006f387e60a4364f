//! What `Platform.open` takes.

use std::sync::Arc;
use std::time::Duration;

use lambda_core::model::{Namespace, Retention, RuntimeName};
use lambda_core::pool::PoolOptions as CorePoolOptions;
use lambda_core::runtime::{ContainerOptions, DockerRuntime, GvisorRuntime};
use lambda_core::{Error, Platform, Result, Runtime};
use napi_derive::napi;

/// How a platform is set up. Only `dataDir` is required.
#[napi(object, object_to_js = false)]
pub struct PlatformOptions {
    /// Where the journal, sandboxes' sockets and unpacked code are. Made if missing. Several
    /// platforms and processes may share it.
    pub data_dir: String,
    /// Where functions and records are kept: `sqlite:///path`, `sqlite::memory:` or
    /// `mysql://user:password@host/database`. Default: `lambda.db` in the data directory.
    pub store: Option<String>,
    /// The sandbox back ends (default `["docker", "gvisor"]`).
    pub runtimes: Option<Vec<String>>,
    /// The namespace of every function of this platform (default `default`).
    pub namespace: Option<String>,
    /// Bounds of the warm-sandbox pool.
    pub pool: Option<PoolOptions>,
    /// What sandboxes are made of.
    pub containers: Option<ContainersOptions>,
    /// How long `close` waits for running invocations, in milliseconds (default 10000).
    pub drain_timeout_ms: Option<u32>,
    /// Whether invocations are recorded (default true).
    pub recording: Option<bool>,
    /// How long the store keeps what is recorded.
    pub retention: Option<RetentionOptions>,
    /// Bytes of records that the store has not taken yet, at which new ones are shed (default 256
    /// MiB).
    pub journal_bytes_max: Option<f64>,
    /// Bytes of recent output that are kept in memory, for those who come back to live logs
    /// (default 4 MiB).
    pub live_log_bytes: Option<u32>,
}

/// How long the store keeps what is recorded, in milliseconds; `Infinity`: for ever.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct RetentionOptions {
    /// Records of invocations (default 30 days).
    pub invocations_ms: Option<f64>,
    /// What invocations wrote (default 7 days).
    pub outputs_ms: Option<f64>,
    /// Figures per minute (default 2 days).
    pub minutes_ms: Option<f64>,
    /// Figures per hour (default 90 days).
    pub hours_ms: Option<f64>,
    /// Figures per day (default for ever).
    pub days_ms: Option<f64>,
}

/// Bounds of the warm-sandbox pool. Each has a default.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct PoolOptions {
    /// Most sandboxes at once, over all functions (default 256).
    pub sandboxes_max: Option<u32>,
    /// Most memory of all sandboxes together, in MiB, by their limits (default 16384).
    pub memory_mib_max: Option<u32>,
    /// Most sandboxes of one function that names no `concurrency` (default 16).
    pub function_concurrency: Option<u32>,
    /// Sandboxes of one function whose work burns CPU (default the machine's cores).
    pub cores: Option<u32>,
    /// Most sandboxes that are being created at once.
    pub creating_max: Option<u32>,
    /// Most invocations that wait for a sandbox (default 1000).
    pub queue_max: Option<u32>,
    /// Longest wait for a sandbox, in milliseconds (default 10000).
    pub queue_timeout_ms: Option<u32>,
    /// How long a sandbox stays warm without work, in milliseconds (default 600000).
    pub idle_timeout_ms: Option<u32>,
    /// How long a sandbox idles before it is frozen, in milliseconds (default 10000); 0: never.
    pub freeze_after_ms: Option<u32>,
    /// Sandboxes without code that are kept ready of each class in use (default 1).
    pub prewarmed: Option<u32>,
}

/// What sandboxes are made of. Each field has a default.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct ContainersOptions {
    /// Docker's socket (default `/var/run/docker.sock`, or what `DOCKER_HOST` names).
    pub docker_socket: Option<String>,
    /// The image of Python functions that name none.
    pub python_image: Option<String>,
    /// The image of JavaScript functions that name none.
    pub javascript_image: Option<String>,
    /// The images that functions may name besides.
    pub allowed_images: Option<Vec<String>>,
    /// The Docker networks that functions may name (default none).
    pub allowed_networks: Option<Vec<String>>,
    /// Whether /tmp is emptied after each invocation (default false).
    pub clear_tmp: Option<bool>,
    /// Whether what idles is frozen by its own cgroup, where this process may (default true).
    pub cgroup_freezer: Option<bool>,
    /// How long a sandbox's answer is looked for before it is waited for, in microseconds
    /// (default 250); 0: never.
    pub busy_poll_us: Option<u32>,
    /// Under which name Docker knows runc (default `runc`).
    pub runc: Option<String>,
    /// Under which name Docker knows gVisor (default `runsc`).
    pub runsc: Option<String>,
}

/// Opens the store and starts the platform. `fake`: with acted sandboxes, in tests.
pub(crate) async fn open(options: PlatformOptions, fake: bool) -> Result<Platform> {
    let root = std::path::absolute(&options.data_dir)
        .map_err(|error| invalid(format!("`dataDir` is not a path: {error}.")))?;
    let mut builder = Platform::builder()
        .data_dir(&root)
        .pool(options.pool.unwrap_or_default().into())
        .recording(options.recording.unwrap_or(true));
    if let Some(namespace) = options.namespace {
        builder = builder.namespace(Namespace::new(namespace)?);
    }
    if let Some(ms) = options.drain_timeout_ms {
        builder = builder.drain_timeout(Duration::from_millis(ms.into()));
    }
    builder = builder.retention(options.retention.unwrap_or_default().retention()?);
    if let Some(bytes) = options.journal_bytes_max {
        builder = builder.journal_bytes_max(whole("journalBytesMax", bytes)?);
    }
    if let Some(bytes) = options.live_log_bytes {
        builder = builder.live_log_bytes(bytes as usize);
    }
    let containers = options.containers.unwrap_or_default().over(&root);
    let names = options
        .runtimes
        .unwrap_or_else(|| vec!["docker".to_owned(), "gvisor".to_owned()]);
    for name in names {
        builder = builder.runtime(if fake {
            fake_runtime(RuntimeName::new(name)?)?
        } else {
            runtime(&name, containers.clone())?
        });
    }
    let url = match options.store {
        Some(url) => url,
        None => {
            std::fs::create_dir_all(&root).map_err(|error| {
                invalid(format!("`dataDir` cannot be made: {error}."))
                    .hint("Name a directory that this process may write to.")
            })?;
            // What would end the path in a URL.
            let path = root.join("lambda.db").to_string_lossy().into_owned();
            let path = path.replace('%', "%25").replace('?', "%3F");
            format!("sqlite://{}", path.replace('#', "%23"))
        }
    };
    builder.store(lambda_store::open(&url).await?).build().await
}

/// A number that is exact in JavaScript.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It is in range.
fn whole(name: &str, value: f64) -> Result<u64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_991.0;
    if (0.0..=EXACT_MAX).contains(&value) && value.fract() == 0.0 {
        return Ok(value as u64);
    }
    Err(invalid(format!("`{name}` is a whole number, at least 0.")))
}

impl RetentionOptions {
    fn retention(&self) -> Result<Retention> {
        let mut retention = Retention::default();
        let each = [
            (
                "invocationsMs",
                self.invocations_ms,
                &mut retention.invocations,
            ),
            ("outputsMs", self.outputs_ms, &mut retention.outputs),
            ("minutesMs", self.minutes_ms, &mut retention.minutes),
            ("hoursMs", self.hours_ms, &mut retention.hours),
            ("daysMs", self.days_ms, &mut retention.days),
        ];
        for (name, given, kept) in each {
            match given {
                None => {}
                Some(f64::INFINITY) => *kept = None,
                Some(ms) => *kept = Some(Duration::from_millis(whole(name, ms)?)),
            }
        }
        Ok(retention)
    }
}

fn invalid(message: String) -> Error {
    Error::invalid("platform_open", message)
}

fn runtime(name: &str, options: ContainerOptions) -> Result<Arc<dyn Runtime>> {
    Ok(match name {
        "docker" => Arc::new(DockerRuntime::connect(options)?),
        "gvisor" => Arc::new(GvisorRuntime::connect(options)?),
        _ => {
            return Err(invalid(format!("There is no runtime {name:?}."))
                .hint("`runtimes` lists `docker`, `gvisor` or both."));
        }
    })
}

#[cfg(feature = "fake")]
fn fake_runtime(name: RuntimeName) -> Result<Arc<dyn Runtime>> {
    Ok(Arc::new(lambda_core::runtime::fake::FakeRuntime::new(name)))
}

#[cfg(not(feature = "fake"))]
fn fake_runtime(_name: RuntimeName) -> Result<Arc<dyn Runtime>> {
    Err(invalid(
        "This build has no fake runtime; it is for the package's own tests.".to_owned(),
    ))
}

impl From<PoolOptions> for CorePoolOptions {
    fn from(from: PoolOptions) -> Self {
        fn set<T>(target: &mut T, value: Option<impl Into<T>>) {
            if let Some(value) = value {
                *target = value.into();
            }
        }
        let millis = |ms: Option<u32>| ms.map(|ms| Duration::from_millis(ms.into()));
        let mut options = Self::default();
        set(&mut options.sandboxes_max, from.sandboxes_max);
        set(&mut options.memory_mib_max, from.memory_mib_max);
        set(&mut options.function_concurrency, from.function_concurrency);
        set(&mut options.cores, from.cores);
        set(&mut options.creating_max, from.creating_max);
        set(&mut options.queue_max, from.queue_max);
        set(&mut options.queue_timeout, millis(from.queue_timeout_ms));
        set(&mut options.idle_timeout, millis(from.idle_timeout_ms));
        if let Some(after) = millis(from.freeze_after_ms) {
            options.freeze_after = (!after.is_zero()).then_some(after);
        }
        set(&mut options.prewarmed, from.prewarmed);
        options
    }
}

impl ContainersOptions {
    fn over(self, root: &std::path::Path) -> ContainerOptions {
        let mut options = ContainerOptions::new(root);
        let set = |target: &mut String, value: Option<String>| {
            if let Some(value) = value {
                *target = value;
            }
        };
        set(&mut options.python_image, self.python_image);
        set(&mut options.javascript_image, self.javascript_image);
        set(&mut options.runc, self.runc);
        set(&mut options.runsc, self.runsc);
        options.docker_socket = self.docker_socket.map(Into::into);
        options
            .allowed_images
            .extend(self.allowed_images.unwrap_or_default());
        options
            .allowed_networks
            .extend(self.allowed_networks.unwrap_or_default());
        if let Some(clear) = self.clear_tmp {
            options.clear_tmp = clear;
        }
        if let Some(own) = self.cgroup_freezer {
            options.cgroup_freezer = own;
        }
        if let Some(us) = self.busy_poll_us {
            options.busy_poll = Duration::from_micros(us.into());
        }
        options
    }
}
