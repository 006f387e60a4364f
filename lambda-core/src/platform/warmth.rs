//! Has the executor keep those functions warm that say so: at the start, and from then on what
//! other processes on the same store have changed.
//!
//! This process's own changes are told at once; see `functions`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::error::{ErrorKind, Result};
use crate::executor::{Executor, FunctionChange};
use crate::model::limits::PAGE_MAX;
use crate::model::{FunctionId, FunctionRef, FunctionSelector, Namespace};
use crate::store::{ListFunctions, PATIENCE, Store, patiently};

/// How often functions are looked through. It takes one query for a thousand of them.
const INTERVAL: Duration = Duration::from_secs(60);

/// After a store that did not answer.
const RETRY: Duration = Duration::from_secs(5);

/// Changes that this process has made, so that an older page of functions is not taken for newer.
pub(super) type Changes = Arc<AtomicU64>;

#[derive(Debug)]
struct Warmth {
    namespace: Namespace,
    store: Arc<dyn Store>,
    executor: Arc<dyn Executor>,
    changes: Changes,
}

/// Begins; it ends when what this returns is dropped. None: the executor keeps nothing warm.
pub(super) fn start(
    namespace: Namespace,
    store: Arc<dyn Store>,
    executor: Arc<dyn Executor>,
    changes: Changes,
) -> Option<AbortOnDropHandle<()>> {
    executor.kept_warm()?;
    let warmth = Warmth {
        namespace,
        store,
        executor,
        changes,
    };
    Some(AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            let pause = match warmth.look_through().await {
                Ok(()) => INTERVAL,
                Err(error) => {
                    tracing::warn!(?error, "which functions are to be kept warm is not known");
                    RETRY
                }
            };
            tokio::time::sleep(pause).await;
        }
    })))
}

impl Warmth {
    async fn look_through(&self) -> Result<()> {
        let mut kept = self.executor.kept_warm().unwrap_or_default();
        let mut cursor = None;
        loop {
            let before = self.changes.load(Ordering::SeqCst);
            let mut request = ListFunctions::first(self.namespace.clone(), PAGE_MAX);
            request.cursor.clone_from(&cursor);
            let list = self.store.function_list(request);
            let page = patiently(PATIENCE, "function_list", list).await?;
            if self.changes.load(Ordering::SeqCst) != before {
                continue;
            }
            for function in &page.items {
                let was_kept = kept.contains(&function.id);
                if was_kept || function.config.min_warm > 0 {
                    self.executor.keep_warm(function);
                }
            }
            let seen: Vec<FunctionId> = page.items.iter().map(|function| function.id).collect();
            kept.retain(|id| !seen.contains(id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        for function in kept {
            let selector =
                FunctionSelector::current(self.namespace.clone(), FunctionRef::from(function));
            let get = self.store.function_get(&selector);
            match patiently(PATIENCE, "function_get", get).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let deleted = FunctionChange::Deleted;
                    self.executor.function_changed(function, deleted);
                }
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        Ok(())
    }
}
