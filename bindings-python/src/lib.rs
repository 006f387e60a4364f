//! The native half of the Python package `lambdabox`: private, thin, and typed by `_native.pyi`.
//!
//! Every operation takes a `Completions` and a token, or none. With them it runs on
//! the platform's own threads and its result is handed to the event loop; without, the caller
//! waits with the interpreter released. Small values cross as they are, everything else as JSON;
//! events and results are converted between Python's values and JSON here (`json`).

mod call;
mod completion;
mod error;
mod host;
mod invocation;
mod json;
mod logging;
mod options;
mod platform;
mod request;
mod subscription;
mod value;

/// What `lambdabox` imports.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::call::Call;
    #[pymodule_export]
    use crate::completion::Completions;
    #[pymodule_export]
    use crate::invocation::{Invocation, LogReader};
    #[pymodule_export]
    use crate::json::{json_decode, json_encode};
    #[pymodule_export]
    use crate::platform::Platform;
    #[pymodule_export]
    use crate::subscription::LogSubscription;
}
