//! Small code packages, kept in memory after the first read: another sandbox of a function gets
//! its code without asking the store, also while that does not work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::error::Result;
use crate::model::limits::SENT_PACKAGE_BYTES_MAX;
use crate::model::{CodeRef, PackageDigest};
use crate::store::Store;

/// All kept packages together: thousands of ordinary functions, and a small part of the memory
/// that their sandboxes take.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Packages {
    store: Arc<dyn Store>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    packages: HashMap<PackageDigest, Package>,
    bytes: usize,
    /// Counts reads: the package with the lowest number was read longest ago.
    reads: u64,
}

#[derive(Debug)]
struct Package {
    bytes: Bytes,
    read: u64,
}

impl Packages {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            kept: Mutex::default(),
        }
    }

    /// The bytes of a package, which are all in memory then.
    pub(super) async fn get(&self, package: &CodeRef) -> Result<Bytes> {
        if let Some(bytes) = self.lock().get(package.digest) {
            return Ok(bytes);
        }
        let read = self.store.package_get(package.digest).await?;
        let bytes = read.collect().await?;
        if bytes.len() <= SENT_PACKAGE_BYTES_MAX {
            self.lock().put(package.digest, bytes.clone());
        }
        Ok(bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // What a panic may have left half done is at worst a wrong count of bytes.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn get(&mut self, digest: PackageDigest) -> Option<Bytes> {
        self.reads += 1;
        let package = self.packages.get_mut(&digest)?;
        package.read = self.reads;
        Some(package.bytes.clone())
    }

    fn put(&mut self, digest: PackageDigest, bytes: Bytes) {
        self.reads += 1;
        let (size, read) = (bytes.len(), self.reads);
        if self
            .packages
            .insert(digest, Package { bytes, read })
            .is_some()
        {
            return;
        }
        self.bytes += size;
        while self.bytes > KEPT_BYTES_MAX {
            let oldest = self.packages.iter().min_by_key(|(_, package)| package.read);
            let Some(digest) = oldest.map(|(digest, _)| *digest) else {
                return;
            };
            if let Some(package) = self.packages.remove(&digest) {
                self.bytes -= package.bytes.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_longest_ago_makes_room() {
        let mut kept = Kept::default();
        let size = SENT_PACKAGE_BYTES_MAX;
        let room = KEPT_BYTES_MAX / size;
        let digest = |number: usize| PackageDigest::of(&number.to_le_bytes());
        for number in 0..room {
            kept.put(digest(number), Bytes::from(vec![0; size]));
            kept.put(digest(number), Bytes::from(vec![0; size]));
        }
        assert!(kept.get(digest(0)).is_some());
        kept.put(digest(room), Bytes::from(vec![0; size]));
        assert!(kept.get(digest(1)).is_none());
        assert!(kept.get(digest(0)).is_some() && kept.get(digest(room)).is_some());
        assert_eq!(kept.bytes, room * size);
    }
}
