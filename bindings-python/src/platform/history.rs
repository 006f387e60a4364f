//! What has been run.

use lambda_core::model::RequestId;
use pyo3::prelude::*;
use serde_json::json;

use super::Platform;
use crate::call::Sink;
use crate::error::to_py;
use crate::request::{RecordQuery, SummaryQuery, parse};
use crate::value;

#[pymethods]
impl Platform {
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
}
