//! Reading records of invocations.

use lambda_core::model::{InvocationEntry, InvocationRecord, Namespace, Page, RequestId, Status};
use lambda_core::store::{InvocationCursor, ListInvocations, refusal};
use sqlx::SqlitePool;

use super::error::Attempt;
use crate::row::{self, EntryRow, InvocationRow};

/// A page of records, whose keys come from one index alone: what it skips is not looked up.
///
/// ?1 the namespace, ?2 and ?3 the start and id before which the page begins, ?4 the earliest
/// start, ?5 how many, ?6 the runtime or NULL, ?7 whether the status counts, ?8 to ?13 the
/// statuses, ?14 the function.
macro_rules! page_query {
    ($index:literal, $of:literal) => {
        concat!(
            "SELECT i.* FROM (SELECT request_id FROM invocation INDEXED BY ",
            $index,
            " WHERE ",
            $of,
            " AND (started_at_us, request_id) < (?2, ?3) AND started_at_us >= ?4 \
             AND (?6 IS NULL OR runtime = ?6) \
             AND (NOT ?7 OR status IN (?8, ?9, ?10, ?11, ?12, ?13)) \
             ORDER BY started_at_us DESC, request_id DESC LIMIT ?5) page \
             CROSS JOIN invocation i ON i.request_id = page.request_id \
             ORDER BY i.started_at_us DESC, i.request_id DESC"
        )
    };
}

const PAGE: &str = page_query!("invocation_newest", "namespace = ?1");
const PAGE_OF_FUNCTION: &str = page_query!(
    "invocation_newest_of_function",
    "function_id = ?14 AND namespace = ?1"
);
const PAGE_OF_FAILED: &str = page_query!(
    "invocation_failed",
    "status <> 'success' AND namespace = ?1"
);
const PAGE_OF_FAILED_OF_FUNCTION: &str = page_query!(
    "invocation_failed_of_function",
    "status <> 'success' AND function_id = ?14 AND namespace = ?1"
);

/// See [`Store::invocation_list`](lambda_core::Store::invocation_list).
pub(super) async fn list(
    reader: &SqlitePool,
    request: ListInvocations,
) -> Attempt<Page<InvocationRecord>> {
    let mut before = (i64::MAX, [0xff; 16]);
    if let Some(to) = request.to {
        before = (to.as_microsecond(), [0; 16]);
    }
    if let Some(at) = request.after()? {
        before = before.min((at.started_at_us, *at.request_id.as_bytes()));
    }
    if has_never_run(reader, &request).await? {
        return Ok(Page::of(Vec::new(), request.limit, InvocationCursor::after));
    }
    let from_us = request.from.map_or(i64::MIN, |from| from.as_microsecond());
    let statuses = &request.statuses;
    let only_failed = !statuses.is_empty() && !statuses.contains(&Status::Success);
    let query = sqlx::query_as(match (request.function, only_failed) {
        (None, false) => PAGE,
        (Some(_), false) => PAGE_OF_FUNCTION,
        (None, true) => PAGE_OF_FAILED,
        (Some(_), true) => PAGE_OF_FAILED_OF_FUNCTION,
    });
    let query = query
        .bind(request.namespace.as_str())
        .bind(before.0)
        .bind(before.1.to_vec())
        .bind(from_us)
        // One more than asked for tells whether there is another page.
        .bind(i64::from(request.limit) + 1)
        .bind(
            request
                .runtime
                .as_ref()
                .map(|name| name.as_str().to_owned()),
        )
        .bind(!statuses.is_empty());
    let mut words = [None; 6];
    for (word, status) in words.iter_mut().zip(distinct(statuses)) {
        *word = Some(status.as_str());
    }
    let query = words
        .into_iter()
        .fold(query, |query, word| query.bind(word));
    let function = request.function.map(|id| id.as_bytes().to_vec());
    let rows: Vec<InvocationRow> = query.bind(function).fetch_all(reader).await?;
    let records = rows.into_iter().map(InvocationRow::record);
    let items = records.collect::<sqlx::Result<_>>()?;
    Ok(Page::of(items, request.limit, InvocationCursor::after))
}

/// ?1 the namespace, ?2 the function or what stands for all, ?3 the runtime.
const EVER: &str = "SELECT 1 FROM rollup WHERE namespace = ?1 AND bucket_s = 0 AND start_us = 0 \
     AND function_id = ?2 AND runtime = ?3";

/// Whether there never was a record of the request's function in its runtime. Looking for one in
/// the index would be looking at all records.
async fn has_never_run(reader: &SqlitePool, request: &ListInvocations) -> Attempt<bool> {
    let Some(runtime) = &request.runtime else {
        return Ok(false);
    };
    let found: Option<i64> = sqlx::query_scalar(EVER)
        .bind(request.namespace.as_str())
        .bind(row::function_bytes(request.function))
        .bind(runtime.as_str())
        .fetch_optional(reader)
        .await?;
    Ok(found.is_none())
}

/// Each status once: there are no more of them than places in the statement.
fn distinct(statuses: &[Status]) -> impl Iterator<Item = Status> {
    let wanted = |status: &&Status| statuses.contains(*status);
    Status::ALL.iter().filter(wanted).copied()
}

/// ?1 namespace, ?2 id.
const GET: &str = "SELECT i.*, o.stdout, o.stderr, o.error_message FROM invocation i \
     LEFT JOIN invocation_output o ON o.request_id = i.request_id \
     WHERE i.request_id = ?2 AND i.namespace = ?1";

/// See [`Store::invocation_get`](lambda_core::Store::invocation_get).
pub(super) async fn get(
    reader: &SqlitePool,
    namespace: &Namespace,
    id: RequestId,
) -> Attempt<InvocationEntry> {
    let row: Option<EntryRow> = sqlx::query_as(GET)
        .bind(namespace.as_str())
        .bind(&id.as_bytes()[..])
        .fetch_optional(reader)
        .await?;
    let row = row.ok_or_else(|| refusal::no_invocation("invocation_get"))?;
    Ok(row.entry()?)
}

#[cfg(test)]
mod tests {
    use super::super::plans::assert_plan;
    use super::*;

    /// A page costs what it shows, however much there is: no scan, no sort of the table.
    #[tokio::test]
    async fn pages_come_from_an_index() {
        for (sql, index) in [
            (PAGE, "invocation_newest (namespace=? AND "),
            (
                PAGE_OF_FUNCTION,
                "invocation_newest_of_function (function_id=? AND ",
            ),
            (PAGE_OF_FAILED, "invocation_failed (namespace=? AND "),
            (
                PAGE_OF_FAILED_OF_FUNCTION,
                "invocation_failed_of_function (function_id=? AND ",
            ),
        ] {
            let plan = format!("SEARCH invocation USING COVERING INDEX {index}");
            // Only the page is sorted, by its whole rows.
            assert_plan(sql, &[&plan, "SEARCH i USING PRIMARY KEY", "SCAN page"], 1).await;
        }
        assert_plan(
            GET,
            &["SEARCH i USING PRIMARY KEY (request_id=?)", "SEARCH o"],
            0,
        )
        .await;
    }
}
