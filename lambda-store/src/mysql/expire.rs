//! Removing records of invocations and figures, a few at a time.

use std::sync::LazyLock;

use lambda_core::store::{ExpireInvocations, Expiring};
use sqlx::{MySqlConnection, MySqlPool};

use super::error::{Attempt, Failure};
use super::session::{Session, bounded};
use super::statement::InList;

/// See [`Store::invocation_expire`](lambda_core::Store::invocation_expire).
pub(super) async fn expire(pool: &MySqlPool, request: &ExpireInvocations) -> Attempt<u64> {
    let mut session = Session::begin(pool).await?;
    let outcome = expire_in(&mut session, request).await;
    session.finish(outcome).await
}

static REMOVE: LazyLock<InList> =
    LazyLock::new(|| InList::new("DELETE FROM invocation WHERE request_id IN", ""));

static REMOVE_OUTPUTS: LazyLock<InList> =
    LazyLock::new(|| InList::new("DELETE FROM invocation_output WHERE request_id IN", ""));

async fn expire_in(connection: &mut MySqlConnection, request: &ExpireInvocations) -> Attempt<u64> {
    let query = match request.what {
        Expiring::Invocations => return expire_records(connection, request).await,
        Expiring::Outputs => sqlx::query(
            "DELETE FROM invocation_output WHERE namespace = ? AND started_at_us < ? \
             ORDER BY namespace, started_at_us LIMIT ?",
        )
        .bind(request.namespace.as_str()),
        Expiring::Figures(bucket) => sqlx::query(
            "DELETE FROM rollup WHERE namespace = ? AND bucket_s = ? AND start_us < ? \
             ORDER BY start_us, function_id, runtime LIMIT ?",
        )
        .bind(request.namespace.as_str())
        .bind(bucket.seconds()),
        _ => {
            return Err(Failure::Refused(lambda_core::Error::invalid(
                "invocation_expire",
                "The store does not know what is to be removed.",
            )));
        }
    };
    let query = query
        .bind(request.before.as_microsecond())
        .bind(i64::from(request.limit));
    Ok(bounded(query.execute(connection)).await?.rows_affected())
}

/// The oldest records, with what is kept beside them.
async fn expire_records(
    connection: &mut MySqlConnection,
    request: &ExpireInvocations,
) -> Attempt<u64> {
    // Locked, so that two who do this at once remove different ones.
    let oldest = sqlx::query_scalar(
        "SELECT request_id FROM invocation FORCE INDEX (invocation_newest) \
         WHERE namespace = ? AND started_at_us < ? \
         ORDER BY started_at_us, request_id LIMIT ? FOR UPDATE",
    )
    .bind(request.namespace.as_str())
    .bind(request.before.as_microsecond())
    .bind(i64::from(request.limit))
    .fetch_all(&mut *connection);
    let oldest: Vec<Vec<u8>> = bounded(oldest).await?;
    for list in [&*REMOVE_OUTPUTS, &*REMOVE] {
        for (sql, ids) in list.cut(&oldest) {
            let query = ids.fold(sqlx::query(sql), |query, id| query.bind(&id[..]));
            bounded(query.execute(&mut *connection)).await?;
        }
    }
    Ok(oldest.len() as u64)
}
