//! Sums of many figures.

use super::histogram::{Histogram, middle_of};
use super::tally::Tally;
use crate::model::Summary;

/// Adds up the figures of a reader.
///
/// A summary adds thousands of [`Tally`]s into some hundred sums. Each histogram of them is a list
/// of a few buckets; that of a sum has a place for every bucket, so that adding searches nothing.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// But for the durations.
    tally: Tally,
    /// The bucket of the first count.
    first: u16,
    /// Of each bucket from the first on.
    counts: Vec<u64>,
}

impl Sum {
    /// Adds the figures of one bucket.
    pub(super) fn add(&mut self, tally: &Tally) {
        self.tally.merge_counts(tally);
        let durations = tally.durations.counts();
        let ([(from, _), ..], [.., (to, _)]) = (durations, durations) else {
            return;
        };
        self.make_room(*from, *to);
        for (bucket, count) in durations {
            let sum = &mut self.counts[usize::from(*bucket - self.first)];
            *sum = sum.saturating_add(*count);
        }
    }

    fn make_room(&mut self, from: u16, to: u16) {
        if self.counts.is_empty() {
            self.first = from;
        }
        if from < self.first {
            let before = usize::from(self.first - from);
            self.counts.splice(..0, std::iter::repeat_n(0, before));
            self.first = from;
        }
        let length = usize::from(to - self.first) + 1;
        if length > self.counts.len() {
            self.counts.resize(length, 0);
        }
    }

    /// All invocations.
    pub(super) fn calls(&self) -> u64 {
        self.tally.calls()
    }

    /// The figures for readers.
    pub(super) fn summary(&self) -> Summary {
        let buckets = (self.first..).zip(self.counts.iter().copied());
        let counted = buckets.filter(|(_, count)| *count > 0);
        let percentile_us = |percent| {
            let bucket = Histogram::percentile(counted.clone(), percent);
            bucket.map_or(0, middle_of)
        };
        self.tally.summary_with(percentile_us)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sum_is_what_merging_gives(
            parts in prop::collection::vec(
                prop::collection::vec(prop_oneof![0..100_u64, 0..10_000_000_u64, any::<u64>()], 0..20),
                0..10,
            ),
        ) {
            let (mut sum, mut merged) = (Sum::default(), Tally::default());
            for part in parts {
                let mut tally = Tally {
                    success: part.len() as u64,
                    warm: part.len() as u64,
                    ..Tally::default()
                };
                for us in part {
                    tally.total_us += us as f64;
                    tally.durations.record(us);
                }
                sum.add(&tally);
                merged.merge(&tally);
            }
            prop_assert_eq!(sum.calls(), merged.calls());
            prop_assert_eq!(sum.summary(), merged.summary());
        }
    }
}
