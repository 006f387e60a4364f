//! Running a function: the request, the outcome, and an invocation under way.

use std::future::Future;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lambda_core::executor::Canceller;
use lambda_core::model::{Outcome, Payload, RuntimeName, Traceparent};
use lambda_core::output::{LogReader, LogStream};
use lambda_core::{Error, ExecuteRequest, Invocation, NewFunction, Platform, Result, TestRequest};
use napi::Env;
use napi::bindgen_prelude::{JsValue as _, PromiseRaw, within_runtime_if_available};
use napi_derive::napi;
use tokio_util::sync::CancellationToken;

use crate::error::to_js;

/// A request to execute a function once.
#[napi(object, object_to_js = false)]
pub struct NativeRequest {
    pub function: String,
    /// JSON.
    pub event: Option<String>,
    pub args: Option<Vec<String>>,
    pub qualifier: Option<String>,
    pub runtime: Option<String>,
    pub timeout_ms: Option<u32>,
    pub trace_id: Option<String>,
    pub traceparent: Option<String>,
}

/// What code that is not deployed is run with.
#[napi(object, object_to_js = false)]
pub struct NativeTest {
    /// JSON.
    pub event: Option<String>,
    pub args: Option<Vec<String>>,
    pub trace_id: Option<String>,
    pub traceparent: Option<String>,
}

impl TryFrom<NativeRequest> for ExecuteRequest {
    type Error = Error;

    fn try_from(from: NativeRequest) -> Result<Self> {
        let mut request = Self::named(&from.function)?;
        request.payload = payload(from.event, from.args)?;
        if let Some(qualifier) = &from.qualifier {
            request.qualifier = qualifier.parse()?;
        }
        request.runtime = from.runtime.map(RuntimeName::new).transpose()?;
        request.timeout = from
            .timeout_ms
            .map(|ms| Duration::from_millis(u64::from(ms)));
        request.trace_id = from.trace_id;
        request.traceparent = traceparent(from.traceparent)?;
        Ok(request)
    }
}

fn traceparent(text: Option<String>) -> Result<Option<Traceparent>> {
    text.map(|text| text.parse()).transpose()
}

/// How an invocation ended. The output is JSON here.
#[napi(object, object_from_js = false)]
pub struct NativeOutcome {
    pub request_id: String,
    pub function_id: String,
    pub function_name: String,
    pub version: u32,
    /// `success`, `function_error`, `timeout`, `out_of_memory`, `crashed` or `cancelled`.
    pub status: String,
    pub output: Option<String>,
    pub stdout: String,
    pub stdout_truncated: bool,
    pub stderr: String,
    pub stderr_truncated: bool,
    pub exit_code: Option<i32>,
    pub error: Option<FunctionFailure>,
    /// `cold`, `prewarmed` or `warm`.
    pub start: String,
    pub runtime: String,
    /// After a kill: `confirmed`, or `pending` while the sandbox is still to go.
    pub termination: Option<String>,
    pub timings: Timings,
    pub max_memory_mib: Option<u32>,
}

/// Why a function failed, in its own words.
#[napi(object, object_from_js = false)]
pub struct FunctionFailure {
    #[napi(js_name = "type")]
    pub error_type: String,
    pub message: String,
    /// The stack inside of the sandbox.
    pub trace: Vec<String>,
}

/// Where the time went, in milliseconds.
#[napi(object, object_from_js = false)]
pub struct Timings {
    pub queue_ms: f64,
    pub boot_ms: f64,
    pub init_ms: f64,
    pub run_ms: f64,
    pub total_ms: f64,
}

impl From<Outcome> for NativeOutcome {
    fn from(outcome: Outcome) -> Self {
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let timings = &outcome.timings;
        Self {
            request_id: outcome.request_id.to_string(),
            function_id: outcome.function_id.to_string(),
            function_name: outcome.function_name.into(),
            version: outcome.version,
            status: outcome.status.to_string(),
            output: outcome
                .output
                .map(|json| String::from_utf8_lossy(&json).into_owned()),
            stdout: outcome.stdout.text,
            stdout_truncated: outcome.stdout.truncated,
            stderr: outcome.stderr.text,
            stderr_truncated: outcome.stderr.truncated,
            exit_code: outcome.exit_code,
            error: outcome.error.map(|error| FunctionFailure {
                error_type: error.error_type,
                message: error.message,
                trace: error.trace,
            }),
            start: outcome.start.to_string(),
            runtime: outcome.runtime.into(),
            termination: outcome.termination.map(|end| end.to_string()),
            timings: Timings {
                queue_ms: ms(timings.queue),
                boot_ms: ms(timings.boot),
                init_ms: ms(timings.init),
                run_ms: ms(timings.run),
                total_ms: ms(timings.total),
            },
            max_memory_mib: outcome.max_memory_mib,
        }
    }
}

/// Cancels one call, before it has started as well as while it runs.
#[napi]
#[derive(Default)]
pub struct NativeCancel {
    token: CancellationToken,
    /// The run, where no task waits for it.
    run: OnceLock<Canceller>,
}

#[napi]
impl NativeCancel {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn cancel(&self) {
        self.token.cancel();
        if let Some(run) = self.run.get() {
            run.cancel();
        }
    }
}

impl NativeCancel {
    pub(crate) fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

type Resolver = Box<dyn FnOnce(Env) -> napi::Result<Option<NativeOutcome>> + Send>;

/// Executes, and kills the run once `cancel` says so; the outcome then says so too. None: it was
/// cancelled before it had begun. The event loop's own thread begins it: a warm sandbox is at work
/// when this returns, or has answered.
pub(crate) fn execute<'env>(
    env: &'env Env,
    platform: Platform,
    request: NativeRequest,
    cancel: Option<&NativeCancel>,
) -> napi::Result<PromiseRaw<'env, Option<NativeOutcome>>> {
    let mut start = Box::pin(async move {
        let mut request = ExecuteRequest::try_from(request)?;
        request.from_event_loop = true;
        platform.start(request).await
    });
    // What it waits for, such as the store, wakes nobody yet; its task asks again at once.
    let mut nobody = Context::from_waker(Waker::noop());
    let begun = within_runtime_if_available(|| start.as_mut().poll(&mut nobody));
    let Poll::Ready(started) = begun else {
        let token = cancel.map(NativeCancel::token);
        return env.spawn_future(async move { finish(start, token).await.map_err(to_js) });
    };
    let (deferred, promise) = env.create_deferred::<Option<NativeOutcome>, Resolver>()?;
    match started {
        Ok(invocation) => {
            if let Some(cancel) = cancel {
                let _ = cancel.run.set(invocation.canceller());
            }
            invocation.on_end(move |outcome| match outcome {
                Ok(outcome) => deferred.resolve(Box::new(|_| Ok(Some(outcome.into())))),
                Err(error) => deferred.reject(to_js(error)),
            });
        }
        Err(error) => deferred.reject(to_js(error)),
    }
    Ok(PromiseRaw::new(env.raw(), promise.raw()))
}

/// As [`execute`], for code that is not deployed.
pub(crate) async fn test(
    platform: Platform,
    request: Result<TestRequest>,
    token: Option<CancellationToken>,
) -> Result<Option<NativeOutcome>> {
    finish(platform.start_test(request?), token).await
}

async fn finish(
    start: impl Future<Output = Result<Invocation>>,
    token: Option<CancellationToken>,
) -> Result<Option<NativeOutcome>> {
    let Some(token) = token else {
        return Ok(Some(start.await?.outcome().await?.into()));
    };
    let invocation = tokio::select! {
        biased;
        () = token.cancelled() => return Ok(None),
        started = start => started?,
    };
    let canceller = invocation.canceller();
    let outcome = invocation.outcome();
    tokio::pin!(outcome);
    let outcome = tokio::select! {
        outcome = &mut outcome => outcome?,
        () = token.cancelled() => {
            canceller.cancel();
            outcome.await?
        }
    };
    Ok(Some(outcome.into()))
}

/// A test of code with an event or args.
pub(crate) fn test_request(new: NewFunction, test: NativeTest) -> Result<TestRequest> {
    let mut request = TestRequest::new(new.name, new.config, new.code);
    request.payload = payload(test.event, test.args)?;
    request.trace_id = test.trace_id;
    request.traceparent = traceparent(test.traceparent)?;
    Ok(request)
}

fn payload(event: Option<String>, args: Option<Vec<String>>) -> Result<Payload> {
    Ok(match (event, args) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "execute",
                "Give `args` (for a script) or an event (for a handler), not both.",
            ));
        }
        (Some(event), None) => Payload::Event(event.into()),
        (None, Some(args)) => Payload::Args(args),
        (None, None) => Payload::Empty,
    })
}

/// An invocation under way.
#[napi]
pub struct NativeInvocation {
    request_id: String,
    canceller: Canceller,
    logs: tokio::sync::Mutex<LogReader>,
    invocation: Mutex<Option<Invocation>>,
}

impl NativeInvocation {
    pub(crate) fn new(invocation: Invocation) -> Self {
        Self {
            request_id: invocation.request_id().to_string(),
            canceller: invocation.canceller(),
            logs: invocation.logs().into(),
            invocation: Mutex::new(Some(invocation)),
        }
    }
}

/// A piece of what a function writes.
#[napi(object, object_from_js = false)]
pub struct NativeLogChunk {
    /// `stdout` or `stderr`.
    pub stream: String,
    pub bytes: napi::bindgen_prelude::Buffer,
}

#[napi]
impl NativeInvocation {
    #[napi(getter)]
    pub fn request_id(&self) -> String {
        self.request_id.clone()
    }

    #[napi]
    pub fn cancel(&self) {
        self.canceller.cancel();
    }

    /// The next piece; null at the end.
    #[napi]
    pub async fn next_log(&self) -> Option<NativeLogChunk> {
        let chunk = self.logs.lock().await.next().await?;
        Some(NativeLogChunk {
            stream: match chunk.stream {
                LogStream::Stdout => "stdout",
                LogStream::Stderr => "stderr",
            }
            .to_owned(),
            bytes: Vec::from(chunk.bytes).into(),
        })
    }

    /// Waits for the end; called once.
    #[napi]
    pub async fn outcome(&self) -> napi::Result<NativeOutcome> {
        let taken = self
            .invocation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let invocation = taken.ok_or_else(|| {
            to_js(Error::internal(
                "invocation_outcome",
                "The outcome was taken.",
            ))
        })?;
        Ok(invocation.outcome().await.map_err(to_js)?.into())
    }
}
