//! What runs at the moment, or waits to run, by request id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Canceller;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Function, Namespace, RequestId};

/// What runs at the moment. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<RequestId, Entry>>>);

#[derive(Debug)]
struct Entry {
    function: Arc<Function>,
    canceller: Canceller,
}

/// The time during which an invocation runs.
#[derive(Debug)]
pub(super) struct Stay {
    running: Running,
    id: RequestId,
}

impl Running {
    /// Adds an invocation, until what is returned is dropped.
    pub(super) fn enter(
        &self,
        id: RequestId,
        function: Arc<Function>,
        canceller: Canceller,
    ) -> Stay {
        let entry = Entry {
            function,
            canceller,
        };
        self.lock().insert(id, entry);
        Stay {
            running: self.clone(),
            id,
        }
    }

    /// See [`Executor::cancel`](super::Executor::cancel).
    pub(super) fn cancel(&self, namespace: &Namespace, id: RequestId) -> Result<()> {
        let running = self.lock();
        let entry = running
            .get(&id)
            .filter(|entry| entry.function.namespace == *namespace);
        match entry {
            Some(entry) => {
                entry.canceller.cancel();
                Ok(())
            }
            None => Err(Error::new(
                ErrorKind::NotFound,
                "invocation_cancel",
                "No invocation with this id runs.",
            )
            .hint("It may have ended: its record says how, within a second.")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Entry>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.running.lock().remove(&self.id);
    }
}
