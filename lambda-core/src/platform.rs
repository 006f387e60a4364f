//! What an embedding application sees.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::executor::{ExecuteRequest, Executor, Invocation};
use crate::model::{
    CodeSource, Function, FunctionConfig, FunctionName, FunctionPatch, FunctionRef,
    FunctionSelector, InvocationRecord, InvocationSummary, Language, Namespace, Outcome, Page,
    RuntimeName, Scope, Token, TokenDigest, TokenId,
};
use crate::pool::PoolOptions;
use crate::runtime::{Finding, Runtime};
use crate::store::{ListFunctions, ListInvocations, Store};

/// The platform. Cheap to clone; all clones are one platform.
///
/// It stops only by [`close`](Self::close): dropping the last clone without it leaves
/// sandboxes behind, which the next platform on the same data directory removes.
#[derive(Debug, Clone)]
pub struct Platform {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {}

impl Platform {
    /// Starts to describe a platform.
    #[must_use]
    pub fn builder() -> PlatformBuilder {
        PlatformBuilder::default()
    }

    /// Creates a function.
    ///
    /// # Errors
    /// `InvalidParameter`, `InvalidZipFile`, `PayloadTooLarge`, `Conflict` if the name is taken.
    pub async fn function_create(&self, request: NewFunction) -> Result<Function> {
        todo!()
    }

    /// Creates a function, or appends a version to the one that has its name.
    ///
    /// # Errors
    /// As [`function_create`](Self::function_create), less `Conflict`.
    pub async fn deploy(&self, request: NewFunction) -> Result<Function> {
        todo!()
    }

    /// A function at its current version.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn function_get(&self, function: &FunctionRef) -> Result<Function> {
        todo!()
    }

    /// The code of a function's current version.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn function_code(&self, function: &FunctionRef) -> Result<CodeSource> {
        todo!()
    }

    /// Functions, newest first. `limit` is 1 to 1,000.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub async fn function_list(
        &self,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<Page<Function>> {
        todo!()
    }

    /// Changes a function: appends a version, even where only its description changes.
    ///
    /// # Errors
    /// `NotFound`, `InvalidParameter`, `InvalidZipFile`, `PayloadTooLarge`, `Conflict`.
    pub async fn function_update(
        &self,
        function: &FunctionRef,
        patch: FunctionPatch,
    ) -> Result<Function> {
        todo!()
    }

    /// Deletes a function and frees its name.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn function_delete(&self, function: &FunctionRef) -> Result<()> {
        todo!()
    }

    /// Starts an invocation; see [`Executor::start`].
    ///
    /// # Errors
    /// See [`Executor::start`].
    pub async fn start(&self, request: ExecuteRequest) -> Result<Invocation> {
        todo!()
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

    /// Records of invocations, newest first. `limit` is 1 to 1,000. A run is visible within
    /// a second.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub async fn invocation_list(
        &self,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<Page<InvocationRecord>> {
        todo!()
    }

    /// Counts and durations of all invocations.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn invocation_summary(&self) -> Result<InvocationSummary> {
        todo!()
    }

    /// Makes a token and returns its secret, which is kept nowhere.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn token_create(&self, name: &str, scopes: Vec<Scope>) -> Result<(Token, String)> {
        todo!()
    }

    /// The token with this digest, if there is one.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn token_find(&self, digest: TokenDigest) -> Result<Option<Token>> {
        todo!()
    }

    /// The names of the runtimes, in the order they were given.
    #[must_use]
    pub fn runtimes(&self) -> Vec<RuntimeName> {
        todo!()
    }

    /// Looks at the store and at every runtime; see [`Runtime::check`].
    pub async fn check(&self, thorough: bool) -> Vec<Finding> {
        todo!()
    }

    /// Stops taking requests, waits for the running ones for as long as the builder's
    /// `drain_timeout`, kills the rest, removes every sandbox and keeps every record.
    pub async fn close(&self) {
        todo!()
    }
}

/// Describes a [`Platform`]; see [`Platform::builder`].
#[derive(Debug, Default)]
#[must_use]
pub struct PlatformBuilder {
    data_dir: Option<PathBuf>,
    store: Option<Arc<dyn Store>>,
    runtimes: Vec<Arc<dyn Runtime>>,
}

impl PlatformBuilder {
    /// Where the journal, sandboxes' sockets and unpacked code are. Made if missing,
    /// readable by its owner only. Several platforms may share it.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        todo!()
    }

    /// Where functions and records are kept; without it in memory.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        todo!()
    }

    /// Adds a sandbox back end; the first of a name wins.
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        todo!()
    }

    /// Another executor than the local one.
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Self {
        todo!()
    }

    /// Bounds of the warm-container manager.
    pub fn pool(mut self, options: PoolOptions) -> Self {
        todo!()
    }

    /// The namespace of every function of this platform.
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        todo!()
    }

    /// How long [`Platform::close`] waits for running invocations (default 10 s).
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        todo!()
    }

    /// Takes the data directory's lock, removes what dead owners left, replays their
    /// journals, and starts the platform on the current tokio runtime.
    ///
    /// # Errors
    /// `InvalidParameter` if something needed is missing; `Internal` if the data directory
    /// cannot be used.
    pub async fn build(self) -> Result<Platform> {
        todo!()
    }
}

/// A function to be created.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewFunction {
    /// Its name.
    pub name: FunctionName,
    /// Everything but the code.
    pub config: FunctionConfig,
    /// The code.
    pub code: CodeSource,
}

impl NewFunction {
    /// A function with all its parts.
    #[must_use]
    pub fn new(name: FunctionName, config: FunctionConfig, code: CodeSource) -> Self {
        Self { name, config, code }
    }

    /// A Python script function with every default.
    ///
    /// # Errors
    /// `InvalidParameter` if the name is none.
    pub fn python(name: &str, source: impl Into<String>) -> Result<Self> {
        Self::inline(Language::Python, name, source)
    }

    /// A JavaScript script function with every default.
    ///
    /// # Errors
    /// `InvalidParameter` if the name is none.
    pub fn javascript(name: &str, source: impl Into<String>) -> Result<Self> {
        Self::inline(Language::Javascript, name, source)
    }

    fn inline(language: Language, name: &str, source: impl Into<String>) -> Result<Self> {
        Ok(Self::new(
            FunctionName::new(name)?,
            FunctionConfig::new(language),
            CodeSource::Inline(source.into()),
        ))
    }

    /// Makes it a handler function: `module.function`.
    #[must_use]
    pub fn handler(mut self, handler: impl Into<String>) -> Self {
        self.config.handler = Some(handler.into());
        self
    }
}
