//! The way of results to an event loop.
//!
//! A thread of the platform never takes the interpreter's lock: it would wait for the loop,
//! and others for it. It puts what is finished into a queue and makes an eventfd readable, which the
//! loop watches; Python objects are made by the loop's own thread.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use lambda_core::{Error, Result};
use pyo3::prelude::*;
use rustix::event::{EventfdFlags, eventfd};

use crate::error::to_py;

/// Makes the Python value of a result.
pub(crate) type Finish = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// What an event loop is told: a token, whether it worked, and the value or the exception.
type Done = (u64, bool, Py<PyAny>);

/// One event loop's finished calls.
#[pyclass(frozen, module = "lambdabox._native")]
pub(crate) struct Completions(Arc<Queue>);

/// The platform's end of it.
pub(crate) struct Queue {
    wake: OwnedFd,
    ready: Mutex<Vec<(u64, Finish)>>,
}

impl Queue {
    pub(crate) fn push(&self, token: u64, finish: Finish) {
        let was_empty = {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            ready.push((token, finish));
            ready.len() == 1
        };
        if was_empty {
            // Fails only where the counter is full, and the loop is awake then.
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
    }
}

impl Completions {
    pub(crate) fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.0)
    }
}

#[pymethods]
impl Completions {
    #[new]
    fn new() -> PyResult<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|error| {
            to_py(
                Error::internal("loop_attach", "No file descriptor for the event loop.")
                    .source(std::io::Error::from(error)),
            )
        })?;
        Ok(Self(Arc::new(Queue {
            wake,
            ready: Mutex::default(),
        })))
    }

    /// Readable while there is something to drain.
    fn fileno(&self) -> i32 {
        self.0.wake.as_raw_fd()
    }

    /// Everything that has finished since the last time.
    fn drain(&self, py: Python<'_>) -> Vec<Done> {
        // First, so that what is pushed from here on makes it readable again.
        let _ = rustix::io::read(&self.0.wake, &mut [0; 8]);
        let ready = {
            let mut ready = self.0.ready.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *ready)
        };
        let value = |(token, finish): (u64, Finish)| match finish(py) {
            Ok(value) => (token, true, value),
            Err(error) => (token, false, error.into_value(py).into_any()),
        };
        ready.into_iter().map(value).collect()
    }
}

/// The value of a result, or its exception.
pub(crate) fn finish<T, F>(py: Python<'_>, result: Result<T>, convert: F) -> PyResult<Py<PyAny>>
where
    F: FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>>,
{
    convert(py, result.map_err(to_py)?)
}
