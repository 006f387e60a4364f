//! Reading and removing records of invocations.

use std::sync::LazyLock;

use lambda_core::model::{InvocationEntry, InvocationRecord, Namespace, Page, RequestId, Status};
use lambda_core::store::refusal::no_invocation;
use lambda_core::store::{ExpireInvocations, Expiring, InvocationCursor, ListInvocations};
use sqlx::{AssertSqlSafe, MySqlConnection, MySqlPool};

use super::error::{Attempt, Failure};
use super::session::{Session, bounded};
use super::statement::InList;
use crate::row::{EntryRow, InvocationRow};

macro_rules! columns {
    () => {
        "i.request_id, i.namespace, i.function_id, i.function_name, i.version, i.runtime, \
         i.start, i.status, i.error_type, i.started_at_us, i.queue_us, i.boot_us, i.init_us, \
         i.run_us, i.total_us, i.max_memory_mib"
    };
}

/// See [`Store::invocation_get`](lambda_core::Store::invocation_get).
pub(super) async fn get(
    pool: &MySqlPool,
    namespace: &Namespace,
    id: RequestId,
) -> Attempt<InvocationEntry> {
    let mut session = Session::acquire(pool).await?;
    let query = sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        ", o.stdout, o.stderr, o.error_message FROM invocation i \
         LEFT JOIN invocation_output o ON o.request_id = i.request_id \
         WHERE i.request_id = ? AND i.namespace = ?"
    ))
    .bind(&id.as_bytes()[..])
    .bind(namespace.as_str());
    let row = bounded(query.fetch_optional(&mut *session)).await;
    let row: Option<EntryRow> = session.read(row)?;
    match row {
        Some(row) => Ok(row.entry()?),
        None => Err(no_invocation("invocation_get").into()),
    }
}

/// Which of the filters a page has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filters {
    pub(super) function: bool,
    pub(super) statuses: usize,
    /// Whether success is not one of the statuses.
    pub(super) failures: bool,
    pub(super) runtime: bool,
}

/// The query of a page. Parameters: the namespace, the function if there is one, the first and
/// the last start, the start and the id before which to start, the statuses and the runtime if
/// there are any, how many.
///
/// `(a, b) < (?, ?)` would read the index from its end; a bound on `a` alone makes it begin where
/// the page does, and the rest leaves out the few that started in the same microsecond. The ids
/// come first, from the index alone, so that what is filtered out costs no row.
pub(super) fn page_query(filters: Filters) -> String {
    let (index, start) = match filters {
        Filters { failures: true, .. } => ("invocation_failed", "failed_at_us"),
        Filters { function: true, .. } => ("invocation_newest_of_function", "started_at_us"),
        _ => ("invocation_newest", "started_at_us"),
    };
    let function = if filters.function {
        "AND function_id = ? "
    } else {
        ""
    };
    let statuses = match filters.statuses {
        0 => String::new(),
        count => format!("AND status IN ({}) ", vec!["?"; count].join(", ")),
    };
    let runtime = if filters.runtime {
        "AND runtime = ? "
    } else {
        ""
    };
    format!(
        "SELECT {} FROM (SELECT request_id FROM invocation FORCE INDEX ({index}) \
         WHERE namespace = ? {function}AND {start} >= ? AND {start} <= ? \
         AND ({start} < ? OR request_id < ?) {statuses}{runtime}\
         ORDER BY {start} DESC, request_id DESC LIMIT ?) page \
         JOIN invocation i ON i.request_id = page.request_id \
         ORDER BY i.started_at_us DESC, i.request_id DESC",
        columns!()
    )
}

/// See [`Store::invocation_list`](lambda_core::Store::invocation_list).
pub(super) async fn list(
    pool: &MySqlPool,
    request: &ListInvocations,
) -> Attempt<Page<InvocationRecord>> {
    let (before_us, before_id) = match request.after()? {
        Some(at) => (at.started_at_us, *at.request_id.as_bytes()),
        None => (i64::MAX, [0xff; 16]),
    };
    let from_us = request.from.map_or(i64::MIN, ceil_us);
    let last_us = match request.to.map(ceil_us) {
        Some(to_us) => before_us.min(to_us.saturating_sub(1)),
        None => before_us,
    };
    let statuses = Status::ALL.iter();
    let statuses: Vec<_> = statuses.filter(|s| request.statuses.contains(s)).collect();
    // Made of constants only.
    let sql = page_query(Filters {
        function: request.function.is_some(),
        statuses: statuses.len(),
        failures: !statuses.is_empty() && !statuses.contains(&&Status::Success),
        runtime: request.runtime.is_some(),
    });
    let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(request.namespace.as_str());
    if let Some(function) = &request.function {
        query = query.bind(&function.as_bytes()[..]);
    }
    query = query
        .bind(from_us)
        .bind(last_us)
        .bind(before_us)
        .bind(&before_id[..]);
    for status in &statuses {
        query = query.bind(status.as_str());
    }
    if let Some(runtime) = &request.runtime {
        query = query.bind(runtime.as_str());
    }
    // One more than asked for tells whether there is another page.
    let query = query.bind(i64::from(request.limit) + 1);
    let mut session = Session::acquire(pool).await?;
    let rows = bounded(query.fetch_all(&mut *session)).await;
    let rows: Vec<InvocationRow> = session.read(rows)?;
    let items = rows
        .into_iter()
        .map(InvocationRow::record)
        .collect::<sqlx::Result<_>>()?;
    Ok(Page::of(items, request.limit, InvocationCursor::after))
}

/// The first microsecond that is not before a point in time: records are kept to the microsecond.
fn ceil_us(time: jiff::Timestamp) -> i64 {
    let us = time.as_microsecond();
    match jiff::Timestamp::from_microsecond(us) {
        Ok(floor) if floor < time => us.saturating_add(1),
        _ => us,
    }
}

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
             ORDER BY namespace, bucket_s, start_us, function_id, runtime LIMIT ?",
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
