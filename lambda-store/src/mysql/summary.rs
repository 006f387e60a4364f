//! Figures over invocations, added up.

use std::sync::LazyLock;

use lambda_core::model::{FunctionId, InvocationSummary};
use lambda_core::store::SummarizeInvocations;
use lambda_core::store::rollup::{Plan, Rollup, Span, SummaryBuilder};
use sqlx::{MySqlConnection, MySqlPool};

use super::error::Attempt;

use super::session::{Session, bounded};
use super::statement::InList;
use crate::leaders::{EVER, Found, Ranked, around};
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
            "SELECT figures FROM rollup FORCE INDEX (rollup_of_function) WHERE ",
            within!(),
            " AND function_id IN"
        ),
        "",
    )
});

/// Figures of every function; the last parameter is what stands for all together.
pub(super) const ALL: &str = concat!(
    "SELECT figures FROM rollup FORCE INDEX (PRIMARY) WHERE ",
    within!(),
    " AND function_id > ?"
);

/// How many calls each function had; the last parameter as in [`ALL`]. Added up as floating-point
/// numbers, which are exact up to 2^53 and much faster than the decimal ones that sums of integers
/// are.
pub(super) const CALLS: &str = concat!(
    "SELECT function_id, CAST(SUM(0e0 + calls) AS SIGNED) \
     FROM rollup FORCE INDEX (PRIMARY) WHERE ",
    within!(),
    " AND function_id > ? GROUP BY function_id"
);

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
    let reading = Reading {
        connection: &mut session,
        request,
    };
    let outcome = reading.add_up(&plan, &mut builder).await;
    session.finish(outcome).await?;
    Ok(builder.finish())
}

struct Reading<'a> {
    connection: &'a mut MySqlConnection,
    request: &'a SummarizeInvocations,
}

impl Reading<'_> {
    async fn add_up(mut self, plan: &Plan, builder: &mut SummaryBuilder) -> Attempt<()> {
        let whole = [self.request.function];
        for rollup in self.of_functions(&plan.spans, &whole).await? {
            builder.add(rollup);
        }
        if self.request.function.is_none() && self.request.functions_max > 0 {
            let spans = plan.function_spans(self.request);
            for rollup in self.of_leaders(&spans).await? {
                builder.add(rollup);
            }
        }
        Ok(())
    }

    /// The figures of the functions with the most calls in the spans, and perhaps of others; see
    /// [`Found`].
    async fn of_leaders(&mut self, spans: &[Span]) -> Attempt<Vec<Rollup>> {
        let wanted = self.request.functions_max as usize;
        let ever = self.ranked(&EVER).await?;
        if ever.len() <= wanted {
            return self.all(spans).await;
        }
        let mut found = Found::default();
        self.fetch(spans, &ever[..wanted], &mut found).await?;
        let may_lead = found.may_lead(&ever, wanted);
        if may_lead.len() <= wanted {
            self.fetch(spans, may_lead, &mut found).await?;
            return Ok(found.into_rollups());
        }
        let Some(around) = around(spans) else {
            return Ok(found.into_rollups());
        };
        let ranked = self.ranked(&around).await?;
        let first = &ranked[..wanted.min(ranked.len())];
        self.fetch(spans, first, &mut found).await?;
        let may_lead = found.may_lead(&ranked, wanted);
        self.fetch(spans, may_lead, &mut found).await?;
        Ok(found.into_rollups())
    }

    /// Reads the figures of those of `functions` that are not there yet.
    async fn fetch(
        &mut self,
        spans: &[Span],
        functions: &Ranked,
        found: &mut Found,
    ) -> Attempt<()> {
        let new = found.missing(functions);
        if !new.is_empty() {
            let rollups = self.of_functions(spans, &new).await?;
            found.add(&new, rollups);
        }
        Ok(())
    }

    /// The figures of functions; none: over all of them.
    async fn of_functions(
        &mut self,
        spans: &[Span],
        functions: &[Option<FunctionId>],
    ) -> Attempt<Vec<Rollup>> {
        let mut rollups = Vec::new();
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
                let rows: Vec<Vec<u8>> = bounded(query.fetch_all(&mut *self.connection)).await?;
                self.decode(&rows, &mut rollups)?;
            }
        }
        Ok(rollups)
    }

    /// Every function's figures.
    async fn all(&mut self, spans: &[Span]) -> Attempt<Vec<Rollup>> {
        let mut rollups = Vec::new();
        for span in spans {
            let query = sqlx::query_scalar(ALL)
                .bind(self.request.namespace.as_str())
                .bind(span.bucket_s)
                .bind(span.from_us)
                .bind(span.to_us)
                .bind(runtime_or_any(self.request))
                .bind(function_bytes(None));
            let rows: Vec<Vec<u8>> = bounded(query.fetch_all(&mut *self.connection)).await?;
            self.decode(&rows, &mut rollups)?;
        }
        Ok(rollups)
    }

    /// Functions by their calls in a span: most calls first, of equally many the older first.
    async fn ranked(&mut self, span: &Span) -> Attempt<Vec<(FunctionId, u64)>> {
        let query = sqlx::query_as(CALLS)
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

    fn decode(&self, rows: &[Vec<u8>], rollups: &mut Vec<Rollup>) -> Attempt<()> {
        rollups.reserve(rows.len());
        for row in rows {
            for rollup in figures::decode_all(&self.request.namespace, row) {
                rollups.push(rollup?);
            }
        }
        Ok(())
    }
}

fn runtime_or_any(request: &SummarizeInvocations) -> &str {
    let runtime = request.runtime.as_ref();
    runtime.map_or("", |name| name.as_str())
}
