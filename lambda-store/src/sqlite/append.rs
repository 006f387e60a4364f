//! Adding records of invocations, and the figures made of them.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use lambda_core::model::{InvocationEntry, RequestId};
use lambda_core::store::AppendInvocations;
use lambda_core::store::rollup::Rollup;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row as _, Sqlite, SqliteConnection, SqlitePool};

use super::error::Attempt;
use super::query::Sizes;
use super::{begin_write, rollup};
use crate::row;

static INSERT: LazyLock<Sizes> = LazyLock::new(|| {
    Sizes::new(
        [64, 8, 1],
        "INSERT INTO invocation (request_id, namespace, function_id, function_name, version, \
         runtime, start, status, error_type, started_at_us, queue_us, boot_us, init_us, \
         run_us, total_us, max_memory_mib) VALUES",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "ON CONFLICT (request_id) DO NOTHING",
    )
});

static INSERT_OUTPUT: LazyLock<Sizes> = LazyLock::new(|| {
    Sizes::new(
        [64, 8, 1],
        "INSERT INTO invocation_output \
         (request_id, namespace, started_at_us, stdout, stderr, error_message) VALUES",
        "(?, ?, ?, ?, ?, ?)",
        // An output that outlived its record is replaced by that of the new one.
        "ON CONFLICT (request_id) DO UPDATE SET namespace = excluded.namespace, \
         started_at_us = excluded.started_at_us, stdout = excluded.stdout, \
         stderr = excluded.stderr, error_message = excluded.error_message",
    )
});

static KNOWN: LazyLock<Sizes> = LazyLock::new(|| {
    Sizes::new(
        [64, 8, 1],
        "SELECT request_id FROM invocation WHERE request_id IN (",
        "?",
        ")",
    )
});

/// See [`Store::invocation_append`](lambda_core::Store::invocation_append).
pub(super) async fn append(writer: &SqlitePool, mut request: AppendInvocations) -> Attempt<()> {
    let given = std::mem::take(&mut request.entries);
    let mut seen = HashSet::with_capacity(given.len());
    let mut entries: Vec<_> = given
        .into_iter()
        .filter(|entry| seen.insert(entry.record.request_id))
        .map(|entry| InvocationEntry::new(row::normalised(entry.record), entry.output))
        .collect();
    if entries.is_empty() {
        return Ok(());
    }
    // Mostly all are new, and looking for them first would cost as much as a third of the rest.
    if try_append(writer, &entries, &request).await? {
        return Ok(());
    }
    let mut transaction = begin_write(writer).await?;
    let known = known(&mut transaction, &entries).await?;
    entries.retain(|entry| !known.contains(&entry.record.request_id));
    insert(&mut transaction, &entries).await?;
    count(&mut transaction, &entries, &request).await?;
    transaction.commit().await?;
    Ok(())
}

/// Adds all entries; changes nothing where there is a record of one of them already.
async fn try_append(
    writer: &SqlitePool,
    entries: &[InvocationEntry],
    request: &AppendInvocations,
) -> Attempt<bool> {
    let mut transaction = begin_write(writer).await?;
    if insert(&mut transaction, entries).await? < entries.len() as u64 {
        transaction.rollback().await?;
        return Ok(false);
    }
    count(&mut transaction, entries, request).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn known(
    connection: &mut SqliteConnection,
    entries: &[InvocationEntry],
) -> Attempt<HashSet<RequestId>> {
    let mut known = HashSet::new();
    for (statement, entries) in KNOWN.cut(entries) {
        let query = entries.iter().fold(statement.query(), |query, entry| {
            query.bind(entry.record.request_id.as_bytes().to_vec())
        });
        for row in query.fetch_all(&mut *connection).await? {
            known.insert(RequestId::from_bytes(row::id(row.try_get(0)?)?));
        }
    }
    Ok(known)
}

/// Adds records and what is beside them. Returns how many records were added.
async fn insert(connection: &mut SqliteConnection, entries: &[InvocationEntry]) -> Attempt<u64> {
    let mut inserted = 0;
    let mut words = Words::default();
    for (statement, entries) in INSERT.cut(entries) {
        let query = entries.iter().fold(statement.query(), |query, entry| {
            bind_record(query, entry, &mut words)
        });
        let expected = entries.len() as u64;
        let done = query.execute(&mut *connection).await?.rows_affected();
        inserted += done;
        if done < expected {
            // The caller begins again.
            return Ok(inserted);
        }
    }
    let outputs: Vec<_> = entries
        .iter()
        .filter(|entry| !entry.output.is_empty())
        .collect();
    for (statement, entries) in INSERT_OUTPUT.cut(&outputs) {
        let query = entries
            .iter()
            .fold(statement.query(), |query, entry| bind_output(query, entry));
        query.execute(&mut *connection).await?;
    }
    Ok(inserted)
}

async fn count(
    connection: &mut SqliteConnection,
    new: &[InvocationEntry],
    request: &AppendInvocations,
) -> Attempt<()> {
    let rollups = Rollup::of(new.iter().map(|entry| &entry.record), request);
    rollup::merge(connection, rollups).await
}

/// Words of enums as the driver binds them without a copy for each record.
#[derive(Default)]
struct Words(Vec<(&'static str, Arc<str>)>);

impl Words {
    fn of(&mut self, word: &'static str) -> Arc<str> {
        // Some few, and mostly the same two.
        if let Some((_, shared)) = self.0.iter().find(|(own, _)| *own == word) {
            return Arc::clone(shared);
        }
        let shared = Arc::from(word);
        self.0.push((word, Arc::clone(&shared)));
        shared
    }
}

fn bind_record(
    query: Query<'static, Sqlite, SqliteArguments>,
    entry: &InvocationEntry,
    words: &mut Words,
) -> Query<'static, Sqlite, SqliteArguments> {
    let record = &entry.record;
    query
        .bind(record.request_id.as_bytes().to_vec())
        .bind(Arc::<str>::from(record.namespace.clone()))
        .bind(record.function_id.as_bytes().to_vec())
        .bind(Arc::<str>::from(record.function_name.clone()))
        .bind(i64::from(record.version))
        .bind(Arc::<str>::from(record.runtime.clone()))
        .bind(words.of(record.start.as_str()))
        .bind(words.of(record.status.as_str()))
        .bind(record.error_type.clone())
        .bind(record.started_at.as_microsecond())
        .bind(row::bounded(record.queue_us))
        .bind(row::bounded(record.boot_us))
        .bind(row::bounded(record.init_us))
        .bind(row::bounded(record.run_us))
        .bind(row::bounded(record.total_us))
        .bind(record.max_memory_mib.map(i64::from))
}

fn bind_output(
    query: Query<'static, Sqlite, SqliteArguments>,
    entry: &InvocationEntry,
) -> Query<'static, Sqlite, SqliteArguments> {
    query
        .bind(entry.record.request_id.as_bytes().to_vec())
        .bind(entry.record.namespace.as_str().to_owned())
        .bind(entry.record.started_at.as_microsecond())
        .bind(entry.output.stdout.clone())
        .bind(entry.output.stderr.clone())
        .bind(entry.output.error_message.clone())
}
