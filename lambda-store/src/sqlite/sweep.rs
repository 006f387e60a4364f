//! Removing packages that nothing refers to, and uploads that nobody goes on with.
//!
//! It follows what a caller asked for, which is done already; so a failure is only logged, and
//! the next call tries again. A little at a time, so that other writes wait for no more than that.

use lambda_core::store::PACKAGE_GRACE;
use sqlx::SqlitePool;

use super::begin_write;
use crate::row;

/// Packages, and uploads, in one sweep.
const AT_ONCE: usize = 8;

/// Removes some of what is old enough.
pub(super) async fn run(writer: &SqlitePool) {
    let grace_us = i64::try_from(PACKAGE_GRACE.as_micros()).unwrap_or(i64::MAX);
    let before_us = row::now().as_microsecond().saturating_sub(grace_us);
    if let Err(error) = sweep(writer, before_us).await {
        tracing::debug!(%error, "could not remove packages that nothing refers to");
    }
}

async fn sweep(writer: &SqlitePool, before_us: i64) -> sqlx::Result<()> {
    for _ in 0..AT_ONCE {
        if !hide_package(writer, before_us).await? {
            break;
        }
    }
    for _ in 0..AT_ONCE {
        let upload: Option<Vec<u8>> = sqlx::query_scalar(UNFINISHED)
            .bind(before_us)
            .fetch_optional(writer)
            .await?;
        match upload {
            Some(upload) => abandon(writer, &upload).await?,
            None => break,
        }
    }
    Ok(())
}

/// ?1 the time.
const UNREFERENCED: &str = "DELETE FROM package WHERE sha256 = (SELECT sha256 FROM package \
     WHERE referenced = FALSE AND last_put_us <= ?1 LIMIT 1) RETURNING upload_id";

/// ?1 the time.
const UNFINISHED: &str = "SELECT id FROM package_upload \
     WHERE finished = FALSE AND last_chunk_us <= ?1 LIMIT 1";

/// Removes a package, which leaves an upload that is not one of a package. Returns whether there
/// was one.
async fn hide_package(writer: &SqlitePool, before_us: i64) -> sqlx::Result<bool> {
    // Mostly there is nothing, and no lock is needed to see that.
    let any: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM package WHERE referenced = FALSE AND last_put_us <= ?1 LIMIT 1",
    )
    .bind(before_us)
    .fetch_optional(writer)
    .await?;
    if any.is_none() {
        return Ok(false);
    }
    let mut transaction = begin_write(writer).await?;
    let upload: Option<Vec<u8>> = sqlx::query_scalar(UNREFERENCED)
        .bind(before_us)
        .fetch_optional(&mut *transaction)
        .await?;
    if let Some(upload) = &upload {
        sqlx::query("UPDATE package_upload SET finished = FALSE, last_chunk_us = 0 WHERE id = ?1")
            .bind(upload.clone())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(upload.is_some())
}

/// Removes an upload, unless it has become a package.
pub(super) async fn abandon(writer: &SqlitePool, upload: &[u8]) -> sqlx::Result<()> {
    // Of at most 2 MiB at a time: the pages of each have to be found.
    const CHUNKS: &str = "DELETE FROM upload_chunk WHERE rowid IN \
         (SELECT c.rowid FROM package_upload u CROSS JOIN upload_chunk c ON c.upload_id = u.id \
         WHERE u.id = ?1 AND u.finished = FALSE LIMIT 8)";
    loop {
        let removed = sqlx::query(CHUNKS)
            .bind(upload.to_vec())
            .execute(writer)
            .await?;
        if removed.rows_affected() == 0 {
            break;
        }
    }
    sqlx::query("DELETE FROM package_upload WHERE id = ?1 AND finished = FALSE")
        .bind(upload.to_vec())
        .execute(writer)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::plans::assert_plan;
    use super::*;

    #[tokio::test]
    async fn what_is_old_is_found_by_an_index() {
        let index = "INDEX package_unreferenced (referenced=? AND last_put_us<?)";
        assert_plan(UNREFERENCED, &[index], 0).await;
        let index = "INDEX package_upload_unfinished (last_chunk_us<?)";
        assert_plan(UNFINISHED, &[index], 0).await;
    }
}
