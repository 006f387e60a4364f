//! Counts and sums over invocations.

use super::Histogram;
use crate::model::{InvocationRecord, StartKind, Status, Summary};

/// Counts and sums over invocations. Sums are in microseconds, as floating-point numbers: exact up
/// to 285 years, and never out of range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// By status: see [`Status`].
    pub success: u64,
    /// See [`Status`].
    pub function_error: u64,
    /// See [`Status`].
    pub timeout: u64,
    /// See [`Status`].
    pub out_of_memory: u64,
    /// See [`Status`].
    pub crashed: u64,
    /// See [`Status`].
    pub cancelled: u64,
    /// By start kind: see [`StartKind`].
    pub cold: u64,
    /// See [`StartKind`].
    pub prewarmed: u64,
    /// See [`StartKind`].
    pub warm: u64,
    /// Waiting; see [`Timings`](crate::model::Timings), as for the rest.
    pub queue_us: f64,
    /// Creating and booting.
    pub boot_us: f64,
    /// Loading code.
    pub init_us: f64,
    /// The functions' own time.
    pub run_us: f64,
    /// From the request to the answer.
    pub total_us: f64,
    /// The highest memory peak, where one is known.
    pub max_memory_mib: Option<u32>,
    /// How long they took from the request to the answer.
    pub durations: Histogram,
}

impl Tally {
    /// Counts one invocation.
    #[allow(clippy::cast_precision_loss)] // See the type.
    pub fn add(&mut self, record: &InvocationRecord) {
        *match record.status {
            Status::Success => &mut self.success,
            Status::FunctionError => &mut self.function_error,
            Status::Timeout => &mut self.timeout,
            Status::OutOfMemory => &mut self.out_of_memory,
            Status::Crashed => &mut self.crashed,
            Status::Cancelled => &mut self.cancelled,
        } += 1;
        *match record.start {
            StartKind::Cold => &mut self.cold,
            StartKind::Prewarmed => &mut self.prewarmed,
            StartKind::Warm => &mut self.warm,
        } += 1;
        self.queue_us += record.queue_us as f64;
        self.boot_us += record.boot_us as f64;
        self.init_us += record.init_us as f64;
        self.run_us += record.run_us as f64;
        self.total_us += record.total_us as f64;
        self.max_memory_mib = self.max_memory_mib.max(record.max_memory_mib);
        self.durations.record(record.total_us);
    }

    /// Counts in what `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.merge_counts(other);
        self.durations.merge(&other.durations);
    }

    /// The same, but for the histogram.
    pub(super) fn merge_counts(&mut self, other: &Self) {
        for (own, others) in [
            (&mut self.success, other.success),
            (&mut self.function_error, other.function_error),
            (&mut self.timeout, other.timeout),
            (&mut self.out_of_memory, other.out_of_memory),
            (&mut self.crashed, other.crashed),
            (&mut self.cancelled, other.cancelled),
            (&mut self.cold, other.cold),
            (&mut self.prewarmed, other.prewarmed),
            (&mut self.warm, other.warm),
        ] {
            *own = own.saturating_add(others);
        }
        self.queue_us += other.queue_us;
        self.boot_us += other.boot_us;
        self.init_us += other.init_us;
        self.run_us += other.run_us;
        self.total_us += other.total_us;
        self.max_memory_mib = self.max_memory_mib.max(other.max_memory_mib);
    }

    /// All invocations.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.success.saturating_add(self.errors())
    }

    /// Those that did not succeed.
    #[must_use]
    pub fn errors(&self) -> u64 {
        [
            self.function_error,
            self.timeout,
            self.out_of_memory,
            self.crashed,
            self.cancelled,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// The figures for readers.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary_with(|percent| self.durations.percentile_us(percent))
    }

    #[allow(clippy::cast_precision_loss)] // See the type.
    pub(super) fn summary_with(&self, percentile_us: impl Fn(u8) -> u64) -> Summary {
        let calls = self.calls();
        let mean_ms = |sum_us: f64| match calls {
            0 => 0.0,
            calls => sum_us / calls as f64 / 1_000.0,
        };
        let percentile_ms = |percent| percentile_us(percent) as f64 / 1_000.0;
        Summary {
            calls,
            errors: self.errors(),
            function_errors: self.function_error,
            timeouts: self.timeout,
            out_of_memory: self.out_of_memory,
            crashed: self.crashed,
            cancelled: self.cancelled,
            cold: self.cold,
            prewarmed: self.prewarmed,
            warm: self.warm,
            avg_ms: mean_ms(self.total_us),
            p50_ms: percentile_ms(50),
            p90_ms: percentile_ms(90),
            p99_ms: percentile_ms(99),
            avg_queue_ms: mean_ms(self.queue_us),
            avg_boot_ms: mean_ms(self.boot_us),
            avg_init_ms: mean_ms(self.init_us),
            avg_run_ms: mean_ms(self.run_us),
            max_memory_mib: self.max_memory_mib,
        }
    }
}
