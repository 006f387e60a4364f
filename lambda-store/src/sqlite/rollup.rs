//! Keeping figures up to date.

use std::collections::HashMap;
use std::sync::LazyLock;

use lambda_core::store::rollup::{Rollup, RollupKey};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{FromRow as _, Row as _, Sqlite, SqliteConnection};

use super::error::Attempt;
use super::query::Sizes;
use crate::row::{self, RollupRow};

/// The columns of a [`RollupRow`].
macro_rules! columns {
    () => {
        "bucket_s, start_us, function_id, runtime, function_name, latest_us, latest_id, success, \
         function_error, timeout, out_of_memory, crashed, cancelled, cold, prewarmed, warm, \
         queue_us, boot_us, init_us, run_us, total_us, max_memory_mib, durations"
    };
}
pub(super) use columns;

/// Rows by their whole keys.
static FIND: LazyLock<Sizes> = LazyLock::new(|| {
    Sizes::new(
        [64, 8, 1],
        "WITH wanted (n, b, s, f, r) AS (VALUES",
        "(?, ?, ?, ?, ?)",
        concat!(
            ") SELECT namespace, ",
            columns!(),
            " FROM wanted CROSS JOIN rollup ON namespace = n AND bucket_s = b AND start_us = s \
             AND function_id = f AND runtime = r"
        ),
    )
});

static UPSERT: LazyLock<Sizes> = LazyLock::new(|| {
    Sizes::new(
        [32, 4, 1],
        concat!("INSERT INTO rollup (namespace, ", columns!(), ") VALUES"),
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        // Not REPLACE, which would write the indexes anew, too.
        "ON CONFLICT (namespace, bucket_s, start_us, function_id, runtime) DO UPDATE SET \
         function_name = excluded.function_name, latest_us = excluded.latest_us, \
         latest_id = excluded.latest_id, success = excluded.success, \
         function_error = excluded.function_error, timeout = excluded.timeout, \
         out_of_memory = excluded.out_of_memory, crashed = excluded.crashed, \
         cancelled = excluded.cancelled, cold = excluded.cold, prewarmed = excluded.prewarmed, \
         warm = excluded.warm, queue_us = excluded.queue_us, boot_us = excluded.boot_us, \
         init_us = excluded.init_us, run_us = excluded.run_us, total_us = excluded.total_us, \
         max_memory_mib = excluded.max_memory_mib, durations = excluded.durations",
    )
});

/// Counts in the figures of new records, which are in the order of their keys.
pub(super) async fn merge(
    connection: &mut SqliteConnection,
    mut rollups: Vec<Rollup>,
) -> Attempt<()> {
    let mut kept = HashMap::<RollupKey, Rollup>::with_capacity(rollups.len());
    for (statement, wanted) in FIND.cut(&rollups) {
        let query = wanted.iter().fold(statement.query(), bind_key);
        for row in query.fetch_all(&mut *connection).await? {
            let namespace: &str = row.try_get(0)?;
            let namespace = namespace.parse().map_err(row::decode_error)?;
            let rollup = RollupRow::from_row(&row)?.rollup(&namespace)?;
            kept.insert(rollup.key.clone(), rollup);
        }
    }
    for rollup in &mut rollups {
        if let Some(mut sum) = kept.remove(&rollup.key) {
            sum.merge(rollup);
            *rollup = sum;
        }
    }
    for (statement, rollups) in UPSERT.cut(&rollups) {
        let query = rollups.iter().fold(statement.query(), bind);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

fn bind_key(
    query: Query<'static, Sqlite, SqliteArguments>,
    rollup: &Rollup,
) -> Query<'static, Sqlite, SqliteArguments> {
    let key = &rollup.key;
    query
        .bind(key.namespace.as_str().to_owned())
        .bind(i64::from(key.bucket_s))
        .bind(key.start_us)
        .bind(row::function_bytes(key.function))
        .bind(key.runtime.as_str().to_owned())
}

fn bind(
    query: Query<'static, Sqlite, SqliteArguments>,
    rollup: &Rollup,
) -> Query<'static, Sqlite, SqliteArguments> {
    let row = RollupRow::of(rollup);
    query
        .bind(rollup.key.namespace.as_str().to_owned())
        .bind(row.bucket_s)
        .bind(row.start_us)
        .bind(row.function_id)
        .bind(row.runtime)
        .bind(row.function_name)
        .bind(row.latest_us)
        .bind(row.latest_id)
        .bind(row.tally.success)
        .bind(row.tally.function_error)
        .bind(row.tally.timeout)
        .bind(row.tally.out_of_memory)
        .bind(row.tally.crashed)
        .bind(row.tally.cancelled)
        .bind(row.tally.cold)
        .bind(row.tally.prewarmed)
        .bind(row.tally.warm)
        .bind(row.tally.queue_us)
        .bind(row.tally.boot_us)
        .bind(row.tally.init_us)
        .bind(row.tally.run_us)
        .bind(row.tally.total_us)
        .bind(row.tally.max_memory_mib)
        .bind(row.tally.durations)
}

#[cfg(test)]
mod tests {
    use super::super::plans::assert_plan;
    use super::*;

    #[tokio::test]
    async fn rows_are_found_by_their_keys() {
        let key = "SEARCH rollup USING PRIMARY KEY (namespace=? AND bucket_s=? AND start_us=? \
                   AND function_id=? AND runtime=?)";
        assert_plan(
            FIND.sql(),
            &[key, "SCAN wanted", "SCAN 64 CONSTANT ROWS"],
            0,
        )
        .await;
    }
}
