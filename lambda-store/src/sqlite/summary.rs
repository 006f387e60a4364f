//! Figures over all records, worked out by the database.

use std::cmp::Reverse;

use lambda_core::model::{FunctionId, FunctionSummary, InvocationSummary, Namespace, Summary};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use super::error::Attempt;
use super::value;

/// One row of figures for each value of `$key`; `$more` are columns about it.
///
/// Percentiles are by nearest rank: of `n` sorted durations the one at `ceil(n * p / 100)`.
/// The database sorts, in a file if it has to, and gives out those rows only.
macro_rules! summary_query {
    ($key:literal, $more:literal) => {
        concat!(
            "WITH counted AS (SELECT ",
            $key,
            " AS key, COUNT(*) AS calls, \
             SUM(status <> 'success') AS errors, SUM(status = 'timeout') AS timeouts, \
             SUM(start = 'cold') AS cold, SUM(start = 'prewarmed') AS prewarmed, \
             SUM(start = 'warm') AS warm, AVG(total_us) AS avg_us \
             FROM invocation WHERE namespace = ?1 GROUP BY key), \
             ranked AS (SELECT ",
            $key,
            " AS key, total_us, \
             ROW_NUMBER() OVER (PARTITION BY ",
            $key,
            " ORDER BY total_us) AS rank \
             FROM invocation WHERE namespace = ?1) \
             SELECT c.*, ",
            $more,
            " \
             MAX(CASE WHEN rank = (calls * 50 + 99) / 100 THEN total_us END) AS p50_us, \
             MAX(CASE WHEN rank = (calls * 90 + 99) / 100 THEN total_us END) AS p90_us, \
             MAX(CASE WHEN rank = (calls * 99 + 99) / 100 THEN total_us END) AS p99_us \
             FROM counted c JOIN ranked r ON r.key = c.key \
             WHERE rank IN ((calls * 50 + 99) / 100, (calls * 90 + 99) / 100, \
             (calls * 99 + 99) / 100) \
             GROUP BY c.key"
        )
    };
}

/// See [`Store::invocation_summary`](lambda_core::Store::invocation_summary).
pub(super) async fn summary(
    reader: &SqlitePool,
    namespace: &Namespace,
) -> Attempt<InvocationSummary> {
    // One transaction, so that the three parts are of one state.
    let mut transaction = reader.begin().await?;
    let totals = sqlx::query(summary_query!("''", ""))
        .bind(namespace.as_str())
        .fetch_optional(&mut *transaction)
        .await?;
    let functions = sqlx::query(summary_query!(
        "function_id",
        "(SELECT function_name FROM invocation i \
         WHERE i.function_id = c.key AND +i.namespace = ?1 \
         ORDER BY started_at_us DESC, request_id DESC LIMIT 1) AS name,"
    ))
    .bind(namespace.as_str())
    .fetch_all(&mut *transaction)
    .await?;
    let runtimes = sqlx::query(summary_query!("runtime", ""))
        .bind(namespace.as_str())
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;

    let mut summary = InvocationSummary::default();
    if let Some(row) = totals {
        summary.totals = figures(&row)?;
    }
    for row in &functions {
        summary.functions.push(FunctionSummary {
            function_id: FunctionId::from_bytes(value::bytes(row, "key")?),
            name: value::parsed(row, "name", str::parse)?,
            summary: figures(row)?,
        });
    }
    summary
        .functions
        .sort_by_key(|f| (Reverse(f.summary.calls), f.function_id));
    for row in &runtimes {
        let runtime = value::parsed(row, "key", str::parse)?;
        summary.runtimes.insert(runtime, figures(row)?);
    }
    Ok(summary)
}

#[allow(clippy::cast_precision_loss)] // Microseconds: 52 bits are 142 years.
fn figures(row: &SqliteRow) -> sqlx::Result<Summary> {
    let ms = |column| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(column)? as f64 / 1_000.0);
    let mut summary = Summary::default();
    summary.calls = value::unsigned(row, "calls")?;
    summary.errors = value::unsigned(row, "errors")?;
    summary.timeouts = value::unsigned(row, "timeouts")?;
    summary.cold = value::unsigned(row, "cold")?;
    summary.prewarmed = value::unsigned(row, "prewarmed")?;
    summary.warm = value::unsigned(row, "warm")?;
    summary.avg_ms = row.try_get::<f64, _>("avg_us")? / 1_000.0;
    summary.p50_ms = ms("p50_us")?;
    summary.p90_ms = ms("p90_us")?;
    summary.p99_ms = ms("p99_us")?;
    Ok(summary)
}
