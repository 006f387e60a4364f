//! Code packages, in chunks.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use lambda_core::Error;
use lambda_core::model::{CodeRef, PackageDigest};
use lambda_core::store::{PACKAGE_GRACE, PutPackage};
use sqlx::{Row as _, SqliteConnection, SqlitePool};

use super::error::{Attempt, not_found};
use super::{begin_write, value};

/// Largest chunk.
const CHUNK_BYTES: usize = 256 * 1024;

/// Digests of more than this are made on a thread that may block.
const INLINE_DIGEST_BYTES: usize = 1024 * 1024;

/// See [`Store::package_put`](lambda_core::Store::package_put).
pub(super) async fn put(writer: &SqlitePool, request: PutPackage) -> Attempt<()> {
    let PutPackage { digest, bytes, .. } = request;
    if digest_of(bytes.clone()).await != Some(digest) {
        let error = Error::invalid(
            "package_put",
            "The package's digest is not that of its bytes.",
        );
        return Err(error.into());
    }
    let mut transaction = begin_write(writer).await?;
    let size_bytes = i64::try_from(bytes.len()).map_err(value::encode_error)?;
    let now_us = value::now().as_microsecond();
    let known = sqlx::query("UPDATE package SET last_put_us = ?2 WHERE sha256 = ?1")
        .bind(&digest.as_bytes()[..])
        .bind(now_us)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    if known == 0 {
        sqlx::query(
            "INSERT INTO package (sha256, size_bytes, last_put_us, referenced) \
             VALUES (?1, ?2, ?3, FALSE)",
        )
        .bind(&digest.as_bytes()[..])
        .bind(size_bytes)
        .bind(now_us)
        .execute(&mut *transaction)
        .await?;
        for (seq, chunk) in (0_i64..).zip(bytes.chunks(CHUNK_BYTES)) {
            sqlx::query("INSERT INTO package_chunk (sha256, seq, bytes) VALUES (?1, ?2, ?3)")
                .bind(&digest.as_bytes()[..])
                .bind(seq)
                .bind(chunk)
                .execute(&mut *transaction)
                .await?;
        }
    }
    transaction.commit().await?;
    sweep(writer).await;
    Ok(())
}

/// See [`Store::package_get`](lambda_core::Store::package_get).
pub(super) async fn get(reader: &SqlitePool, digest: PackageDigest) -> Attempt<Bytes> {
    // One statement sees one state, whatever is removed meanwhile.
    let mut rows = sqlx::query(
        "SELECT p.size_bytes, c.bytes FROM package p \
         LEFT JOIN package_chunk c ON c.sha256 = p.sha256 \
         WHERE p.sha256 = ?1 ORDER BY c.seq",
    )
    .bind(&digest.as_bytes()[..])
    .fetch(reader);
    let mut package: Option<Vec<u8>> = None;
    while let Some(row) = rows.try_next().await? {
        let bytes = match &mut package {
            Some(bytes) => bytes,
            None => package.insert(Vec::with_capacity(value::unsigned(&row, "size_bytes")?)),
        };
        // An empty package has no chunk.
        let chunk: Option<&[u8]> = row.try_get("bytes")?;
        bytes.extend_from_slice(chunk.unwrap_or_default());
    }
    // Gives the connection back before the digest is made.
    drop(rows);
    let bytes = package
        .map(Bytes::from)
        .ok_or_else(|| not_found("package_get", "The code package is not there."))?;
    if digest_of(bytes.clone()).await != Some(digest) {
        let error = Error::internal(
            "package_get",
            "The code package is not what was stored: its digest differs.",
        )
        .hint("The database is damaged. Deploy the function again under another name, and check the disk.");
        return Err(error.into());
    }
    Ok(bytes)
}

/// None where the runtime is shutting down.
async fn digest_of(bytes: Bytes) -> Option<PackageDigest> {
    if bytes.len() <= INLINE_DIGEST_BYTES {
        return Some(PackageDigest::of(&bytes));
    }
    let digest = tokio::task::spawn_blocking(move || PackageDigest::of(&bytes));
    digest.await.ok()
}

/// Marks a package as one that a version refers to.
pub(super) async fn reference(
    connection: &mut SqliteConnection,
    operation: &'static str,
    code: &CodeRef,
) -> Attempt<()> {
    let size_bytes: Option<i64> = sqlx::query_scalar(
        "UPDATE package SET referenced = TRUE WHERE sha256 = ?1 RETURNING size_bytes",
    )
    .bind(&code.digest.as_bytes()[..])
    .fetch_optional(connection)
    .await?;
    match size_bytes {
        None => Err(not_found(operation, "A code package is not there.")
            .hint("Put the package, then try again.")
            .into()),
        Some(size) if u64::try_from(size) != Ok(code.size_bytes) => Err(Error::invalid(
            operation,
            "A code package has another size than the one given.",
        )
        .into()),
        Some(_) => Ok(()),
    }
}

/// Marks a package as one that may be removed, unless a version still refers to it.
pub(super) async fn release(connection: &mut SqliteConnection, sha256: &[u8]) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE package SET referenced = FALSE WHERE sha256 = ?1 \
         AND NOT EXISTS (SELECT 1 FROM version_package WHERE sha256 = ?1)",
    )
    .bind(sha256)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes packages that nothing refers to and nobody has put for long enough.
///
/// It follows what the caller asked for, which is done already; so a failure is only
/// logged, and the next call tries again. One package at a time, a few each time: other
/// writes wait for no more than one of them.
pub(super) async fn sweep(writer: &SqlitePool) {
    const AT_ONCE: usize = 8;
    let grace_us = i64::try_from(PACKAGE_GRACE.as_micros()).unwrap_or(i64::MAX);
    let before_us = value::now().as_microsecond().saturating_sub(grace_us);
    for _ in 0..AT_ONCE {
        let removed = sqlx::query(
            "DELETE FROM package WHERE sha256 IN (SELECT sha256 FROM package \
             WHERE referenced = FALSE AND last_put_us <= ?1 LIMIT 1)",
        )
        .bind(before_us)
        .execute(writer)
        .await;
        match removed {
            Ok(done) if done.rows_affected() == 0 => return,
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "could not remove packages that nothing refers to");
                return;
            }
        }
    }
}
