//! The platform's errors as Python's exceptions.

use lambda_core::{Error, ErrorKind};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// The exception of `error`, made by `lambdabox._errors`.
pub(crate) fn to_py(error: Error) -> PyErr {
    Python::attach(|py| {
        let made = py.import("lambdabox._errors").and_then(|errors| {
            errors.call_method1(
                "from_native",
                (
                    kind_name(error.kind()),
                    error.operation(),
                    error.to_string(),
                    error.hint_text(),
                    error
                        .retry_after_duration()
                        .map(|after| after.as_secs_f64()),
                    error.is_retryable(),
                ),
            )
        });
        match made {
            Ok(exception) => PyErr::from_value(exception),
            Err(failure) => failure,
        }
    })
}

/// What a platform is asked after a fork.
pub(crate) fn forked() -> PyErr {
    Python::attach(|py| {
        let made = py
            .import("lambdabox._errors")
            .and_then(|errors| errors.call_method0("forked"));
        match made {
            Ok(exception) => PyErr::from_value(exception),
            Err(_) => PyRuntimeError::new_err("the platform belongs to the parent process"),
        }
    })
}

/// The kind's own name; `lambdabox._errors` has an exception for each.
fn kind_name(kind: ErrorKind) -> String {
    format!("{kind:?}")
}
