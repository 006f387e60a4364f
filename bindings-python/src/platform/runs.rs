//! Running functions, and following what they write.

use std::future::Future;
use std::sync::Arc;

use lambda_core::Result;
use lambda_core::model::{Outcome, RequestId};
use pyo3::prelude::*;
use serde_json::json;

use super::{Platform, reference};
use crate::call::{self, Sink};
use crate::error::to_py;
use crate::invocation::{self, Invocation};
use crate::request::{Code, Run, optional, test_request};
use crate::subscription::LogSubscription;
use crate::value;

impl Platform {
    /// Runs a function to its end, and makes of that what the caller asked for.
    fn run(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        (function, run): (&str, Run),
        convert: fn(Python<'_>, &Outcome) -> PyResult<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let request = run.execute(py, function)?;
        let call = (self.0.platform()?.clone(), request);
        call::execute(py, &self.0.threads, sink, token, call, convert)
    }

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

#[pymethods]
impl Platform {
    /// Runs a function to its end; giving it up kills the run.
    fn execute(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        run: Run,
    ) -> PyResult<Py<PyAny>> {
        self.run(py, sink, token, (function, run), value::outcome)
    }

    /// Runs a handler, and gives its result in the place of the outcome.
    fn invoke(
        &self,
        py: Python<'_>,
        sink: Sink<'_>,
        token: u64,
        function: &str,
        run: Run,
    ) -> PyResult<Py<PyAny>> {
        self.run(py, sink, token, (function, run), value::result)
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
        let request = run.execute(py, function)?;
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
        let request = test_request(py, fields, code, run)?;
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
        let request = test_request(py, fields, code, run)?;
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
}
