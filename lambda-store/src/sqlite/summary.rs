//! Counts and durations of invocations, out of the figures that are kept of them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use lambda_core::model::{Bucket, FunctionId, InvocationSummary};
use lambda_core::store::SummarizeInvocations;
use lambda_core::store::rollup::{Plan, Span, SummaryBuilder};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row as _, Sqlite, SqliteConnection, SqlitePool};

use super::error::{Attempt, Failure};
use crate::leaders::{Calls, Reading as _, add_leaders};
use crate::row::{self, figures};

/// Buckets that start in a span: ?1 the namespace, ?2 their length, ?3 and ?4 the first start and
/// the end, ?5 the runtime or NULL.
macro_rules! within {
    () => {
        "namespace = ?1 AND bucket_s = ?2 AND start_us >= ?3 AND start_us < ?4 \
         AND (?5 IS NULL OR runtime = ?5)"
    };
}

/// Those of everything.
const ALL: &str = concat!(
    "SELECT CAST(GROUP_CONCAT(figures, '') AS BLOB) FROM rollup WHERE ",
    within!()
);

/// Those of some functions, one row for each: ?6 their ids as JSON.
const OF_FUNCTIONS: &str = concat!(
    "SELECT (SELECT CAST(GROUP_CONCAT(figures, '') AS BLOB) \
     FROM rollup INDEXED BY rollup_of_function WHERE function_id = UNHEX(value) AND ",
    within!(),
    ") FROM JSON_EACH(?6)"
);

/// How many calls each function had: ids, and numbers in the same order, by function and runtime
/// and bucket; ?6 what stands for all functions.
macro_rules! calls {
    ($from:literal) => {
        concat!(
            "SELECT CAST(GROUP_CONCAT(function_id, '') AS BLOB), GROUP_CONCAT(calls, ' ') FROM ",
            $from,
            "function_id <> ?6 AND ",
            within!()
        )
    };
}

const CALLS: &str = calls!("rollup WHERE ");

/// The same for days, which are many in a long time.
const CALLS_OF_DAYS: &str = calls!("rollup INDEXED BY rollup_of_day WHERE bucket_s = 86400 AND ");

/// See [`Store::invocation_summary`](lambda_core::Store::invocation_summary).
pub(super) async fn summary(
    reader: &SqlitePool,
    request: SummarizeInvocations,
) -> Attempt<InvocationSummary> {
    request.validate()?;
    let plan = Plan::of(&request);
    // One transaction, so that all parts are of one state.
    let mut transaction = reader.begin().await?;
    let mut reading = Reading {
        connection: &mut transaction,
        request: &request,
        builder: SummaryBuilder::new(&request, &plan),
        calls: Calls::default(),
    };
    reading.add(&plan.spans, &[request.function]).await?;
    if request.function.is_none() && request.functions_max > 0 {
        let spans = plan.function_spans(&request);
        add_leaders(&mut reading, &spans, request.functions_max as usize).await?;
    }
    let builder = reading.builder;
    transaction.commit().await?;
    Ok(builder.finish())
}

struct Reading<'a> {
    connection: &'a mut SqliteConnection,
    request: &'a SummarizeInvocations,
    builder: SummaryBuilder,
    /// Of those functions whose figures the builder has.
    calls: Calls,
}

impl crate::leaders::Reading for Reading<'_> {
    type Error = Failure;

    fn calls(&mut self) -> &mut Calls {
        &mut self.calls
    }

    async fn add_all(&mut self, spans: &[Span]) -> Attempt<()> {
        for span in spans {
            let query = self.bind(ALL, span);
            let row = query.fetch_one(&mut *self.connection).await?;
            let figures: Option<&[u8]> = row.try_get(0)?;
            for rollup in figures::decode_all(&self.request.namespace, figures.unwrap_or_default())
            {
                let rollup = rollup?;
                // Those over all of them are there already.
                if rollup.key.function.is_some() {
                    self.builder.add(rollup);
                }
            }
        }
        Ok(())
    }

    async fn add(&mut self, spans: &[Span], functions: &[Option<FunctionId>]) -> Attempt<()> {
        let ids = json(functions);
        for span in spans {
            let query = self.bind(OF_FUNCTIONS, span).bind(ids.clone());
            let mut rows = query.fetch(&mut *self.connection);
            // Added while the connection's thread reads the next.
            while let Some(row) = rows.try_next().await? {
                let figures: Option<&[u8]> = row.try_get(0)?;
                let figures = figures.unwrap_or_default();
                for rollup in figures::decode_all(&self.request.namespace, figures) {
                    let rollup = rollup?;
                    self.calls.add(&rollup);
                    self.builder.add(rollup);
                }
            }
        }
        Ok(())
    }

    async fn ranked(&mut self, span: &Span) -> Attempt<Vec<(FunctionId, u64)>> {
        let sql = match span.bucket_s == Bucket::Day.seconds() {
            true => CALLS_OF_DAYS,
            false => CALLS,
        };
        let query = self.bind(sql, span).bind(row::function_bytes(None));
        let row = query.fetch_one(&mut *self.connection).await?;
        let ids: Option<&[u8]> = row.try_get(0)?;
        let counts: Option<&str> = row.try_get(1)?;
        let (ids, []) = ids.unwrap_or_default().as_chunks::<16>() else {
            return Err(row::decode_error("ids of another length").into());
        };
        let counts = counts.unwrap_or_default().split_ascii_whitespace();
        let mut calls = HashMap::<FunctionId, u64>::new();
        for (id, count) in ids.iter().zip(counts) {
            let count: u64 = count.parse().map_err(row::decode_error)?;
            let sum = calls.entry(FunctionId::from_bytes(*id)).or_default();
            *sum = sum.saturating_add(count);
        }
        let mut ranked: Vec<_> = calls.into_iter().collect();
        ranked.sort_unstable_by_key(|(id, calls)| (Reverse(*calls), *id));
        Ok(ranked)
    }
}

impl Reading<'_> {
    fn bind(&self, sql: &'static str, span: &Span) -> Query<'static, Sqlite, SqliteArguments> {
        let runtime = self.request.runtime.as_ref();
        sqlx::query(sql)
            .bind(self.request.namespace.as_str().to_owned())
            .bind(i64::from(span.bucket_s))
            .bind(span.from_us)
            .bind(span.to_us)
            .bind(runtime.map(|name| name.as_str().to_owned()))
    }
}

/// Ids as an array of hexadecimal numbers.
fn json(functions: &[Option<FunctionId>]) -> String {
    let mut json = String::with_capacity(2 + 35 * functions.len());
    for function in functions {
        json.push_str(if json.is_empty() { "[\"" } else { ",\"" });
        for byte in row::function_bytes(*function) {
            // Writing into a string cannot fail.
            _ = write!(json, "{byte:02x}");
        }
        json.push('"');
    }
    match json.is_empty() {
        true => "[]".to_owned(),
        false => json + "]",
    }
}

#[cfg(test)]
mod tests {
    use super::super::plans::assert_plan;
    use super::*;

    #[tokio::test]
    async fn figures_are_found_by_their_time_or_their_function() {
        let key = "SEARCH rollup USING INDEX sqlite_autoindex_rollup_1 \
                   (namespace=? AND bucket_s=? AND start_us>? AND start_us<?)";
        assert_plan(ALL, &[key], 0).await;
        assert_plan(CALLS, &[key], 0).await;
        let days = "COVERING INDEX rollup_of_day (namespace=? AND start_us>? AND start_us<?)";
        assert_plan(CALLS_OF_DAYS, &[days], 0).await;
        let index = "SEARCH rollup USING INDEX rollup_of_function \
                     (namespace=? AND function_id=? AND bucket_s=? AND start_us>? AND start_us<?)";
        assert_plan(OF_FUNCTIONS, &[index, "SCAN JSON_EACH"], 0).await;
    }
}
