//! Functions as last read from the store, so that a warm invocation asks no database.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::model::{Function, FunctionSelector};
use crate::store::Store;

/// How old a cached function may be: what another process deployed is seen after at most
/// this long. What this process deploys is seen at once.
const STALENESS_MAX: Duration = Duration::from_secs(1);

/// Entries at which the cache starts anew: a bound on memory, far above what one machine runs.
const ENTRIES_MAX: usize = 10_000;

#[derive(Debug)]
pub(super) struct Functions {
    store: Arc<dyn Store>,
    cached: RwLock<HashMap<FunctionSelector, (Instant, Arc<Function>)>>,
    /// Counts changes, so that a read that began before one is not kept after it.
    generation: AtomicU64,
}

impl Functions {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            cached: RwLock::default(),
            generation: AtomicU64::new(0),
        }
    }

    pub(super) async fn get(&self, selector: &FunctionSelector) -> Result<Arc<Function>> {
        let now = Instant::now();
        {
            let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
            if let Some((read_at, function)) = cached.get(selector)
                && now.duration_since(*read_at) < STALENESS_MAX
            {
                return Ok(Arc::clone(function));
            }
        }
        let generation = self.generation.load(Ordering::Acquire);
        let function = Arc::new(self.store.function_get(selector).await?);
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        if self.generation.load(Ordering::Acquire) == generation {
            if cached.len() >= ENTRIES_MAX {
                cached.clear();
            }
            cached.insert(selector.clone(), (now, Arc::clone(&function)));
        }
        Ok(function)
    }

    /// Something changed. Everything is forgotten: changes are rare, and one function is
    /// cached under several selectors.
    pub(super) fn changed(&self) {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        self.generation.fetch_add(1, Ordering::AcqRel);
        cached.clear();
    }
}
