//! Runs an operation: on the platform's threads for an event loop, or on the caller's own.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use lambda_core::executor::Canceller;
use lambda_core::model::Outcome;
use lambda_core::{ExecuteRequest, Platform, Result};
use pyo3::prelude::*;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tracing::Dispatch;

use crate::completion::{Completions, finish};
use crate::error::to_py;
use crate::invocation;

/// How long Ctrl-C may go unheard in a synchronous call.
const SIGNAL_POLL: Duration = Duration::from_millis(50);

/// Where a result goes: to an event loop under a token, or (none) to the caller, who waits.
pub(crate) type Sink<'py> = Option<Bound<'py, Completions>>;

/// A call that an event loop waits for.
#[pyclass(frozen, module = "lambdabox._native")]
pub(crate) struct Call(Given);

enum Given {
    /// To a task; a sandbox that it started dies with it.
    ToTask(AbortHandle),
    /// To a sandbox.
    ToSandbox(Canceller),
}

#[pymethods]
impl Call {
    /// Gives it up; a sandbox that it started is killed.
    fn cancel(&self) {
        match &self.0 {
            Given::ToTask(task) => task.abort(),
            Given::ToSandbox(canceller) => canceller.cancel(),
        }
    }
}

/// The platform's own threads.
pub(crate) struct Threads {
    pub(crate) handle: Handle,
    /// Where what is logged goes, on these threads and on callers' that wait.
    pub(crate) dispatch: Dispatch,
}

/// Runs `operation` and makes its value by `convert`; with a sink it returns a [`Call`].
pub(crate) fn run<T, F>(
    py: Python<'_>,
    threads: &Threads,
    sink: Sink<'_>,
    token: u64,
    operation: impl Future<Output = Result<T>> + Send + 'static,
    convert: F,
) -> PyResult<Py<PyAny>>
where
    T: Send + 'static,
    F: FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
{
    let operation = async move { logged(operation.await) };
    let Some(sink) = sink else {
        let result = wait(py, threads, operation)?;
        return finish(py, result, convert);
    };
    let queue = sink.get().queue();
    let task = threads.handle.spawn(async move {
        let result = operation.await;
        queue.push(token, Box::new(move |py| finish(py, result, convert)));
    });
    Ok(Py::new(py, Call(Given::ToTask(task.abort_handle())))?.into_any())
}

/// As [`run`] with [`invocation::execute`]. An event loop's own thread begins it: a warm sandbox is
/// at work when this returns, or has answered.
pub(crate) fn execute(
    py: Python<'_>,
    threads: &Threads,
    sink: Sink<'_>,
    token: u64,
    (platform, mut request): (Platform, ExecuteRequest),
    convert: fn(Python<'_>, &Outcome) -> PyResult<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let convert = move |py: Python<'_>, outcome| convert(py, &outcome);
    let Some(queue) = sink.as_ref().map(|sink| sink.get().queue()) else {
        let run = invocation::execute(platform, request);
        return self::run(py, threads, None, token, run, convert);
    };
    request.from_event_loop = true;
    let mut start = Box::pin(async move { platform.start(request).await });
    let begun = py.detach(|| {
        let _entered = threads.handle.enter();
        let _logging = tracing::dispatcher::set_default(&threads.dispatch);
        // What it waits for, such as the store, wakes nobody yet; its task asks again at once.
        let mut nobody = Context::from_waker(Waker::noop());
        start.as_mut().poll(&mut nobody).map(logged)
    });
    let Poll::Ready(started) = begun else {
        let run = async move { invocation::finish(start.await?).await };
        return self::run(py, threads, sink, token, run, convert);
    };
    let invocation = started.map_err(to_py)?;
    let canceller = invocation.canceller();
    invocation.on_end(move |outcome| {
        let outcome = logged(outcome);
        queue.push(token, Box::new(move |py| finish(py, outcome, convert)));
    });
    Ok(Py::new(py, Call(Given::ToSandbox(canceller)))?.into_any())
}

fn logged<T>(result: Result<T>) -> Result<T> {
    if let Err(error) = &result
        && std::error::Error::source(error).is_some()
    {
        // The exception does not carry it: it may name paths and queries.
        tracing::debug!(target: "lambda_error", ?error, "an operation failed");
    }
    result
}

/// Waits on this thread without the interpreter's lock. A signal's handler that raises, as
/// Ctrl-C's does, drops `operation`.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    threads: &Threads,
    operation: impl Future<Output = T> + Send,
) -> PyResult<T> {
    let mut operation = pin!(operation);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        let polled = py.detach(|| {
            let _entered = threads.handle.enter();
            let _logging = tracing::dispatcher::set_default(&threads.dispatch);
            let mut context = Context::from_waker(&waker);
            // Not a timer of tokio's: setting one would wake another thread for each call.
            let until = Instant::now() + SIGNAL_POLL;
            loop {
                if let Poll::Ready(value) = operation.as_mut().poll(&mut context) {
                    return Some(value);
                }
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                thread::park_timeout(left);
            }
        });
        match polled {
            Some(value) => return Ok(value),
            None => py.check_signals()?,
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
