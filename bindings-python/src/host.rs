//! The threads of a platform, and the process that they belong to.

use std::sync::{Mutex, OnceLock, PoisonError};

use lambda_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tracing::Dispatch;

use crate::call::Threads;
use crate::error::{forked, to_py};

/// What the platform and its invocations share.
pub(crate) struct Host {
    pid: u32,
    pub(crate) threads: Threads,
    runtime: Mutex<Option<Runtime>>,
    /// Set once it is open.
    pub(crate) platform: OnceLock<lambda_core::Platform>,
}

impl Host {
    pub(crate) fn new(dispatch: Dispatch) -> Result<Self> {
        let of_threads = dispatch.clone();
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("lambdabox")
            .on_thread_start(move || {
                // Kept for the thread's whole life.
                std::mem::forget(tracing::dispatcher::set_default(&of_threads));
            })
            .build()
            .map_err(|error| {
                Error::internal("platform_open", "Threads cannot be started.").source(error)
            })?;
        Ok(Self {
            pid: std::process::id(),
            threads: Threads {
                handle: runtime.handle().clone(),
                dispatch,
            },
            runtime: Mutex::new(Some(runtime)),
            platform: OnceLock::new(),
        })
    }

    /// The platform's threads, which only the process that started them has.
    pub(crate) fn threads(&self) -> PyResult<&Threads> {
        if std::process::id() == self.pid {
            return Ok(&self.threads);
        }
        Err(forked())
    }

    pub(crate) fn platform(&self) -> PyResult<&lambda_core::Platform> {
        self.threads()?;
        self.platform.get().ok_or_else(|| to_py(not_open()))
    }

    pub(crate) fn release(&self) {
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(runtime) = runtime else { return };
        if std::process::id() == self.pid {
            runtime.shutdown_background();
        } else {
            // Its threads are the parent's: waiting for them would never end.
            std::mem::forget(runtime);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.release();
    }
}

fn not_open() -> Error {
    Error::new(ErrorKind::Closed, "platform", "The platform is not open.")
        .hint("Use it inside of `with` or `async with`.")
}
