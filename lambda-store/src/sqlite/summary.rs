//! Counts and durations of invocations, out of the figures that are kept of them.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use lambda_core::model::{FunctionId, InvocationSummary};
use lambda_core::store::SummarizeInvocations;
use lambda_core::store::rollup::{Plan, Rollup, Span, SummaryBuilder};
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row as _, Sqlite, SqliteConnection, SqlitePool};

use super::error::Attempt;
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
const CALLS: &str = concat!(
    "SELECT CAST(GROUP_CONCAT(function_id, '') AS BLOB), GROUP_CONCAT(calls, ' ') \
     FROM rollup WHERE function_id <> ?6 AND ",
    within!()
);

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
    let mut reading = Reading {
        connection: &mut transaction,
        request: &request,
    };
    for rollup in reading
        .of_functions(&plan.spans, &[request.function])
        .await?
    {
        builder.add(rollup);
    }
    if request.function.is_none() && request.functions_max > 0 {
        let spans = plan.function_spans(&request);
        for rollup in reading.of_leaders(&spans).await? {
            builder.add(rollup);
        }
    }
    transaction.commit().await?;
    Ok(builder.finish())
}

struct Reading<'a> {
    connection: &'a mut SqliteConnection,
    request: &'a SummarizeInvocations,
}

impl Reading<'_> {
    /// The figures of the functions with the most calls in the spans, and perhaps of others.
    ///
    /// Nobody has more calls in a range than since the beginning. So, taking functions by their
    /// calls since the beginning, one can stop where the next has fewer than the least of those
    /// that are wanted: mostly soon, because who leads at all leads in most ranges.
    async fn of_leaders(&mut self, spans: &[Span]) -> Attempt<Vec<Rollup>> {
        let wanted = self.request.functions_max as usize;
        let ever = Span {
            bucket_s: 0,
            from_us: 0,
            to_us: 1,
        };
        let bounds = self.calls(std::slice::from_ref(&ever)).await?;
        let mut candidates: Vec<_> = bounds.into_iter().collect();
        candidates.sort_unstable_by_key(|(id, calls)| (Reverse(*calls), *id));
        if candidates.len() <= wanted {
            return self.all(spans).await;
        }
        let (first, rest) = candidates.split_at(wanted);
        let mut fetched: HashSet<_> = first.iter().map(|(id, _)| *id).collect();
        let mut rollups = self.of_functions(spans, &ids(first)).await?;
        let least = least_calls(&fetched, &rollups);
        // Some of the others may have had more in this range: these.
        let others = &rest[..rest.partition_point(|(_, bound)| *bound >= least)];
        if others.len() <= wanted {
            rollups.extend(self.of_functions(spans, &ids(others)).await?);
            return Ok(rollups);
        }
        let mut leaders: Vec<_> = self.calls(spans).await?.into_iter().collect();
        leaders.sort_unstable_by_key(|(id, calls)| (Reverse(*calls), *id));
        leaders.truncate(wanted);
        leaders.retain(|(id, _)| fetched.insert(*id));
        rollups.extend(self.of_functions(spans, &ids(&leaders)).await?);
        Ok(rollups)
    }

    /// Every function's figures.
    async fn all(&mut self, spans: &[Span]) -> Attempt<Vec<Rollup>> {
        let mut rollups = Vec::new();
        for span in spans {
            let query = self.bind(ALL, span);
            let row = query.fetch_one(&mut *self.connection).await?;
            self.decode(row.try_get(0)?, &mut rollups)?;
        }
        rollups.retain(|rollup| rollup.key.function.is_some());
        Ok(rollups)
    }

    /// The figures of functions; none: over all of them.
    async fn of_functions(
        &mut self,
        spans: &[Span],
        functions: &[Option<FunctionId>],
    ) -> Attempt<Vec<Rollup>> {
        let mut rollups = Vec::new();
        let ids = json(functions);
        for span in spans {
            let query = self.bind(OF_FUNCTIONS, span).bind(ids.clone());
            for row in query.fetch_all(&mut *self.connection).await? {
                self.decode(row.try_get(0)?, &mut rollups)?;
            }
        }
        Ok(rollups)
    }

    async fn calls(&mut self, spans: &[Span]) -> Attempt<HashMap<FunctionId, u64>> {
        let mut calls = HashMap::<FunctionId, u64>::new();
        for span in spans {
            let query = self.bind(CALLS, span).bind(row::function_bytes(None));
            let row = query.fetch_one(&mut *self.connection).await?;
            let ids: Option<&[u8]> = row.try_get(0)?;
            let counts: Option<&str> = row.try_get(1)?;
            let (ids, []) = ids.unwrap_or_default().as_chunks::<16>() else {
                return Err(row::decode_error("ids of another length").into());
            };
            let counts = counts.unwrap_or_default().split_ascii_whitespace();
            for (id, count) in ids.iter().zip(counts) {
                let count: u64 = count.parse().map_err(row::decode_error)?;
                let sum = calls.entry(FunctionId::from_bytes(*id)).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        Ok(calls)
    }

    fn bind(&self, sql: &'static str, span: &Span) -> Query<'static, Sqlite, SqliteArguments> {
        let runtime = self.request.runtime.as_ref();
        sqlx::query(sql)
            .bind(self.request.namespace.as_str().to_owned())
            .bind(i64::from(span.bucket_s))
            .bind(span.from_us)
            .bind(span.to_us)
            .bind(runtime.map(|name| name.as_str().to_owned()))
    }

    fn decode(&self, bytes: Option<&[u8]>, rollups: &mut Vec<Rollup>) -> Attempt<()> {
        let decoded = figures::decode_all(&self.request.namespace, bytes.unwrap_or_default());
        for rollup in decoded {
            rollups.push(rollup?);
        }
        Ok(())
    }
}

fn ids(functions: &[(FunctionId, u64)]) -> Vec<Option<FunctionId>> {
    functions.iter().map(|(id, _)| Some(*id)).collect()
}

/// How many calls that of `functions` has which has the fewest.
fn least_calls(functions: &HashSet<FunctionId>, rollups: &[Rollup]) -> u64 {
    let mut calls: HashMap<_, _> = functions.iter().map(|id| (*id, 0_u64)).collect();
    for rollup in rollups {
        if let Some(sum) = rollup.key.function.and_then(|id| calls.get_mut(&id)) {
            *sum = sum.saturating_add(rollup.tally.calls());
        }
    }
    calls.into_values().min().unwrap_or(0)
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
        let index = "SEARCH rollup USING INDEX rollup_of_function \
                     (namespace=? AND function_id=? AND bucket_s=? AND start_us>? AND start_us<?)";
        assert_plan(OF_FUNCTIONS, &[index, "SCAN JSON_EACH"], 0).await;
    }
}
