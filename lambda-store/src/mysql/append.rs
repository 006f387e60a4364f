//! Keeping records of invocations.
//!
//! A batch is one transaction. It begins with the rows that count all invocations of its
//! namespaces and runtimes since the beginning (see [`rollup::lock`]): batches that share a
//! namespace and a runtime take turns there, whichever processes they come from, and all that
//! follows meets nobody. So there are neither deadlocks nor figures that are written over.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use lambda_core::model::{InvocationEntry, RequestId};
use lambda_core::store::AppendInvocations;
use lambda_core::store::rollup::Rollup;
use sqlx::mysql::MySqlArguments;
use sqlx::query::Query;
use sqlx::{MySql, MySqlConnection, MySqlPool};

use super::error::{Attempt, is_taken};
use super::rollup;
use super::session::{Session, bounded};
use super::statement::{InList, Insert, VALUE_BYTES};
use crate::row::{bounded as bounded_number, id, normalised};

static INSERT: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "INSERT INTO invocation (request_id, namespace, function_id, function_name, version, \
         runtime, start, status, error_type, started_at_us, queue_us, boot_us, init_us, run_us, \
         total_us, max_memory_mib)",
        16,
        "",
    )
});

static INSERT_OUTPUT: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "INSERT INTO invocation_output (request_id, namespace, started_at_us, stdout, stderr, \
         error_message)",
        6,
        "",
    )
});

static KNOWN: LazyLock<InList> =
    LazyLock::new(|| InList::new("SELECT request_id FROM invocation WHERE request_id IN", ""));

/// What to keep, as it will be read again: each record once, by id.
pub(super) struct Batch {
    entries: Vec<InvocationEntry>,
    /// Without its entries.
    request: AppendInvocations,
}

impl Batch {
    pub(super) fn of(mut request: AppendInvocations) -> Self {
        let mut entries = BTreeMap::<RequestId, InvocationEntry>::new();
        for mut entry in std::mem::take(&mut request.entries) {
            entry.record = normalised(entry.record);
            // Of two the first is kept.
            entries.entry(entry.record.request_id).or_insert(entry);
        }
        Self {
            // In the order of their ids, which is the order of the table.
            entries: entries.into_values().collect(),
            request,
        }
    }
}

/// See [`Store::invocation_append`](lambda_core::Store::invocation_append).
pub(super) async fn append(pool: &MySqlPool, batch: &Batch) -> Attempt<()> {
    if batch.entries.is_empty() {
        return Ok(());
    }
    let mut session = Session::begin(pool).await?;
    let outcome = append_in(&mut session, batch).await;
    session.finish(outcome).await
}

async fn append_in(connection: &mut MySqlConnection, batch: &Batch) -> Attempt<()> {
    rollup::lock(connection, batch.entries.iter().map(|entry| &entry.record)).await?;
    let all: Vec<_> = batch.entries.iter().collect();
    let mut new = Vec::with_capacity(all.len());
    for (sql, rows) in INSERT.cut(&all, |entry| record_bytes(entry)) {
        let query = rows.iter().copied().fold(sqlx::query(sql), bind_record);
        match bounded(query.execute(&mut *connection)).await {
            Ok(_) => new.extend_from_slice(rows),
            // The database has undone this statement, and only this one.
            Err(error) if is_taken(&error) => {
                new.extend(insert_unknown(connection, rows).await?);
            }
            Err(error) => return Err(error.into()),
        }
    }

    let outputs = new.iter().filter(|entry| !entry.output.is_empty());
    let outputs: Vec<_> = outputs.copied().collect();
    for (sql, rows) in INSERT_OUTPUT.cut(&outputs, |entry| output_bytes(entry)) {
        let query = rows.iter().copied().fold(sqlx::query(sql), bind_output);
        bounded(query.execute(&mut *connection)).await?;
    }

    let rollups = Rollup::of(new.iter().map(|entry| &entry.record), &batch.request);
    rollup::merge(connection, rollups).await
}

/// Inserts those of `rows` that are not there, one by one statement: somebody has sent some of
/// them before. Nobody else is inserting them, unless under another namespace or runtime.
async fn insert_unknown<'a>(
    connection: &mut MySqlConnection,
    rows: &[&'a InvocationEntry],
) -> Attempt<Vec<&'a InvocationEntry>> {
    let ids: Vec<_> = rows.iter().map(|entry| entry.record.request_id).collect();
    let mut known = HashSet::<[u8; 16]>::new();
    for (sql, ids) in KNOWN.cut(&ids) {
        let query = ids.fold(sqlx::query_scalar(sql), |query, id| {
            query.bind(&id.as_bytes()[..])
        });
        let found: Vec<Vec<u8>> = bounded(query.fetch_all(&mut *connection)).await?;
        for bytes in found {
            known.insert(id(&bytes)?);
        }
    }
    let unknown: Vec<_> = rows
        .iter()
        .filter(|entry| !known.contains(entry.record.request_id.as_bytes()))
        .copied()
        .collect();
    for (sql, rows) in INSERT.cut(&unknown, |entry| record_bytes(entry)) {
        let query = rows.iter().copied().fold(sqlx::query(sql), bind_record);
        bounded(query.execute(&mut *connection)).await?;
    }
    Ok(unknown)
}

/// The length of a record's row in a statement, or a little more.
fn record_bytes(entry: &InvocationEntry) -> usize {
    let record = &entry.record;
    let texts = record.namespace.as_str().len()
        + record.function_name.as_str().len()
        + record.runtime.as_str().len()
        + record.error_type.as_ref().map_or(0, String::len);
    // Two ids, two words and nine numbers.
    16 * VALUE_BYTES + 2 * 16 + 2 * 16 + 9 * 8 + texts
}

fn output_bytes(entry: &InvocationEntry) -> usize {
    let output = &entry.output;
    let texts = output.stdout.len()
        + output.stderr.len()
        + output.error_message.as_ref().map_or(0, String::len);
    6 * VALUE_BYTES + 16 + 64 + 8 + texts
}

type Bound<'q> = Query<'q, MySql, MySqlArguments>;

fn bind_record<'q>(query: Bound<'q>, entry: &InvocationEntry) -> Bound<'q> {
    let record = &entry.record;
    query
        .bind(&record.request_id.as_bytes()[..])
        .bind(record.namespace.as_str())
        .bind(&record.function_id.as_bytes()[..])
        .bind(record.function_name.as_str())
        .bind(record.version)
        .bind(record.runtime.as_str())
        .bind(record.start.as_str())
        .bind(record.status.as_str())
        .bind(record.error_type.as_deref())
        .bind(record.started_at.as_microsecond())
        .bind(bounded_number(record.queue_us))
        .bind(bounded_number(record.boot_us))
        .bind(bounded_number(record.init_us))
        .bind(bounded_number(record.run_us))
        .bind(bounded_number(record.total_us))
        .bind(record.max_memory_mib)
}

fn bind_output<'q>(query: Bound<'q>, entry: &InvocationEntry) -> Bound<'q> {
    query
        .bind(&entry.record.request_id.as_bytes()[..])
        .bind(entry.record.namespace.as_str())
        .bind(entry.record.started_at.as_microsecond())
        .bind(&*entry.output.stdout)
        .bind(&*entry.output.stderr)
        .bind(entry.output.error_message.as_deref())
}
