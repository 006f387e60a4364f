//! Functions as last read from a store, so that a warm invocation asks no database.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Function, FunctionId, FunctionSelector};
use crate::store::Store;

/// How old a cached function may be: what another process deploys is seen after at most this
/// long. What this process deploys is seen at once.
pub const STALENESS_MAX: Duration = Duration::from_secs(1);

/// From this age on the next reader has the function read anew in the background, so that one
/// that is called often is never waited for.
const REFRESH_AFTER: Duration = Duration::from_millis(500);

/// How long a reader waits for a store that does not answer, before it takes what was last read.
const PATIENCE: Duration = Duration::from_millis(250);

/// While the store does not work, how often it is asked, in the background: nobody waits for it.
const OUTAGE_RETRY: Duration = Duration::from_secs(1);

/// How long it may take to answer then.
const OUTAGE_PATIENCE: Duration = Duration::from_secs(2);

/// Entries at which the cache starts anew: a bound on memory, far above what one machine runs.
const ENTRIES_MAX: usize = 10_000;

/// Reads functions through a cache, at most [`STALENESS_MAX`] old. Cheap to clone.
///
/// While the store does not work, functions that were read before stay as they were last read:
/// nobody can deploy then who uses the same store, and invocations go on. (Where only this
/// process is cut off from the store, it runs what it knows until it is reconnected.)
#[derive(Clone)]
pub struct FunctionCache(Arc<Shared>);

type Read = dyn Fn(FunctionSelector) -> BoxFuture<'static, Result<Function>> + Send + Sync;

struct Shared {
    /// [`Store::function_get`].
    read: Box<Read>,
    cached: RwLock<HashMap<FunctionSelector, Arc<Entry>>>,
    /// Counts changes, so that a read that began before one is not kept after it.
    generation: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    function: Arc<Function>,
    /// When the read began.
    read_at: Instant,
    /// The store failed: when it is asked again.
    retry_at: Option<Instant>,
    refreshing: AtomicBool,
}

impl fmt::Debug for FunctionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionCache").finish_non_exhaustive()
    }
}

impl FunctionCache {
    /// An empty cache of `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::of(move |selector| {
            let store = Arc::clone(&store);
            async move { store.function_get(&selector).await }.boxed()
        })
    }

    fn of(
        read: impl Fn(FunctionSelector) -> BoxFuture<'static, Result<Function>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            read: Box::new(read),
            cached: RwLock::default(),
            generation: AtomicU64::new(0),
        }))
    }

    /// The function at the version that is asked for. Called within a tokio runtime.
    ///
    /// # Errors
    /// Those of [`Store::function_get`]; `StoreUnavailable` only for a function that was not
    /// read before.
    pub async fn get(&self, selector: &FunctionSelector) -> Result<Arc<Function>> {
        let now = Instant::now();
        let known = self.0.lookup(selector);
        if let Some(entry) = &known {
            let age = now.duration_since(entry.read_at);
            let (is_usable, is_due) = match entry.retry_at {
                Some(retry_at) => (true, now >= retry_at),
                None => (age < STALENESS_MAX, age >= REFRESH_AFTER),
            };
            if is_usable {
                if is_due && !entry.refreshing.swap(true, Ordering::AcqRel) {
                    self.refresh(selector.clone(), Arc::clone(entry));
                }
                return Ok(Arc::clone(&entry.function));
            }
        }
        match known {
            None => self.0.read(selector).await,
            Some(entry) => self.0.read_or_keep(selector, &entry, PATIENCE).await,
        }
    }

    /// A function has changed or is gone: the next reader sees it as it is.
    pub fn forget(&self, function: FunctionId) {
        let mut cached = self
            .0
            .cached
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        cached.retain(|_, entry| entry.function.id != function);
    }

    fn refresh(&self, selector: FunctionSelector, entry: Arc<Entry>) {
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            match entry.retry_at {
                // Whoever comes later waits for the store itself, and sees its error.
                None => drop(shared.read(&selector).await),
                Some(_) => {
                    let patience = OUTAGE_PATIENCE;
                    drop(shared.read_or_keep(&selector, &entry, patience).await);
                }
            }
            entry.refreshing.store(false, Ordering::Release);
        });
    }
}

impl Shared {
    fn lookup(&self, selector: &FunctionSelector) -> Option<Arc<Entry>> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        cached.get(selector).map(Arc::clone)
    }

    async fn read(&self, selector: &FunctionSelector) -> Result<Arc<Function>> {
        let read_at = Instant::now();
        let generation = self.generation.load(Ordering::Acquire);
        match (self.read)(selector.clone()).await {
            Ok(function) => {
                let function = Arc::new(function);
                self.keep(selector, generation, Arc::clone(&function), read_at, None);
                Ok(function)
            }
            Err(error) => {
                if error.kind() == ErrorKind::NotFound {
                    let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
                    cached.remove(selector);
                }
                Err(error)
            }
        }
    }

    /// Reads; where the store does not work, what was last read stays.
    async fn read_or_keep(
        &self,
        selector: &FunctionSelector,
        entry: &Entry,
        patience: Duration,
    ) -> Result<Arc<Function>> {
        let generation = self.generation.load(Ordering::Acquire);
        let failure = match tokio::time::timeout(patience, self.read(selector)).await {
            Ok(Err(error)) if error.kind() == ErrorKind::StoreUnavailable => error,
            Ok(result) => return result,
            Err(_) => Error::new(
                ErrorKind::StoreUnavailable,
                "function_get",
                "The store does not answer.",
            ),
        };
        if entry.retry_at.is_none() {
            tracing::warn!(error = ?failure, "the store cannot be read; functions stay as they were last read");
        }
        self.keep(
            selector,
            generation,
            Arc::clone(&entry.function),
            entry.read_at,
            Some(Instant::now() + OUTAGE_RETRY),
        );
        Ok(Arc::clone(&entry.function))
    }

    fn keep(
        &self,
        selector: &FunctionSelector,
        generation: u64,
        function: Arc<Function>,
        read_at: Instant,
        retry_at: Option<Instant>,
    ) {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        if self.generation.load(Ordering::Acquire) != generation {
            return;
        }
        // A read that took long must not replace one that began after it.
        if cached
            .get(selector)
            .is_some_and(|own| own.read_at > read_at)
        {
            return;
        }
        if cached.len() >= ENTRIES_MAX && !cached.contains_key(selector) {
            cached.clear();
        }
        let entry = Entry {
            function,
            read_at,
            retry_at,
            refreshing: AtomicBool::new(false),
        };
        cached.insert(selector.clone(), Arc::new(entry));
    }
}

#[cfg(test)]
mod tests;
