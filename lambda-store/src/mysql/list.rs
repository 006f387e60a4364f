//! Reading records of invocations.

use lambda_core::model::{InvocationEntry, InvocationRecord, Namespace, Page, RequestId, Status};
use lambda_core::store::refusal::no_invocation;
use lambda_core::store::rollup::{Rollup, Tally};
use lambda_core::store::{InvocationCursor, ListInvocations};
use sqlx::{AssertSqlSafe, MySqlConnection, MySqlPool};

use super::error::Attempt;
use super::session::{Session, bounded};
use crate::row::{EntryRow, InvocationRow, figures, function_bytes};

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

/// What a page is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Index {
    Newest,
    NewestOfFunction,
    /// All failures of the namespace.
    Failed,
}

/// Which filters the query of a page has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filters {
    pub(super) function: bool,
    pub(super) statuses: usize,
    pub(super) runtime: bool,
}

/// The query of a page. Parameters: the namespace, the function if there is one, the first and
/// the last start, the start and the id before which to start, the statuses and the runtime if
/// there are any, how many.
///
/// `(a, b) < (?, ?)` would read the index from its end; a bound on `a` alone makes it begin where
/// the page does, and the rest leaves out the few that started in the same microsecond. The ids
/// come first, from the index alone, so that what is filtered out costs no row.
pub(super) fn page_query(index: Index, filters: Filters) -> String {
    let (index, start) = match index {
        Index::Newest => ("invocation_newest", "started_at_us"),
        Index::NewestOfFunction => ("invocation_newest_of_function", "started_at_us"),
        Index::Failed => ("invocation_failed", "failed_at_us"),
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
         STRAIGHT_JOIN invocation i ON i.request_id = page.request_id \
         ORDER BY i.started_at_us DESC, i.request_id DESC",
        columns!()
    )
}

/// See [`Store::invocation_list`](lambda_core::Store::invocation_list).
pub(super) async fn list(
    pool: &MySqlPool,
    request: &ListInvocations,
) -> Attempt<Page<InvocationRecord>> {
    let after = request.after()?;
    let mut session = Session::acquire(pool).await?;
    let rows = rows_of(&mut session, request, after).await;
    let rows: Vec<InvocationRow> = session.read(rows)?;
    let items = rows
        .into_iter()
        .map(InvocationRow::record)
        .collect::<sqlx::Result<_>>()?;
    Ok(Page::of(items, request.limit, InvocationCursor::after))
}

async fn rows_of(
    connection: &mut MySqlConnection,
    request: &ListInvocations,
    after: Option<InvocationCursor>,
) -> sqlx::Result<Vec<InvocationRow>> {
    let Some(index) = index(connection, request).await? else {
        return Ok(Vec::new());
    };
    let (before_us, before_id) = match after {
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
    let filters = Filters {
        function: request.function.is_some(),
        statuses: statuses.len(),
        runtime: request.runtime.is_some(),
    };
    // Made of constants only.
    let sql = AssertSqlSafe(page_query(index, filters));
    let mut query = sqlx::query_as(sql).bind(request.namespace.as_str());
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
    bounded(query.fetch_all(connection)).await
}

/// Where to look for records; none: there never were any.
///
/// Figures since the beginning say so before an index is read from end to end for what is not
/// there, and which of two is the shorter.
async fn index(
    connection: &mut MySqlConnection,
    request: &ListInvocations,
) -> sqlx::Result<Option<Index>> {
    let of_function = match request.function {
        Some(_) => Index::NewestOfFunction,
        None => Index::Newest,
    };
    if request.statuses.is_empty() && request.runtime.is_none() {
        return Ok(Some(of_function));
    }
    let query = sqlx::query_scalar(
        "SELECT figures FROM rollup FORCE INDEX (PRIMARY) WHERE namespace = ? \
         AND bucket_s = 0 AND start_us = 0 AND function_id IN (?, ?)",
    )
    .bind(request.namespace.as_str())
    .bind(function_bytes(request.function))
    .bind(function_bytes(None));
    let rows: Vec<Vec<u8>> = bounded(query.fetch_all(connection)).await?;
    let mut ever = Vec::with_capacity(rows.len());
    for row in rows {
        for rollup in figures::decode_all(&request.namespace, &row) {
            ever.push(rollup?);
        }
    }
    Ok(choose(request, of_function, &ever))
}

fn choose(request: &ListInvocations, of_function: Index, ever: &[Rollup]) -> Option<Index> {
    let own = || ever.iter().filter(|r| r.key.function == request.function);
    let is_wanted = |rollup: &&Rollup| {
        let runtime = request.runtime.as_ref();
        runtime.is_none_or(|name| rollup.key.runtime == *name)
            && match &request.statuses[..] {
                [] => rollup.tally.calls() > 0,
                statuses => statuses.iter().any(|s| calls(&rollup.tally, *s) > 0),
            }
    };
    own().find(is_wanted)?;
    if request.statuses.is_empty() || request.statuses.contains(&Status::Success) {
        return Some(of_function);
    }
    let everybody = ever.iter().filter(|rollup| rollup.key.function.is_none());
    let failures: u64 = everybody.map(|rollup| rollup.tally.errors()).sum();
    let calls: u64 = own().map(|rollup| rollup.tally.calls()).sum();
    match calls < failures && of_function == Index::NewestOfFunction {
        true => Some(of_function),
        false => Some(Index::Failed),
    }
}

fn calls(tally: &Tally, status: Status) -> u64 {
    match status {
        Status::Success => tally.success,
        Status::FunctionError => tally.function_error,
        Status::Timeout => tally.timeout,
        Status::OutOfMemory => tally.out_of_memory,
        Status::Crashed => tally.crashed,
        Status::Cancelled => tally.cancelled,
        // One that is newer than this crate is in no figures.
        _ => u64::MAX,
    }
}

/// The first microsecond that is not before a point in time: records are kept to the microsecond.
fn ceil_us(time: jiff::Timestamp) -> i64 {
    let us = time.as_microsecond();
    match jiff::Timestamp::from_microsecond(us) {
        Ok(floor) if floor < time => us.saturating_add(1),
        _ => us,
    }
}
