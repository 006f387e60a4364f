//! Events and results between Python's values and JSON, as Python's own `json` converts them.
//!
//! What events and results are made of is converted here: texts, numbers, lists, tuples,
//! dictionaries, of exactly those types. For anything else, and whatever is wrong, `json` itself is
//! asked, so that values and exceptions are always its own.

mod decode;
mod encode;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Deeper values are left to `json`, which finds cycles and has a bound of its own.
const DEPTH_MAX: usize = 128;

/// Not converted here.
struct Irregular;

type Regular<T> = std::result::Result<T, Irregular>;

/// The JSON of `value`.
///
/// # Errors
/// `TypeError`, `ValueError` or `RecursionError`, as `json` raises them; NaN and infinities are
/// refused.
pub(crate) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut json = Vec::with_capacity(128);
    match encode::append(&mut json, value, DEPTH_MAX) {
        Ok(()) => Ok(json),
        Err(Irregular) => value
            .py()
            .import("lambdabox._requests")?
            .call_method1("encode_event", (value,))?
            .extract(),
    }
}

/// The value of `json`.
///
/// # Errors
/// `json.JSONDecodeError`, or another `ValueError`.
pub(crate) fn decode<'py>(py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(text) = std::str::from_utf8(json)
        && let Ok(value) = decode::document(py, text)
    {
        return Ok(value);
    }
    py.import("json")?
        .call_method1("loads", (PyBytes::new(py, json),))
}

/// [`encode`] alone, for the tests that compare it with `json`.
#[pyfunction]
pub(crate) fn json_encode<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(value.py(), &encode(value)?))
}

/// [`decode`] alone, for the tests that compare it with `json`.
#[pyfunction]
pub(crate) fn json_decode<'py>(py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    decode(py, json)
}
