//! Functions, their versions and aliases.

use lambda_core::Error;
use lambda_core::model::{AliasName, CodeSource, RevisionId};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::json;

use super::{Platform, qualifier_of, reference};
use crate::call::{self, Sink};
use crate::error::to_py;
use crate::request::{Code, FunctionFields, optional, parse};
use crate::value;

// Python's side names every argument.
#[expect(clippy::too_many_arguments)]
#[pymethods]
impl Platform {
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
}
