//! Figures over invocations, added up.

use std::sync::LazyLock;

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use lambda_core::model::{FunctionId, InvocationSummary};
use lambda_core::store::SummarizeInvocations;
use lambda_core::store::rollup::{Plan, Span, SummaryBuilder};
use sqlx::{MySqlConnection, MySqlPool};

use super::error::{Attempt, Failure};

use super::session::{Session, bounded};
use super::statement::InList;
use crate::leaders::{Calls, Reading as _, add_leaders};
use crate::row::{count, figures, function_bytes, id};

/// Buckets that start in a span: the namespace, their length, the first start and the end, the
/// runtime or an empty text for any.
macro_rules! within {
    () => {
        "namespace = ? AND bucket_s = ? AND start_us >= ? AND start_us < ? \
         AND ? IN ('', runtime)"
    };
}

/// Figures of some functions, or of all together.
static OF_FUNCTIONS: LazyLock<InList> = LazyLock::new(|| {
    InList::new(
        concat!(
            "SELECT figures FROM rollup FORCE INDEX (PRIMARY) WHERE ",
            within!(),
            " AND function_id IN"
        ),
        "",
    )
});

/// Figures of every function; the last parameter is what stands for all together.
macro_rules! all {
    ($index:literal) => {
        concat!(
            "SELECT figures FROM rollup FORCE INDEX (",
            $index,
            ") WHERE ",
            within!(),
            " AND function_id > ?"
        )
    };
}

/// How many calls each function had; the last parameter as above. Added up as floating-point
/// numbers, which are exact up to 2^53 and much faster than the decimal ones that sums of integers
/// are.
macro_rules! calls {
    ($index:literal) => {
        concat!(
            "SELECT function_id, CAST(SUM(0e0 + calls) AS SIGNED) FROM rollup FORCE INDEX (",
            $index,
            ") WHERE ",
            within!(),
            " AND function_id > ? GROUP BY function_id"
        )
    };
}

/// Buckets are found by their time; those since the beginning, of which each function has one,
/// lie together.
pub(super) const ALL: [&str; 2] = [all!("rollup_of_time"), all!("PRIMARY")];

/// As [`ALL`].
pub(super) const CALLS: [&str; 2] = [calls!("rollup_of_time"), calls!("PRIMARY")];

/// See [`Store::invocation_summary`](lambda_core::Store::invocation_summary).
pub(super) async fn summary(
    pool: &MySqlPool,
    request: &SummarizeInvocations,
) -> Attempt<InvocationSummary> {
    request.validate()?;
    let plan = Plan::of(request);
    // Its parts are of one state.
    let mut session = Session::begin_snapshot(pool).await?;
    let mut reading = Reading {
        connection: &mut session,
        request,
        builder: SummaryBuilder::new(request, &plan),
        calls: Calls::default(),
    };
    let outcome = reading.add_up(&plan).await;
    let builder = reading.builder;
    session.finish(outcome).await?;
    Ok(builder.finish())
}

struct Reading<'a> {
    connection: &'a mut MySqlConnection,
    request: &'a SummarizeInvocations,
    builder: SummaryBuilder,
    /// Of those functions whose figures the builder has.
    calls: Calls,
}

impl Reading<'_> {
    async fn add_up(&mut self, plan: &Plan) -> Attempt<()> {
        self.add(&plan.spans, &[self.request.function]).await?;
        if self.request.function.is_none() && self.request.functions_max > 0 {
            let spans = plan.function_spans(self.request);
            let wanted = self.request.functions_max as usize;
            add_leaders(self, &spans, wanted).await?;
        }
        Ok(())
    }
}

impl crate::leaders::Reading for Reading<'_> {
    type Error = Failure;

    fn calls(&mut self) -> &mut Calls {
        &mut self.calls
    }

    async fn add(&mut self, spans: &[Span], functions: &[Option<FunctionId>]) -> Attempt<()> {
        // In the order of the index.
        let mut functions: Vec<_> = functions.iter().copied().map(function_bytes).collect();
        functions.sort_unstable();
        for span in spans {
            for (sql, functions) in OF_FUNCTIONS.cut(&functions) {
                let query = sqlx::query_scalar(sql)
                    .bind(self.request.namespace.as_str())
                    .bind(span.bucket_s)
                    .bind(span.from_us)
                    .bind(span.to_us)
                    .bind(runtime_or_any(self.request));
                let query = functions.fold(query, |query, id| query.bind(&id[..]));
                let rows = query.fetch(&mut *self.connection);
                add_rows(self.request, rows, &mut self.builder, &mut self.calls).await?;
            }
        }
        Ok(())
    }

    async fn add_all(&mut self, spans: &[Span]) -> Attempt<()> {
        for span in spans {
            let query = sqlx::query_scalar(of_span(ALL, span))
                .bind(self.request.namespace.as_str())
                .bind(span.bucket_s)
                .bind(span.from_us)
                .bind(span.to_us)
                .bind(runtime_or_any(self.request))
                .bind(function_bytes(None));
            let rows = query.fetch(&mut *self.connection);
            add_rows(self.request, rows, &mut self.builder, &mut self.calls).await?;
        }
        Ok(())
    }

    async fn ranked(&mut self, span: &Span) -> Attempt<Vec<(FunctionId, u64)>> {
        let query = sqlx::query_as(of_span(CALLS, span))
            .bind(self.request.namespace.as_str())
            .bind(span.bucket_s)
            .bind(span.from_us)
            .bind(span.to_us)
            .bind(runtime_or_any(self.request))
            .bind(function_bytes(None));
        let rows: Vec<(Vec<u8>, i64)> = bounded(query.fetch_all(&mut *self.connection)).await?;
        let mut ranked = Vec::with_capacity(rows.len());
        for (function, calls) in rows {
            ranked.push((FunctionId::from_bytes(id(&function)?), count(calls)?));
        }
        ranked.sort_unstable_by_key(|(id, calls)| (std::cmp::Reverse(*calls), *id));
        Ok(ranked)
    }
}

/// Adds each row while the server looks for the next.
async fn add_rows(
    request: &SummarizeInvocations,
    mut rows: BoxStream<'_, sqlx::Result<Vec<u8>>>,
    builder: &mut SummaryBuilder,
    calls: &mut Calls,
) -> sqlx::Result<()> {
    bounded(async {
        while let Some(row) = rows.try_next().await? {
            for rollup in figures::decode_all(&request.namespace, &row) {
                let rollup = rollup?;
                calls.add(&rollup);
                builder.add(rollup);
            }
        }
        Ok(())
    })
    .await
}

fn of_span([by_time, ever]: [&'static str; 2], span: &Span) -> &'static str {
    match span.bucket_s {
        0 => ever,
        _ => by_time,
    }
}

fn runtime_or_any(request: &SummarizeInvocations) -> &str {
    let runtime = request.runtime.as_ref();
    runtime.map_or("", |name| name.as_str())
}
