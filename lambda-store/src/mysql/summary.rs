//! Figures over invocations, added up.

use std::sync::LazyLock;

use lambda_core::model::{FunctionId, InvocationSummary};
use lambda_core::store::SummarizeInvocations;
use lambda_core::store::rollup::{Plan, Span, SummaryBuilder};
use sqlx::{MySqlConnection, MySqlPool};

use super::error::Attempt;
use super::rollup::COLUMNS;
use super::session::{Session, bounded};
use super::statement::InList;
use crate::row::{RollupRow, count, function_bytes, id};

/// Figures of some functions, or of all: parameters are the namespace, the span, the runtime or
/// an empty text for any, the functions.
static FIGURES: LazyLock<InList> = LazyLock::new(|| {
    InList::new(
        &format!(
            "SELECT {COLUMNS} FROM rollup FORCE INDEX (rollup_of_function) WHERE namespace = ? \
             AND bucket_s = ? AND start_us >= ? AND start_us < ? AND ? IN ('', runtime) \
             AND function_id IN"
        ),
        "",
    )
});

/// How many calls each function had in a span. Added up as floating-point numbers, which are
/// exact up to 2^53 and much faster than the decimal ones that sums of integers are.
pub(super) const CALLS: &str = "SELECT function_id, CAST(SUM(0e0 + success + function_error \
    + timeout + out_of_memory + crashed + cancelled) AS SIGNED) AS calls \
    FROM rollup FORCE INDEX (PRIMARY) WHERE namespace = ? AND bucket_s = ? AND start_us >= ? \
    AND start_us < ? AND ? IN ('', runtime) AND function_id > ? GROUP BY function_id";

/// See [`Store::invocation_summary`](lambda_core::Store::invocation_summary).
pub(super) async fn summary(
    pool: &MySqlPool,
    request: &SummarizeInvocations,
) -> Attempt<InvocationSummary> {
    request.validate()?;
    let plan = Plan::of(request);
    let mut builder = SummaryBuilder::new(request, &plan);
    // Its parts are of one state.
    let mut session = Session::begin_snapshot(pool).await?;
    let outcome = add_up(&mut session, request, &plan, &mut builder).await;
    session.finish(outcome).await?;
    Ok(builder.finish())
}

async fn add_up(
    connection: &mut MySqlConnection,
    request: &SummarizeInvocations,
    plan: &Plan,
    builder: &mut SummaryBuilder,
) -> Attempt<()> {
    for span in &plan.spans {
        add(connection, request, span, &[request.function], builder).await?;
    }
    if request.function.is_some() || request.functions_max == 0 {
        return Ok(());
    }
    for span in &plan.spans {
        let rows: Vec<(Vec<u8>, i64)> = bounded(
            sqlx::query_as(CALLS)
                .bind(request.namespace.as_str())
                .bind(span.bucket_s)
                .bind(span.from_us)
                .bind(span.to_us)
                .bind(runtime_or_any(request))
                .bind(function_bytes(None))
                .fetch_all(&mut *connection),
        )
        .await?;
        for (function, calls) in rows {
            builder.count(FunctionId::from_bytes(id(&function)?), count(calls)?);
        }
    }
    let mut leaders: Vec<_> = builder.leaders().into_iter().map(Some).collect();
    leaders.sort_unstable();
    for span in &plan.spans {
        add(connection, request, span, &leaders, builder).await?;
    }
    Ok(())
}

/// Adds the figures of some functions in a span; `None` is all functions together.
async fn add(
    connection: &mut MySqlConnection,
    request: &SummarizeInvocations,
    span: &Span,
    functions: &[Option<FunctionId>],
    builder: &mut SummaryBuilder,
) -> Attempt<()> {
    for (sql, functions) in FIGURES.cut(functions) {
        let query = sqlx::query_as(sql)
            .bind(request.namespace.as_str())
            .bind(span.bucket_s)
            .bind(span.from_us)
            .bind(span.to_us)
            .bind(runtime_or_any(request));
        let query = functions.fold(query, |query, function| {
            query.bind(function_bytes(*function))
        });
        let rows: Vec<RollupRow> = bounded(query.fetch_all(&mut *connection)).await?;
        for row in rows {
            builder.add(row.rollup(&request.namespace)?);
        }
    }
    Ok(())
}

fn runtime_or_any(request: &SummarizeInvocations) -> &str {
    request.runtime.as_ref().map_or("", |name| name.as_str())
}
