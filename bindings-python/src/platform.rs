//! The platform, with threads of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use lambda_core::model::{
    AliasName, CodeSource, FunctionRef, Qualifier, RequestId, RevisionId, TokenDigest, TokenId,
};
use lambda_core::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::json;

use crate::call::{self, Sink};
use crate::error::to_py;
use crate::host::Host;
use crate::invocation::{self, Invocation};
use crate::options::Options;
use crate::request::{
    Code, FunctionFields, RecordQuery, Run, SummaryQuery, optional, parse, scopes, test_request,
};
use crate::subscription::LogSubscription;
use crate::{logging, value};

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

impl Platform {
    /// Starts an invocation, for the caller to hold.
    fn started(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        start: impl Future<Output = Result<lambda_core::Invocation>> + Send + 'static,
    ) -> PyResult<Py<PyAny>> {
        let host = Arc::clone(&self.0);
        call::run(py, &self.0.threads, sink, token, start, |py, started| {
            Ok(Py::new(py, Invocation::new(host, started))?.into_any())
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
        expected: Option<&str>,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        let expected: Option<RevisionId> = optional(expected).map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            let rolled = platform.rollback(&function, version, expected).await?;
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
        expected: Option<&str>,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        let alias = AliasName::new(alias).map_err(to_py)?;
        let expected: Option<RevisionId> = optional(expected).map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            let set = platform
                .alias_set(&function, alias, version, expected)
                .await?;
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
        run: Run,
    ) -> PyResult<Py<PyAny>> {
        let request = run.execute(function).map_err(to_py)?;
        let run = invocation::execute(self.0.platform()?.clone(), request);
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
        run: Run,
    ) -> PyResult<Py<PyAny>> {
        let request = run.execute(function).map_err(to_py)?;
        let platform = self.0.platform()?.clone();
        let start = async move { platform.start(request).await };
        self.started(py, sink, token, start)
    }

    /// Runs code that is not deployed; giving it up kills the run.
    fn test(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        fields: &str,
        code: Code,
        run: Run,
    ) -> PyResult<Py<PyAny>> {
        let request = test_request(fields, code, run).map_err(to_py)?;
        let run = invocation::test(self.0.platform()?.clone(), request);
        call::run(py, &self.0.threads, sink, token, run, |py, outcome| {
            value::outcome(py, &outcome)
        })
    }

    /// Starts code that is not deployed.
    fn start_test(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        fields: &str,
        code: Code,
        run: Run,
    ) -> PyResult<Py<PyAny>> {
        let request = test_request(fields, code, run).map_err(to_py)?;
        let platform = self.0.platform()?.clone();
        let start = async move { platform.start_test(request).await };
        self.started(py, sink, token, start)
    }

    /// Kills a run of this platform by its id.
    fn cancel(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        request_id: &str,
    ) -> PyResult<Py<PyAny>> {
        let id: RequestId = request_id.parse().map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            platform.cancel(id).await?;
            Ok(json!(null))
        })
    }

    fn follow_invocation(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        request_id: &str,
        position: Option<&str>,
    ) -> PyResult<Py<PyAny>> {
        let id: RequestId = request_id.parse().map_err(to_py)?;
        let position = optional(position).map_err(to_py)?.unwrap_or_default();
        let platform = self.0.platform()?.clone();
        let host = Arc::clone(&self.0);
        let follow = async move { platform.follow_invocation(id, position).await };
        call::run(py, &self.0.threads, sink, token, follow, |py, logs| {
            Ok(Py::new(py, LogSubscription::of_invocation(host, logs))?.into_any())
        })
    }

    fn follow_function(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        after: Option<&str>,
    ) -> PyResult<Py<PyAny>> {
        let function = reference(function).map_err(to_py)?;
        let after = optional(after).map_err(to_py)?;
        let platform = self.0.platform()?.clone();
        let host = Arc::clone(&self.0);
        let follow = async move {
            let id = platform.function_get(&function).await?.id;
            Ok(platform.follow_function(id, after))
        };
        call::run(py, &self.0.threads, sink, token, follow, |py, logs| {
            Ok(Py::new(py, LogSubscription::of_functions(host, logs))?.into_any())
        })
    }

    /// Nothing is waited for.
    fn follow_all(&self, after: Option<&str>) -> PyResult<LogSubscription> {
        let after = optional(after).map_err(to_py)?;
        let logs = self.0.platform()?.follow_all(after);
        Ok(LogSubscription::of_functions(Arc::clone(&self.0), logs))
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

    /// The token, and its secret, which is kept nowhere.
    fn token_create(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        name: String,
        words: Vec<String>,
    ) -> PyResult<Py<PyAny>> {
        let scopes = scopes(&words).map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            let (token, secret) = platform.token_create(&name, scopes).await?;
            Ok(json!({"token": value::token(&token), "secret": secret}))
        })
    }

    fn token_find(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        secret: &str,
    ) -> PyResult<Py<PyAny>> {
        let digest = TokenDigest::of(secret);
        self.json(py, sink, token, |platform| async move {
            Ok(json!(
                platform
                    .token_find(digest)
                    .await?
                    .as_ref()
                    .map(value::token)
            ))
        })
    }

    fn token_list(&self, py: Python<'_>, sink: Sink<'_>, token: u64) -> PyResult<Py<PyAny>> {
        self.json(py, sink, token, |platform| async move {
            Ok(platform
                .token_list()
                .await?
                .iter()
                .map(value::token)
                .collect())
        })
    }

    fn token_delete(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        id: &str,
    ) -> PyResult<Py<PyAny>> {
        let id: TokenId = id.parse().map_err(to_py)?;
        self.json(py, sink, token, |platform| async move {
            platform.token_delete(id).await?;
            Ok(json!(null))
        })
    }

    fn readiness(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        patience_ms: u64,
    ) -> PyResult<Py<PyAny>> {
        let patience = Duration::from_millis(patience_ms);
        self.json(py, sink, token, move |platform| async move {
            Ok(value::readiness(&platform.readiness(patience).await))
        })
    }

    /// Comes back from another thread and does nothing besides: what crossing over costs.
    fn crossing(&self, py: Python<'_>, sink: Sink<'_>, token: u64) -> PyResult<Py<PyAny>> {
        let threads = self.0.threads()?;
        call::run(py, threads, sink, token, async { Ok(()) }, |py, ()| {
            Ok(py.None())
        })
    }

    /// Costs next to nothing, so nobody waits for it.
    fn recorder_status(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        value::json_text(py, &self.0.platform()?.recorder_status())
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
