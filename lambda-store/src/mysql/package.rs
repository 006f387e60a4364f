//! Code packages, in pieces of at most 256 KiB.
//!
//! The pieces of an upload are committed one by one, so that a slow one holds no lock. They are
//! nobody's until the package's row names the upload, which is the last step.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lambda_core::model::{PackageDigest, RequestId};
use lambda_core::store::refusal::no_package;
use lambda_core::store::{PACKAGE_CHUNK_BYTES_MAX, Package, PutPackage};
use lambda_core::{Error, ErrorKind};
use sqlx::{MySqlConnection, MySqlPool};

use super::error::{Attempt, Failure};
use super::session::{Repeat, Session, bounded, retried};
use super::statement::BYTES_MAX;
use super::sweep;
use crate::row::{bounded as bounded_number, count, now};

const PUT: &str = "package_put";

/// The length of the pieces that are kept: what fits into one statement (see `statement`), and
/// into one page of the database. 17 of them are as long as the pieces that come in. Whoever reads
/// them takes any length.
const PIECE_BYTES: usize = PACKAGE_CHUNK_BYTES_MAX.div_ceil(17);

/// Pieces of one transaction, and of one answer.
const PIECES: i64 = 17;

const _: () = assert!(PIECE_BYTES < BYTES_MAX);

/// See [`Store::package_put`](lambda_core::Store::package_put).
pub(super) async fn put(pool: &MySqlPool, request: PutPackage) -> Attempt<()> {
    let digest = request.digest;
    // A size beyond the bound is not that of the bytes, which is found in the end.
    let size_bytes = bounded_number(request.size_bytes);
    let chunks = std::pin::pin!(request.checked_chunks());
    match touch(pool, digest).await? {
        true => check(pool, digest, chunks).await?,
        false => upload(pool, digest, size_bytes, chunks).await?,
    }
    sweep::sweep(pool).await;
    Ok(())
}

/// Checks what was sent of a package that is there already, and stays for a while.
async fn check(
    pool: &MySqlPool,
    digest: PackageDigest,
    mut chunks: impl stream::Stream<Item = lambda_core::Result<Bytes>> + Unpin,
) -> Attempt<()> {
    while chunks.try_next().await?.is_some() {}
    match touch(pool, digest).await? {
        true => Ok(()),
        false => Err(given_up().into()),
    }
}

async fn upload(
    pool: &MySqlPool,
    digest: PackageDigest,
    size_bytes: i64,
    chunks: impl stream::Stream<Item = lambda_core::Result<Bytes>> + Unpin,
) -> Attempt<()> {
    // Any id that nobody else makes will do.
    let upload = *RequestId::new().as_bytes();
    let sent = send(pool, upload, digest, size_bytes, chunks).await;
    if sent.is_err() {
        // What cannot be removed now is removed by its age.
        drop(retried(Repeat::Anything, || abandon(pool, upload)).await);
    }
    sent
}

async fn send(
    pool: &MySqlPool,
    upload: [u8; 16],
    digest: PackageDigest,
    size_bytes: i64,
    mut chunks: impl stream::Stream<Item = lambda_core::Result<Bytes>> + Unpin,
) -> Attempt<()> {
    let mut seq = 0_i64;
    retried(Repeat::Anything, || start_upload(pool, upload)).await?;
    while let Some(chunk) = chunks.try_next().await? {
        retried(Repeat::Anything, || keep_chunk(pool, upload, seq, &chunk)).await?;
        seq += PIECES;
    }
    retried(Repeat::Anything, || {
        finish_upload(pool, upload, digest, size_bytes)
    })
    .await
}

/// Notes that a package was put; says whether it is there.
async fn touch(pool: &MySqlPool, digest: PackageDigest) -> Attempt<bool> {
    retried(Repeat::Anything, || async {
        let mut session = Session::begin(pool).await?;
        let query = sqlx::query("UPDATE package SET last_put_us = ? WHERE sha256 = ?")
            .bind(now().as_microsecond())
            .bind(&digest.as_bytes()[..]);
        let outcome = bounded(query.execute(&mut *session)).await;
        let outcome = outcome.map(|done| done.rows_affected() > 0);
        session.finish(outcome.map_err(Failure::from)).await
    })
    .await
}

async fn start_upload(pool: &MySqlPool, upload: [u8; 16]) -> Attempt<()> {
    let mut session = Session::begin(pool).await?;
    let query = sqlx::query(
        "INSERT INTO package_upload (id, last_chunk_us, finished) VALUES (?, ?, FALSE) \
         ON DUPLICATE KEY UPDATE last_chunk_us = VALUES(last_chunk_us)",
    )
    .bind(&upload[..])
    .bind(now().as_microsecond());
    let outcome = bounded(query.execute(&mut *session)).await;
    session
        .finish(outcome.map(drop).map_err(Failure::from))
        .await
}

async fn keep_chunk(pool: &MySqlPool, upload: [u8; 16], seq: i64, chunk: &[u8]) -> Attempt<()> {
    let mut session = Session::begin(pool).await?;
    let work = async {
        if !renew(&mut session, upload).await? {
            return Err(given_up().into());
        }
        for (seq, piece) in (seq..).zip(chunk.chunks(PIECE_BYTES)) {
            let insert = sqlx::query(
                "INSERT INTO upload_chunk (upload_id, seq, bytes) VALUES (?, ?, ?) \
                 ON DUPLICATE KEY UPDATE bytes = VALUES(bytes)",
            )
            .bind(&upload[..])
            .bind(seq)
            .bind(piece);
            bounded(insert.execute(&mut *session)).await?;
        }
        Ok(())
    };
    let outcome = work.await;
    session.finish(outcome).await
}

/// Locks the upload, and notes that it goes on; says whether it is there.
async fn renew(connection: &mut MySqlConnection, upload: [u8; 16]) -> sqlx::Result<bool> {
    let query = sqlx::query("UPDATE package_upload SET last_chunk_us = ? WHERE id = ?")
        .bind(now().as_microsecond())
        .bind(&upload[..]);
    Ok(bounded(query.execute(connection)).await?.rows_affected() > 0)
}

fn given_up() -> Error {
    Error::new(
        ErrorKind::StoreUnavailable,
        PUT,
        "The package came so slowly that what was there of it has been removed.",
    )
    .hint("Put the package again.")
}

/// Makes the upload a package, or removes it where somebody else was faster.
async fn finish_upload(
    pool: &MySqlPool,
    upload: [u8; 16],
    digest: PackageDigest,
    size_bytes: i64,
) -> Attempt<()> {
    let mut session = Session::begin(pool).await?;
    let work = async {
        if !renew(&mut session, upload).await? {
            // Removed by its age; or this was done before, and its commit's answer was lost.
            return match upload_of(&mut session, digest).await? {
                Some(_) => Ok(()),
                None => Err(given_up().into()),
            };
        }
        let insert = sqlx::query(
            "INSERT INTO package (sha256, size_bytes, last_put_us, referenced, upload_id) \
             VALUES (?, ?, ?, FALSE, ?) ON DUPLICATE KEY UPDATE last_put_us = VALUES(last_put_us)",
        )
        .bind(&digest.as_bytes()[..])
        .bind(size_bytes)
        .bind(now().as_microsecond())
        .bind(&upload[..]);
        bounded(insert.execute(&mut *session)).await?;
        let is_kept = upload_of(&mut session, digest).await? == Some(upload.to_vec());
        let settle = sqlx::query(match is_kept {
            true => "UPDATE package_upload SET finished = TRUE WHERE id = ?",
            false => "DELETE FROM package_upload WHERE id = ?",
        });
        bounded(settle.bind(&upload[..]).execute(&mut *session)).await?;
        Ok(())
    };
    let outcome = work.await;
    session.finish(outcome).await
}

async fn upload_of(
    connection: &mut MySqlConnection,
    digest: PackageDigest,
) -> sqlx::Result<Option<Vec<u8>>> {
    let query = sqlx::query_scalar("SELECT upload_id FROM package WHERE sha256 = ?")
        .bind(&digest.as_bytes()[..]);
    bounded(query.fetch_optional(connection)).await
}

async fn abandon(pool: &MySqlPool, upload: [u8; 16]) -> Attempt<()> {
    let mut session = Session::begin(pool).await?;
    let remove = sqlx::query("DELETE FROM package_upload WHERE id = ? AND finished = FALSE")
        .bind(&upload[..]);
    let outcome = bounded(remove.execute(&mut *session)).await;
    session
        .finish(outcome.map(drop).map_err(Failure::from))
        .await
}

/// See [`Store::package_get`](lambda_core::Store::package_get).
pub(super) async fn get(pool: &MySqlPool, digest: PackageDigest) -> Attempt<Package> {
    let mut session = Session::acquire(pool).await?;
    let query = sqlx::query_as("SELECT size_bytes, upload_id FROM package WHERE sha256 = ?")
        .bind(&digest.as_bytes()[..]);
    let row = bounded(query.fetch_optional(&mut *session)).await;
    let row: Option<(i64, Vec<u8>)> = session.read(row)?;
    let (size_bytes, upload) = row.ok_or_else(|| no_package("package_get"))?;
    let size_bytes: u64 = count(size_bytes)?;
    let start = Rest {
        pool: pool.clone(),
        upload,
        seq: 0,
        bytes: size_bytes,
    };
    let chunks = stream::try_unfold(start, |rest| async move {
        let next = rest.next().await;
        next.map_err(|failure| failure.into_error("package_get"))
    });
    Ok(Package::checked(digest, size_bytes, chunks.boxed()))
}

/// What of a package is still to be read. It keeps no connection: its reader may be slow.
struct Rest {
    pool: MySqlPool,
    upload: Vec<u8>,
    /// The number of the next piece.
    seq: i64,
    bytes: u64,
}

impl Rest {
    async fn next(mut self) -> Attempt<Option<(Bytes, Self)>> {
        if self.bytes == 0 {
            return Ok(None);
        }
        let pieces = retried(Repeat::Anything, || {
            pieces(&self.pool, &self.upload, self.seq)
        });
        let pieces = pieces.await?;
        let Some((last, _)) = pieces.last() else {
            // Removed meanwhile; or damaged, which whoever checks the bytes finds out.
            let is_there = retried(Repeat::Anything, || is_there(&self.pool, &self.upload));
            return match is_there.await? {
                true => Ok(None),
                false => Err(no_package("package_get").into()),
            };
        };
        self.seq = last.saturating_add(1);
        let mut bytes = BytesMut::with_capacity(PACKAGE_CHUNK_BYTES_MAX);
        pieces
            .iter()
            .for_each(|(_, piece)| bytes.extend_from_slice(piece));
        self.bytes = self.bytes.saturating_sub(bytes.len() as u64);
        Ok(Some((bytes.freeze(), self)))
    }
}

async fn is_there(pool: &MySqlPool, upload: &[u8]) -> Attempt<bool> {
    let mut session = Session::acquire(pool).await?;
    let query = sqlx::query_scalar("SELECT 1 FROM package_upload WHERE id = ?").bind(upload);
    let found = bounded(query.fetch_optional(&mut *session)).await;
    let found: Option<i64> = session.read(found)?;
    Ok(found.is_some())
}

/// The next pieces of an upload, by their numbers; at most as many bytes as a chunk has, unless
/// one piece is longer.
async fn pieces(pool: &MySqlPool, upload: &[u8], seq: i64) -> Attempt<Vec<(i64, Vec<u8>)>> {
    let mut session = Session::acquire(pool).await?;
    let query = sqlx::query_as(
        "SELECT seq, bytes FROM upload_chunk WHERE upload_id = ? AND seq >= ? \
         ORDER BY seq LIMIT ?",
    )
    .bind(upload)
    .bind(seq)
    .bind(PIECES);
    let pieces = bounded(query.fetch_all(&mut *session)).await;
    session.read(pieces)
}
