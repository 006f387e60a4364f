//! Which packages may be removed, and removing them.

use std::time::Duration;

use lambda_core::model::CodeRef;
use lambda_core::store::PACKAGE_GRACE;
use lambda_core::store::refusal::{no_package, package_size};
use sqlx::{MySqlConnection, MySqlPool};

use super::error::Attempt;
use super::session::{Session, bounded};
use crate::row::now;

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
