//! Keeping figures up to date.

use std::collections::HashMap;
use std::sync::LazyLock;

use lambda_core::store::rollup::{Rollup, RollupKey};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row as _, Sqlite, SqliteConnection};

use super::error::Attempt;
use super::query::Sizes;
use crate::row::{self, figures};

/// Rows by their whole keys, strung together; see [`figures`].
static FIND: LazyLock<Sizes> = LazyLock::new(|| {
    Sizes::new(
        [128, 16, 1],
        "WITH wanted (n, b, s, f, r) AS (VALUES",
        "(?, ?, ?, ?, ?)",
        ") SELECT CAST(GROUP_CONCAT(figures, '') AS BLOB) FROM wanted \
         CROSS JOIN rollup ON namespace = n AND bucket_s = b AND start_us = s \
         AND function_id = f AND runtime = r",
    )
});

static UPSERT: LazyLock<Sizes> = LazyLock::new(|| {
    Sizes::new(
        [128, 16, 1],
        "INSERT INTO rollup \
         (namespace, bucket_s, start_us, function_id, runtime, calls, figures) VALUES",
        "(?, ?, ?, ?, ?, ?, ?)",
        // Not REPLACE, which would write the index anew, too.
        "ON CONFLICT (namespace, bucket_s, start_us, function_id, runtime) DO UPDATE SET \
         calls = excluded.calls, figures = excluded.figures",
    )
});

/// Counts in the figures of new records, which are in the order of their keys.
pub(super) async fn merge(
    connection: &mut SqliteConnection,
    mut rollups: Vec<Rollup>,
) -> Attempt<()> {
    // The bytes do not name the namespace.
    for of_one in rollups.chunk_by_mut(|a, b| a.key.namespace == b.key.namespace) {
        let mut kept = HashMap::<RollupKey, Rollup>::with_capacity(of_one.len());
        for (statement, wanted) in FIND.cut(of_one) {
            let query = wanted.iter().fold(statement.query(), bind_key);
            let row = query.fetch_one(&mut *connection).await?;
            let bytes: Option<&[u8]> = row.try_get(0)?;
            let namespace = &wanted[0].key.namespace;
            for rollup in figures::decode_all(namespace, bytes.unwrap_or_default()) {
                let rollup = rollup?;
                kept.insert(rollup.key.clone(), rollup);
            }
        }
        for rollup in of_one {
            if let Some(sum) = kept.get(&rollup.key) {
                rollup.merge(sum);
            }
        }
    }
    for (statement, rollups) in UPSERT.cut(&rollups) {
        let query = rollups.iter().fold(statement.query(), |query, rollup| {
            bind_key(query, rollup)
                .bind(row::bounded(rollup.tally.calls()))
                .bind(figures::encode(rollup))
        });
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

#[cfg(test)]
mod tests {
    use super::super::plans::assert_plan;
    use super::*;

    #[tokio::test]
    async fn rows_are_found_by_their_keys() {
        let key = "SEARCH rollup USING INDEX sqlite_autoindex_rollup_1 (namespace=? AND bucket_s=? AND start_us=? \
                   AND function_id=? AND runtime=?)";
        let scans = ["SCAN wanted", "SCAN 128 CONSTANT ROWS"];
        assert_plan(FIND.sql(), &[key, scans[0], scans[1]], 0).await;
    }
}
