//! Code packages on their way in.

use std::pin::pin;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use lambda_core::store::PutPackage;
use lambda_core::{Error, ErrorKind};
use sqlx::{SqliteConnection, SqlitePool};

use super::error::Attempt;
use super::{begin_write, sweep};
use crate::row;

const OPERATION: &str = "package_put";

/// See [`Store::package_put`](lambda_core::Store::package_put).
pub(super) async fn put(writer: &SqlitePool, request: PutPackage) -> Attempt<()> {
    let package = Target::of(&request)?;
    let mut chunks = pin!(request.checked_chunks());
    let first = chunks.try_next().await?;
    let second = match first {
        Some(_) => chunks.try_next().await?,
        None => None,
    };
    match (first, second) {
        (Some(first), Some(second)) => {
            package.keep_many(writer, first, second, chunks).await?;
        }
        // Most packages: all of it is here, and was checked.
        (first, _) => package.keep_one(writer, first).await?,
    }
    sweep::run(writer).await;
    Ok(())
}

/// What the bytes shall be.
struct Target {
    sha256: Vec<u8>,
    size_bytes: i64,
}

impl Target {
    fn of(request: &PutPackage) -> Attempt<Self> {
        let size_bytes = i64::try_from(request.size_bytes).map_err(|_| {
            Error::invalid(OPERATION, "The package's size is not that of its bytes.")
        })?;
        Ok(Self {
            sha256: request.digest.as_bytes().to_vec(),
            size_bytes,
        })
    }

    async fn keep_one(&self, writer: &SqlitePool, chunk: Option<Bytes>) -> Attempt<()> {
        let mut transaction = begin_write(writer).await?;
        if !self.touch(&mut transaction).await? {
            let upload = begin(&mut transaction).await?;
            if let Some(chunk) = chunk {
                insert(&mut transaction, &upload, 0, chunk).await?;
            }
            self.finish(&mut transaction, &upload).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Keeps pieces while they come, each by a transaction of its own.
    async fn keep_many(
        &self,
        writer: &SqlitePool,
        first: Bytes,
        second: Bytes,
        rest: impl futures_util::Stream<Item = lambda_core::Result<Bytes>> + Unpin,
    ) -> Attempt<()> {
        let mut transaction = begin_write(writer).await?;
        let known = self.touch(&mut transaction).await?;
        if known {
            transaction.commit().await?;
            return self.check_only(writer, rest).await;
        }
        let upload = begin(&mut transaction).await?;
        insert(&mut transaction, &upload, 0, first).await?;
        insert(&mut transaction, &upload, 1, second).await?;
        transaction.commit().await?;
        let kept = async {
            keep_rest(writer, &upload, rest).await?;
            let mut transaction = begin_write(writer).await?;
            self.finish(&mut transaction, &upload).await?;
            transaction.commit().await?;
            Attempt::Ok(())
        };
        let kept = kept.await;
        // Of no use where it failed, or where another upload was faster. Whoever is dropped
        // half-way leaves it to be swept.
        if let Err(error) = sweep::abandon(writer, &upload).await {
            tracing::debug!(%error, "could not remove an upload");
        }
        kept
    }

    /// The package is there: its bytes are read only to see whether they are those promised.
    async fn check_only(
        &self,
        writer: &SqlitePool,
        mut rest: impl futures_util::Stream<Item = lambda_core::Result<Bytes>> + Unpin,
    ) -> Attempt<()> {
        while rest.try_next().await?.is_some() {}
        let mut transaction = begin_write(writer).await?;
        if !self.touch(&mut transaction).await? {
            return Err(too_slow().into());
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Notes that the package was put; says whether it is there.
    async fn touch(&self, connection: &mut SqliteConnection) -> sqlx::Result<bool> {
        let touched = sqlx::query("UPDATE package SET last_put_us = ?2 WHERE sha256 = ?1")
            .bind(self.sha256.clone())
            .bind(row::now().as_microsecond())
            .execute(connection)
            .await?;
        Ok(touched.rows_affected() > 0)
    }

    /// Makes the package of an upload, unless another one was faster.
    async fn finish(&self, connection: &mut SqliteConnection, upload: &[u8]) -> Attempt<()> {
        if self.touch(connection).await? {
            return Ok(());
        }
        let finished = sqlx::query("UPDATE package_upload SET finished = TRUE WHERE id = ?1")
            .bind(upload.to_vec())
            .execute(&mut *connection)
            .await?;
        if finished.rows_affected() == 0 {
            return Err(too_slow().into());
        }
        sqlx::query(
            "INSERT INTO package (sha256, size_bytes, last_put_us, referenced, upload_id) \
             VALUES (?1, ?2, ?3, FALSE, ?4)",
        )
        .bind(self.sha256.clone())
        .bind(self.size_bytes)
        .bind(row::now().as_microsecond())
        .bind(upload.to_vec())
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// A new upload.
async fn begin(connection: &mut SqliteConnection) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar(
        "INSERT INTO package_upload (id, last_chunk_us, finished) \
         VALUES (randomblob(16), ?1, FALSE) RETURNING id",
    )
    .bind(row::now().as_microsecond())
    .fetch_one(connection)
    .await
}

async fn insert(
    connection: &mut SqliteConnection,
    upload: &[u8],
    seq: i64,
    chunk: Bytes,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO upload_chunk (upload_id, seq, bytes) VALUES (?1, ?2, ?3)")
        .bind(upload.to_vec())
        .bind(seq)
        .bind(Vec::from(chunk))
        .execute(connection)
        .await?;
    Ok(())
}

/// The third piece and those behind it.
async fn keep_rest(
    writer: &SqlitePool,
    upload: &[u8],
    mut chunks: impl futures_util::Stream<Item = lambda_core::Result<Bytes>> + Unpin,
) -> Attempt<()> {
    let mut seq = 2;
    while let Some(chunk) = chunks.try_next().await? {
        let mut transaction = begin_write(writer).await?;
        let alive = sqlx::query("UPDATE package_upload SET last_chunk_us = ?2 WHERE id = ?1")
            .bind(upload.to_vec())
            .bind(row::now().as_microsecond())
            .execute(&mut *transaction)
            .await?;
        if alive.rows_affected() == 0 {
            return Err(too_slow().into());
        }
        insert(&mut transaction, upload, seq, chunk).await?;
        transaction.commit().await?;
        seq += 1;
    }
    Ok(())
}

/// It was removed as one that nobody goes on with.
fn too_slow() -> Error {
    Error::new(
        ErrorKind::StoreUnavailable,
        OPERATION,
        "The package's upload paused for so long that it was given up.",
    )
    .hint("Put the package again, without a pause of an hour.")
}
