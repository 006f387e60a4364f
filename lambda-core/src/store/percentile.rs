//! Summing records up, exactly: every duration is kept and sorted.

use crate::model::{InvocationRecord, StartKind, Status, Summary};

/// The records of one group, as far as a summary needs them.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    counts: Summary,
    total_us: Vec<u64>,
}

impl Samples {
    /// Counts one record in.
    pub(crate) fn add(&mut self, record: &InvocationRecord) {
        let counts = &mut self.counts;
        counts.calls += 1;
        counts.errors += u64::from(record.status != Status::Success);
        counts.timeouts += u64::from(record.status == Status::Timeout);
        match record.start {
            StartKind::Cold => counts.cold += 1,
            StartKind::Prewarmed => counts.prewarmed += 1,
            StartKind::Warm => counts.warm += 1,
        }
        self.total_us.push(record.total_us);
    }

    /// The figures.
    #[allow(clippy::cast_precision_loss)] // Microseconds of a mean: 52 bits are 142 years.
    pub(crate) fn summary(mut self) -> Summary {
        self.total_us.sort_unstable();
        let mut summary = self.counts;
        if let Some(last) = self.total_us.len().checked_sub(1) {
            // Nearest rank: the smallest value that `percent` of all do not exceed.
            let at = |percent: usize| {
                let rank = (self.total_us.len() * percent).div_ceil(100);
                self.total_us[rank.saturating_sub(1).min(last)] as f64 / 1_000.0
            };
            summary.avg_ms = self.total_us.iter().map(|us| *us as f64).sum::<f64>()
                / self.total_us.len() as f64
                / 1_000.0;
            summary.p50_ms = at(50);
            summary.p90_ms = at(90);
            summary.p99_ms = at(99);
        }
        summary
    }
}
