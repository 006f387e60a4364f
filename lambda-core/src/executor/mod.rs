//! Running a function once: the contract, and what a caller holds meanwhile.
//!
//! [`LocalExecutor`] runs on this machine's pool. Prove your own [`Executor`] with
//! `conformance::executor` (feature `conformance`).

mod attended;
mod code;
mod local;
mod on_end;
mod outcome;
mod packages;
mod run;
mod running;
mod test_request;
mod warmth;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};
use crate::logs::{Follower, LogEnd, LogPosition};
use crate::model::{
    Function, FunctionId, FunctionName, FunctionRef, Namespace, Outcome, Payload, Qualifier,
    RequestId, RuntimeName, Traceparent,
};
use crate::output::{LogReader, OutputCapture};
use crate::pool::PoolStats;
use crate::runtime::Finding;

use attended::Attended;
pub use local::{LocalExecutor, LocalExecutorParts};
pub use test_request::TestRequest;

/// Runs functions.
#[async_trait]
pub trait Executor: fmt::Debug + Send + Sync + 'static {
    /// Starts an invocation. It does not depend on its caller: dropping what this returns
    /// detaches it, the run goes on and is recorded. A run that is over within microseconds
    /// may be over when this returns.
    ///
    /// # Errors
    /// What is wrong with the request: `InvalidParameter`, `NotFound`, `PayloadTooLarge`,
    /// `Closed`, `StoreUnavailable` (retryable). What hinders the run later, such as
    /// `Throttled` or `RuntimeUnavailable`, is the error of [`Invocation::outcome`]; the
    /// function has not run then, and a retry is safe.
    async fn start(&self, request: ExecuteRequest) -> Result<Invocation>;

    /// Starts code that is not deployed, once, in a sandbox that nothing else gets to see. The
    /// code has been checked. Nothing of it is kept but the record, which has the function id
    /// [`FunctionId::TEST`] and the version 0. All tests together count as one function where
    /// functions have bounds or turns.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    async fn start_test(&self, request: TestRequest) -> Result<Invocation>;

    /// Kills an invocation by its id, as [`Invocation::cancel`] does. It may still succeed, if it
    /// was about to end.
    ///
    /// # Errors
    /// `NotFound` if no invocation of the namespace runs, or waits to run, by this id.
    async fn cancel(&self, namespace: &Namespace, id: RequestId) -> Result<()>;

    /// Tells that a function has changed: what was kept ready of other versions than the current
    /// one is let go, and the next request sees the change.
    fn function_changed(&self, function: FunctionId, change: FunctionChange);

    /// Keeps as many sandboxes of `function` warm as its `min_warm` says. It is the function at
    /// its current version; what was kept warm of another is let go. Returns at once, and the
    /// sandboxes are made in the background.
    fn keep_warm(&self, _function: &Function) {}

    /// The functions of which some are kept warm; none: it never does that.
    fn kept_warm(&self) -> Option<Vec<FunctionId>> {
        None
    }

    /// What is amiss with the executor itself, besides its runtimes and its store.
    fn check(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// The sandboxes that it keeps, in numbers; none where it keeps none itself.
    fn pool_stats(&self) -> Option<PoolStats> {
        None
    }

    /// Has `observer` told of every invocation that ends from now on. An executor that cannot
    /// tell leaves it out.
    fn observe(&self, observer: Arc<dyn InvocationObserver>) {
        let _ = observer;
    }

    /// Stops taking requests, waits for the running ones until `deadline` has passed, kills
    /// the rest, and removes every sandbox.
    async fn close(&self, deadline: Duration);
}

/// Hears of invocations that end, for instance to count them.
pub trait InvocationObserver: fmt::Debug + Send + Sync + 'static {
    /// An invocation has ended, or could not be run. Called before its caller hears of it: it
    /// must neither wait nor do much.
    fn ended(&self, target: &InvocationTarget, result: &Result<Outcome>);
}

/// What has become of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FunctionChange {
    /// This is its current version now.
    Current(u32),
    /// An alias other than `current` was set or deleted.
    Alias,
    /// It is gone.
    Deleted,
}

/// A request to execute a function once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExecuteRequest {
    /// The function's namespace.
    pub namespace: Namespace,
    /// The function.
    pub function: FunctionRef,
    /// Which version.
    pub qualifier: Qualifier,
    /// What it is called with.
    pub payload: Payload,
    /// Another sandbox back end than the function's own; never a weaker one.
    pub runtime: Option<RuntimeName>,
    /// A shorter timeout than the function's own.
    pub timeout: Option<Duration>,
    /// The invocation's id.
    pub request_id: RequestId,
    /// `X-Amzn-Trace-Id`, handed to the function.
    pub trace_id: Option<String>,
    /// The trace that it is a part of; the function gets it with the invocation as the parent.
    pub traceparent: Option<Traceparent>,
    /// Whether an event loop's thread starts it, which nothing may keep waiting for longer than the
    /// 100 us or less in which a warm sandbox may answer.
    pub from_event_loop: bool,
    /// Whether whoever starts it awaits [`Invocation::outcome`] at once, and polls that whenever it is
    /// woken, or drops it. Then that may drive the run, which saves waking another thread. While
    /// nobody polls it the run stands still, and its timeout kills nothing: leave this where the
    /// future lies in a buffered stream, or beside other branches of a `select!` in a loop.
    pub is_attended: bool,
}

impl ExecuteRequest {
    /// Executes the current version of `function` with no args, or the event `{}`.
    #[must_use]
    pub fn new(function: impl Into<FunctionRef>) -> Self {
        Self {
            namespace: Namespace::default(),
            function: function.into(),
            qualifier: Qualifier::Current,
            payload: Payload::Empty,
            runtime: None,
            timeout: None,
            request_id: RequestId::new(),
            trace_id: None,
            traceparent: None,
            from_event_loop: false,
            is_attended: false,
        }
    }

    /// Executes the current version of the function that `reference`, an id or a name, names.
    ///
    /// # Errors
    /// `InvalidParameter` if it can be neither.
    pub fn named(reference: &str) -> Result<Self> {
        Ok(Self::new(reference.parse::<FunctionRef>()?))
    }

    /// Command-line args, for a script function.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.payload = Payload::Args(args.into_iter().map(Into::into).collect());
        self
    }

    /// The event, JSON, for a handler function.
    #[must_use]
    pub fn event(mut self, json: impl Into<Bytes>) -> Self {
        self.payload = Payload::Event(json.into());
        self
    }

    /// Another sandbox back end than the function's own.
    #[must_use]
    pub fn runtime(mut self, runtime: RuntimeName) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Another version than the current one.
    #[must_use]
    pub fn qualifier(mut self, qualifier: Qualifier) -> Self {
        self.qualifier = qualifier;
        self
    }

    /// A shorter timeout than the function's own.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// What an invocation runs, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationTarget {
    /// The function.
    pub function_id: FunctionId,
    /// Its name.
    pub function_name: FunctionName,
    /// Its version.
    pub version: u32,
    /// The sandbox back end.
    pub runtime: RuntimeName,
}

/// An invocation under way.
#[derive(Debug)]
pub struct Invocation {
    request_id: RequestId,
    target: InvocationTarget,
    output: OutputCapture,
    outcome: oneshot::Receiver<Result<Outcome>>,
    cancel: CancellationToken,
    /// Where nobody else drives it.
    attended: Option<Attended>,
}

impl Invocation {
    /// An invocation and, for the executor that runs it, its other end.
    #[must_use]
    pub fn new(request_id: RequestId, target: InvocationTarget) -> (Self, InvocationDriver) {
        let (sender, outcome) = oneshot::channel();
        let output = OutputCapture::new();
        let cancel = CancellationToken::new();
        let driver = InvocationDriver {
            output: output.clone(),
            outcome: Some(sender),
            cancel: cancel.clone(),
        };
        let invocation = Self {
            request_id,
            target,
            output,
            outcome,
            cancel,
            attended: None,
        };
        (invocation, driver)
    }

    /// Its id.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// What it runs, and where.
    #[must_use]
    pub fn target(&self) -> &InvocationTarget {
        &self.target
    }

    /// What the function writes, from the first byte on, live, as bytes: the first MiB of each
    /// stream. For text, and all of it, see [`follow`](Self::follow).
    #[must_use]
    pub fn logs(&self) -> LogReader {
        self.output.reader()
    }

    /// What the function writes, from the first byte on, live, as text. Costs the run nothing:
    /// who reads too slowly is told how many lines were skipped.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn run(platform: lambda_core::Platform) -> lambda_core::Result<()> {
    /// use lambda_core::ExecuteRequest;
    /// use lambda_core::logs::LogItem;
    ///
    /// let invocation = platform.start(ExecuteRequest::named("report")?).await?;
    /// let mut logs = invocation.follow();
    /// while let Some(item) = logs.next().await {
    ///     match item {
    ///         LogItem::Output { text, .. } => print!("{text}"),
    ///         LogItem::Skipped { lines, .. } => eprintln!("{lines:?} lines skipped"),
    ///         LogItem::End(end) => eprintln!("{end}"),
    ///         _ => {}
    ///     }
    /// }
    /// println!("{:?}", invocation.outcome().await?.output);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn follow(&self) -> Follower {
        self.output.follow(LogPosition::default())
    }

    pub(crate) fn output(&self) -> &OutputCapture {
        &self.output
    }

    /// Kills the run. The outcome's status is then `Cancelled`, unless it had ended before.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Cancels from another task.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(self.cancel.clone())
    }

    /// Has the run driven by whoever waits for its end.
    fn attend(&mut self, run: Attended) {
        self.attended = Some(run);
    }

    /// Has it driven by a task of its own.
    fn detach(&mut self) {
        self.attended = None;
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// `Throttled`, `RuntimeUnavailable`, `Closed`, `Internal`: the platform could not run
    /// the function.
    pub async fn outcome(mut self) -> Result<Outcome> {
        if let Some(attended) = self.attended.take() {
            attended.await;
        }
        self.outcome.await.unwrap_or_else(|_| {
            Err(Error::internal(
                "invocation_outcome",
                "The executor dropped the invocation.",
            ))
        })
    }

    /// Has `told` called with what [`outcome`](Self::outcome) would return, by the thread on which
    /// the run ends, or by this one if it has ended. It must neither wait nor do much: this is for
    /// event loops, which are told by other means than a waker.
    pub fn on_end(mut self, told: impl FnOnce(Result<Outcome>) + Send + 'static) {
        self.detach();
        on_end::tell(self.outcome(), Box::new(told));
    }
}

/// Cancels an invocation; see [`Invocation::canceller`].
#[derive(Debug, Clone)]
pub struct Canceller(CancellationToken);

impl Canceller {
    /// See [`Invocation::cancel`].
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// The executor's end of an [`Invocation`].
#[derive(Debug)]
pub struct InvocationDriver {
    output: OutputCapture,
    outcome: Option<oneshot::Sender<Result<Outcome>>>,
    cancel: CancellationToken,
}

impl InvocationDriver {
    /// Where the function's output goes.
    #[must_use]
    pub fn output(&self) -> &OutputCapture {
        &self.output
    }

    /// Ready once the caller has cancelled.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Ends the invocation.
    pub fn finish(mut self, outcome: Result<Outcome>) {
        self.output.finish(match &outcome {
            Ok(outcome) => LogEnd::Status(outcome.status),
            Err(error) => LogEnd::NotRun(error.kind()),
        });
        if let Some(sender) = self.outcome.take() {
            // The caller may have gone; the run is recorded all the same.
            let _ = sender.send(outcome);
        }
    }
}

impl Drop for InvocationDriver {
    /// Whoever follows an invocation whose executor gave it up must not wait for ever.
    fn drop(&mut self) {
        if self.outcome.is_some() {
            self.output.finish(LogEnd::NotRun(ErrorKind::Internal));
        }
    }
}
