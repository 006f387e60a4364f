//! The platform's values as Python's.

use lambda_core::Readiness;
use lambda_core::model::{Alias, CodeFormat, Function, LogText, Outcome, Page, Token};
use lambda_core::pool::PoolStats;
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::to_py;
use crate::json;

/// Text of JSON.
pub(crate) fn json_text(py: Python<'_>, value: &impl Serialize) -> PyResult<Py<PyAny>> {
    let text = serde_json::to_string(value).map_err(|error| {
        to_py(lambda_core::Error::internal("value", "A value is no JSON.").source(error))
    })?;
    Ok(text.into_pyobject(py)?.into_any().unbind())
}

pub(crate) fn function(function: &Function) -> Value {
    let config = &function.config;
    json!({
        "id": function.id,
        "name": function.name,
        "version": function.version,
        "revision": function.revision,
        "created_at": function.created_at,
        "updated_at": function.updated_at,
        "description": config.description,
        "language": config.language,
        "handler": config.handler,
        "runtime": config.runtime,
        "timeout_ms": u64::try_from(config.timeout.as_millis()).unwrap_or(u64::MAX),
        "memory_mib": config.memory_mib,
        "cpus": config.cpus,
        "tmp_mib": config.effective_tmp_mib(),
        "env": config.env,
        "concurrency": config.concurrency,
        "image": config.image,
        "network": config.network,
        "fresh_process": config.fresh_process,
        "min_warm": config.min_warm,
        "keep_processes": config.keep_processes,
        "code_sha256": function.code.first().map(|code| code.digest.to_string()),
        "code_bytes": function.code.iter().map(|code| code.size_bytes).sum::<u64>(),
        "code_format": function.code.first().map(|code| match code.format {
            CodeFormat::Zip => "zip",
            _ => "inline",
        }),
    })
}

pub(crate) fn alias(alias: &Alias) -> Value {
    json!({"name": alias.name.as_str(), "version": alias.version})
}

/// A token, without its digest.
pub(crate) fn token(token: &Token) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "created_at": token.created_at,
    })
}

pub(crate) fn readiness(readiness: &Readiness) -> Value {
    let runtimes = readiness.runtimes.iter();
    json!({
        "store": readiness.store,
        "runtimes": runtimes
            .map(|(name, works)| (name.to_string(), json!(works)))
            .collect::<serde_json::Map<_, _>>(),
        "is_ready": readiness.is_ready(),
    })
}

/// A page: its items, and the cursor of the next one.
pub(crate) fn page<T>(page: &Page<T>, item: impl Fn(&T) -> Value) -> Value {
    json!({
        "items": page.items.iter().map(item).collect::<Vec<_>>(),
        "next": page.next,
    })
}

pub(crate) fn pool_stats(stats: &PoolStats) -> Value {
    json!({
        "sandboxes": stats.sandboxes(),
        "creating": stats.creating,
        "prewarmed": stats.prewarmed,
        "idle": stats.idle,
        "busy": stats.busy,
        "removing": stats.removing,
        "frozen": stats.frozen,
        "memory_mib": stats.memory_mib,
        "waiting": stats.waiting,
        "provisioned": stats
            .provisioned
            .iter()
            .map(|function| {
                json!({
                    "function_id": function.key.function,
                    "version": function.key.version,
                    "runtime": function.key.runtime,
                    "min_warm": function.min_warm,
                    "warm": function.warm,
                    "coming": function.coming,
                    "failures": function.failures,
                })
            })
            .collect::<Vec<_>>(),
    })
}

/// A handler's result, without the rest of the outcome; the exception where there is none.
pub(crate) fn result(py: Python<'_>, outcome: &Outcome) -> PyResult<Py<PyAny>> {
    if outcome.is_success() {
        return Ok(output(py, outcome)?.unbind());
    }
    let outcome = self::outcome(py, outcome)?;
    let failure = py
        .import("lambdabox._errors")?
        .call_method1("of_outcome", (outcome,))?;
    Err(PyErr::from_value(failure))
}

fn output<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyAny>> {
    match &outcome.output {
        Some(json) => json::decode(py, json),
        None => Ok(py.None().into_bound(py)),
    }
}

/// A tuple in the order of `lambdabox._types.Outcome`.
pub(crate) fn outcome(py: Python<'_>, outcome: &Outcome) -> PyResult<Py<PyAny>> {
    let log = |log: &LogText| (log.text.clone(), log.truncated);
    let error = outcome
        .error
        .as_ref()
        .map(|error| (&error.error_type, &error.message, error.trace.clone()));
    let timings = &outcome.timings;
    let milliseconds = |part: std::time::Duration| part.as_secs_f64() * 1e3;
    let items = [
        any(py, outcome.request_id.to_string())?,
        any(py, outcome.function_id.to_string())?,
        any(py, outcome.function_name.as_str())?,
        any(py, outcome.version)?,
        any(py, outcome.status.as_str())?,
        output(py, outcome)?.unbind(),
        any(py, log(&outcome.stdout))?,
        any(py, log(&outcome.stderr))?,
        any(py, outcome.exit_code)?,
        any(py, error)?,
        any(py, outcome.start.as_str())?,
        any(py, outcome.runtime.as_str())?,
        any(py, outcome.termination.map(|end| end.as_str()))?,
        any(
            py,
            (
                milliseconds(timings.queue),
                milliseconds(timings.boot),
                milliseconds(timings.init),
                milliseconds(timings.run),
                milliseconds(timings.total),
            ),
        )?,
        any(py, outcome.max_memory_mib)?,
    ];
    Ok(PyTuple::new(py, items)?.into_any().unbind())
}

fn any<'py, T: IntoPyObject<'py>>(py: Python<'py>, value: T) -> PyResult<Py<PyAny>> {
    value.into_py_any(py)
}
