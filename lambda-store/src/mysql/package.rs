//! Code packages, in pieces of at most 256 KiB.
//!
//! The pieces of an upload are committed one by one, so that a slow one holds no lock. They are
//! nobody's until the package's row names the upload, which is the last step.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lambda_core::model::{CodeRef, PackageDigest, RequestId};
use lambda_core::store::refusal::{no_package, package_size};
use lambda_core::store::{PACKAGE_CHUNK_BYTES_MAX, PACKAGE_GRACE, Package, PutPackage};
use lambda_core::{Error, ErrorKind};
use sqlx::{MySqlConnection, MySqlPool};

use super::error::{Attempt, Failure};
use super::session::{Repeat, Session, bounded, retried};
use super::statement::BYTES_MAX;
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
    let mut chunks = std::pin::pin!(request.checked_chunks());
    if touch(pool, digest).await? {
        // It is there, and stays for a while. What was sent has to be right all the same.
        while chunks.try_next().await?.is_some() {}
        if touch(pool, digest).await? {
            return Ok(());
        }
        return Err(given_up().into());
    }
    // Any id that nobody else makes will do.
    let upload = *RequestId::new().as_bytes();
    let sent = send(pool, upload, digest, size_bytes, chunks).await;
    if sent.is_err() {
        // What cannot be removed now is removed by its age.
        drop(retried(Repeat::Anything, || abandon(pool, upload)).await);
    }
    sent?;
    sweep(pool).await;
    Ok(())
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
    let pool = pool.clone();
    // A connection for each answer: a slow reader keeps none.
    let chunks = stream::try_unfold((pool, upload, 0_i64), |(pool, upload, seq)| async move {
        let pieces = retried(Repeat::Anything, || pieces(&pool, &upload, seq)).await;
        let pieces = pieces.map_err(|failure| failure.into_error("package_get"))?;
        let Some((last, _)) = pieces.last() else {
            return Ok(None);
        };
        let next = last.saturating_add(1);
        let mut bytes = BytesMut::with_capacity(PACKAGE_CHUNK_BYTES_MAX);
        pieces
            .iter()
            .for_each(|(_, piece)| bytes.extend_from_slice(piece));
        Ok(Some((bytes.freeze(), (pool, upload, next))))
    });
    Ok(Package::checked(digest, count(size_bytes)?, chunks.boxed()))
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

/// Marks a package as one that a version refers to, and checks that it is there.
pub(super) async fn reference(
    connection: &mut MySqlConnection,
    operation: &'static str,
    code: &CodeRef,
) -> Attempt<()> {
    let sha256 = code.digest.as_bytes();
    let size = sqlx::query_scalar("SELECT size_bytes FROM package WHERE sha256 = ? FOR UPDATE")
        .bind(&sha256[..])
        .fetch_optional(&mut *connection);
    let size: Option<i64> = bounded(size).await?;
    match size {
        None => return Err(no_package(operation).into()),
        Some(size) if u64::try_from(size) != Ok(code.size_bytes) => {
            return Err(package_size(operation).into());
        }
        Some(_) => {}
    }
    let mark =
        sqlx::query("UPDATE package SET referenced = TRUE WHERE sha256 = ?").bind(&sha256[..]);
    bounded(mark.execute(connection)).await?;
    Ok(())
}

/// Marks a package as one that may be removed, unless a version still refers to it.
pub(super) async fn release(connection: &mut MySqlConnection, sha256: &[u8]) -> Attempt<()> {
    // First the lock, then a look: whoever refers to it now has committed, or waits.
    let lock = sqlx::query_scalar("SELECT 1 FROM package WHERE sha256 = ? FOR UPDATE")
        .bind(sha256)
        .fetch_optional(&mut *connection);
    let _: Option<i64> = bounded(lock).await?;
    let user = sqlx::query_scalar("SELECT 1 FROM version_package WHERE sha256 = ? LIMIT 1")
        .bind(sha256)
        .fetch_optional(&mut *connection);
    let user: Option<i64> = bounded(user).await?;
    if user.is_none() {
        let mark =
            sqlx::query("UPDATE package SET referenced = FALSE WHERE sha256 = ?").bind(sha256);
        bounded(mark.execute(connection)).await?;
    }
    Ok(())
}

/// Removes packages that nothing refers to and nobody has put for long enough, and uploads that
/// have not gone on for as long.
///
/// It follows what the caller asked for, which is done already; so a failure is only logged,
/// and the next call tries again. A few each time: nobody waits for long.
pub(super) async fn sweep(pool: &MySqlPool) {
    const AT_ONCE: usize = 8;
    for _ in 0..AT_ONCE {
        match sweep_one(pool, PACKAGE_GRACE).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(failure) => {
                tracing::debug!(?failure, "could not remove packages that nothing refers to");
                return;
            }
        }
    }
}

async fn sweep_one(pool: &MySqlPool, grace: Duration) -> Attempt<bool> {
    let grace_us = i64::try_from(grace.as_micros()).unwrap_or(i64::MAX);
    let before_us = now().as_microsecond().saturating_sub(grace_us);
    let mut session = Session::begin(pool).await?;
    let work = async {
        let package = sqlx::query_as(
            "SELECT sha256, upload_id FROM package FORCE INDEX (package_unreferenced) \
             WHERE referenced = FALSE AND last_put_us <= ? LIMIT 1 FOR UPDATE SKIP LOCKED",
        )
        .bind(before_us)
        .fetch_optional(&mut *session);
        let package: Option<(Vec<u8>, Vec<u8>)> = bounded(package).await?;
        if let Some((sha256, upload)) = package {
            let remove = sqlx::query("DELETE FROM package WHERE sha256 = ?").bind(sha256);
            bounded(remove.execute(&mut *session)).await?;
            let remove = sqlx::query("DELETE FROM package_upload WHERE id = ?").bind(upload);
            bounded(remove.execute(&mut *session)).await?;
            return Ok(true);
        }
        let remove = sqlx::query(
            "DELETE FROM package_upload WHERE finished = FALSE AND last_chunk_us <= ? LIMIT 1",
        )
        .bind(before_us);
        Ok(bounded(remove.execute(&mut *session))
            .await?
            .rows_affected()
            > 0)
    };
    let outcome = work.await;
    session.finish(outcome).await
}
