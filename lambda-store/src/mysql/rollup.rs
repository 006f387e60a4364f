//! Keeping figures over invocations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use lambda_core::model::InvocationRecord;
use lambda_core::store::rollup::{Rollup, RollupKey, Tally};
use sqlx::MySql;
use sqlx::MySqlConnection;
use sqlx::mysql::MySqlArguments;
use sqlx::query::Query;

use super::error::Attempt;
use super::session::bounded;
use super::statement::{InList, Insert, VALUE_BYTES};
use crate::row::{RollupRow, function_bytes};

pub(super) const COLUMNS: &str = "bucket_s, start_us, function_id, runtime, function_name, latest_us, \
    latest_id, success, function_error, timeout, out_of_memory, crashed, cancelled, cold, \
    prewarmed, warm, queue_us, boot_us, init_us, run_us, total_us, max_memory_mib, durations";

static READ: LazyLock<InList> = LazyLock::new(|| {
    InList::new(
        &format!(
            "SELECT {COLUMNS} FROM rollup FORCE INDEX (PRIMARY) WHERE namespace = ? \
             AND bucket_s = ? AND start_us = ? AND runtime = ? AND function_id IN"
        ),
        "FOR UPDATE",
    )
});

static WRITE: LazyLock<Insert> = LazyLock::new(|| {
    let own = COLUMNS
        .split(", ")
        .skip(4)
        .map(|column| format!("{column} = VALUES({column})"));
    Insert::new(
        &format!("INSERT INTO rollup (namespace, {COLUMNS})"),
        24,
        &format!(
            "ON DUPLICATE KEY UPDATE {}",
            own.collect::<Vec<_>>().join(", ")
        ),
    )
});

/// Changes nothing of a row that is there, and locks it.
static LOCK: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        &format!("INSERT INTO rollup (namespace, {COLUMNS})"),
        24,
        "ON DUPLICATE KEY UPDATE bucket_s = rollup.bucket_s",
    )
});

/// Locks the rows over all functions since the beginning, which are made where they are missing:
/// one for each namespace and runtime of `records`, in order. Whoever holds it is the only one
/// that changes any figures, or adds records, of that namespace and runtime.
pub(super) async fn lock<'a>(
    connection: &mut MySqlConnection,
    records: impl Iterator<Item = &'a InvocationRecord>,
) -> Attempt<()> {
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for record in records {
        if !seen.insert((&record.namespace, &record.runtime)) {
            continue;
        }
        rows.push(Rollup {
            key: RollupKey {
                namespace: record.namespace.clone(),
                bucket_s: 0,
                start_us: 0,
                function: None,
                runtime: record.runtime.clone(),
            },
            name: record.function_name.clone(),
            latest_us: i64::MIN,
            latest_id: record.request_id,
            tally: Tally::default(),
        });
    }
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    write(connection, &LOCK, &rows).await
}

/// Merges figures into those that are there. The caller holds [`lock`] of all of them.
pub(super) async fn merge(connection: &mut MySqlConnection, rollups: Vec<Rollup>) -> Attempt<()> {
    // In the order of their keys, as they came.
    let mut rollups: BTreeMap<RollupKey, Rollup> = rollups
        .into_iter()
        .map(|rollup| (rollup.key.clone(), rollup))
        .collect();
    for own in read(connection, rollups.keys()).await? {
        if let Some(rollup) = rollups.get_mut(&own.key) {
            let new = std::mem::replace(rollup, own);
            rollup.merge(&new);
        }
    }
    let rollups: Vec<_> = rollups.into_values().collect();
    write(connection, &WRITE, &rollups).await
}

/// The rows under some keys, locked.
async fn read(
    connection: &mut MySqlConnection,
    keys: impl Iterator<Item = &RollupKey>,
) -> Attempt<Vec<Rollup>> {
    let mut groups = BTreeMap::<_, Vec<Vec<u8>>>::new();
    for key in keys {
        groups
            .entry((&key.namespace, key.bucket_s, key.start_us, &key.runtime))
            .or_default()
            .push(function_bytes(key.function));
    }
    let mut found = Vec::new();
    for ((namespace, bucket_s, start_us, runtime), functions) in groups {
        for (sql, functions) in READ.cut(&functions) {
            let query = sqlx::query_as(sql)
                .bind(namespace.as_str())
                .bind(bucket_s)
                .bind(start_us)
                .bind(runtime.as_str());
            let query = functions.fold(query, |query, id| query.bind(&id[..]));
            let rows: Vec<RollupRow> = bounded(query.fetch_all(&mut *connection)).await?;
            for row in rows {
                found.push(row.rollup(namespace)?);
            }
        }
    }
    Ok(found)
}

async fn write(
    connection: &mut MySqlConnection,
    insert: &Insert,
    rollups: &[Rollup],
) -> Attempt<()> {
    let rows: Vec<_> = rollups
        .iter()
        .map(|rollup| (rollup.key.namespace.as_str(), RollupRow::of(rollup)))
        .collect();
    for (sql, rows) in insert.cut(&rows, row_bytes) {
        let query = rows.iter().fold(sqlx::query(sql), bind);
        bounded(query.execute(&mut *connection)).await?;
    }
    Ok(())
}

/// The length of a row in a statement, or a little more.
fn row_bytes((namespace, row): &(&str, RollupRow)) -> usize {
    let texts = namespace.len() + row.runtime.len() + row.function_name.len();
    // Two ids, 18 numbers and the histogram.
    24 * VALUE_BYTES + 2 * 16 + 18 * 8 + texts + row.tally.durations.len()
}

type Bound<'q> = Query<'q, MySql, MySqlArguments>;

fn bind<'q>(query: Bound<'q>, (namespace, row): &(&str, RollupRow)) -> Bound<'q> {
    let tally = &row.tally;
    let query = query
        .bind(*namespace)
        .bind(row.bucket_s)
        .bind(row.start_us)
        .bind(&row.function_id[..])
        .bind(&*row.runtime)
        .bind(&*row.function_name)
        .bind(row.latest_us)
        .bind(&row.latest_id[..]);
    let counts = [
        tally.success,
        tally.function_error,
        tally.timeout,
        tally.out_of_memory,
        tally.crashed,
        tally.cancelled,
        tally.cold,
        tally.prewarmed,
        tally.warm,
    ];
    let sums = [
        tally.queue_us,
        tally.boot_us,
        tally.init_us,
        tally.run_us,
        tally.total_us,
    ];
    let query = counts
        .into_iter()
        .fold(query, |query, count| query.bind(count));
    let query = sums.into_iter().fold(query, |query, sum| query.bind(sum));
    query.bind(tally.max_memory_mib).bind(&tally.durations[..])
}
