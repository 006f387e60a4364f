//! Adds figures up for a reader.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::sum::Sum;
use super::{Plan, Rollup};
use crate::model::{
    FunctionId, FunctionName, FunctionSummary, InvocationSummary, RequestId, RuntimeName,
    SummaryPoint,
};
use crate::store::SummarizeInvocations;

/// Adds up the figures that a [`Plan`] names.
///
/// A store reads, for each span of the plan and the request's runtime (any where it names none):
///
/// 1. the rows of the request's function, or where it names none, those over all functions:
///    [`add`](Self::add);
/// 2. where it names none and `functions_max` is not 0, how many calls each function had:
///    [`count`](Self::count);
/// 3. the rows of those that [`leaders`](Self::leaders) returns: [`add`](Self::add).
#[derive(Debug)]
pub struct SummaryBuilder {
    function: Option<FunctionId>,
    functions_max: usize,
    is_series: bool,
    summary: InvocationSummary,
    totals: Sum,
    runtimes: BTreeMap<RuntimeName, Sum>,
    series: BTreeMap<i64, Sum>,
    calls: HashMap<FunctionId, u64>,
    functions: HashMap<FunctionId, OfFunction>,
}

#[derive(Debug)]
struct OfFunction {
    name: FunctionName,
    /// What the name is of; see [`Rollup`].
    latest: (i64, RequestId),
    sum: Sum,
}

impl SummaryBuilder {
    /// Nothing added yet.
    #[must_use]
    pub fn new(request: &SummarizeInvocations, plan: &Plan) -> Self {
        Self {
            function: request.function,
            functions_max: request.functions_max as usize,
            is_series: request.bucket.is_some(),
            summary: InvocationSummary {
                from: plan.from,
                to: plan.to,
                ..InvocationSummary::default()
            },
            totals: Sum::default(),
            runtimes: BTreeMap::new(),
            series: BTreeMap::new(),
            calls: HashMap::new(),
            functions: HashMap::new(),
        }
    }

    /// Adds the figures of one bucket.
    pub fn add(&mut self, rollup: Rollup) {
        let (key, tally) = (rollup.key, rollup.tally);
        if key.function == self.function {
            self.totals.add(&tally);
            if self.is_series {
                self.series.entry(key.start_us).or_default().add(&tally);
            }
            self.runtimes.entry(key.runtime).or_default().add(&tally);
        }
        if let Some(id) = key.function
            && self.functions_max > 0
        {
            let latest = (rollup.latest_us, rollup.latest_id);
            let own = self.functions.entry(id).or_insert_with(|| OfFunction {
                name: rollup.name.clone(),
                latest,
                sum: Sum::default(),
            });
            own.sum.add(&tally);
            if latest > own.latest {
                (own.latest, own.name) = (latest, rollup.name);
            }
        }
    }

    /// Counts the calls that a function had in some of the buckets.
    pub fn count(&mut self, function: FunctionId, calls: u64) {
        let sum = self.calls.entry(function).or_default();
        *sum = sum.saturating_add(calls);
    }

    /// The functions with the most calls among those that were counted, as many as the request
    /// wants: most calls first, of equally many the older first.
    #[must_use]
    pub fn leaders(&self) -> Vec<FunctionId> {
        let mut leaders: Vec<_> = self.calls.iter().map(|(id, calls)| (*id, *calls)).collect();
        leaders.sort_unstable_by_key(|(id, calls)| (Reverse(*calls), *id));
        leaders.truncate(self.functions_max);
        leaders.into_iter().map(|(id, _)| id).collect()
    }

    /// The figures for readers.
    #[must_use]
    pub fn finish(self) -> InvocationSummary {
        let mut summary = self.summary;
        summary.totals = self.totals.summary();
        let runtimes = self.runtimes.into_iter();
        summary.runtimes = runtimes.map(|(name, sum)| (name, sum.summary())).collect();
        // Most of those that are there are often not wanted, and percentiles take their time.
        let mut functions: Vec<_> = self.functions.into_iter().collect();
        functions.sort_by_key(|(id, own)| (Reverse(own.sum.calls()), *id));
        functions.truncate(self.functions_max);
        summary.functions = functions
            .into_iter()
            .map(|(function_id, own)| FunctionSummary {
                function_id,
                name: own.name,
                summary: own.sum.summary(),
            })
            .collect();
        summary.series = self
            .series
            .into_iter()
            .filter_map(|(start_us, sum)| {
                Some(SummaryPoint {
                    start: Timestamp::from_microsecond(start_us).ok()?,
                    summary: sum.summary(),
                })
            })
            .collect();
        summary
    }
}
