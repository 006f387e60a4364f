//! The platform, with threads of its own.

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use lambda_core::model::{AliasName, CodeSource, FunctionRef, Qualifier, RequestId, RuntimeName};
use lambda_core::{Error, ErrorKind, ExecuteRequest, Result};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tracing::Dispatch;

use crate::call::{self, Sink, Threads};
use crate::error::{forked, to_py};
use crate::invocation::{Invocation, execute};
use crate::options::Options;
use crate::request::{Code, FunctionFields, RecordQuery, SummaryQuery, parse};
use crate::{logging, value};

/// What the platform and its invocations share.
pub(crate) struct Host {
    pid: u32,
    threads: Threads,
    runtime: Mutex<Option<Runtime>>,
    platform: OnceLock<lambda_core::Platform>,
}

impl Host {
    fn new(dispatch: Dispatch) -> Result<Self> {
        let of_threads = dispatch.clone();
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("lambdabox")
            .on_thread_start(move || {
                // Kept for the thread's whole life.
                std::mem::forget(tracing::dispatcher::set_default(&of_threads));
            })
            .build()
            .map_err(|error| {
                Error::internal("platform_open", "Threads cannot be started.").source(error)
            })?;
        Ok(Self {
            pid: std::process::id(),
            threads: Threads {
                handle: runtime.handle().clone(),
                dispatch,
            },
            runtime: Mutex::new(Some(runtime)),
            platform: OnceLock::new(),
        })
    }

    /// The platform's threads, which only the process that started them has.
    pub(crate) fn threads(&self) -> PyResult<&Threads> {
        if std::process::id() == self.pid {
            return Ok(&self.threads);
        }
        Err(forked())
    }

    fn platform(&self) -> PyResult<&lambda_core::Platform> {
        self.threads()?;
        self.platform.get().ok_or_else(|| to_py(not_open()))
    }

    fn release(&self) {
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(runtime) = runtime else { return };
        if std::process::id() == self.pid {
            runtime.shutdown_background();
        } else {
            // Its threads are the parent's: waiting for them would never end.
            std::mem::forget(runtime);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.release();
    }
}

fn not_open() -> Error {
    Error::new(ErrorKind::Closed, "platform", "The platform is not open.")
        .hint("Use it inside of `with` or `async with`.")
}

/// A platform.
#[pyclass(frozen, module = "lambdabox._native")]
pub(crate) struct Platform(Arc<Host>);

impl Platform {
    /// Runs an operation whose value is JSON.
    fn json<F>(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        operation: impl FnOnce(lambda_core::Platform) -> F,
    ) -> PyResult<Py<PyAny>>
    where
        F: Future<Output = Result<serde_json::Value>> + Send + 'static,
    {
        let operation = operation(self.0.platform()?.clone());
        call::run(py, &self.0.threads, sink, token, operation, |py, value| {
            value::json_text(py, &value)
        })
    }
}

/// The function that `text`, an id or a name, names.
fn reference(text: &str) -> Result<FunctionRef> {
    text.parse()
}

// Python's side names every argument.
#[expect(clippy::too_many_arguments)]
#[pymethods]
impl Platform {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let host = Host::new(logging::dispatch(py)?).map_err(to_py)?;
        Ok(Self(Arc::new(host)))
    }

    fn open(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        options: &str,
    ) -> PyResult<Py<PyAny>> {
        let threads = self.0.threads()?;
        let options = Options::parse(options).map_err(to_py)?;
        let host = Arc::clone(&self.0);
        let open = async move {
            let platform = options.open().await?;
            // It is opened once; Python's side sees to that.
            let _ = host.platform.set(platform);
            Ok(())
        };
        call::run(py, threads, sink, token, open, |py, ()| Ok(py.None()))
    }

    fn close(&self, py: Python<'_>, sink: Sink<'_>, token: u64) -> PyResult<Py<PyAny>> {
        let platform = self.0.platform()?.clone();
        let close = async move {
            platform.close().await;
            Ok(())
        };
        call::run(py, &self.0.threads, sink, token, close, |py, ()| {
            Ok(py.None())
        })
    }

    /// Ends the threads.
    fn release(&self) {
        self.0.release();
    }

    fn deploy(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        fields: &str,
        code: Code,
    ) -> PyResult<Py<PyAny>> {
        let request = parse::<FunctionFields>("deploy", fields)
            .and_then(|fields| fields.new_function(code))
            .map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            Ok(value::function(&platform.deploy(request).await?))
        })
    }

    fn function_create(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        fields: &str,
        code: Code,
    ) -> PyResult<Py<PyAny>> {
        let request = parse::<FunctionFields>("function_create", fields)
            .and_then(|fields| fields.new_function(code))
            .map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            Ok(value::function(&platform.function_create(request).await?))
        })
    }

    fn function_update(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        fields: &str,
        code: Option<Code>,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        let patch = parse::<FunctionFields>("function_update", fields)
            .map_err(to_py)?
            .patch(code);
        self.json(py, sink, token, |platform| async move {
            let updated = platform.function_update(&function, patch).await?;
            Ok(value::function(&updated))
        })
    }

    fn function_get(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        qualifier: Option<&str>,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        let qualifier = qualifier_of(qualifier).map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            let found = platform.function_get_at(&function, qualifier).await?;
            Ok(value::function(&found))
        })
    }

    /// The code: text of one file, or the bytes of a zip archive.
    fn function_code(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        qualifier: Option<&str>,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        let qualifier = qualifier_of(qualifier).map_err(to_py)?;
        let platform = self.0.platform()?.clone();
        let code = async move {
            let found = platform.function_get_at(&function, qualifier).await?;
            platform.function_code(&found).await
        };
        call::run(
            py,
            &self.0.threads,
            sink,
            token,
            code,
            |py, code| match code {
                CodeSource::Inline(text) => Ok(text.into_pyobject(py)?.into_any().unbind()),
                CodeSource::Zip(bytes) => Ok(PyBytes::new(py, &bytes).into_any().unbind()),
                CodeSource::ZipFile(_) => Err(to_py(Error::internal(
                    "function_code",
                    "A store gave a file.",
                ))),
            },
        )
    }

    fn function_list(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        limit: u32,
        cursor: Option<String>,
    ) -> PyResult<Py<PyAny>> {
        self.json(py, sink, token, |platform| async move {
            let page = platform.function_list(limit, cursor).await?;
            Ok(value::page(&page, value::function))
        })
    }

    fn function_delete(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            platform.function_delete(&function).await?;
            Ok(json!(null))
        })
    }

    fn version_list(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        limit: u32,
        cursor: Option<String>,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            let page = platform.version_list(&function, limit, cursor).await?;
            Ok(value::page(&page, value::function))
        })
    }

    fn rollback(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        version: u32,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            let rolled = platform.rollback(&function, version, None).await?;
            Ok(value::function(&rolled))
        })
    }

    fn alias_set(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        alias: &str,
        version: u32,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        let alias = AliasName::new(alias).map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            let set = platform.alias_set(&function, alias, version, None).await?;
            Ok(value::function(&set))
        })
    }

    fn alias_list(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            let aliases = platform.alias_list(&function).await?;
            Ok(aliases.iter().map(value::alias).collect())
        })
    }

    fn alias_delete(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        alias: &str,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        let alias = AliasName::new(alias).map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            platform.alias_delete(&function, alias).await?;
            Ok(json!(null))
        })
    }

    /// Runs a function to its end; giving it up kills the run.
    fn execute(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        args: Option<Vec<String>>,
        event: Option<&[u8]>,
        qualifier: Option<&str>,
        runtime: Option<&str>,
        timeout_ms: Option<u64>,
    ) -> PyResult<Py<PyAny>> {
        let request = execute_request(function, args, event, qualifier, runtime, timeout_ms)
            .map_err(to_py)?;
        let run = execute(self.0.platform()?.clone(), request);
        call::run(py, &self.0.threads, sink, token, run, |py, outcome| {
            value::outcome(py, &outcome)
        })
    }

    /// Starts an invocation.
    fn start(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        args: Option<Vec<String>>,
        event: Option<&[u8]>,
        qualifier: Option<&str>,
        runtime: Option<&str>,
        timeout_ms: Option<u64>,
    ) -> PyResult<Py<PyAny>> {
        let request = execute_request(function, args, event, qualifier, runtime, timeout_ms)
            .map_err(to_py)?;
        let platform = self.0.platform()?.clone();
        let host = Arc::clone(&self.0);
        let start = async move { platform.start(request).await };
        call::run(py, &self.0.threads, sink, token, start, |py, invocation| {
            Ok(Py::new(py, Invocation::new(host, invocation))?.into_any())
        })
    }

    fn invocation_list(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        query: &str,
    ) -> PyResult<Py<PyAny>> {
        let query: RecordQuery = parse("invocation_list", query).map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            let page = platform.invocation_list(query.into()).await?;
            Ok(value::page(&page, |record| json!(record)))
        })
    }

    fn invocation_get(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        request_id: &str,
    ) -> PyResult<Py<PyAny>> {
        let id: RequestId = request_id.parse().map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            let entry = platform.invocation_get(id).await?;
            Ok(json!({"record": entry.record, "output": entry.output}))
        })
    }

    fn invocation_summary(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        query: &str,
    ) -> PyResult<Py<PyAny>> {
        let request = parse::<SummaryQuery>("invocation_summary", query)
            .and_then(TryInto::try_into)
            .map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            Ok(json!(platform.invocation_summary(request).await?))
        })
    }

    fn check(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        thorough: bool,
    ) -> PyResult<Py<PyAny>> {
        self.json(py, sink, token, |platform| async move {
            Ok(json!(platform.check(thorough).await))
        })
    }

    /// Costs next to nothing, so nobody waits for it.
    fn pool_stats(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let stats = self.0.platform()?.pool_stats();
        value::json_text(py, &stats.as_ref().map(value::pool_stats))
    }

    fn runtimes(&self) -> PyResult<Vec<String>> {
        let names = self.0.platform()?.runtimes();
        Ok(names.iter().map(ToString::to_string).collect())
    }
}

fn qualifier_of(text: Option<&str>) -> Result<Qualifier> {
    text.map_or(Ok(Qualifier::Current), str::parse)
}

fn execute_request(
    function: &str,
    args: Option<Vec<String>>,
    event: Option<&[u8]>,
    qualifier: Option<&str>,
    runtime: Option<&str>,
    timeout_ms: Option<u64>,
) -> Result<ExecuteRequest> {
    let mut request = ExecuteRequest::named(function)?.qualifier(qualifier_of(qualifier)?);
    if let Some(args) = args {
        request = request.args(args);
    }
    if let Some(event) = event {
        request = request.event(bytes::Bytes::copy_from_slice(event));
    }
    if let Some(runtime) = runtime {
        request = request.runtime(RuntimeName::new(runtime)?);
    }
    if let Some(ms) = timeout_ms {
        request = request.timeout(Duration::from_millis(ms));
    }
    Ok(request)
}
