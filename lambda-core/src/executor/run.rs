//! One invocation, from the queue to its record.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, debug_span, field};

use super::code::Code;
use super::outcome::Ending;
use super::{InvocationDriver, InvocationTarget};
use crate::error::Result;
use crate::event_loop;
use crate::model::{
    CodeFormat, Function, Outcome, OwnerId, RequestId, RuntimeName, StartKind, Termination,
    Timings, Traceparent,
};
use crate::output::{LogStream, OutputCapture};
use crate::pool::{Lease, Pool, PoolKey, PoolRequest};
use crate::protocol::function_arn;
use crate::runtime::{CreateSandbox, InitializeSandbox, InvokeSandbox, SandboxReply};

/// Runs longer than this are worth a look at the memory peak, which costs some 10 us;
/// shorter ones report what was last seen.
const PEAK_WORTHWHILE: Duration = Duration::from_millis(5);

/// What one invocation needs.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) request_id: RequestId,
    pub(super) function: Arc<Function>,
    pub(super) runtime: RuntimeName,
    pub(super) payload: Bytes,
    pub(super) timeout: Duration,
    pub(super) trace_id: Option<String>,
    pub(super) traceparent: Option<Traceparent>,
    pub(super) started: Instant,
    pub(super) started_at: Timestamp,
    /// Cancelled when the platform kills what still runs.
    pub(super) kill: CancellationToken,
    /// Where the code is in no store.
    pub(super) undeployed: Option<Undeployed>,
}

/// Code that comes with the request. Its sandbox serves this one invocation.
#[derive(Debug)]
pub(super) struct Undeployed {
    pub(super) code: (CodeFormat, Bytes),
    /// The version in the pool's key, of its own.
    pub(super) pool_version: u32,
}

/// What ended the wait for a sandbox's reply.
enum Reply {
    Sandbox(Result<SandboxReply>),
    Timeout,
    Cancelled,
}

/// What became of the sandbox.
enum Fate {
    Reusable,
    Gone(Option<Termination>),
}

impl Run {
    /// What runs, and where.
    pub(super) fn target(&self) -> InvocationTarget {
        InvocationTarget {
            function_id: self.function.id,
            function_name: self.function.name.clone(),
            version: self.function.version,
            runtime: self.runtime.clone(),
        }
    }

    /// What the invocation does is within this span, which is in turn within the caller's.
    pub(super) fn span(&self) -> Span {
        let span = debug_span!(
            "invocation",
            request_id = %self.request_id,
            function = %self.function.name,
            version = self.function.version,
            runtime = %self.runtime,
            trace_id = field::Empty,
            span_id = field::Empty,
            parent_id = field::Empty,
            start = field::Empty,
            status = field::Empty,
        );
        if !span.is_disabled()
            && let Some(parent) = self.traceparent
        {
            span.record("trace_id", parent.trace_id());
            span.record("span_id", parent.within(self.request_id).parent_id());
            span.record("parent_id", parent.parent_id());
        }
        span
    }

    /// Runs the function. An error means that it has not run.
    pub(super) async fn execute(
        &self,
        pool: &Pool,
        code: &Code,
        owner: OwnerId,
        driver: &InvocationDriver,
    ) -> Result<Outcome> {
        let key = PoolKey {
            namespace: self.function.namespace.clone(),
            function: self.function.id,
            version: self
                .undeployed
                .as_ref()
                .map_or(self.function.version, |test| test.pool_version),
            runtime: self.runtime.clone(),
        };
        let lease = match pool.take_idle(&key).await {
            Some(lease) => lease,
            // Apart from the warm path, whose task would else be twice as large.
            None => match Box::pin(self.acquire(pool, key, code, owner, driver)).await? {
                Some(lease) => lease,
                None => return Ok(self.never_started(driver.output())),
            },
        };
        let to_send = match &self.undeployed {
            _ if lease.is_initialized() => None,
            Some(test) => Some(Some(test.code.clone())),
            None => Some(Box::pin(code.to_send(&self.function)).await?),
        };
        Ok(self.in_sandbox(lease, to_send, driver).await)
    }

    /// A sandbox that is not warm, or has become it meanwhile. None: cancelled.
    async fn acquire(
        &self,
        pool: &Pool,
        key: PoolKey,
        code: &Code,
        owner: OwnerId,
        driver: &InvocationDriver,
    ) -> Result<Option<Lease>> {
        event_loop::leave().await;
        let mut create = CreateSandbox::for_function(owner, &self.function);
        if self.undeployed.is_none() {
            create.code_directory = code.to_mount(&self.function).await?;
        }
        let request = PoolRequest::new(key, self.function.config.concurrency, create);
        let span = debug_span!(
            "acquire",
            sandbox = field::Empty,
            queue_ms = field::Empty,
            boot_ms = field::Empty
        );
        let lease = tokio::select! {
            biased;
            lease = pool.acquire(request).instrument(span.clone()) => lease?,
            () = self.cancelled(driver) => return Ok(None),
        };
        if !span.is_disabled() {
            span.record("sandbox", field::display(lease.sandbox().id()));
            span.record("queue_ms", milliseconds(lease.queue()));
            span.record("boot_ms", milliseconds(lease.boot()));
        }
        Ok(Some(lease))
    }

    async fn in_sandbox(
        &self,
        mut lease: Lease,
        to_send: Option<Option<(CodeFormat, Bytes)>>,
        driver: &InvocationDriver,
    ) -> Outcome {
        let output = driver.output();
        let sandbox = Arc::clone(lease.sandbox());
        let mut timings = Timings {
            queue: lease.queue(),
            boot: lease.boot(),
            ..Timings::default()
        };
        // The function's own time begins here: neither queue nor boot is charged to it.
        let begin = Instant::now();
        let deadline = begin + self.timeout;

        let mut reply = None;
        if let Some(code) = to_send {
            let request = InitializeSandbox::new(Arc::clone(&self.function), code);
            let init = sandbox.initialize(request, output);
            let init = self.until(deadline, driver, init);
            let answer = init.instrument(debug_span!("init")).await;
            timings.init = begin.elapsed();
            if matches!(answer, Reply::Sandbox(Ok(SandboxReply::Ready))) {
                lease.initialized(timings.init);
            } else {
                reply = Some(answer);
            }
        }
        let initialized = reply.is_none();
        let run_begin = Instant::now();
        let reply = match reply {
            Some(reply) => reply,
            None => {
                let left = deadline.saturating_duration_since(run_begin);
                let mut request = InvokeSandbox::new(
                    self.request_id,
                    self.payload.clone(),
                    unix_ms(SystemTime::now() + left),
                    function_arn(&self.function).into(),
                );
                request.trace_id.clone_from(&self.trace_id);
                let traceparent = self.traceparent;
                request.traceparent = traceparent.map(|parent| parent.within(self.request_id));
                let invoke = sandbox.invoke(request, output);
                let invoke = self.until(deadline, driver, invoke);
                let answer = invoke.instrument(debug_span!("run")).await;
                timings.run = run_begin.elapsed();
                answer
            }
        };

        let (ending, fate) = self.settle(&lease, reply, initialized, output).await;
        if timings.run > PEAK_WORTHWHILE || lease.memory_peak_mib().is_none() {
            lease.sample_memory_peak().await;
        }
        let (start, max_memory_mib) = (lease.start(), lease.memory_peak_mib());
        let termination = match fate {
            Fate::Reusable if self.undeployed.is_none() => {
                lease.release();
                None
            }
            // Dropping the lease has the pool remove the sandbox.
            Fate::Reusable => None,
            Fate::Gone(termination) => termination,
        };
        let mut outcome = self.outcome(ending, timings, output);
        outcome.start = start;
        outcome.max_memory_mib = max_memory_mib;
        outcome.termination = termination;
        outcome
    }

    /// An outcome as far as it does not depend on the sandbox.
    fn outcome(&self, ending: Ending, mut timings: Timings, output: &OutputCapture) -> Outcome {
        timings.total = self.started.elapsed();
        Outcome {
            request_id: self.request_id,
            function_id: self.function.id,
            function_name: self.function.name.clone(),
            version: self.function.version,
            status: ending.status,
            output: ending.output,
            stdout: output.text(LogStream::Stdout),
            stderr: output.text(LogStream::Stderr),
            exit_code: ending.exit_code,
            error: ending.error,
            start: StartKind::Cold,
            runtime: self.runtime.clone(),
            termination: None,
            timings,
            max_memory_mib: None,
        }
    }

    /// Reads a reply: how the invocation ended, and what is to become of the sandbox. One
    /// that is of no more use is dead, as far as that can be confirmed, when this returns.
    async fn settle(
        &self,
        lease: &Lease,
        reply: Reply,
        initialized: bool,
        output: &OutputCapture,
    ) -> (Ending, Fate) {
        let id = self.request_id;
        let sandbox = lease.sandbox();
        let ending = match reply {
            Reply::Sandbox(Ok(reply)) => {
                let reusable = initialized && !reply.is_final();
                match Ending::of_reply(id, reply, output) {
                    Some(ending) if reusable => return (ending, Fate::Reusable),
                    Some(ending) => ending,
                    None => Ending::ended(id, sandbox.ended().await),
                }
            }
            Reply::Sandbox(Err(error)) => {
                tracing::warn!(request_id = %id, function = %self.function.name, ?error, "a sandbox broke the protocol");
                Ending::breach(id)
            }
            Reply::Timeout => Ending::timeout(id, self.timeout),
            Reply::Cancelled => Ending::cancelled(id),
        };
        // While it still lives its memory can be read.
        lease.sample_memory_peak().await;
        let termination = sandbox.destroy().await;
        sandbox.drain(output);
        (ending, Fate::Gone(Some(termination)))
    }

    async fn until(
        &self,
        deadline: Instant,
        driver: &InvocationDriver,
        reply: impl Future<Output = Result<SandboxReply>>,
    ) -> Reply {
        let otherwise = async {
            event_loop::leave().await;
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(deadline) => Reply::Timeout,
                () = self.cancelled(driver) => Reply::Cancelled,
            }
        };
        tokio::select! {
            biased;
            reply = reply => Reply::Sandbox(reply),
            otherwise = otherwise => otherwise,
        }
    }

    async fn cancelled(&self, driver: &InvocationDriver) {
        tokio::select! {
            biased;
            () = driver.cancelled() => {}
            () = self.kill.cancelled() => {}
        }
    }

    /// Cancelled while it waited for a sandbox.
    fn never_started(&self, output: &OutputCapture) -> Outcome {
        let timings = Timings {
            queue: self.started.elapsed(),
            ..Timings::default()
        };
        self.outcome(Ending::cancelled(self.request_id), timings, output)
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
