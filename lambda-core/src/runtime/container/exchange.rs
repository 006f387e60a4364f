//! How many sandboxes of this process are at work, and so whether a core is left to wait on.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::machine;

static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// A sandbox has something to answer, until this is dropped.
#[derive(Debug)]
pub(crate) struct Exchange(());

impl Exchange {
    pub(crate) fn begin() -> Self {
        UNDER_WAY.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether each sandbox at work has a core, and whoever waits for it has another: only then is
/// looking for the answer again and again in nobody's way.
pub(crate) fn cores_are_left() -> bool {
    let pairs = usize::try_from(machine::cores() / 2).unwrap_or(usize::MAX);
    UNDER_WAY.load(Ordering::Relaxed) <= pairs
}
