//! A user id of its own for every sandbox.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::RngExt as _;

/// Below Docker's highest uid (2^31 - 1), above everything that distributions, systemd
/// (containers end at 1,879,048,191) and directory services (SSSD ends at 2,000,200,000)
/// give away.
const HIGH: Range<u32> = 0x7800_0000..0x7fff_fff0;

/// With user namespaces the host's ids are mapped anyway, and only 65,536 exist inside.
const REMAPPED: Range<u32> = 10_000..60_000;

/// Ids of live sandboxes. One set per process, shared by all its runtimes: the kernel counts
/// processes per uid, whatever runtime they are in.
static LIVE: Mutex<Option<HashSet<u32>>> = Mutex::new(None);

fn live() -> MutexGuard<'static, Option<HashSet<u32>>> {
    // A set of numbers is whole whatever panicked.
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The uid (and gid) of one sandbox, until this is dropped.
#[derive(Debug)]
pub(crate) struct UserLease(u32);

impl UserLease {
    /// A random id that no live sandbox of this process has and that is not the platform's.
    pub(crate) fn take(is_remapped: bool) -> Self {
        let range = if is_remapped { REMAPPED } else { HIGH };
        let own = rustix::process::getuid().as_raw();
        let mut live = live();
        let live = live.get_or_insert_default();
        let mut rng = rand::rng();
        loop {
            let id = rng.random_range(range.clone());
            if id != own && live.insert(id) {
                return Self(id);
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.0
    }
}

impl Drop for UserLease {
    fn drop(&mut self) {
        if let Some(live) = live().as_mut() {
            live.remove(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_while_they_are_held_and_free_afterwards() {
        let leases: Vec<_> = (0..1_000).map(|_| UserLease::take(true)).collect();
        let ids: HashSet<_> = leases.iter().map(UserLease::id).collect();
        assert_eq!(ids.len(), leases.len());
        assert!(ids.iter().all(|id| REMAPPED.contains(id)));
        drop(leases);
        assert!(live().as_ref().unwrap().is_disjoint(&ids));
        assert!(HIGH.contains(&UserLease::take(false).id()));
    }
}
