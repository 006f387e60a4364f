//! A sandbox for the time of one invocation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::manager::{Member, Pool};
use super::state::Slot;
use crate::model::StartKind;
use crate::runtime::Sandbox;

/// A sandbox for the time of one invocation. Dropping it destroys the sandbox, which is
/// right after every error; [`release`](Self::release) keeps it for the next one.
#[derive(Debug)]
pub struct Lease {
    pool: Pool,
    slot: Slot,
    sandbox: Option<Arc<dyn Sandbox>>,
    memory_peak_mib: Arc<AtomicU32>,
    start: StartKind,
    pub(super) queue: Duration,
    pub(super) boot: Duration,
    init: Option<Duration>,
    frost: Option<Arc<tokio::sync::Mutex<()>>>,
}

impl Lease {
    pub(super) fn new(
        pool: &Pool,
        slot: Slot,
        member: &Member,
        start: StartKind,
        is_frozen: bool,
    ) -> Self {
        let boot = match start {
            StartKind::Cold => member.boot,
            _ => Duration::ZERO,
        };
        Self {
            pool: pool.clone(),
            slot,
            sandbox: Some(Arc::clone(&member.sandbox)),
            memory_peak_mib: Arc::clone(&member.memory_peak_mib),
            start,
            queue: Duration::ZERO,
            boot,
            init: None,
            frost: is_frozen.then(|| Arc::clone(&member.frost)),
        }
    }

    /// Where it is frozen: to be held while it is thawed.
    pub(super) fn frost(&self) -> Option<&tokio::sync::Mutex<()>> {
        self.frost.as_deref()
    }

    pub(super) fn disarm(mut self) {
        self.sandbox = None;
    }

    /// The sandbox.
    ///
    /// # Panics
    /// Never: it is there until the lease is released or dropped.
    #[must_use]
    pub fn sandbox(&self) -> &Arc<dyn Sandbox> {
        self.sandbox
            .as_ref()
            .expect("a lease holds its sandbox until it ends")
    }

    /// Whether it has its code already.
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        self.start == StartKind::Warm
    }

    /// What kind of start this is.
    #[must_use]
    pub fn start(&self) -> StartKind {
        self.start
    }

    /// How long the wait for others was.
    #[must_use]
    pub fn queue(&self) -> Duration {
        self.queue
    }

    /// How long the wait for this sandbox to be created and booted was.
    #[must_use]
    pub fn boot(&self) -> Duration {
        self.boot
    }

    /// The sandbox's memory peak in MiB when it was last looked at.
    #[must_use]
    pub fn memory_peak_mib(&self) -> Option<u32> {
        match self.memory_peak_mib.load(Ordering::Relaxed) {
            0 => None,
            peak => Some(peak),
        }
    }

    /// Looks at the sandbox's memory peak.
    pub async fn sample_memory_peak(&self) {
        if let Some(peak) = self.sandbox().memory_peak_mib().await {
            self.memory_peak_mib.store(peak, Ordering::Relaxed);
        }
    }

    /// Tells how long loading the code took: what a new sandbox costs decides how long this
    /// one is kept.
    pub fn initialized(&mut self, took: Duration) {
        self.init = Some(took);
    }

    /// Keeps the sandbox, which has its code now, for the next invocation of its key.
    pub fn release(mut self) {
        if self.sandbox.take().is_some() {
            self.pool.released(self.slot, self.init);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.sandbox.take().is_some() {
            self.pool.discarded(self.slot);
        }
    }
}
