//! Code packages on their way in and out: in pieces, so that a large one needs no buffer of
//! its size.

use std::fmt;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::model::PackageDigest;

/// The largest piece of a package that a store keeps, in bytes: a row of that size suits every
/// database, and so does a buffer.
pub const PACKAGE_CHUNK_BYTES_MAX: usize = 256 * 1024;

/// The bytes of a package, in order, in pieces of any size.
pub type PackageChunks = BoxStream<'static, Result<Bytes>>;

/// See [`Store::package_put`](super::Store::package_put).
#[non_exhaustive]
pub struct PutPackage {
    /// The SHA-256 of all bytes.
    pub digest: PackageDigest,
    /// How many bytes there are.
    pub size_bytes: u64,
    /// The bytes.
    pub chunks: PackageChunks,
}

impl PutPackage {
    /// A request to keep `bytes` under their digest.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self {
            digest: PackageDigest::of(&bytes),
            size_bytes: bytes.len() as u64,
            chunks: chunks_of(bytes),
        }
    }

    /// A request to keep bytes that are read while they are being kept.
    #[must_use]
    pub fn streamed(digest: PackageDigest, size_bytes: u64, chunks: PackageChunks) -> Self {
        Self {
            digest,
            size_bytes,
            chunks,
        }
    }

    /// The bytes in pieces of [`PACKAGE_CHUNK_BYTES_MAX`] (the last may be smaller), checked:
    /// where they are not those that the request promises, the last item is an error, and
    /// nothing of the package may be kept.
    pub fn checked_chunks(self) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let wrong = || {
            Error::invalid(
                "package_put",
                "The package's digest or size is not that of its bytes.",
            )
        };
        verified(self.digest, self.size_bytes, even(self.chunks), wrong)
    }
}

impl fmt::Debug for PutPackage {
    // Code may hold secrets and may be 50 MB.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PutPackage({}, {} bytes)", self.digest, self.size_bytes)
    }
}

/// A code package that is being read; see [`Store::package_get`](super::Store::package_get).
#[non_exhaustive]
pub struct Package {
    /// How many bytes there are.
    pub size_bytes: u64,
    /// The bytes. Only once the last piece has come without an error are they those that were
    /// put: do not use any of them before.
    pub chunks: PackageChunks,
}

impl Package {
    /// A package whose bytes are checked while they are read: where they are not those of
    /// `digest`, the last item is an error.
    #[must_use]
    pub fn checked(digest: PackageDigest, size_bytes: u64, chunks: PackageChunks) -> Self {
        let damaged = || {
            Error::internal(
                "package_get",
                "The code package is not what was stored: its digest or its size differs.",
            )
            .hint("The database is damaged. Deploy the function again under another name, and check the disk.")
        };
        Self {
            size_bytes,
            chunks: verified(digest, size_bytes, chunks, damaged).boxed(),
        }
    }

    /// All bytes at once.
    ///
    /// # Errors
    /// Those of the chunks.
    pub async fn collect(mut self) -> Result<Bytes> {
        // Most packages are one chunk, which then is not copied.
        let Some(first) = self.chunks.try_next().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.chunks.try_next().await? else {
            return Ok(first);
        };
        let capacity = usize::try_from(self.size_bytes).unwrap_or(0);
        let mut all = BytesMut::with_capacity(capacity.min(64 * PACKAGE_CHUNK_BYTES_MAX));
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(chunk) = self.chunks.try_next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Package({} bytes)", self.size_bytes)
    }
}

/// `bytes` in pieces that share their memory.
fn chunks_of(bytes: Bytes) -> PackageChunks {
    stream::unfold(bytes, |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        let chunk = rest.split_to(rest.len().min(PACKAGE_CHUNK_BYTES_MAX));
        Some((Ok(chunk), rest))
    })
    .boxed()
}

/// The same bytes in pieces of [`PACKAGE_CHUNK_BYTES_MAX`].
fn even(chunks: PackageChunks) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    struct State {
        chunks: PackageChunks,
        pending: BytesMut,
        whole: Bytes,
        ended: bool,
    }
    let state = State {
        chunks,
        pending: BytesMut::new(),
        whole: Bytes::new(),
        ended: false,
    };
    stream::try_unfold(state, |mut state| async move {
        loop {
            // A piece that is large enough is cut without copying it.
            if state.pending.is_empty() && state.whole.len() >= PACKAGE_CHUNK_BYTES_MAX {
                let chunk = state.whole.split_to(PACKAGE_CHUNK_BYTES_MAX);
                return Ok(Some((chunk, state)));
            }
            let room = PACKAGE_CHUNK_BYTES_MAX - state.pending.len();
            let part = state.whole.split_to(state.whole.len().min(room));
            state.pending.extend_from_slice(&part);
            if state.pending.len() == PACKAGE_CHUNK_BYTES_MAX
                || (state.ended && !state.pending.is_empty())
            {
                let chunk = state.pending.split().freeze();
                return Ok(Some((chunk, state)));
            }
            if state.ended {
                return Ok(None);
            }
            match state.chunks.try_next().await? {
                Some(chunk) => state.whole = chunk,
                None => state.ended = true,
            }
        }
    })
}

/// The same pieces, and an error at the end, or as soon as there are too many bytes, where they
/// are not those of `digest`.
fn verified(
    digest: PackageDigest,
    size_bytes: u64,
    chunks: impl Stream<Item = Result<Bytes>> + Send + 'static,
    wrong: impl Fn() -> Error + Send + 'static,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let state = (Box::pin(chunks), Sha256::new(), size_bytes, wrong);
    stream::try_unfold(
        state,
        move |(mut chunks, mut hash, left, wrong)| async move {
            match chunks.try_next().await? {
                Some(chunk) => {
                    let Some(left) = left.checked_sub(chunk.len() as u64) else {
                        return Err(wrong());
                    };
                    hash.update(&chunk);
                    Ok(Some((chunk, (chunks, hash, left, wrong))))
                }
                None if left == 0
                    && PackageDigest::from_bytes(hash.finalize().into()) == digest =>
                {
                    Ok(None)
                }
                None => Err(wrong()),
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streamed(pieces: &[usize]) -> (Vec<u8>, PackageChunks) {
        let total: usize = pieces.iter().sum();
        let bytes: Vec<u8> = (0..=250_u8).cycle().take(total).collect();
        let mut rest = Bytes::from(bytes.clone());
        let chunks: Vec<_> = pieces.iter().map(|len| Ok(rest.split_to(*len))).collect();
        (bytes, stream::iter(chunks).boxed())
    }

    #[tokio::test]
    async fn pieces_of_any_size_become_even_ones() {
        const MAX: usize = PACKAGE_CHUNK_BYTES_MAX;
        for pieces in [
            vec![],
            vec![1],
            vec![0, 0, 3],
            vec![MAX],
            vec![MAX + 1, MAX - 1],
            vec![3 * MAX + 7, 0, 5, MAX],
            vec![1000; 1000],
        ] {
            let (bytes, chunks) = streamed(&pieces);
            let request =
                PutPackage::streamed(PackageDigest::of(&bytes), bytes.len() as u64, chunks);
            let even: Vec<Bytes> = request.checked_chunks().try_collect().await.unwrap();
            assert_eq!(even.concat(), bytes);
            assert_eq!(even.len(), bytes.len().div_ceil(MAX));
            assert!(even.iter().rev().skip(1).all(|chunk| chunk.len() == MAX));
        }
    }

    #[tokio::test]
    async fn other_bytes_than_promised_end_in_an_error() {
        let (bytes, _) = streamed(&[10]);
        let digest = PackageDigest::of(&bytes);
        for (digest, size) in [(PackageDigest::of(b""), 10), (digest, 9), (digest, 11)] {
            let (_, chunks) = streamed(&[4, 6]);
            let request = PutPackage::streamed(digest, size, chunks);
            let result: Result<Vec<Bytes>> = request.checked_chunks().try_collect().await;
            assert!(result.is_err());
            let (_, chunks) = streamed(&[4, 6]);
            let package = Package::checked(digest, size, chunks);
            assert!(package.collect().await.is_err());
        }
        let (_, chunks) = streamed(&[4, 6]);
        let package = Package::checked(digest, 10, chunks);
        assert_eq!(package.collect().await.unwrap(), bytes);
    }
}
