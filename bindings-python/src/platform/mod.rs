//! The platform, with threads of its own.

mod functions;
mod history;
mod runs;
mod state;

use std::future::Future;
use std::sync::Arc;

use lambda_core::Result;
use lambda_core::model::{FunctionRef, Qualifier};
use pyo3::prelude::*;

use crate::call::{self, Sink};
use crate::error::to_py;
use crate::host::Host;
use crate::options::Options;
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

/// The function that `text`, an id or a name, names.
fn reference(text: &str) -> Result<FunctionRef> {
    text.parse()
}

fn qualifier_of(text: Option<&str>) -> Result<Qualifier> {
    text.map_or(Ok(Qualifier::Current), str::parse)
}

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
}
