//! An invocation under way, and its output.

use std::sync::{Arc, Mutex, PoisonError};

use lambda_core::executor::Canceller;
use lambda_core::model::Outcome;
use lambda_core::output::{self, LogStream};
use lambda_core::{ExecuteRequest, Result, TestRequest};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::call::{self, Sink};
use crate::error::to_py;
use crate::host::Host;
use crate::value;

/// Runs to the end; whoever drops this before kills the run.
pub(crate) async fn execute(
    platform: lambda_core::Platform,
    request: ExecuteRequest,
) -> Result<Outcome> {
    let invocation = platform.start(request).await?;
    finish(invocation).await
}

/// As [`execute`], for code that is not deployed.
pub(crate) async fn test(platform: lambda_core::Platform, request: TestRequest) -> Result<Outcome> {
    let invocation = platform.start_test(request).await?;
    finish(invocation).await
}

pub(crate) async fn finish(invocation: lambda_core::Invocation) -> Result<Outcome> {
    let mut guard = CancelOnDrop(Some(invocation.canceller()));
    let outcome = invocation.outcome().await;
    guard.0 = None;
    outcome
}

struct CancelOnDrop(Option<Canceller>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(canceller) = &self.0 {
            canceller.cancel();
        }
    }
}

/// An invocation under way. Dropping it lets the run go on.
#[pyclass(frozen, module = "lambdabox._native")]
pub(crate) struct Invocation {
    host: Arc<Host>,
    #[pyo3(get)]
    request_id: String,
    canceller: Canceller,
    invocation: Mutex<Option<lambda_core::Invocation>>,
    logs: Mutex<Option<output::LogReader>>,
}

impl Invocation {
    pub(crate) fn new(host: Arc<Host>, invocation: lambda_core::Invocation) -> Self {
        Self {
            host,
            request_id: invocation.request_id().to_string(),
            canceller: invocation.canceller(),
            logs: Mutex::new(Some(invocation.logs())),
            invocation: Mutex::new(Some(invocation)),
        }
    }

    /// Waits for the end and makes of it what the caller asked for.
    fn end(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        convert: fn(Python<'_>, &Outcome) -> PyResult<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let threads = self.host.threads()?;
        let taken = take(&self.invocation);
        let outcome = async move {
            match taken {
                Some(invocation) => finish(invocation).await,
                None => Err(taken_before("outcome")),
            }
        };
        call::run(py, threads, sink, token, outcome, move |py, outcome| {
            convert(py, &outcome)
        })
    }
}

#[pymethods]
impl Invocation {
    /// Waits for the end; once.
    fn outcome(&self, py: Python<'_>, sink: Sink<'_>, token: u64) -> PyResult<Py<PyAny>> {
        self.end(py, sink, token, value::outcome)
    }

    /// Waits for a handler's result, in the place of the outcome.
    fn result(&self, py: Python<'_>, sink: Sink<'_>, token: u64) -> PyResult<Py<PyAny>> {
        self.end(py, sink, token, value::result)
    }

    /// What the function writes; once.
    fn logs(&self) -> PyResult<LogReader> {
        let reader = take(&self.logs).ok_or_else(|| to_py(taken_before("logs")))?;
        Ok(LogReader {
            host: Arc::clone(&self.host),
            reader: Arc::new(tokio::sync::Mutex::new(reader)),
        })
    }

    /// Kills the run.
    fn cancel(&self) {
        self.canceller.cancel();
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn taken_before(what: &str) -> lambda_core::Error {
    lambda_core::Error::invalid(
        "invocation",
        format!("`{what}` of an invocation is asked for only once."),
    )
    .hint("Keep what the first call returned.")
}

/// Output as it comes.
#[pyclass(frozen, module = "lambdabox._native")]
pub(crate) struct LogReader {
    host: Arc<Host>,
    reader: Arc<tokio::sync::Mutex<output::LogReader>>,
}

#[pymethods]
impl LogReader {
    /// The next piece: the stream's name and bytes, or none at the end.
    fn next(&self, py: Python<'_>, sink: Sink<'_>, token: u64) -> PyResult<Py<PyAny>> {
        let threads = self.host.threads()?;
        let reader = Arc::clone(&self.reader);
        let next = async move { Ok(reader.lock().await.next().await) };
        call::run(py, threads, sink, token, next, |py, chunk| {
            let chunk = chunk.map(|chunk| {
                let stream = match chunk.stream {
                    LogStream::Stdout => "stdout",
                    LogStream::Stderr => "stderr",
                };
                (stream, PyBytes::new(py, &chunk.bytes))
            });
            Ok(chunk.into_pyobject(py)?.into_any().unbind())
        })
    }
}
