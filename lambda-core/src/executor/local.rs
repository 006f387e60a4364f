//! The executor that runs functions on this machine.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use super::attended::Attended;
use super::code::Code;
use super::run::{Run, Undeployed};
use super::running::Running;
use super::warmth::{self, Turns};
use super::{
    ExecuteRequest, Executor, FunctionChange, Invocation, InvocationDriver, InvocationObserver,
    TestRequest,
};
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop;
use crate::model::limits::{ARGS_BYTES_MAX, ARGS_MAX, EVENT_BYTES_MAX};
use crate::model::{
    CodeSource, Function, FunctionId, FunctionSelector, InvocationEntry, InvocationOutput,
    InvocationRecord, Namespace, Outcome, OwnerId, Payload, RequestId, RevisionId, RuntimeName,
};
use crate::output::LogStream;
use crate::pool::{Pool, PoolOptions, PoolStats};
use crate::recorder::Recorder;
use crate::runtime::{Finding, Runtime};
use crate::store::{FunctionCache, Store};

/// How long removing the last sandboxes may take once all invocations have ended.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs functions on this machine's pool. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LocalExecutor(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) owner: OwnerId,
    functions: FunctionCache,
    pub(super) code: Code,
    pub(super) runtimes: HashMap<RuntimeName, Arc<dyn Runtime>>,
    pub(super) pool: Pool,
    recorder: Recorder,
    running: Running,
    /// Tells the sandboxes of tests apart in the pool, where they are versions of one function.
    tests: AtomicU32,
    pub(super) tasks: TaskTracker,
    pub(super) turns: Turns,
    pub(super) closing: CancellationToken,
    kill: CancellationToken,
    observers: RwLock<Vec<Arc<dyn InvocationObserver>>>,
}

/// What a [`LocalExecutor`] is made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct LocalExecutorParts {
    /// Who its sandboxes belong to.
    pub owner: OwnerId,
    /// Where functions and code come from.
    pub store: Arc<dyn Store>,
    /// Where they run.
    pub runtimes: Vec<Arc<dyn Runtime>>,
    /// Bounds of the pool.
    pub pool: PoolOptions,
    /// Where invocations are recorded.
    pub recorder: Recorder,
    /// An empty directory of its own, for unpacked code.
    pub code_directory: PathBuf,
    /// Where the pool tells other processes what is amiss; none: nowhere.
    pub pool_status: Option<PathBuf>,
}

impl LocalExecutorParts {
    /// All parts, with the pool's default bounds.
    #[must_use]
    pub fn new(
        owner: OwnerId,
        store: Arc<dyn Store>,
        runtimes: Vec<Arc<dyn Runtime>>,
        recorder: Recorder,
        code_directory: PathBuf,
    ) -> Self {
        Self {
            owner,
            store,
            runtimes,
            pool: PoolOptions::default(),
            recorder,
            code_directory,
            pool_status: None,
        }
    }
}

impl LocalExecutor {
    /// Starts on the current tokio runtime.
    #[must_use]
    pub fn new(parts: LocalExecutorParts) -> Self {
        let mut runtimes = HashMap::new();
        for runtime in parts.runtimes {
            runtimes.entry(runtime.name()).or_insert(runtime);
        }
        let pool = Pool::new(parts.pool, runtimes.clone(), parts.owner);
        if let Some(path) = parts.pool_status {
            pool.report_to(path);
        }
        Self(Arc::new(Shared {
            owner: parts.owner,
            functions: FunctionCache::new(Arc::clone(&parts.store)),
            code: Code::new(parts.store, parts.code_directory),
            pool,
            runtimes,
            recorder: parts.recorder,
            running: Running::default(),
            tests: AtomicU32::new(1),
            tasks: TaskTracker::new(),
            turns: Turns::default(),
            closing: CancellationToken::new(),
            kill: CancellationToken::new(),
            observers: RwLock::default(),
        }))
    }

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.0.pool
    }
}

#[async_trait]
impl Executor for LocalExecutor {
    async fn start(&self, request: ExecuteRequest) -> Result<Invocation> {
        let started = Instant::now();
        let started_at = Timestamp::now();
        let shared = &self.0;
        if shared.closing.is_cancelled() {
            return Err(closed());
        }
        let function = shared
            .functions
            .get(&FunctionSelector {
                namespace: request.namespace,
                function: request.function,
                qualifier: request.qualifier,
            })
            .await?;
        let run = Run {
            request_id: request.request_id,
            runtime: shared.choose_runtime(&function, request.runtime)?,
            payload: payload(&function, request.payload)?,
            timeout: timeout(&function, request.timeout)?,
            trace_id: request.trace_id,
            traceparent: request.traceparent,
            started,
            started_at,
            kill: shared.kill.clone(),
            function,
            undeployed: None,
        };
        Ok(shared.begin(run, request.from_event_loop, request.is_attended))
    }

    async fn start_test(&self, request: TestRequest) -> Result<Invocation> {
        let started = Instant::now();
        let started_at = Timestamp::now();
        let shared = &self.0;
        if shared.closing.is_cancelled() {
            return Err(closed());
        }
        let format = request.code.format();
        let code = match request.code {
            CodeSource::Inline(text) => Bytes::from(text),
            CodeSource::Zip(bytes) => bytes,
            CodeSource::ZipFile(_) => {
                return Err(Error::internal(
                    "test",
                    "The code of a test was not read before it is run.",
                ));
            }
        };
        let function = Function {
            namespace: request.namespace,
            id: FunctionId::TEST,
            name: request.name,
            version: 0,
            revision: RevisionId::new(),
            created_at: started_at,
            updated_at: started_at,
            config: request.config,
            code: Vec::new(),
        };
        let run = Run {
            request_id: request.request_id,
            runtime: shared.choose_runtime(&function, request.runtime)?,
            payload: payload(&function, request.payload)?,
            timeout: timeout(&function, request.timeout)?,
            trace_id: request.trace_id,
            traceparent: request.traceparent,
            started,
            started_at,
            kill: shared.kill.clone(),
            function: Arc::new(function),
            undeployed: Some(Undeployed {
                code: (format, code),
                pool_version: shared.tests.fetch_add(1, Ordering::Relaxed),
            }),
        };
        Ok(shared.begin(run, false, false))
    }

    async fn cancel(&self, namespace: &Namespace, id: RequestId) -> Result<()> {
        self.0.running.cancel(namespace, id)
    }

    fn function_changed(&self, function: FunctionId, change: FunctionChange) {
        self.0.functions.forget(function);
        match change {
            FunctionChange::Current(version) => {
                self.0.pool.function_changed(function, Some(version));
            }
            FunctionChange::Deleted => {
                self.0.turns.forget(function);
                self.0.pool.function_changed(function, None);
            }
            FunctionChange::Alias => {}
        }
    }

    fn keep_warm(&self, function: &Function) {
        warmth::keep_warm(&self.0, function);
    }

    fn kept_warm(&self) -> Option<Vec<FunctionId>> {
        Some(self.0.pool.provisioned())
    }

    fn check(&self) -> Vec<Finding> {
        self.0.pool.stats().findings()
    }

    fn pool_stats(&self) -> Option<PoolStats> {
        Some(self.0.pool.stats())
    }

    fn observe(&self, observer: Arc<dyn InvocationObserver>) {
        let observers = &self.0.observers;
        let mut observers = observers.write().unwrap_or_else(PoisonError::into_inner);
        observers.push(observer);
    }

    async fn close(&self, deadline: Duration) {
        let shared = &self.0;
        shared.closing.cancel();
        shared.tasks.close();
        if tokio::time::timeout(deadline, shared.tasks.wait())
            .await
            .is_err()
        {
            shared.kill.cancel();
            // A killed run ends once its sandbox is dead; Docker may hang.
            let _ = tokio::time::timeout(REMOVAL_TIMEOUT, shared.tasks.wait()).await;
        }
        if tokio::time::timeout(REMOVAL_TIMEOUT, shared.pool.close())
            .await
            .is_err()
        {
            tracing::warn!(left = ?shared.pool.stats(), "sandboxes are left; the next start removes them");
        }
    }
}

impl Shared {
    /// Polls a run once, on the thread that asked for it: a warm call mostly ends at that, and waking
    /// another thread for it takes longer than the call itself. On an event loop's thread that poll
    /// waits for nothing.
    fn begin(self: &Arc<Self>, run: Run, from_event_loop: bool, is_attended: bool) -> Invocation {
        let function = Arc::clone(&run.function);
        let (mut invocation, driver) = Invocation::new(run.request_id, run.target());
        let stay = self
            .running
            .enter(run.request_id, function, invocation.canceller());
        let shared = Arc::clone(self);
        let span = run.span();
        let task = async move {
            shared.run(&run, driver).await;
            drop(stay);
        };
        let task = self.tasks.track_future(task.instrument(span));
        let mut attended = Attended::new(task);
        let _ = match from_event_loop {
            true => event_loop::begin(|| attended.begin()),
            false => attended.begin(),
        };
        // Where nobody promises to poll on, dropping it gives the run a task of its own.
        if is_attended {
            invocation.attend(attended);
        }
        invocation
    }

    async fn run(&self, run: &Run, driver: InvocationDriver) {
        let result = run
            .execute(&self.pool, &self.code, self.owner, &driver)
            .await;
        if let Ok(outcome) = &result {
            let span = Span::current();
            span.record("start", outcome.start.as_str());
            span.record("status", outcome.status.as_str());
        }
        if let Ok(outcome) = &result
            && self.recorder.is_on()
        {
            let namespace = run.function.namespace.clone();
            let record = InvocationRecord::new(namespace, run.started_at, outcome);
            let written = driver.output();
            let message = outcome.error.as_ref().map(|error| error.message.as_str());
            let output = InvocationOutput::new(
                written.end(LogStream::Stdout),
                written.end(LogStream::Stderr),
                message,
            );
            // Before the caller hears of it: what was answered is never lost.
            self.recorder.record(&InvocationEntry::new(record, output));
        }
        self.tell_observers(run, &result);
        driver.finish(result);
    }

    fn tell_observers(&self, run: &Run, result: &Result<Outcome>) {
        let observers = self.observers.read();
        let observers = observers.unwrap_or_else(PoisonError::into_inner);
        if observers.is_empty() {
            return;
        }
        let target = run.target();
        for observer in observers.iter() {
            observer.ended(&target, result);
        }
    }

    fn choose_runtime(
        &self,
        function: &Function,
        asked: Option<RuntimeName>,
    ) -> Result<RuntimeName> {
        let own = &function.config.runtime;
        let name = asked.unwrap_or_else(|| own.clone());
        let runtime = self.runtimes.get(&name).ok_or_else(|| {
            let mut known: Vec<_> = self.runtimes.keys().map(RuntimeName::as_str).collect();
            known.sort_unstable();
            // A function's own is missing because the operator took it away.
            let kind = match name == *own {
                true => ErrorKind::RuntimeUnavailable,
                false => ErrorKind::InvalidParameter,
            };
            Error::new(
                kind,
                "execute",
                format!("The runtime `{name}` is not there."),
            )
            .hint(format!("This platform has: {}.", known.join(", ")))
        })?;
        if name != *own {
            let weaker = self
                .runtimes
                .get(own)
                .is_some_and(|own| own.capability().untrusted_tenants)
                && !runtime.capability().untrusted_tenants;
            if weaker {
                return Err(Error::invalid(
                    "execute",
                    format!("The function runs in `{own}`; an execution cannot choose the weaker `{name}`."),
                )
                .hint("Leave the choice out, or change the function's runtime."));
            }
            runtime.accepts(&function.config)?;
        }
        Ok(name)
    }
}

fn timeout(function: &Function, asked: Option<Duration>) -> Result<Duration> {
    let own = function.config.timeout;
    match asked {
        None => Ok(own),
        Some(asked) if asked.is_zero() || asked > own => Err(Error::invalid(
            "execute",
            format!(
                "`timeout_ms` of an execution is 1 to the function's own {} milliseconds.",
                own.as_millis()
            ),
        )
        .hint("To allow more, update the function's `timeout_ms`.")),
        Some(asked) => Ok(asked),
    }
}

/// The bytes that go into the sandbox.
fn payload(function: &Function, payload: Payload) -> Result<Bytes> {
    let is_handler = function.config.handler.is_some();
    match payload {
        Payload::Empty if is_handler => Ok(Bytes::from_static(b"{}")),
        Payload::Empty => Ok(Bytes::from_static(b"[]")),
        Payload::Args(_) if is_handler => Err(Error::invalid(
            "execute",
            "The function has a handler: it takes an `event`, not `args`.",
        )
        .hint("Send `event` with any JSON value.")),
        // What a script is called with where nothing is said.
        Payload::Event(event) if !is_handler && &*event == b"null" => Ok(Bytes::from_static(b"[]")),
        Payload::Event(_) if !is_handler => Err(Error::invalid(
            "execute",
            "The function is a script: it takes `args`, not an `event`.",
        )
        .hint("Send `args` with a list of strings, or give the function a `handler`.")),
        Payload::Args(args) => args_payload(&args),
        Payload::Event(event) => {
            if event.len() > EVENT_BYTES_MAX {
                return Err(Error::new(
                    ErrorKind::PayloadTooLarge,
                    "execute",
                    format!(
                        "The event has {} bytes; at most {EVENT_BYTES_MAX} are taken.",
                        event.len()
                    ),
                )
                .hint("Store the data elsewhere and send a reference to it."));
            }
            serde_json::from_slice::<serde::de::IgnoredAny>(&event).map_err(|error| {
                Error::new(
                    ErrorKind::InvalidRequestContent,
                    "execute",
                    format!("The event is not JSON: {error}."),
                )
            })?;
            Ok(event)
        }
    }
}

fn args_payload(args: &[String]) -> Result<Bytes> {
    let bytes: usize = args.iter().map(|arg| arg.len() + 1).sum();
    if args.len() > ARGS_MAX || bytes > ARGS_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::PayloadTooLarge,
            "execute",
            format!("`args` are at most {ARGS_MAX} strings of {ARGS_BYTES_MAX} bytes together."),
        ));
    }
    if args.iter().any(|arg| arg.contains('\0')) {
        return Err(Error::invalid("execute", "An arg has a NUL character."));
    }
    let json = serde_json::to_vec(args)
        .map_err(|error| Error::internal("execute", "The args cannot be encoded.").source(error))?;
    Ok(json.into())
}

fn closed() -> Error {
    Error::new(
        ErrorKind::Closed,
        "execute",
        "The platform is shutting down.",
    )
    .hint("Try again once it is up.")
}
