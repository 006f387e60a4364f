//! What a dashboard asks, each many times over.

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use lambda_store::Store;
use lambda_store::model::{
    Bucket, CodeFormat, CodeRef, FunctionConfig, FunctionId, FunctionName, FunctionRef,
    FunctionSelector, Language, Namespace, Retention, Status,
};
use lambda_store::store::{
    CreateFunction, FunctionCache, ListInvocations, PutPackage, SummarizeInvocations,
};

use super::History;
use crate::statistics::{Round, Series};
use crate::{Error, Result};

/// The questions about one history.
#[derive(Debug)]
pub struct Questions {
    namespace: Namespace,
    popular: FunctionId,
    rare: FunctionId,
    from: Timestamp,
    to: Timestamp,
}

impl Questions {
    /// Questions about what `history` has made so far.
    #[must_use]
    pub fn new(history: &History) -> Self {
        let (from, to) = history.range();
        Self {
            namespace: history.namespace().clone(),
            popular: history.function(0),
            rare: history.function(500),
            from,
            to,
        }
    }

    /// Asks each `times` times.
    ///
    /// # Errors
    /// Those of the store; if an answer is empty.
    pub async fn ask(
        &self,
        store: &Arc<dyn Store>,
        times: u32,
    ) -> Result<Vec<(&'static str, Series)>> {
        let mut answers = Vec::new();
        for (question, request) in self.summaries() {
            let series = repeat(times, async || {
                let summary = store.invocation_summary(request.clone()).await?;
                expect(summary.totals.calls > 0)
            });
            answers.push((question, series.await?));
        }
        for (question, request) in self.lists() {
            let series = repeat(times, async || {
                let page = store.invocation_list(request.clone()).await?;
                expect(!page.items.is_empty())
            });
            answers.push((question, series.await?));
        }
        let selector = selector(&**store).await?;
        let read = repeat(times, async || {
            store
                .function_get(&selector)
                .await
                .map(drop)
                .map_err(Error::from)
        });
        answers.push(("`function_get`", read.await?));
        let cache = FunctionCache::new(Arc::clone(store));
        cache.get(&selector).await?;
        // One call is shorter than the clock is exact.
        let cached = repeat(times, async || {
            for _ in 0..1_000 {
                std::hint::black_box(cache.get(&selector).await?);
            }
            Ok(())
        });
        answers.push(("`FunctionCache::get`, 1,000 times", cached.await?));
        Ok(answers)
    }

    fn summaries(&self) -> Vec<(&'static str, SummarizeInvocations)> {
        let all = SummarizeInvocations::all(self.namespace.clone())
            .retention(&Retention::default(), Timestamp::now());
        let of = |change: &dyn Fn(&mut SummarizeInvocations)| {
            let mut request = all.clone();
            change(&mut request);
            request
        };
        let month = |request: &mut SummarizeInvocations| {
            request.from = Some(self.from);
            request.to = Some(self.to);
            request.functions_max = 100;
        };
        vec![
            ("summary since the beginning, every function", all.clone()),
            ("summary of the range, top 100 functions", of(&month)),
            (
                "series of the range by the hour, top 100 functions",
                of(&|request| {
                    month(request);
                    request.bucket = Some(Bucket::Hour);
                }),
            ),
            (
                "series of one function's range by the hour",
                of(&|request| {
                    month(request);
                    request.function = Some(self.popular);
                    request.bucket = Some(Bucket::Hour);
                }),
            ),
            (
                "series of the last hour by the minute, top 100 functions",
                of(&|request| {
                    month(request);
                    request.from = Some(self.to - SignedDuration::from_hours(1));
                    request.bucket = Some(Bucket::Minute);
                }),
            ),
        ]
    }

    fn lists(&self) -> Vec<(&'static str, ListInvocations)> {
        let all = ListInvocations::first(self.namespace.clone(), 100);
        let of = |change: &dyn Fn(&mut ListInvocations)| {
            let mut request = all.clone();
            change(&mut request);
            request
        };
        vec![
            ("newest 100 of all", all.clone()),
            (
                "newest 100 of the most popular function",
                of(&|request| request.function = Some(self.popular)),
            ),
            (
                "newest 100 of the 500th function",
                of(&|request| request.function = Some(self.rare)),
            ),
            (
                "newest 100 failures",
                of(&|request| request.statuses = vec![Status::FunctionError]),
            ),
            (
                "newest 100 failures of the 500th function",
                of(&|request| {
                    request.function = Some(self.rare);
                    request.statuses = vec![Status::FunctionError];
                }),
            ),
            (
                "100 of the most popular function, from the middle of the range",
                of(&|request| {
                    request.function = Some(self.popular);
                    request.to = Some(self.from + (self.to - self.from) / 2);
                }),
            ),
        ]
    }
}

async fn selector(store: &dyn Store) -> Result<FunctionSelector> {
    let name = FunctionName::new(format!("read-{}", FunctionId::new()))?;
    let put = PutPackage::new(bytes::Bytes::from_static(b"print('x')"));
    let code = CodeRef {
        digest: put.digest,
        format: CodeFormat::Inline,
        size_bytes: put.size_bytes,
    };
    store.package_put(put).await?;
    store
        .function_create(CreateFunction::new(
            Namespace::default(),
            name.clone(),
            FunctionConfig::new(Language::Python),
            vec![code],
        ))
        .await?;
    Ok(FunctionSelector::current(
        Namespace::default(),
        FunctionRef::Name(name),
    ))
}

async fn repeat(times: u32, question: impl AsyncFn() -> Result<()>) -> Result<Series> {
    let mut series = Series::new();
    // What is asked first fills the caches.
    question().await?;
    for _ in 0..times {
        let begin = Instant::now();
        question().await?;
        let elapsed = begin.elapsed();
        series.push(Round {
            latencies: vec![elapsed],
            elapsed,
        });
    }
    Ok(series)
}

fn expect(holds: bool) -> Result<()> {
    match holds {
        true => Ok(()),
        false => Err(Error::from("an answer is empty")),
    }
}
