//! A fixed number of workers, handed out one call at a time.

use std::io;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::Semaphore;

use crate::Worker;

/// Workers that share the calls.
#[derive(Debug)]
pub struct Pool {
    permits: Semaphore,
    idle: Mutex<Vec<Worker>>,
}

impl Pool {
    /// Starts `workers` containers; see [`Worker::start`].
    ///
    /// # Errors
    /// If one of them cannot be started.
    pub async fn start(oci_runtime: &str, image: &str, workers: usize) -> io::Result<Self> {
        let mut idle = Vec::new();
        for _ in 0..workers {
            idle.push(Worker::start(oci_runtime, image).await?);
        }
        Ok(Self {
            permits: Semaphore::new(idle.len()),
            idle: Mutex::new(idle),
        })
    }

    /// One round trip, as soon as a worker is free. The one that was used last is used next.
    ///
    /// # Errors
    /// See [`Worker::call`].
    pub async fn call(&self, event: &Value) -> io::Result<Value> {
        let _permit = self.permits.acquire().await.map_err(io::Error::other)?;
        let worker = self.idle().pop();
        let mut worker = worker.ok_or_else(|| io::Error::other("a worker was lost"))?;
        let reply = worker.call(event).await;
        self.idle().push(worker);
        reply
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
