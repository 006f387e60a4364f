//! Code packages, with a count of the versions that refer to each.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;

use crate::error::Result;
use crate::model::{CodeRef, PackageDigest};
use crate::store::PACKAGE_GRACE;
use crate::store::refusal::{no_package, package_size};

#[derive(Default)]
pub(super) struct Packages(HashMap<PackageDigest, Package>);

struct Package {
    bytes: Bytes,
    references: usize,
    last_put: Instant,
}

impl Packages {
    pub(super) fn put(&mut self, digest: PackageDigest, bytes: Bytes) {
        let now = Instant::now();
        self.sweep(now);
        let package = self.0.entry(digest).or_insert(Package {
            bytes,
            references: 0,
            last_put: now,
        });
        package.last_put = now;
    }

    pub(super) fn get(&self, digest: PackageDigest) -> Result<Bytes> {
        let package = self.0.get(&digest);
        let package = package.ok_or_else(|| no_package("package_get"))?;
        Ok(package.bytes.clone())
    }

    /// Checks that all of `code` is there, as it says.
    pub(super) fn check(&self, operation: &'static str, code: &[CodeRef]) -> Result<()> {
        for part in code {
            let Some(package) = self.0.get(&part.digest) else {
                return Err(no_package(operation));
            };
            if package.bytes.len() as u64 != part.size_bytes {
                return Err(package_size(operation));
            }
        }
        Ok(())
    }

    pub(super) fn reference(&mut self, code: &[CodeRef]) {
        for part in code {
            if let Some(package) = self.0.get_mut(&part.digest) {
                package.references += 1;
            }
        }
    }

    pub(super) fn release(&mut self, code: &[CodeRef]) {
        for part in code {
            if let Some(package) = self.0.get_mut(&part.digest) {
                package.references -= 1;
            }
        }
    }

    /// Removes what nothing refers to and nobody has put for long enough.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.0.retain(|_, package| {
            package.references > 0 || now.duration_since(package.last_put) < PACKAGE_GRACE
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CodeFormat;

    #[test]
    fn only_old_packages_without_references_are_swept() {
        let mut packages = Packages::default();
        let put = |packages: &mut Packages, text: &'static str| {
            let bytes = Bytes::from_static(text.as_bytes());
            let digest = PackageDigest::of(&bytes);
            packages.put(digest, bytes);
            digest
        };
        let kept = put(&mut packages, "kept");
        let orphan = put(&mut packages, "orphan");
        let code = [CodeRef {
            digest: kept,
            format: CodeFormat::Inline,
            size_bytes: 4,
        }];
        packages.reference(&code);

        packages.sweep(Instant::now());
        assert!(packages.get(orphan).is_ok());

        packages.sweep(Instant::now() + PACKAGE_GRACE);
        assert!(packages.get(orphan).is_err());
        assert!(packages.get(kept).is_ok());

        packages.release(&code);
        packages.sweep(Instant::now() + PACKAGE_GRACE);
        assert!(packages.get(kept).is_err());
    }
}
