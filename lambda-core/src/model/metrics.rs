//! Summaries over many invocations.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ids::{FunctionId, FunctionName, RuntimeName};

/// Counts and durations of a set of invocations. Durations are of `total_ms`, in
/// milliseconds; 0 where there were no calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// All invocations.
    pub calls: u64,
    /// Those that did not succeed, timeouts included.
    pub errors: u64,
    /// Those that ran into their timeout.
    pub timeouts: u64,
    /// Cold starts.
    pub cold: u64,
    /// Prewarmed starts.
    pub prewarmed: u64,
    /// Warm starts.
    pub warm: u64,
    /// The mean.
    pub avg_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// Nine in ten were at least as fast.
    pub p90_ms: f64,
    /// 99 in 100 were at least as fast.
    pub p99_ms: f64,
}

/// The summary of one function.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FunctionSummary {
    /// The function's id.
    pub function_id: FunctionId,
    /// Its name at its latest invocation; a deleted function keeps its summary.
    pub name: FunctionName,
    /// Its figures.
    #[serde(flatten)]
    pub summary: Summary,
}

/// Everything, per function and per runtime.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct InvocationSummary {
    /// Everything.
    pub totals: Summary,
    /// Per function, most calls first.
    pub functions: Vec<FunctionSummary>,
    /// Per runtime.
    pub runtimes: BTreeMap<RuntimeName, Summary>,
}
