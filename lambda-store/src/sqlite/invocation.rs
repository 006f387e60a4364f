//! Records of invocations.

use std::sync::{Arc, LazyLock};

use lambda_core::model::{FunctionId, InvocationRecord, Page, RequestId, StartKind, Status};
use lambda_core::store::{InvocationCursor, ListInvocations};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqlitePool};

use super::error::Attempt;
use super::{begin_write, value};

/// An insert of several rows at once: a statement of many rows costs less than many of
/// one, and a few fixed sizes stay prepared.
struct Insert {
    rows: usize,
    sql: Arc<str>,
}

static INSERTS: LazyLock<[Insert; 3]> = LazyLock::new(|| [64, 8, 1].map(Insert::new));

impl Insert {
    fn new(rows: usize) -> Self {
        const ROW: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let sql = format!(
            "INSERT INTO invocation (request_id, namespace, function_id, function_name, version, \
             runtime, start, status, error_type, started_at_us, queue_us, boot_us, init_us, \
             run_us, total_us, max_memory_mib) VALUES {} ON CONFLICT (request_id) DO NOTHING",
            vec![ROW; rows].join(", ")
        );
        Self {
            rows,
            sql: sql.into(),
        }
    }
}

/// See [`Store::invocation_append`](lambda_core::Store::invocation_append).
pub(super) async fn append(writer: &SqlitePool, records: &[InvocationRecord]) -> Attempt<()> {
    if records.is_empty() {
        return Ok(());
    }
    let mut transaction = begin_write(writer).await?;
    let mut rest = records;
    for insert in INSERTS.iter() {
        while let Some((rows, behind)) = rest.split_at_checked(insert.rows) {
            // Made of constants only.
            let query = sqlx::query(AssertSqlSafe(Arc::clone(&insert.sql)));
            rows.iter()
                .fold(query, bind)
                .execute(&mut *transaction)
                .await?;
            rest = behind;
        }
    }
    transaction.commit().await?;
    Ok(())
}

fn bind<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    record: &InvocationRecord,
) -> Query<'q, Sqlite, SqliteArguments> {
    query
        .bind(record.request_id.as_bytes().to_vec())
        .bind(record.namespace.as_str().to_owned())
        .bind(record.function_id.as_bytes().to_vec())
        .bind(record.function_name.as_str().to_owned())
        .bind(record.version)
        .bind(record.runtime.as_str().to_owned())
        .bind(record.start.as_str())
        .bind(record.status.as_str())
        .bind(record.error_type.clone())
        .bind(record.started_at.as_microsecond())
        .bind(value::bounded(record.queue_us))
        .bind(value::bounded(record.boot_us))
        .bind(value::bounded(record.init_us))
        .bind(value::bounded(record.run_us))
        .bind(value::bounded(record.total_us))
        .bind(record.max_memory_mib)
}

/// ?1 namespace, ?2 and ?3 the record before which to start, ?4 how many.
const PAGE: &str = "SELECT * FROM invocation \
     WHERE namespace = ?1 AND (started_at_us, request_id) < (?2, ?3) \
     ORDER BY started_at_us DESC, request_id DESC LIMIT ?4";

/// And ?5 the function. The + keeps the planner on the function's index.
const PAGE_OF_FUNCTION: &str = "SELECT * FROM invocation \
     WHERE +namespace = ?1 AND (started_at_us, request_id) < (?2, ?3) AND function_id = ?5 \
     ORDER BY started_at_us DESC, request_id DESC LIMIT ?4";

/// See [`Store::invocation_list`](lambda_core::Store::invocation_list).
pub(super) async fn list(
    reader: &SqlitePool,
    request: ListInvocations,
) -> Attempt<Page<InvocationRecord>> {
    let (before_us, before_id) = match request.after()? {
        Some(at) => (at.started_at_us, *at.request_id.as_bytes()),
        None => (i64::MAX, [0xff; 16]),
    };
    let query = sqlx::query(match request.function {
        None => PAGE,
        Some(_) => PAGE_OF_FUNCTION,
    });
    let query = query
        .bind(request.namespace.as_str())
        .bind(before_us)
        .bind(&before_id[..])
        // One more than asked for tells whether there is another page.
        .bind(i64::from(request.limit) + 1);
    let query = match request.function {
        None => query,
        Some(id) => query.bind(id.as_bytes().to_vec()),
    };
    let rows = query.fetch_all(reader).await?;
    let items = rows.iter().map(record).collect::<sqlx::Result<_>>()?;
    Ok(Page::of(items, request.limit, InvocationCursor::after))
}

fn record(row: &SqliteRow) -> sqlx::Result<InvocationRecord> {
    let mut record = InvocationRecord::started(
        RequestId::from_bytes(value::bytes(row, "request_id")?),
        value::parsed(row, "namespace", str::parse)?,
        (
            FunctionId::from_bytes(value::bytes(row, "function_id")?),
            value::parsed(row, "function_name", str::parse)?,
            value::unsigned(row, "version")?,
        ),
        value::parsed(row, "runtime", str::parse)?,
        value::timestamp(row, "started_at_us")?,
    );
    record.start = value::word(row, "start", StartKind::from_word)?;
    record.status = value::word(row, "status", Status::from_word)?;
    record.error_type = row.try_get("error_type")?;
    record.queue_us = value::unsigned(row, "queue_us")?;
    record.boot_us = value::unsigned(row, "boot_us")?;
    record.init_us = value::unsigned(row, "init_us")?;
    record.run_us = value::unsigned(row, "run_us")?;
    record.total_us = value::unsigned(row, "total_us")?;
    record.max_memory_mib = row.try_get("max_memory_mib")?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::super::function_row;
    use super::*;

    /// A page costs what it shows, however much there is: no scan, no sort of the table.
    #[tokio::test]
    async fn pages_come_from_an_index() {
        let store = crate::SqliteStore::open_in_memory().await.unwrap();
        for (sql, index) in [
            (PAGE, "INDEX invocation_newest ("),
            (PAGE_OF_FUNCTION, "INDEX invocation_newest_of_function ("),
            (function_row::PAGE, "INDEX function_newest ("),
            (function_row::CURRENT_BY_ID, "SEARCH f USING PRIMARY KEY"),
            (function_row::VERSION_BY_NAME, "SEARCH f USING INDEX"),
        ] {
            let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
                .fetch_all(&store.reader)
                .await
                .unwrap();
            let steps: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            let plan = steps.join("; ");
            assert!(plan.contains(index), "{sql}: {plan}");
            assert!(!plan.contains("SCAN invocation"), "{sql}: {plan}");
            assert!(!plan.contains("SCAN function"), "{sql}: {plan}");
            let sorts = plan.contains("USE TEMP B-TREE FOR ORDER BY");
            assert!(!sorts || !sql.contains("FROM invocation"), "{sql}: {plan}");
        }
    }
}
