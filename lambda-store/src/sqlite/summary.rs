//! Figures over all records, worked out by the database.

use std::cmp::Reverse;

use lambda_core::model::{FunctionId, FunctionSummary, InvocationSummary, Namespace, Summary};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use super::error::Attempt;
use super::value;

/// One row of figures for each value of `$key`; `$more` are columns about it.
///
/// Percentiles are by nearest rank: the smallest duration that enough calls do not exceed.
/// Calls of equal duration are counted together first, so that what is sorted and summed up
/// is less than the records; the database does it in a file where memory is short. The +
/// makes it read the table once from end to end: by the namespace's index it would look up
/// every row on its own, which takes several times as long.
macro_rules! summary_query {
    ($key:literal, $more:literal) => {
        concat!(
            "WITH level AS (SELECT ",
            $key,
            " AS key, total_us, COUNT(*) AS calls, \
             SUM(status <> 'success') AS errors, SUM(status = 'timeout') AS timeouts, \
             SUM(start = 'cold') AS cold, SUM(start = 'prewarmed') AS prewarmed, \
             SUM(start = 'warm') AS warm \
             FROM invocation WHERE +namespace = ?1 GROUP BY 1, 2), \
             ranked AS (SELECT *, \
             SUM(calls) OVER (PARTITION BY key ORDER BY total_us) AS not_above, \
             SUM(calls) OVER (PARTITION BY key) AS of_all FROM level) \
             SELECT key, ",
            $more,
            " SUM(calls) AS calls, SUM(errors) AS errors, SUM(timeouts) AS timeouts, \
             SUM(cold) AS cold, SUM(prewarmed) AS prewarmed, SUM(warm) AS warm, \
             TOTAL(1.0 * total_us * calls) / SUM(calls) AS avg_us, \
             MIN(CASE WHEN not_above * 100 >= of_all * 50 THEN total_us END) AS p50_us, \
             MIN(CASE WHEN not_above * 100 >= of_all * 90 THEN total_us END) AS p90_us, \
             MIN(CASE WHEN not_above * 100 >= of_all * 99 THEN total_us END) AS p99_us \
             FROM ranked GROUP BY key"
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
         WHERE i.function_id = ranked.key AND +i.namespace = ?1 \
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
