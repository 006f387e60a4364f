//! Removing what is old, a little at a time.

use lambda_core::store::{ExpireInvocations, Expiring};
use sqlx::SqlitePool;

use super::begin_write;
use super::error::Attempt;

/// The keys of the oldest records. ?1 namespace, ?2 the time, ?3 how many.
macro_rules! oldest {
    () => {
        "(SELECT request_id FROM invocation INDEXED BY invocation_newest \
         WHERE namespace = ?1 AND started_at_us < ?2 \
         ORDER BY started_at_us, request_id LIMIT ?3)"
    };
}

const RECORDS: &str = concat!("DELETE FROM invocation WHERE request_id IN ", oldest!());
const THEIR_OUTPUTS: &str = concat!(
    "DELETE FROM invocation_output WHERE request_id IN ",
    oldest!()
);

/// As [`RECORDS`].
const OUTPUTS: &str = "DELETE FROM invocation_output WHERE rowid IN \
     (SELECT rowid FROM invocation_output WHERE namespace = ?1 AND started_at_us < ?2 \
     ORDER BY started_at_us LIMIT ?3)";

/// And ?4 the bucket.
const FIGURES: &str = "DELETE FROM rollup \
     WHERE (namespace, bucket_s, start_us, function_id, runtime) IN \
     (SELECT namespace, bucket_s, start_us, function_id, runtime FROM rollup \
     WHERE namespace = ?1 AND bucket_s = ?4 AND start_us < ?2 \
     ORDER BY start_us, function_id, runtime LIMIT ?3)";

/// See [`Store::invocation_expire`](lambda_core::Store::invocation_expire).
pub(super) async fn expire(writer: &SqlitePool, request: ExpireInvocations) -> Attempt<u64> {
    let bind = |sql: &'static str| {
        sqlx::query(sql)
            .bind(request.namespace.as_str().to_owned())
            .bind(request.before.as_microsecond())
            .bind(i64::from(request.limit))
    };
    let mut transaction = begin_write(writer).await?;
    let removed = match request.what {
        Expiring::Invocations => {
            bind(THEIR_OUTPUTS).execute(&mut *transaction).await?;
            bind(RECORDS).execute(&mut *transaction).await?
        }
        Expiring::Outputs => bind(OUTPUTS).execute(&mut *transaction).await?,
        Expiring::Figures(bucket) => {
            let query = bind(FIGURES).bind(i64::from(bucket.seconds()));
            query.execute(&mut *transaction).await?
        }
        // What this program does not know it does not keep.
        _ => return Ok(0),
    };
    transaction.commit().await?;
    Ok(removed.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::super::plans::assert_plan;
    use super::*;

    #[tokio::test]
    async fn the_oldest_are_found_by_an_index() {
        let newest = "COVERING INDEX invocation_newest (namespace=? AND started_at_us<?)";
        assert_plan(RECORDS, &[newest, "SEARCH invocation USING PRIMARY KEY"], 0).await;
        assert_plan(
            THEIR_OUTPUTS,
            &[newest, "SEARCH invocation_output USING"],
            0,
        )
        .await;
        let oldest = "INDEX invocation_output_oldest (namespace=? AND started_at_us<?)";
        assert_plan(OUTPUTS, &[oldest, "USING INTEGER PRIMARY KEY"], 0).await;
        let key = "INDEX sqlite_autoindex_rollup_1 (namespace=? AND bucket_s=? AND start_us<?)";
        assert_plan(FIGURES, &[key], 0).await;
    }
}
