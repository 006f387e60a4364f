//! Gets a version's code to where a sandbox finds it: small packages are sent, large ones
//! are unpacked once and mounted.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::archive;
use crate::error::{Error, Result};
use crate::model::limits::{SENT_PACKAGE_BYTES_MAX, SENT_UNPACKED_BYTES_MAX};
use crate::model::{CodeFormat, CodeRef, Function, PackageDigest};
use crate::store::Store;

/// Code packages of this platform.
#[derive(Debug)]
pub(super) struct Code {
    store: Arc<dyn Store>,
    /// Where packages are unpacked: by digest, so that each is unpacked once.
    directory: PathBuf,
    /// Which zip archives are mounted, as far as that has been found out: a warm invocation
    /// asks, and must not read the archive for it.
    mounted: RwLock<HashMap<PackageDigest, bool>>,
    /// One at a time: unpacking 250 MB twice for a herd of callers would be worse.
    unpacking: Mutex<()>,
}

impl Code {
    pub(super) fn new(store: Arc<dyn Store>, directory: PathBuf) -> Self {
        Self {
            store,
            directory,
            mounted: RwLock::default(),
            unpacking: Mutex::new(()),
        }
    }

    /// The code to send to a sandbox; none where it is mounted.
    pub(super) async fn to_send(&self, function: &Function) -> Result<Option<(CodeFormat, Bytes)>> {
        let package = package(function)?;
        if self.is_mounted(package).await? {
            return Ok(None);
        }
        let bytes = self.package(package).await?;
        Ok(Some((package.format, bytes)))
    }

    /// The directory to mount into a sandbox; none where the code is sent.
    pub(super) async fn to_mount(&self, function: &Function) -> Result<Option<PathBuf>> {
        let package = package(function)?;
        if !self.is_mounted(package).await? {
            return Ok(None);
        }
        let target = self.directory.join(package.digest.to_string());
        if target.is_dir() {
            return Ok(Some(target));
        }
        let _one = self.unpacking.lock().await;
        if target.is_dir() {
            return Ok(Some(target));
        }
        let bytes = self.package(package).await?;
        let partial = self.directory.join(format!("{}.partial", package.digest));
        let ready = target.clone();
        tokio::task::spawn_blocking(move || {
            // What a cancelled or failed attempt left.
            let _ = std::fs::remove_dir_all(&partial);
            std::fs::create_dir_all(&partial).map_err(unusable)?;
            archive::unpack(&bytes, &partial)?;
            // A directory with this name is complete.
            std::fs::rename(&partial, &ready).map_err(unusable)
        })
        .await
        .map_err(|error| {
            Error::internal("code_mount", "Unpacking a code package failed.").source(error)
        })??;
        Ok(Some(target))
    }

    async fn package(&self, package: &CodeRef) -> Result<Bytes> {
        self.store
            .package_get(package.digest)
            .await?
            .collect()
            .await
    }

    async fn is_mounted(&self, package: &CodeRef) -> Result<bool> {
        if package.format != CodeFormat::Zip {
            return Ok(false);
        }
        if package.size_bytes > SENT_PACKAGE_BYTES_MAX as u64 {
            return Ok(true);
        }
        let known = {
            let mounted = self.mounted.read().unwrap_or_else(PoisonError::into_inner);
            mounted.get(&package.digest).copied()
        };
        if let Some(mounted) = known {
            return Ok(mounted);
        }
        let bytes = self.package(package).await?;
        let mounted = archive::unpacked_bytes(&bytes)? > SENT_UNPACKED_BYTES_MAX;
        let mut known = self.mounted.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(package.digest, mounted);
        Ok(mounted)
    }
}

fn unusable(error: std::io::Error) -> Error {
    Error::internal("code_mount", "The data directory cannot be written to.").source(error)
}

fn package(function: &Function) -> Result<&CodeRef> {
    function
        .code
        .first()
        .ok_or_else(|| Error::internal("code_get", "A version has no code."))
}
