//! How the platform stands, and access to a server on its store.

use std::time::Duration;

use lambda_core::model::{TokenDigest, TokenId};
use pyo3::prelude::*;
use serde_json::json;

use super::Platform;
use crate::call::{self, Sink};
use crate::error::to_py;
use crate::request::scopes;
use crate::value;

#[pymethods]
impl Platform {
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
