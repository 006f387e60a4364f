//! Code packages, with a count of the versions that refer to each.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;

use super::not_found;
use crate::error::{Error, Result};
use crate::model::{CodeRef, PackageDigest};
use crate::store::{PACKAGE_GRACE, PutPackage};

#[derive(Default)]
pub(super) struct Packages(HashMap<PackageDigest, Package>);

struct Package {
    bytes: Bytes,
    references: usize,
    last_put: Instant,
}

impl Packages {
    pub(super) fn put(&mut self, request: PutPackage) -> Result<()> {
        let PutPackage { digest, bytes } = request;
        if PackageDigest::of(&bytes) != digest {
            return Err(Error::invalid(
                "package_put",
                "The package's digest is not that of its bytes.",
            ));
        }
        let now = Instant::now();
        self.sweep(now);
        let package = self.0.entry(digest).or_insert(Package {
            bytes,
            references: 0,
            last_put: now,
        });
        package.last_put = now;
        Ok(())
    }

    pub(super) fn get(&self, digest: PackageDigest) -> Result<Bytes> {
        match self.0.get(&digest) {
            Some(package) => Ok(package.bytes.clone()),
            None => Err(not_found("package_get", "The code package is not there.")),
        }
    }

    /// Checks that all of `code` is there, as it says.
    pub(super) fn check(&self, operation: &'static str, code: &[CodeRef]) -> Result<()> {
        for part in code {
            let Some(package) = self.0.get(&part.digest) else {
                return Err(not_found(operation, "A code package is not there.")
                    .hint("Put the package, then try again."));
            };
            if package.bytes.len() as u64 != part.size_bytes {
                return Err(Error::invalid(
                    operation,
                    "A code package has another size than the one given.",
                ));
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
            let request = PutPackage::new(Bytes::from_static(text.as_bytes()));
            let digest = request.digest;
            packages.put(request).unwrap();
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
