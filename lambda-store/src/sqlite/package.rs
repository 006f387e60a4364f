//! Code packages: those that versions refer to, and those that nobody needs any more.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lambda_core::model::{CodeRef, PackageDigest};
use lambda_core::store::{Package, refusal};
use sqlx::{SqliteConnection, SqlitePool};

use super::error::{Attempt, Failure};
use crate::row;

/// See [`Store::package_get`](lambda_core::Store::package_get).
pub(super) async fn get(reader: &SqlitePool, digest: PackageDigest) -> Attempt<Package> {
    let found: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT size_bytes, upload_id FROM package WHERE sha256 = ?1")
            .bind(&digest.as_bytes()[..])
            .fetch_optional(reader)
            .await?;
    let (size_bytes, upload) = found.ok_or_else(|| refusal::no_package(OPERATION))?;
    // Each piece is read when it is asked for, by a statement of its own: a reader that is slow
    // holds no connection, and no state of the database.
    let reader = reader.clone();
    let chunks = stream::try_unfold(0_i64, move |seq| {
        let (reader, upload) = (reader.clone(), upload.clone());
        async move {
            let chunk = chunk(&reader, upload, seq).await;
            chunk.map(|chunk| Some((chunk?.into(), seq + 1)))
        }
    });
    let chunks = chunks.map_err(|error| Failure::into_error(error, OPERATION));
    Ok(Package::checked(
        digest,
        row::count(size_bytes)?,
        chunks.boxed(),
    ))
}

const OPERATION: &str = "package_get";

/// A piece of an upload; none behind the last.
async fn chunk(reader: &SqlitePool, upload: Vec<u8>, seq: i64) -> Attempt<Option<Vec<u8>>> {
    let chunk: Option<Option<Vec<u8>>> = sqlx::query_scalar(
        "SELECT c.bytes FROM package_upload u \
         LEFT JOIN upload_chunk c ON c.upload_id = u.id AND c.seq = ?2 \
         WHERE u.id = ?1 AND u.finished",
    )
    .bind(upload)
    .bind(seq)
    .fetch_optional(reader)
    .await?;
    Ok(chunk.ok_or_else(|| refusal::no_package(OPERATION))?)
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
        None => Err(refusal::no_package(operation).into()),
        Some(size) if u64::try_from(size) != Ok(code.size_bytes) => {
            Err(refusal::package_size(operation).into())
        }
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
