//! Figures of records that are older than the table of figures.

use lambda_core::Result;
use sqlx::SqlitePool;

use super::connect::OPERATION;
use super::error::{Attempt, Failure};
use super::{begin_write, rollup};
use crate::row::{InvocationRow, figures_of};

/// Records at a time: what is done is committed, whatever stops the next.
const AT_ONCE: i64 = 10_000;

/// Makes the figures that are missing; nobody else may have the database open in this version.
///
/// # Errors
/// `StoreUnavailable`.
pub(super) async fn run(writer: &SqlitePool) -> Result<()> {
    loop {
        match step(writer).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(Failure::into_error(error, OPERATION)),
        }
    }
}

/// Returns whether there may be more to do.
async fn step(writer: &SqlitePool) -> Attempt<bool> {
    let after: Option<Vec<u8>> = sqlx::query_scalar("SELECT after_id FROM rollup_backfill")
        .fetch_optional(writer)
        .await?;
    let Some(after) = after else {
        return Ok(false);
    };
    let mut transaction = begin_write(writer).await?;
    let rows: Vec<InvocationRow> = sqlx::query_as(
        "SELECT * FROM invocation WHERE request_id > ?1 ORDER BY request_id LIMIT ?2",
    )
    .bind(after)
    .bind(AT_ONCE)
    .fetch_all(&mut *transaction)
    .await?;
    match figures_of(rows)? {
        Some((last, figures)) => {
            rollup::merge(&mut transaction, figures).await?;
            sqlx::query("UPDATE rollup_backfill SET after_id = ?1")
                .bind(last.as_bytes().to_vec())
                .execute(&mut *transaction)
                .await?;
        }
        None => {
            sqlx::query("DELETE FROM rollup_backfill")
                .execute(&mut *transaction)
                .await?;
        }
    }
    transaction.commit().await?;
    Ok(true)
}
