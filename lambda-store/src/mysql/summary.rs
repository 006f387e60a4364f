//! Figures over invocations, added up.

use std::slice::from_ref;
use std::sync::LazyLock;

use futures_util::TryStreamExt as _;
use lambda_core::model::{FunctionId, InvocationSummary};
use lambda_core::store::SummarizeInvocations;
use lambda_core::store::rollup::{Plan, Span, SummaryBuilder};
use sqlx::mysql::MySqlArguments;
use sqlx::query::Query;
use sqlx::{MySql, MySqlConnection, MySqlPool, Row as _, SqlSafeStr};

use super::error::{Attempt, Failure};

use super::session::{Session, bounded};
use super::statement::InList;
use crate::leaders::{Calls, Reading as _, add_leaders};
use crate::row::{count, figures, function_bytes, id};

/// The most spans of a plan: long buckets in the middle, and shorter ones on both sides.
const SPANS_MAX: usize = 5;

/// Functions of one question about several. The figures of as many, in as many buckets as a plan
/// has, are some megabytes: less than a session lets them be strung together.
const FUNCTIONS_MAX: usize = 128;

/// The queries about figures. But for the first, their parameters begin with the namespace, the
/// runtime if it is about one, and a span: the length of the buckets, the first start, the end.
pub(super) struct Queries {
    /// Figures of some functions, or of all together, in one span or several: the bytes strung
    /// together, which say themselves whose they are, and how many there are. Rows of their own
    /// would cost more on their way out than in the database, and to group them takes half as long
    /// again (16 ms became 23 for 100 functions with 7,867 buckets, in MySQL 9.7).
    pub(super) of_functions: [InList; SPANS_MAX],
    /// The same in rows of their own, of one function, which is the last parameter: so the first
    /// come while the server looks for the rest, and there is no bound on how many there are.
    of_function: [Box<str>; SPANS_MAX],
    /// Figures of every function; the last parameter is what stands for all together.
    pub(super) all: ByIndex,
    /// How many calls each function had; the last parameter as above. Added up as floating-point
    /// numbers, which are exact up to 2^53 and much faster than the decimal ones that sums of
    /// integers are.
    pub(super) calls: ByIndex,
}

/// Buckets of everybody are found by their time; those since the beginning, of which each function
/// has one, lie together.
pub(super) struct ByIndex {
    pub(super) time: Box<str>,
    pub(super) key: Box<str>,
}

/// A runtime that is not asked for is left out: comparing it costs as much as reading the row.
pub(super) static OF_ANY_RUNTIME: LazyLock<Queries> = LazyLock::new(|| Queries::new(""));
static OF_ONE_RUNTIME: LazyLock<Queries> = LazyLock::new(|| Queries::new("AND runtime = ? "));

impl Queries {
    fn new(runtime: &str) -> Self {
        const SPAN: &str = "(bucket_s = ? AND start_us >= ? AND start_us < ?)";
        let from = |index: &str, spans: usize| {
            let spans = vec![SPAN; spans].join(" OR ");
            format!(
                "FROM rollup FORCE INDEX ({index}) WHERE namespace = ? {runtime}\
                 AND ({spans}) AND function_id"
            )
        };
        let (by_time, by_key) = (from("rollup_of_time", 1), from("PRIMARY", 1));
        let calls = "SELECT function_id, CAST(SUM(0e0 + calls) AS SIGNED)";
        Self {
            of_functions: std::array::from_fn(|at| {
                let by_key = from("PRIMARY", at + 1);
                InList::new(
                    &format!(
                        "SELECT GROUP_CONCAT(figures SEPARATOR ''), \
                         CAST(SUM(LENGTH(figures)) AS SIGNED) {by_key} IN"
                    ),
                    "",
                )
            }),
            of_function: std::array::from_fn(|at| {
                format!("SELECT figures {} = ?", from("PRIMARY", at + 1)).into()
            }),
            all: ByIndex {
                time: format!("SELECT figures {by_time} > ?").into(),
                key: format!("SELECT figures {by_key} > ?").into(),
            },
            calls: ByIndex {
                time: format!("{calls} {by_time} > ? GROUP BY function_id").into(),
                key: format!("{calls} {by_key} > ? GROUP BY function_id").into(),
            },
        }
    }
}

impl ByIndex {
    fn of(&self, span: &Span) -> &str {
        match span.bucket_s {
            0 => &self.key,
            _ => &self.time,
        }
    }
}

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
        queries: match request.runtime {
            None => &OF_ANY_RUNTIME,
            Some(_) => &OF_ONE_RUNTIME,
        },
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
    queries: &'static Queries,
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
        if let [function] = functions {
            return self.add_one(spans, function_bytes(*function)).await;
        }
        // In the order of the key.
        let mut functions: Vec<_> = functions.iter().copied().map(function_bytes).collect();
        functions.sort_unstable();
        for spans in spans.chunks(SPANS_MAX) {
            for functions in functions.chunks(FUNCTIONS_MAX) {
                if !self.add_string(spans, functions).await? {
                    for function in functions {
                        self.add_one(spans, function.clone()).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn add_all(&mut self, spans: &[Span]) -> Attempt<()> {
        for span in spans {
            let nobody = function_bytes(None);
            let query = self.bind(self.queries.all.of(span), from_ref(span));
            self.add_each(query.bind(nobody)).await?;
        }
        Ok(())
    }

    async fn ranked(&mut self, span: &Span) -> Attempt<Vec<(FunctionId, u64)>> {
        let query = self.bind(self.queries.calls.of(span), from_ref(span));
        let query = query.bind(function_bytes(None));
        let rows = bounded(query.fetch_all(&mut *self.connection)).await?;
        let mut ranked = Vec::with_capacity(rows.len());
        for row in rows {
            let function = FunctionId::from_bytes(id(row.try_get(0)?)?);
            ranked.push((function, count(row.try_get(1)?)?));
        }
        ranked.sort_unstable_by_key(|(id, calls)| (std::cmp::Reverse(*calls), *id));
        Ok(ranked)
    }
}

impl Reading<'_> {
    /// Adds the figures of at most [`FUNCTIONS_MAX`] functions, which come as one value. False,
    /// and nothing is added: they are more than a value may have.
    async fn add_string(&mut self, spans: &[Span], functions: &[Vec<u8>]) -> Attempt<bool> {
        for (sql, functions) in self.queries.of_functions[spans.len() - 1].cut(functions) {
            let query = functions.fold(self.bind(sql, spans), |query, id| query.bind(&id[..]));
            let row = bounded(query.fetch_one(&mut *self.connection)).await?;
            let (bytes, length): (Option<&[u8]>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
            match (bytes, length) {
                (_, None) => {}
                (Some(bytes), Some(length)) if i64::try_from(bytes.len()) == Ok(length) => {
                    add_bytes(self.request, bytes, &mut self.builder, &mut self.calls)?;
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn add_one(&mut self, spans: &[Span], function: Vec<u8>) -> Attempt<()> {
        for spans in spans.chunks(SPANS_MAX) {
            let query = self.bind(&*self.queries.of_function[spans.len() - 1], spans);
            self.add_each(query.bind(function.clone())).await?;
        }
        Ok(())
    }

    /// Adds rows while the server looks for the next.
    async fn add_each(&mut self, query: Query<'static, MySql, MySqlArguments>) -> Attempt<()> {
        let mut rows = query.fetch(&mut *self.connection);
        bounded(async {
            while let Some(row) = rows.try_next().await? {
                let bytes = row.try_get(0)?;
                add_bytes(self.request, bytes, &mut self.builder, &mut self.calls)?;
            }
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// A query with the parameters that all have.
    fn bind(&self, sql: impl SqlSafeStr, spans: &[Span]) -> Query<'static, MySql, MySqlArguments> {
        let query = sqlx::query(sql).bind(self.request.namespace.as_str());
        let query = match &self.request.runtime {
            Some(runtime) => query.bind(runtime.as_str()),
            None => query,
        };
        spans.iter().fold(query, |query, span| {
            query
                .bind(span.bucket_s)
                .bind(span.from_us)
                .bind(span.to_us)
        })
    }
}

fn add_bytes(
    request: &SummarizeInvocations,
    bytes: &[u8],
    builder: &mut SummaryBuilder,
    calls: &mut Calls,
) -> sqlx::Result<()> {
    for rollup in figures::decode_all(&request.namespace, bytes) {
        let rollup = rollup?;
        calls.add(&rollup);
        builder.add(rollup);
    }
    Ok(())
}
