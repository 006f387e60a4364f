//! A platform of this process on a data directory of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lambda_store::model::{FunctionId, Language};
use lambda_store::pool::{PoolOptions, PoolStats};
use lambda_store::runtime::{ContainerOptions, DockerRuntime, GvisorRuntime};
use lambda_store::{NewFunction, Platform, Runtime};
use tempfile::TempDir;

use crate::Result;
use crate::backend::Backend;

const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

/// A platform with SQLite; to be closed by [`Local::close`].
#[derive(Debug)]
pub struct Local {
    /// The platform.
    pub platform: Platform,
    backend: Backend,
    data_dir: TempDir,
}

impl Local {
    /// Starts it, with the pool's defaults but for what `change` changes.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start(backend: Backend, change: impl FnOnce(&mut PoolOptions)) -> Result<Self> {
        let data_dir = tempfile::Builder::new().prefix("lambda-bench-").tempdir()?;
        let options = ContainerOptions::new(data_dir.path());
        let runtime: Arc<dyn Runtime> = match backend {
            Backend::Docker => Arc::new(DockerRuntime::connect(options)?),
            Backend::Gvisor => Arc::new(GvisorRuntime::connect(options)?),
        };
        let database = data_dir.path().join("lambda.db");
        let mut pool = PoolOptions::default();
        change(&mut pool);
        let platform = Platform::builder()
            .data_dir(data_dir.path())
            .store(lambda_store::open(&format!("sqlite://{}", database.display())).await?)
            .runtime(runtime)
            .pool(pool)
            .build()
            .await?;
        Ok(Self {
            platform,
            backend,
            data_dir,
        })
    }

    /// Where its sandboxes' files are.
    #[must_use]
    pub fn data_dir(&self) -> &std::path::Path {
        self.data_dir.path()
    }

    /// Deploys a handler function from one file.
    ///
    /// # Errors
    /// If it cannot be deployed.
    pub async fn deploy(
        &self,
        name: &str,
        language: Language,
        source: &str,
        change: impl FnOnce(&mut NewFunction),
    ) -> Result<FunctionId> {
        let function = match language {
            Language::Python => NewFunction::python(name, source)?,
            _ => NewFunction::javascript(name, source)?,
        };
        let mut function = function.handler("app.handler");
        function.config.runtime = self.backend.runtime();
        change(&mut function);
        Ok(self.platform.deploy(function).await?.id)
    }

    /// What there is.
    ///
    /// # Errors
    /// None in practice.
    pub fn stats(&self) -> Result<PoolStats> {
        Ok(self.platform.pool_stats().ok_or("there is no pool")?)
    }

    /// Waits until the pool is as it should be.
    ///
    /// # Errors
    /// If it is not after two minutes.
    pub async fn settle(&self, is_right: impl Fn(&PoolStats) -> bool) -> Result<()> {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        loop {
            let stats = self.stats()?;
            if is_right(&stats) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("the pool does not settle: {stats:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Removes all of it, and hands the result on.
    ///
    /// # Errors
    /// The result's own.
    pub async fn close<T>(self, result: Result<T>) -> Result<T> {
        self.platform.close().await;
        result
    }
}

/// Nothing is kept ready, of the default class neither.
pub fn without_prewarming(pool: &mut PoolOptions) {
    pool.prewarmed = 0;
}

/// A program that returns its event, for [`Local::deploy`].
#[must_use]
pub fn echo(language: Language) -> &'static str {
    match language {
        Language::Python => "def handler(event, context):\n    return event\n",
        _ => "exports.handler = async (event) => event;\n",
    }
}
