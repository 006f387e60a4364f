//! The function that is measured, on a platform of this process.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lambda_store::model::Status;
use lambda_store::runtime::{ContainerOptions, DockerRuntime, GvisorRuntime};
use lambda_store::store::MemoryStore;
use lambda_store::{ExecuteRequest, NewFunction, Platform, Runtime, Store};
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::Result;
use crate::backend::Backend;

/// Its source: what the baseline's worker does too.
pub const SOURCE: &str = "def handler(event, context):\n    return event\n";

/// Its handler.
pub const HANDLER: &str = "echo.handler";

/// What it is called with, everywhere.
pub const EVENT: &str = r#"{"name":"Alice","numbers":[1,2,3]}"#;

/// Sandboxes of a function, and workers of a baseline: as many as the cores of the machine
/// that the figures in docs/BENCHMARKS.md come from.
pub const WORKERS: u32 = 2;

/// Where the platform keeps records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// In memory.
    Memory,
    /// SQLite, in a file of the data directory.
    Sqlite,
    /// The one that the URL names.
    Url(&'static str),
    /// In memory, and nothing is recorded.
    Unrecorded,
}

/// A platform with the function deployed. It is closed, and everything of it removed, when
/// this is dropped.
#[derive(Debug)]
pub struct EchoPlatform {
    platform: Platform,
    request: ExecuteRequest,
    handle: Handle,
    _data_dir: TempDir,
}

impl EchoPlatform {
    /// Starts it on the current tokio runtime, which must have several threads.
    ///
    /// # Errors
    /// If it cannot be started, or the function cannot be executed.
    pub async fn start(backend: Backend, store: StoreKind) -> Result<Self> {
        let data_dir = tempfile::Builder::new().prefix("lambda-bench-").tempdir()?;
        let options = ContainerOptions::new(data_dir.path());
        let runtime: Arc<dyn Runtime> = match backend {
            Backend::Docker => Arc::new(DockerRuntime::connect(options)?),
            Backend::Gvisor => Arc::new(GvisorRuntime::connect(options)?),
        };
        let is_recorded = store != StoreKind::Unrecorded;
        let store: Arc<dyn Store> = match store {
            StoreKind::Url(url) => lambda_store::open(url).await?,
            StoreKind::Memory | StoreKind::Unrecorded => Arc::new(MemoryStore::new()),
            StoreKind::Sqlite => {
                let path = data_dir.path().join("lambda.db");
                lambda_store::open(&format!("sqlite://{}", path.display())).await?
            }
        };
        let platform = Platform::builder()
            .data_dir(data_dir.path())
            .store(store)
            .runtime(runtime)
            .recording(is_recorded)
            .drain_timeout(Duration::from_secs(2))
            .build()
            .await?;
        let mut function = NewFunction::python("echo", SOURCE)?.handler(HANDLER);
        function.config.runtime = backend.runtime();
        function.config.concurrency = Some(WORKERS);
        let function = platform.deploy(function).await;
        // Made before an error is looked at, so that it is closed in any case.
        let mut echo = Self {
            platform,
            request: ExecuteRequest::named("echo")?,
            handle: Handle::current(),
            _data_dir: data_dir,
        };
        echo.request = ExecuteRequest::new(function?.id);
        echo.call().await?;
        Ok(echo)
    }

    /// Whether the pool is as it shall be: nothing boots beside what is measured.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.platform.pool_stats().is_none_or(|stats| {
            stats.creating + stats.removing + stats.busy == 0
                && stats
                    .classes
                    .iter()
                    .all(|class| class.prewarmed >= class.prewarmed_target)
        })
    }

    /// Executes the function once.
    ///
    /// # Errors
    /// If the platform or the function fails.
    pub async fn call(&self) -> Result<()> {
        let mut request = self
            .request
            .clone()
            .event(Bytes::from_static(EVENT.as_bytes()));
        request.request_id = lambda_store::model::RequestId::new();
        let outcome = self.platform.execute(request).await?;
        if outcome.status == Status::Success {
            return Ok(());
        }
        Err(format!("the function failed: {outcome:?}").into())
    }
}

impl Drop for EchoPlatform {
    fn drop(&mut self) {
        let (platform, handle) = (self.platform.clone(), self.handle.clone());
        // A thread of the runtime's own must not wait for it.
        let closing = std::thread::spawn(move || handle.block_on(platform.close()));
        if closing.join().is_err() {
            eprintln!("the platform could not be closed; see `docker ps`");
        }
    }
}
