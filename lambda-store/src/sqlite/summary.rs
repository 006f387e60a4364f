//! Counts and durations of invocations, out of the figures that are kept of them.

use lambda_core::model::{FunctionId, InvocationSummary};
use lambda_core::store::SummarizeInvocations;
use lambda_core::store::rollup::{Plan, Span, SummaryBuilder};
use sqlx::{SqliteConnection, SqlitePool};

use super::error::Attempt;
use super::rollup::columns;
use crate::row::{self, RollupRow};

/// ?1 the namespace, ?2 the bucket, ?3 and ?4 its first and last start, ?5 the runtime or NULL,
/// ?6 the function.
const OF_FUNCTION: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM rollup INDEXED BY rollup_of_function \
     WHERE namespace = ?1 AND function_id = ?6 AND bucket_s = ?2 \
     AND start_us >= ?3 AND start_us < ?4 AND (?5 IS NULL OR runtime = ?5)"
);

/// How many calls each function had.
const CALLS: &str = "SELECT function_id, \
     SUM(success + function_error + timeout + out_of_memory + crashed + cancelled) \
     FROM rollup WHERE namespace = ?1 AND bucket_s = ?2 AND start_us >= ?3 AND start_us < ?4 \
     AND (?5 IS NULL OR runtime = ?5) AND function_id <> ?6 GROUP BY function_id";

/// See [`Store::invocation_summary`](lambda_core::Store::invocation_summary).
pub(super) async fn summary(
    reader: &SqlitePool,
    request: SummarizeInvocations,
) -> Attempt<InvocationSummary> {
    request.validate()?;
    let plan = Plan::of(&request);
    let mut builder = SummaryBuilder::new(&request, &plan);
    // One transaction, so that all parts are of one state.
    let mut transaction = reader.begin().await?;
    for span in &plan.spans {
        add(
            &mut transaction,
            &request,
            span,
            request.function,
            &mut builder,
        )
        .await?;
    }
    if request.function.is_none() && request.functions_max > 0 {
        for span in &plan.spans {
            let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(CALLS)
                .bind(request.namespace.as_str())
                .bind(i64::from(span.bucket_s))
                .bind(span.from_us)
                .bind(span.to_us)
                .bind(
                    request
                        .runtime
                        .as_ref()
                        .map(|name| name.as_str().to_owned()),
                )
                .bind(row::function_bytes(None))
                .fetch_all(&mut *transaction)
                .await?;
            for (id, calls) in rows {
                let id = FunctionId::from_bytes(row::id(&id)?);
                builder.count(id, row::count(calls)?);
            }
        }
        for leader in builder.leaders() {
            for span in &plan.spans {
                add(&mut transaction, &request, span, Some(leader), &mut builder).await?;
            }
        }
    }
    transaction.commit().await?;
    Ok(builder.finish())
}

async fn add(
    connection: &mut SqliteConnection,
    request: &SummarizeInvocations,
    span: &Span,
    function: Option<FunctionId>,
    builder: &mut SummaryBuilder,
) -> Attempt<()> {
    let rows: Vec<RollupRow> = sqlx::query_as(OF_FUNCTION)
        .bind(request.namespace.as_str())
        .bind(i64::from(span.bucket_s))
        .bind(span.from_us)
        .bind(span.to_us)
        .bind(
            request
                .runtime
                .as_ref()
                .map(|name| name.as_str().to_owned()),
        )
        .bind(row::function_bytes(function))
        .fetch_all(connection)
        .await?;
    for row in rows {
        builder.add(row.rollup(&request.namespace)?);
    }
    Ok(())
}
