//! Summaries over many invocations.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::ids::{FunctionId, FunctionName, RuntimeName};

/// Counts and durations of a set of invocations, by when they started.
///
/// Durations are in milliseconds; 0 where there were no calls. Percentiles are of the whole
/// time from the request to the answer, by nearest rank, and off by at most 1.6 %: they come from
/// a histogram. Everything else is exact.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// All invocations.
    pub calls: u64,
    /// Those that did not succeed: the sum of the five that follow.
    pub errors: u64,
    /// Those whose function failed.
    pub function_errors: u64,
    /// Those that ran into their timeout.
    pub timeouts: u64,
    /// Those that ran out of memory.
    pub out_of_memory: u64,
    /// Those whose process died.
    pub crashed: u64,
    /// Those that their caller cancelled.
    pub cancelled: u64,
    /// Cold starts.
    pub cold: u64,
    /// Prewarmed starts.
    pub prewarmed: u64,
    /// Warm starts.
    pub warm: u64,
    /// The mean of the whole time.
    pub avg_ms: f64,
    /// The median of the whole time.
    pub p50_ms: f64,
    /// Nine in ten were at least as fast.
    pub p90_ms: f64,
    /// 99 in 100 were at least as fast.
    pub p99_ms: f64,
    /// The mean wait for a sandbox that others used.
    pub avg_queue_ms: f64,
    /// The mean of creating a sandbox and booting the language, over all calls.
    pub avg_boot_ms: f64,
    /// The mean of loading the function's code, over all calls.
    pub avg_init_ms: f64,
    /// The mean of the function's own time.
    pub avg_run_ms: f64,
    /// The highest memory peak of a sandbox in MiB, where one is known.
    pub max_memory_mib: Option<u32>,
}

/// How long each point of a series of figures is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Bucket {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

impl Bucket {
    /// All of them, the shortest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::Minute => 60,
            Self::Hour => 60 * 60,
            Self::Day => 24 * 60 * 60,
        }
    }

    /// The name, as it stands in every API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The bucket that `word` stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.as_str() == word)
    }
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

/// The summary of one bucket of a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SummaryPoint {
    /// When the bucket starts.
    pub start: Timestamp,
    /// Its figures.
    #[serde(flatten)]
    pub summary: Summary,
}

/// Everything, per function, per runtime and over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct InvocationSummary {
    /// The start of the time that is summed up; none: since the first invocation. It may lie
    /// before the one that was asked for, because figures are kept per minute, hour or day.
    pub from: Option<Timestamp>,
    /// The end of that time; none: until now.
    pub to: Option<Timestamp>,
    /// Everything.
    pub totals: Summary,
    /// Per function, most calls first; of equally many the older function first.
    pub functions: Vec<FunctionSummary>,
    /// Per runtime.
    pub runtimes: BTreeMap<RuntimeName, Summary>,
    /// Over time, oldest first. Buckets without invocations are left out.
    pub series: Vec<SummaryPoint>,
}
