//! Counts and durations of invocations, out of the figures that are kept of them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use lambda_core::model::{Bucket, FunctionId, InvocationSummary, Namespace};
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
    /// Nobody has more calls in a range than in a longer one around it. So, taking functions by
    /// their calls in a longer one, whose figures are few, one can stop where the next had fewer
    /// there than the least of those that are wanted has in the range. Since the beginning is such
    /// a range, and takes no time; where it says too little, because others led then, those are
    /// the days or hours around.
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
            self.fetch(spans, &may_lead, &mut found).await?;
            return Ok(found.rollups);
        }
        let Some(around) = around(spans) else {
            return Ok(found.rollups);
        };
        let ranked = self.ranked(&around).await?;
        self.fetch(spans, &ranked[..wanted.min(ranked.len())], &mut found)
            .await?;
        let may_lead = found.may_lead(&ranked, wanted);
        self.fetch(spans, &may_lead, &mut found).await?;
        Ok(found.rollups)
    }

    /// Reads the figures of those of `functions` that are not there yet.
    async fn fetch(
        &mut self,
        spans: &[Span],
        functions: &[(FunctionId, u64)],
        found: &mut Found,
    ) -> Attempt<()> {
        let functions = functions.iter().map(|(id, _)| *id);
        let new: Vec<_> = functions
            .filter(|id| !found.calls.contains_key(id))
            .map(Some)
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let rollups = self.of_functions(spans, &new).await?;
        found
            .calls
            .extend(new.into_iter().flatten().map(|id| (id, 0)));
        for rollup in &rollups {
            if let Some(sum) = rollup.key.function.and_then(|id| found.calls.get_mut(&id)) {
                *sum = sum.saturating_add(rollup.tally.calls());
            }
        }
        found.rollups.extend(rollups);
        Ok(())
    }

    /// Every function's figures.
    async fn all(&mut self, spans: &[Span]) -> Attempt<Vec<Rollup>> {
        let mut rollups = Vec::new();
        for span in spans {
            let query = self.bind(ALL, span);
            let row = query.fetch_one(&mut *self.connection).await?;
            decode(&self.request.namespace, row.try_get(0)?, &mut rollups)?;
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
            let mut rows = query.fetch(&mut *self.connection);
            // Decoded while the connection's thread reads the next.
            while let Some(row) = rows.try_next().await? {
                decode(&self.request.namespace, row.try_get(0)?, &mut rollups)?;
            }
        }
        Ok(rollups)
    }

    /// Functions by their calls in a span: most calls first, of equally many the older first.
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

fn decode(
    namespace: &Namespace,
    bytes: Option<&[u8]>,
    rollups: &mut Vec<Rollup>,
) -> sqlx::Result<()> {
    for rollup in figures::decode_all(namespace, bytes.unwrap_or_default()) {
        rollups.push(rollup?);
    }
    Ok(())
}

/// The bucket since the beginning.
const EVER: Span = Span {
    bucket_s: 0,
    from_us: 0,
    to_us: 1,
};

/// Buckets around all of `spans`: days, or hours where that would be much longer.
fn around(spans: &[Span]) -> Option<Span> {
    let (first, last) = (spans.first()?, spans.last()?);
    let length_us = last.to_us.saturating_sub(first.from_us);
    let bucket = match length_us < i64::from(Bucket::Day.seconds()) * 500_000 {
        true => Bucket::Hour,
        false => Bucket::Day,
    };
    let bucket_us = i64::from(bucket.seconds()) * 1_000_000;
    let floor = first.from_us.div_euclid(bucket_us);
    Some(Span {
        bucket_s: bucket.seconds(),
        from_us: floor.saturating_mul(bucket_us),
        to_us: last.to_us,
    })
}

/// Functions' figures in a range of time.
#[derive(Default)]
struct Found {
    /// How many calls each has.
    calls: HashMap<FunctionId, u64>,
    rollups: Vec<Rollup>,
}

impl Found {
    /// Those of `ranked`, which says how many calls each may have at most, that may be among
    /// those with the most calls.
    fn may_lead(&self, ranked: &[(FunctionId, u64)], wanted: usize) -> Vec<(FunctionId, u64)> {
        let mut calls: Vec<_> = self.calls.values().copied().collect();
        calls.sort_unstable_by_key(|calls| Reverse(*calls));
        let least = calls.get(wanted - 1).copied().unwrap_or(0);
        let above = ranked.partition_point(|(_, most)| *most >= least);
        let new = |(id, _): &&(FunctionId, u64)| !self.calls.contains_key(id);
        ranked[..above].iter().filter(new).copied().collect()
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
