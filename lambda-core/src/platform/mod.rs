//! What an embedding application sees.

mod builder;
mod code;
mod functions;
mod invocations;
mod leftovers;
mod logs;
mod new_function;
mod readiness;
mod test;
mod tokens;
mod warmth;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::data_dir::DataDir;
use crate::error::{Error, Result};
use crate::executor::{ExecuteRequest, Executor, Invocation, InvocationObserver};
use crate::logs::LogHub;
use crate::model::limits::PAGE_MAX;
use crate::model::{Namespace, Outcome, RequestId, Retention, RuntimeName};
use crate::pool::PoolStats;
use crate::recorder::{Expiry, Recorder, RecorderStatus};
use crate::runtime::{Finding, Runtime, Severity};
use crate::store::{PATIENCE, Store, patiently};

pub use builder::PlatformBuilder;
pub use new_function::NewFunction;
pub use readiness::Readiness;

/// The platform. Cheap to clone; all clones are one platform.
///
/// It stops only by [`close`](Self::close): dropping the last clone without it leaves
/// sandboxes behind, which the next platform on the same data directory removes.
#[derive(Debug, Clone)]
pub struct Platform {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    namespace: Namespace,
    retention: Retention,
    store: Arc<dyn Store>,
    runtimes: Vec<Arc<dyn Runtime>>,
    executor: Arc<dyn Executor>,
    logs: LogHub,
    recorder: Recorder,
    expiry: Expiry,
    data_dir: DataDir,
    drain_timeout: Duration,
    changes: warmth::Changes,
    /// Ended by `close`, and when this is dropped; so is the next.
    warmth: Mutex<Option<AbortOnDropHandle<()>>>,
    leftovers: Mutex<Option<leftovers::Leftovers>>,
}

impl Platform {
    /// Starts to describe a platform.
    pub fn builder() -> PlatformBuilder {
        PlatformBuilder::default()
    }

    /// Starts an invocation; see [`Executor::start`].
    ///
    /// # Errors
    /// See [`Executor::start`].
    pub async fn start(&self, mut request: ExecuteRequest) -> Result<Invocation> {
        request.namespace.clone_from(&self.inner.namespace);
        let invocation = self.inner.executor.start(request).await?;
        self.inner.logs.register(&invocation);
        Ok(invocation)
    }

    /// Executes a function and waits for the end.
    ///
    /// # Errors
    /// See [`Executor::start`] and [`Invocation::outcome`].
    ///
    /// # Cancellation
    /// The run goes on and is recorded.
    pub async fn execute(&self, request: ExecuteRequest) -> Result<Outcome> {
        self.start(request).await?.outcome().await
    }

    /// Kills an invocation that runs, or waits to run, by its id; see [`Executor::cancel`].
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn cancel(&self, id: RequestId) -> Result<()> {
        self.inner.executor.cancel(&self.inner.namespace, id).await
    }

    /// The names of the runtimes, in the order they were given.
    #[must_use]
    pub fn runtimes(&self) -> Vec<RuntimeName> {
        let names = self.inner.runtimes.iter().map(|runtime| runtime.name());
        names.collect()
    }

    /// How the records of invocations stand on their way into the store; none where recording
    /// is off. Costs next to nothing.
    #[must_use]
    pub fn recorder_status(&self) -> Option<RecorderStatus> {
        self.inner.recorder.status()
    }

    /// Looks at the store, at the way of records into it and at every runtime; see [`Runtime::check`].
    pub async fn check(&self, thorough: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let check = self.inner.store.check();
        match patiently(PATIENCE, "store_check", check).await {
            Ok(found) => {
                findings.push(Finding::ok("store", "answers and can be written to"));
                findings.extend(found);
            }
            Err(error) => findings.push(Finding::bad(
                Severity::Error,
                "store",
                error.to_string(),
                error
                    .hint_text()
                    .unwrap_or("See the platform's log.")
                    .to_owned(),
            )),
        }
        if let Some(status) = self.recorder_status() {
            findings.extend(status.findings());
        }
        for runtime in &self.inner.runtimes {
            findings.extend(runtime.check(thorough).await);
        }
        findings.extend(self.inner.executor.check());
        findings
    }

    /// Has `observer` told of every invocation that ends from now on; see [`Executor::observe`].
    pub fn observe(&self, observer: Arc<dyn InvocationObserver>) {
        self.inner.executor.observe(observer);
    }

    /// This platform's sandboxes, in numbers; none where its executor keeps none itself.
    #[must_use]
    pub fn pool_stats(&self) -> Option<PoolStats> {
        self.inner.executor.pool_stats()
    }

    /// Stops taking requests, waits for the running ones for as long as the builder's
    /// `drain_timeout`, kills the rest, removes every sandbox and keeps every record.
    pub async fn close(&self) {
        let inner = &*self.inner;
        drop(take(&inner.warmth));
        inner.executor.close(inner.drain_timeout).await;
        inner.logs.close();
        for runtime in &inner.runtimes {
            // What could not be removed in time, if Docker answers again by now.
            if let Err(error) = runtime.remove_owned(inner.data_dir.owner()).await {
                tracing::warn!(runtime = %runtime.name(), ?error, "sandboxes may be left; the next start removes them");
            }
        }
        if let Some(leftovers) = take(&inner.leftovers) {
            leftovers.close().await;
        }
        inner.expiry.close().await;
        inner.recorder.close(inner.drain_timeout).await;
        let close = async {
            inner.store.close().await;
            Ok(())
        };
        if let Err(error) = patiently(PATIENCE, "store_close", close).await {
            tracing::warn!(
                ?error,
                "the store is left open; the journal keeps what it has not taken"
            );
        }
        inner.data_dir.close();
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn check_limit(limit: u32) -> Result<()> {
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid("list", "`limit` is 1 to 1000."))
}
