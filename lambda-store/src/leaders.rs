//! Which functions have the most calls in a range of time, without counting everybody's.
//!
//! Nobody has more calls in a range than in a longer one around it. So, taking functions by their
//! calls in a longer one, whose figures are few, one can stop where the next had fewer there than
//! the least of those that are wanted has in the range. Since the beginning is such a range, and
//! takes no time; where it says too little, because others led then, those are the days around.

use std::cmp::Reverse;
use std::collections::HashMap;

use lambda_core::model::{Bucket, FunctionId};
use lambda_core::store::rollup::{Rollup, Span};

/// Functions with how many calls each has, most calls first, of equally many the older first.
pub(crate) type Ranked = [(FunctionId, u64)];

/// The bucket since the beginning.
pub(crate) const EVER: Span = Span {
    bucket_s: 0,
    from_us: 0,
    to_us: 1,
};

/// The days around all of `spans`, which are in the order of time. Not hours, which may have been
/// removed: then they would say that nobody had any calls.
pub(crate) fn around(spans: &[Span]) -> Option<Span> {
    let day_us = i64::from(Bucket::Day.seconds()) * 1_000_000;
    let (first, last) = (spans.first()?, spans.last()?);
    Some(Span {
        bucket_s: Bucket::Day.seconds(),
        from_us: first.from_us.div_euclid(day_us).saturating_mul(day_us),
        to_us: last.to_us,
    })
}

/// Functions' figures in a range of time.
#[derive(Default)]
pub(crate) struct Found {
    /// How many calls each has.
    calls: HashMap<FunctionId, u64>,
    rollups: Vec<Rollup>,
}

impl Found {
    /// Those of `functions` whose figures are not here yet.
    pub(crate) fn missing(&self, functions: &Ranked) -> Vec<Option<FunctionId>> {
        let missing = functions.iter().map(|(id, _)| *id);
        missing
            .filter(|id| !self.calls.contains_key(id))
            .map(Some)
            .collect()
    }

    /// All figures of some functions.
    pub(crate) fn add(&mut self, functions: &[Option<FunctionId>], rollups: Vec<Rollup>) {
        self.calls
            .extend(functions.iter().flatten().map(|id| (*id, 0)));
        for rollup in &rollups {
            if let Some(sum) = rollup.key.function.and_then(|id| self.calls.get_mut(&id)) {
                *sum = sum.saturating_add(rollup.tally.calls());
            }
        }
        self.rollups.extend(rollups);
    }

    /// Those of `ranked`, which says how many calls each has at most, that may be among the
    /// `wanted` with the most calls; some of them may be here already.
    pub(crate) fn may_lead<'a>(&self, ranked: &'a Ranked, wanted: usize) -> &'a Ranked {
        let mut calls: Vec<_> = self.calls.values().copied().collect();
        calls.sort_unstable_by_key(|calls| Reverse(*calls));
        let least = wanted.checked_sub(1).and_then(|at| calls.get(at));
        let least = least.copied().unwrap_or(0);
        &ranked[..ranked.partition_point(|(_, most)| *most >= least)]
    }

    /// All figures that were added.
    pub(crate) fn into_rollups(self) -> Vec<Rollup> {
        self.rollups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_lie_around_whatever_is_asked_for() {
        const HOUR: i64 = 3_600_000_000;
        let span = |from_us, to_us| Span {
            bucket_s: 3_600,
            from_us,
            to_us,
        };
        let days = around(&[span(25 * HOUR, 26 * HOUR), span(26 * HOUR, 50 * HOUR)]).unwrap();
        assert_eq!((days.from_us, days.to_us), (24 * HOUR, 50 * HOUR));
        assert_eq!(days.bucket_s, 86_400);
        let open = around(&[span(i64::MIN, i64::MAX)]).unwrap();
        assert_eq!((open.from_us, open.to_us), (i64::MIN, i64::MAX));
        assert!(around(&[]).is_none());
    }

    #[test]
    fn who_had_fewer_calls_than_the_last_that_is_wanted_cannot_lead() {
        let ids: Vec<_> = (0..5).map(|_| FunctionId::new()).collect();
        let ranked: Vec<_> = ids.iter().copied().zip([90, 50, 40, 30, 5]).collect();
        let mut found = Found::default();
        // Two are wanted, and both are here, with fewer calls than in the longer range.
        found.calls.extend([(ids[0], 60), (ids[1], 35)]);
        assert_eq!(found.may_lead(&ranked, 2), &ranked[..3]);
        assert_eq!(found.missing(&ranked[..3]), [Some(ids[2])]);
        // Of those who are not here nothing is known.
        assert_eq!(found.may_lead(&ranked, 3), &ranked[..]);
        found.calls.insert(ids[2], 38);
        assert_eq!(found.may_lead(&ranked, 2), &ranked[..3]);
    }
}
