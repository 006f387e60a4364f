//! Figures of records that are older than the table of figures.

use sqlx::{Connection as _, MySqlConnection};

use super::error::Attempt;
use super::rollup;
use super::session::bounded;
use crate::row::{InvocationRow, figures_of};

/// Records at a time: what is done is committed, whatever stops the next.
const AT_ONCE: i64 = 10_000;

/// Makes the figures that are missing. The caller keeps everybody else from opening the database,
/// so that nobody adds records or figures meanwhile.
///
/// # Errors
/// The database's.
pub(super) async fn run(connection: &mut MySqlConnection) -> Attempt<()> {
    while step(connection).await? {}
    Ok(())
}

/// Returns whether there may be more to do.
async fn step(connection: &mut MySqlConnection) -> Attempt<bool> {
    let after = sqlx::query_scalar("SELECT after_id FROM rollup_backfill");
    let after: Option<Vec<u8>> = bounded(after.fetch_optional(&mut *connection)).await?;
    let Some(after) = after else {
        return Ok(false);
    };
    let mut transaction = connection.begin().await?;
    let rows =
        sqlx::query_as("SELECT * FROM invocation WHERE request_id > ? ORDER BY request_id LIMIT ?")
            .bind(after)
            .bind(AT_ONCE)
            .fetch_all(&mut *transaction);
    let rows: Vec<InvocationRow> = bounded(rows).await?;
    match figures_of(rows)? {
        Some((last, figures)) => {
            rollup::merge(&mut transaction, figures).await?;
            let done = sqlx::query("UPDATE rollup_backfill SET after_id = ?")
                .bind(&last.as_bytes()[..])
                .execute(&mut *transaction);
            bounded(done).await?;
        }
        None => {
            let done = sqlx::query("DELETE FROM rollup_backfill").execute(&mut *transaction);
            bounded(done).await?;
        }
    }
    transaction.commit().await?;
    Ok(true)
}
