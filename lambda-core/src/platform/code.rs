//! Code on its way into the store, and out of it.

use std::io::{BufReader, Cursor};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::Platform;
use crate::archive;
use crate::error::{Error, ErrorKind, Result};
use crate::model::limits::INLINE_CODE_BYTES_MAX;
use crate::model::{CodeFile, CodeFormat, CodeRef, CodeSource, Function, PackageDigest};
use crate::store::{PACKAGE_CHUNK_BYTES_MAX, Package, PackageChunks, PutPackage};

impl Platform {
    /// The code of `function`, at the version that it is, in memory.
    ///
    /// # Errors
    /// `NotFound` if it was deleted meanwhile.
    pub async fn function_code(&self, function: &Function) -> Result<CodeSource> {
        let (format, package) = self.function_package(function).await?;
        let bytes = package.collect().await?;
        match format {
            CodeFormat::Inline => String::from_utf8(bytes.into())
                .map(CodeSource::Inline)
                .map_err(|error| {
                    Error::internal("function_code", "Inline code is not UTF-8.").source(error)
                }),
            CodeFormat::Zip => Ok(CodeSource::Zip(bytes)),
        }
    }

    /// The code of `function`, at the version that it is, to be read in pieces.
    ///
    /// # Errors
    /// `NotFound` if it was deleted meanwhile.
    pub async fn function_package(&self, function: &Function) -> Result<(CodeFormat, Package)> {
        let code = function
            .code
            .first()
            .ok_or_else(|| Error::internal("function_code", "A version has no code."))?;
        let package = self.inner.store.package_get(code.digest).await?;
        Ok((code.format, package))
    }

    /// Checks code and keeps it in the store.
    pub(super) async fn put_code(&self, code: CodeSource) -> Result<CodeRef> {
        let format = code.format();
        let request = match code {
            CodeSource::Inline(source) => {
                check_inline(&source)?;
                PutPackage::new(Bytes::from(source))
            }
            CodeSource::Zip(bytes) => {
                // Inflating 250 MiB and hashing 50 are work for another thread.
                checking(move || {
                    archive::check(Cursor::new(&bytes))?;
                    Ok(PutPackage::new(bytes))
                })
                .await?
            }
            CodeSource::ZipFile(file) => {
                checking(move || {
                    archive::check(BufReader::new(file.reader()))?;
                    // Should the file change before it is kept, the store refuses the other bytes.
                    let (digest, size_bytes) =
                        PackageDigest::of_reader(file.reader()).map_err(unreadable)?;
                    Ok(PutPackage::streamed(digest, size_bytes, chunks_of(file)))
                })
                .await?
            }
        };
        let code = request.code_ref(format);
        self.inner.store.package_put(request).await?;
        Ok(code)
    }
}

pub(super) fn check_inline(source: &str) -> Result<()> {
    if source.len() <= INLINE_CODE_BYTES_MAX {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::PayloadTooLarge,
        "function_validate",
        "Inline code has at most 4 MiB.",
    )
    .hint("Pack it as a zip archive."))
}

pub(super) async fn checking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| {
        Error::internal("archive_check", "Checking an archive failed.").source(error)
    })?
}

fn chunks_of(file: CodeFile) -> PackageChunks {
    stream::try_unfold((file, 0_u64), |(file, at)| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; PACKAGE_CHUNK_BYTES_MAX];
            let size = file.read_at(&mut chunk, at)?;
            chunk.truncate(size);
            Ok::<_, std::io::Error>((file, chunk))
        });
        let (file, chunk) = read
            .await
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(unreadable)?;
        let next = at + chunk.len() as u64;
        Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), (file, next))))
    })
    .boxed()
}

pub(super) fn unreadable(error: std::io::Error) -> Error {
    Error::invalid("function_validate", "The code's file cannot be read.")
        .hint("Check the file and its permissions.")
        .source(error)
}
