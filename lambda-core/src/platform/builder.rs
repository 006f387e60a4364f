//! Describes a platform, and starts it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::leftovers::Leftovers;
use super::{Inner, Platform, warmth};
use crate::data_dir::{self, DataDir};
use crate::error::{Error, Result};
use crate::executor::{Executor, LocalExecutor, LocalExecutorParts};
use crate::logs::{LIVE_LOG_BYTES_DEFAULT, LogHub};
use crate::model::{Namespace, Retention};
use crate::pool::PoolOptions;
use crate::recorder::{Expiry, Recorder, RecorderOptions};
use crate::runtime::Runtime;
use crate::store::{MemoryStore, Store};

/// Long enough for ordinary functions to end, short enough for a service manager's patience.
const DRAIN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Describes a [`Platform`]; see [`Platform::builder`].
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until `build` is awaited"]
pub struct PlatformBuilder {
    data_dir: Option<PathBuf>,
    store: Option<Arc<dyn Store>>,
    runtimes: Vec<Arc<dyn Runtime>>,
    executor: Option<Arc<dyn Executor>>,
    pool: PoolOptions,
    namespace: Namespace,
    drain_timeout: Option<Duration>,
    retention: Retention,
    journal_bytes_max: Option<u64>,
    is_journal_unmapped: bool,
    is_recording_off: bool,
    live_log_bytes: Option<usize>,
}

impl PlatformBuilder {
    /// Where the journal, sandboxes' sockets and unpacked code are. Made if missing,
    /// readable by its owner only. Several platforms may share it. Required.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// Where functions and records are kept; without it in memory.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Adds a sandbox back end; the first of a name wins.
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.runtimes.push(runtime);
        self
    }

    /// Another executor than the local one.
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = Some(executor);
        self
    }

    /// Bounds of the warm-container manager.
    pub fn pool(mut self, options: PoolOptions) -> Self {
        self.pool = options;
        self
    }

    /// The namespace of every function of this platform.
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = namespace;
        self
    }

    /// How long [`Platform::close`] waits for running invocations (default 10 s).
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = Some(timeout);
        self
    }

    /// How long the store keeps records of invocations, and figures made of them.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Bytes of records that the store has not taken yet, at which new ones are shed (default
    /// [`JOURNAL_BYTES_MAX_DEFAULT`](crate::recorder::JOURNAL_BYTES_MAX_DEFAULT)). A record has
    /// some 120 bytes and what its function wrote.
    pub fn journal_bytes_max(mut self, bytes: u64) -> Self {
        self.journal_bytes_max = Some(bytes);
        self
    }

    /// Whether the journal may be written through memory mappings (default true), which takes a
    /// microsecond or two off each invocation. A disk that fails in the middle of a run can then
    /// end the process with `SIGBUS`; without it the record is shed, and counted.
    pub fn journal_mapped(mut self, is_mapped: bool) -> Self {
        self.is_journal_unmapped = !is_mapped;
        self
    }

    /// Whether invocations are recorded (default true). Without it there is no journal and no
    /// history of new invocations; what earlier processes left in their journals stays there.
    pub fn recording(mut self, recording: bool) -> Self {
        self.is_recording_off = !recording;
        self
    }

    /// Bytes of recent output that are kept in memory, so that who follows functions live can
    /// resume after a broken connection (default
    /// [`LIVE_LOG_BYTES_DEFAULT`](crate::logs::LIVE_LOG_BYTES_DEFAULT)). Nothing is kept while
    /// nobody follows.
    pub fn live_log_bytes(mut self, bytes: usize) -> Self {
        self.live_log_bytes = Some(bytes);
        self
    }

    /// Takes a place in the data directory, removes what dead processes left there and
    /// keeps their records, and starts the platform on the current tokio runtime. Sandboxes of
    /// dead processes that cannot be removed within ten seconds are removed later, in the
    /// background: a back end that is away or slow keeps no platform from starting.
    ///
    /// # Errors
    /// `InvalidParameter` if something required is missing; `Internal` if the data directory
    /// cannot be used.
    pub async fn build(self) -> Result<Platform> {
        let root = self.data_dir.ok_or_else(|| {
            Error::invalid("platform_build", "The platform needs a data directory.")
                .hint("Call `data_dir` on the builder.")
        })?;
        if self.runtimes.is_empty() && self.executor.is_none() {
            return Err(
                Error::invalid("platform_build", "The platform needs a runtime.")
                    .hint("Call `runtime` on the builder, for instance with `DockerRuntime`."),
            );
        }
        let data_dir = DataDir::open(&root)?;
        let store = self.store.unwrap_or_else(|| Arc::new(MemoryStore::new()));
        let dead = data_dir.dead_owners()?;
        if !self.is_recording_off {
            for dead in &dead {
                if let Err(error) = data_dir.adopt_journal(dead) {
                    // Its directory stays, for the next start.
                    tracing::error!(?error, owner = %dead.owner, "the journal of a dead process cannot be taken over");
                }
            }
        }
        let leftovers = Leftovers::clear_away(dead, self.runtimes.clone()).await;
        let recorder = if self.is_recording_off {
            Recorder::off()
        } else {
            let mut options = RecorderOptions::new(data_dir.journal());
            options.status = data_dir.status();
            options.rejected = data_dir::rejected(&root);
            options.retention = self.retention;
            options.journal_mapped = !self.is_journal_unmapped;
            if let Some(bytes) = self.journal_bytes_max {
                options.journal_bytes_max = bytes;
            }
            Recorder::start(options, Arc::clone(&store))?
        };
        let expiry = Expiry::start(Arc::clone(&store), self.namespace.clone(), self.retention);
        let executor = self.executor.unwrap_or_else(|| {
            let mut parts = LocalExecutorParts::new(
                data_dir.owner(),
                Arc::clone(&store),
                self.runtimes.clone(),
                recorder.clone(),
                data_dir.code(),
            );
            parts.pool = self.pool;
            parts.pool_status = Some(data_dir.pool_status());
            Arc::new(LocalExecutor::new(parts))
        });
        let changes = warmth::Changes::default();
        let warmth = warmth::start(
            self.namespace.clone(),
            Arc::clone(&store),
            Arc::clone(&executor),
            Arc::clone(&changes),
        );
        Ok(Platform {
            inner: Arc::new(Inner {
                changes,
                warmth: Mutex::new(warmth),
                leftovers: Mutex::new(leftovers),
                namespace: self.namespace,
                retention: self.retention,
                store,
                runtimes: self.runtimes,
                executor,
                logs: LogHub::new(self.live_log_bytes.unwrap_or(LIVE_LOG_BYTES_DEFAULT)),
                recorder,
                expiry,
                data_dir,
                drain_timeout: self.drain_timeout.unwrap_or(DRAIN_TIMEOUT_DEFAULT),
            }),
        })
    }
}
