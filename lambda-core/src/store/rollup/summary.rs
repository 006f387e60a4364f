//! Adds figures up for a reader.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{Plan, Rollup, Tally};
use crate::model::{FunctionId, FunctionSummary, InvocationSummary, RuntimeName, SummaryPoint};
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
    totals: Tally,
    runtimes: BTreeMap<RuntimeName, Tally>,
    series: BTreeMap<i64, Tally>,
    calls: HashMap<FunctionId, u64>,
    functions: HashMap<FunctionId, Rollup>,
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
            totals: Tally::default(),
            runtimes: BTreeMap::new(),
            series: BTreeMap::new(),
            calls: HashMap::new(),
            functions: HashMap::new(),
        }
    }

    /// Adds the figures of one bucket.
    pub fn add(&mut self, rollup: Rollup) {
        if rollup.key.function == self.function {
            let tally = &rollup.tally;
            self.totals.merge(tally);
            let runtime = rollup.key.runtime.clone();
            self.runtimes.entry(runtime).or_default().merge(tally);
            if self.is_series {
                let point = self.series.entry(rollup.key.start_us).or_default();
                point.merge(tally);
            }
        }
        if let Some(id) = rollup.key.function
            && self.functions_max > 0
        {
            self.functions
                .entry(id)
                .and_modify(|sum| sum.merge(&rollup))
                .or_insert(rollup);
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
        summary.runtimes = runtimes
            .map(|(name, tally)| (name, tally.summary()))
            .collect();
        let functions = self.functions.into_iter();
        summary.functions = functions
            .map(|(function_id, sum)| FunctionSummary {
                function_id,
                name: sum.name,
                summary: sum.tally.summary(),
            })
            .collect();
        summary
            .functions
            .sort_by_key(|f| (Reverse(f.summary.calls), f.function_id));
        summary.functions.truncate(self.functions_max);
        summary.series = self
            .series
            .into_iter()
            .filter_map(|(start_us, tally)| {
                Some(SummaryPoint {
                    start: Timestamp::from_microsecond(start_us).ok()?,
                    summary: tally.summary(),
                })
            })
            .collect();
        summary
    }
}
