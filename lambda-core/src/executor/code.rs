//! Gets a version's code to where a sandbox finds it: small packages are sent, large ones
//! are unpacked once and mounted.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tokio::sync::Mutex;

use super::packages::Packages;
use crate::archive;
use crate::error::{Error, Result};
use crate::model::limits::{SENT_PACKAGE_BYTES_MAX, SENT_UNPACKED_BYTES_MAX};
use crate::model::{CodeFormat, CodeRef, Function, PackageDigest};
use crate::store::Store;

/// Code packages of this platform.
#[derive(Debug)]
pub(super) struct Code {
    store: Arc<dyn Store>,
    packages: Packages,
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
            packages: Packages::new(Arc::clone(&store)),
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
        let bytes = self.packages.get(package).await?;
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
        let archive = self.spool(package.digest).await?;
        let partial = self.directory.join(format!("{}.partial", package.digest));
        let ready = target.clone();
        blocking(move || {
            // What a cancelled or failed attempt left.
            let _ = std::fs::remove_dir_all(&partial);
            std::fs::create_dir_all(&partial).map_err(unusable)?;
            archive::unpack(BufReader::new(&archive), &partial)?;
            // A directory with this name is complete.
            std::fs::rename(&partial, &ready).map_err(unusable)
        })
        .await?;
        Ok(Some(target))
    }

    /// A package in a file without a name, checked: a large one is nowhere in memory as a whole.
    async fn spool(&self, digest: PackageDigest) -> Result<File> {
        let directory = self.directory.clone();
        let mut file = blocking(move || unnamed_file(&directory).map_err(unusable)).await?;
        let mut chunks = self.store.package_get(digest).await?.chunks;
        while let Some(chunk) = chunks.try_next().await? {
            file = blocking(move || {
                file.write_all(&chunk).map_err(unusable)?;
                Ok(file)
            })
            .await?;
        }
        Ok(file)
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
        let bytes = self.packages.get(package).await?;
        let mounted = archive::unpacked_bytes(Cursor::new(&bytes))? > SENT_UNPACKED_BYTES_MAX;
        let mut known = self.mounted.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(package.digest, mounted);
        Ok(mounted)
    }
}

/// Its space is free again as soon as it is closed, however that comes about.
fn unnamed_file(directory: &Path) -> std::io::Result<File> {
    let path = directory.join(format!("{}.zip", uuid::Uuid::now_v7()));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| {
        Error::internal("code_mount", "Unpacking a code package failed.").source(error)
    })?
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
