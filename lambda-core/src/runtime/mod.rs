//! Where functions run: the contract of a sandbox back end.
//!
//! Prove your own [`Runtime`] with `conformance::runtime` (feature `conformance`).

#[cfg(feature = "docker")]
mod container;
#[cfg(feature = "docker")]
mod docker;
#[cfg(feature = "conformance")]
pub mod fake;
#[cfg(feature = "docker")]
mod gvisor;

#[cfg(feature = "docker")]
pub use container::ContainerOptions;
#[cfg(feature = "docker")]
pub use docker::DockerRuntime;
#[cfg(feature = "docker")]
pub use gvisor::GvisorRuntime;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::model::{
    CodeFormat, Function, FunctionConfig, FunctionError, Language, OwnerId, RequestId, RuntimeName,
    SandboxId, Termination, Traceparent,
};
use crate::output::OutputCapture;

/// A sandbox back end.
///
/// All methods may be called at once from many tasks.
#[async_trait]
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// The name by which functions and callers choose it.
    fn name(&self) -> RuntimeName;

    /// What it can do, as data.
    fn capability(&self) -> RuntimeCapability;

    /// Whether it can work on this machine as it is now: every finding with its mend.
    /// `thorough` also starts a canary sandbox and verifies that the limits of memory, CPU
    /// and processes are enforced (seconds); without it only what costs a few milliseconds
    /// is looked at.
    async fn check(&self, thorough: bool) -> Vec<Finding>;

    /// Whether it can run functions configured like this at all: image and network are
    /// listed, and it offers a network where one is named. Looks at no outside thing.
    ///
    /// # Errors
    /// `InvalidParameter`, naming the field and what is allowed.
    fn accepts(&self, config: &FunctionConfig) -> Result<()>;

    /// Creates a sandbox: language booted, our bootstrap connected and waiting for code.
    ///
    /// # Errors
    /// `RuntimeUnavailable` (retryable) if the back end cannot create it now;
    /// `InvalidParameter` if it cannot at all (an image or a network that is not listed or
    /// not there, a network that this runtime does not offer).
    ///
    /// # Cancellation
    /// Dropping the future leaves nothing behind: what was made so far is removed in the
    /// background.
    async fn create(&self, request: CreateSandbox) -> Result<Arc<dyn Sandbox>>;

    /// Lists the owners that have left sandboxes (or parts of them) on this machine.
    ///
    /// # Errors
    /// `RuntimeUnavailable`.
    async fn owners(&self) -> Result<Vec<OwnerId>>;

    /// Removes everything that belongs to `owner`, which the caller knows to be dead (it
    /// holds that owner's lock). Returns the number of sandboxes removed.
    ///
    /// # Errors
    /// `RuntimeUnavailable`; what was not removed is found again by the next call.
    async fn remove_owned(&self, owner: OwnerId) -> Result<usize>;
}

/// What a runtime can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RuntimeCapability {
    /// Sandboxes can join a network that the operator listed.
    pub network: bool,
    /// Memory, CPU and process limits are enforced.
    pub limits: bool,
    /// It is a boundary against hostile tenants, and not only defence in depth.
    pub untrusted_tenants: bool,
}

/// How much a [`Finding`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Works, but should be mended.
    Warning,
    /// Does not work until it is mended.
    Error,
}

/// One thing that a check looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at, in a few words.
    pub subject: String,
    /// How it stands.
    pub severity: Severity,
    /// What was found, in a sentence.
    pub detail: String,
    /// How to mend it; none where there is nothing to mend.
    pub mend: Option<String>,
}

impl Finding {
    /// All is well with `subject`.
    pub fn ok(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            severity: Severity::Ok,
            detail: detail.into(),
            mend: None,
        }
    }

    /// Something is not, and `mend` says what to do.
    pub fn bad(
        severity: Severity,
        subject: impl Into<String>,
        detail: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            subject: subject.into(),
            severity,
            detail: detail.into(),
            mend: Some(mend.into()),
        }
    }
}

/// How long creating and booting a sandbox may take: some seconds at worst, on a machine that
/// starts many at once.
pub(crate) const BOOT_TIMEOUT: Duration = Duration::from_secs(30);

/// What a sandbox is made for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateSandbox {
    /// Its id.
    pub id: SandboxId,
    /// Who creates it; its sandboxes carry this as a label.
    pub owner: OwnerId,
    /// The language to boot.
    pub language: Language,
    /// The container image; none: the runtime's default for the language.
    pub image: Option<String>,
    /// Memory in MiB, /tmp included; no swap.
    pub memory_mib: u32,
    /// Size of /tmp in MiB.
    pub tmp_mib: u32,
    /// CPUs.
    pub cpus: f64,
    /// `none` or the name of a network.
    pub network: String,
    /// A directory of the host with the function's code, mounted read-only at /var/task;
    /// none: the code is sent by [`Sandbox::initialize`].
    pub code_directory: Option<PathBuf>,
    /// How long creating and booting may take.
    pub boot_timeout: Duration,
}

impl CreateSandbox {
    /// A sandbox that fits `function`.
    #[must_use]
    pub fn for_function(owner: OwnerId, function: &Function) -> Self {
        let config = &function.config;
        Self {
            id: SandboxId::new(),
            owner,
            language: config.language,
            image: config.image.clone(),
            memory_mib: config.memory_mib,
            tmp_mib: config.effective_tmp_mib(),
            cpus: config.cpus,
            network: config.network.clone(),
            code_directory: None,
            boot_timeout: BOOT_TIMEOUT,
        }
    }
}

/// One isolated container with our bootstrap in it.
///
/// [`initialize`](Self::initialize) is called once, then [`invoke`](Self::invoke) any number
/// of times, one at a time. Once either returned a reply for which
/// [`SandboxReply::is_final`] holds, or an error, or its future was dropped, only
/// [`ended`](Self::ended) and [`destroy`](Self::destroy) may be called.
#[async_trait]
pub trait Sandbox: fmt::Debug + Send + Sync + 'static {
    /// Its id.
    fn id(&self) -> SandboxId;

    /// Whether, as far as the host can see without waiting, it still lives. Costs at most
    /// a system call.
    fn is_alive(&self) -> bool;

    /// Sends code and configuration and waits until the code is loaded. What the code
    /// writes meanwhile goes to `output`.
    ///
    /// # Errors
    /// `Internal` if the sandbox broke the protocol.
    ///
    /// # Cancellation
    /// Leaves the sandbox fit only to be destroyed. There is no timeout: the caller keeps it.
    async fn initialize(
        &self,
        request: InitializeSandbox,
        output: &OutputCapture,
    ) -> Result<SandboxReply>;

    /// Hands over one event and waits for the reply. What the function writes meanwhile
    /// goes to `output`, complete when this returns.
    ///
    /// # Errors
    /// `Internal` if the sandbox broke the protocol.
    ///
    /// # Cancellation
    /// Leaves the sandbox fit only to be destroyed. There is no timeout: the caller keeps it.
    async fn invoke(&self, request: InvokeSandbox, output: &OutputCapture) -> Result<SandboxReply>;

    /// The memory peak in MiB since the sandbox began, where the back end knows it.
    async fn memory_peak_mib(&self) -> Option<u32>;

    /// The CPU time that it has used since it began, where the back end can tell without
    /// waiting. It tells work that waits from work that burns CPU.
    fn cpu_time(&self) -> Option<Duration> {
        None
    }

    /// Stops all its processes until [`thaw`](Self::thaw); called between invocations. False:
    /// the back end cannot, and nothing has changed. [`destroy`](Self::destroy) works on a
    /// frozen sandbox too, [`is_alive`](Self::is_alive) as well.
    async fn freeze(&self) -> bool {
        false
    }

    /// Lets its processes run again. Idempotent, also where it is not frozen. False: it is
    /// fit only to be destroyed.
    async fn thaw(&self) -> bool {
        true
    }

    /// Waits until the sandbox is gone by itself and says why. Called after a reply of
    /// [`SandboxReply::Ended`]; within a second or so, else `cause` is `Unknown`.
    async fn ended(&self) -> SandboxEnd;

    /// Reads what is left of the output of a sandbox that was killed or has ended.
    fn drain(&self, output: &OutputCapture);

    /// Kills every process of the sandbox and removes all that belongs to it. Returns when
    /// the death of the processes is confirmed, or after 900 ms with
    /// [`Termination::Pending`]; removal goes on in the background. Idempotent.
    async fn destroy(&self) -> Termination;

    /// Waits until all that belongs to the sandbox is removed, after
    /// [`destroy`](Self::destroy): until then its capacity stays charged.
    async fn removed(&self);
}

/// See [`Sandbox::initialize`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InitializeSandbox {
    /// The function version.
    pub function: Arc<Function>,
    /// Its code; none where it is mounted (see [`CreateSandbox::code_directory`]).
    pub code: Option<(CodeFormat, Bytes)>,
}

impl InitializeSandbox {
    /// `function`, with `code` unless that is mounted.
    #[must_use]
    pub fn new(function: Arc<Function>, code: Option<(CodeFormat, Bytes)>) -> Self {
        Self { function, code }
    }
}

/// See [`Sandbox::invoke`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InvokeSandbox {
    /// The invocation's id.
    pub request_id: RequestId,
    /// The event, or a script's args as a JSON array of strings.
    pub payload: Bytes,
    /// When the host will kill the sandbox, in Unix milliseconds: for the function to read.
    pub deadline_unix_ms: u64,
    /// `invokedFunctionArn` of the context object.
    pub invoked_function_arn: Arc<str>,
    /// `X-Amzn-Trace-Id` of the caller, where there is one.
    pub trace_id: Option<String>,
    /// The trace that the invocation is a part of, and its own span in it.
    pub traceparent: Option<Traceparent>,
}

impl InvokeSandbox {
    /// A request with all its parts but those of a trace.
    #[must_use]
    pub fn new(
        request_id: RequestId,
        payload: Bytes,
        deadline_unix_ms: u64,
        invoked_function_arn: Arc<str>,
    ) -> Self {
        Self {
            request_id,
            payload,
            deadline_unix_ms,
            invoked_function_arn,
            trace_id: None,
            traceparent: None,
        }
    }
}

/// What a sandbox answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SandboxReply {
    /// Initialised, and ready for events.
    Ready,
    /// The handler's result: JSON, checked.
    Response(Bytes),
    /// A script's process exited with this status.
    Exited(i32),
    /// A script's process was killed by this signal.
    Signaled(i32),
    /// The function failed: in [`Sandbox::initialize`] the sandbox is of no more use, in
    /// [`Sandbox::invoke`] it may serve on.
    Failed(FunctionError),
    /// The kernel killed a process of the sandbox for want of memory, whatever else was
    /// answered.
    OutOfMemory,
    /// The connection closed without a reply: the sandbox is dead or dying.
    Ended,
}

impl SandboxReply {
    /// Whether the sandbox must not be used any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::OutOfMemory | Self::Ended)
    }
}

/// Why a sandbox ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SandboxEnd {
    /// Its main process exited.
    Exited(i32),
    /// Its main process was killed by this signal.
    Signaled(i32),
    /// The kernel killed it for want of memory.
    OutOfMemory,
    /// The back end cannot say.
    Unknown,
}
