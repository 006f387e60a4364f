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
use crate::row::{bounded as bounded_number, figures, function_bytes};

static READ: LazyLock<InList> = LazyLock::new(|| {
    InList::new(
        "SELECT figures FROM rollup FORCE INDEX (PRIMARY) WHERE namespace = ? \
         AND bucket_s = ? AND start_us = ? AND runtime = ? AND function_id IN",
        "FOR UPDATE",
    )
});

const INSERT: &str =
    "INSERT INTO rollup (namespace, bucket_s, start_us, function_id, runtime, calls, figures)";

static WRITE: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        INSERT,
        7,
        "ON DUPLICATE KEY UPDATE calls = VALUES(calls), figures = VALUES(figures)",
    )
});

/// Changes nothing of a row that is there, and locks it.
static LOCK: LazyLock<Insert> =
    LazyLock::new(|| Insert::new(INSERT, 7, "ON DUPLICATE KEY UPDATE calls = rollup.calls"));

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

/// Merges figures, which are in the order of their keys, into those that are there. The caller
/// holds [`lock`] of all of them.
pub(super) async fn merge(
    connection: &mut MySqlConnection,
    mut rollups: Vec<Rollup>,
) -> Attempt<()> {
    for own in read(connection, &rollups).await? {
        let at = rollups.binary_search_by(|rollup| rollup.key.cmp(&own.key));
        if let Ok(at) = at {
            rollups[at].merge(&own);
        }
    }
    write(connection, &WRITE, &rollups).await
}

/// The rows under the same keys, locked.
async fn read(connection: &mut MySqlConnection, rollups: &[Rollup]) -> Attempt<Vec<Rollup>> {
    let mut groups = BTreeMap::<_, Vec<Vec<u8>>>::new();
    for Rollup { key, .. } in rollups {
        groups
            .entry((&key.namespace, key.bucket_s, key.start_us, &key.runtime))
            .or_default()
            .push(function_bytes(key.function));
    }
    let mut found = Vec::with_capacity(rollups.len());
    for ((namespace, bucket_s, start_us, runtime), functions) in groups {
        for (sql, functions) in READ.cut(&functions) {
            let query = sqlx::query_scalar(sql)
                .bind(namespace.as_str())
                .bind(bucket_s)
                .bind(start_us)
                .bind(runtime.as_str());
            let query = functions.fold(query, |query, id| query.bind(&id[..]));
            let rows: Vec<Vec<u8>> = bounded(query.fetch_all(&mut *connection)).await?;
            for row in rows {
                for rollup in figures::decode_all(namespace, &row) {
                    found.push(rollup?);
                }
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
        .map(|rollup| (rollup, figures::encode(rollup)))
        .collect();
    for (sql, rows) in insert.cut(&rows, row_bytes) {
        let query = rows.iter().fold(sqlx::query(sql), bind);
        bounded(query.execute(&mut *connection)).await?;
    }
    Ok(())
}

/// The length of a row in a statement, or a little more.
fn row_bytes((rollup, figures): &(&Rollup, Vec<u8>)) -> usize {
    let texts = rollup.key.namespace.as_str().len() + rollup.key.runtime.as_str().len();
    // An id, three numbers and the figures.
    7 * VALUE_BYTES + 16 + 3 * 8 + texts + figures.len()
}

type Bound<'q> = Query<'q, MySql, MySqlArguments>;

fn bind<'q>(query: Bound<'q>, (rollup, figures): &(&Rollup, Vec<u8>)) -> Bound<'q> {
    let key = &rollup.key;
    query
        .bind(key.namespace.as_str())
        .bind(key.bucket_s)
        .bind(key.start_us)
        .bind(function_bytes(key.function))
        .bind(key.runtime.as_str())
        .bind(bounded_number(rollup.tally.calls()))
        .bind(&figures[..])
}
