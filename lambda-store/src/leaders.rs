//! Which functions have the most calls in a range of time, without counting everybody's.
//!
//! Nobody has more calls in a range than in a longer one around it. So, taking functions by their
//! calls in a longer one, whose figures are few, one can stop where the next had fewer there than
//! the least of those that are wanted has in the range. Since the beginning is such a range, and
//! takes no time; where it says too little, because others led then, those are the days or
//! hours around.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::future::Future;

use lambda_core::model::{Bucket, FunctionId};
use lambda_core::store::rollup::{Rollup, Span};

/// Figures of a range of time, on their way into a summary.
pub(crate) trait Reading: Send {
    /// Why reading failed.
    type Error: Send;

    /// Of those functions whose figures were added.
    fn calls(&mut self) -> &mut Calls;

    /// Functions by their calls in a span: most calls first, of equally many the older first.
    fn ranked(
        &mut self,
        span: &Span,
    ) -> impl Future<Output = Result<Vec<(FunctionId, u64)>, Self::Error>> + Send;

    /// Adds the figures of functions in some spans, also to [`calls`](Self::calls); none: over all
    /// of them.
    fn add(
        &mut self,
        spans: &[Span],
        functions: &[Option<FunctionId>],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Adds every function's figures in some spans.
    fn add_all(&mut self, spans: &[Span]) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Adds the figures of the `wanted` functions with the most calls in the spans, and perhaps of
/// others.
pub(crate) async fn add_leaders<R: Reading>(
    reading: &mut R,
    spans: &[Span],
    wanted: usize,
) -> Result<(), R::Error> {
    let ever = reading.ranked(&EVER).await?;
    if ever.len() <= wanted {
        return reading.add_all(spans).await;
    }
    add_new(reading, spans, &ever[..wanted]).await?;
    let (may_lead, new) = reading.calls().may_lead(&ever, wanted);
    if new <= wanted {
        return add_new(reading, spans, may_lead).await;
    }
    let Some(around) = around(spans) else {
        return Ok(());
    };
    let ranked = reading.ranked(&around).await?;
    add_new(reading, spans, &ranked[..wanted.min(ranked.len())]).await?;
    let (may_lead, _) = reading.calls().may_lead(&ranked, wanted);
    add_new(reading, spans, may_lead).await
}

/// Adds the figures of those of `functions` that were not added yet.
async fn add_new<R: Reading>(
    reading: &mut R,
    spans: &[Span],
    functions: &Ranked,
) -> Result<(), R::Error> {
    let new = reading.calls().take(functions);
    if new.is_empty() {
        return Ok(());
    }
    let new: Vec<_> = new.into_iter().map(Some).collect();
    reading.add(spans, &new).await
}

/// Functions with how many calls each has, most calls first, of equally many the older first.
type Ranked = [(FunctionId, u64)];

/// The bucket since the beginning.
const EVER: Span = Span {
    bucket_s: 0,
    from_us: 0,
    to_us: 1,
};

/// Buckets around all of `spans`, which are in the order of time: days, or hours where that would
/// be much longer. Where hours have been removed, spans are whole days.
fn around(spans: &[Span]) -> Option<Span> {
    const HALF_A_DAY_US: i64 = 12 * 3_600_000_000;
    let (first, last) = (spans.first()?, spans.last()?);
    let bucket = match last.to_us.saturating_sub(first.from_us) < HALF_A_DAY_US {
        true => Bucket::Hour,
        false => Bucket::Day,
    };
    let length_us = i64::from(bucket.seconds()) * 1_000_000;
    Some(Span {
        bucket_s: bucket.seconds(),
        from_us: first
            .from_us
            .div_euclid(length_us)
            .saturating_mul(length_us),
        to_us: last.to_us,
    })
}

/// How many calls some functions have in a range of time.
#[derive(Default)]
pub(crate) struct Calls(HashMap<FunctionId, u64>);

impl Calls {
    /// Those of `functions` that were not taken yet; they are now, with no calls.
    fn take(&mut self, functions: &Ranked) -> Vec<FunctionId> {
        let missing = self.missing(functions);
        self.0.extend(missing.iter().map(|id| (*id, 0)));
        missing
    }

    fn missing(&self, functions: &Ranked) -> Vec<FunctionId> {
        let ids = functions.iter().map(|(id, _)| *id);
        ids.filter(|id| !self.0.contains_key(id)).collect()
    }

    /// Counts the calls of a bucket of a function that was taken.
    pub(crate) fn add(&mut self, rollup: &Rollup) {
        if let Some(sum) = rollup.key.function.and_then(|id| self.0.get_mut(&id)) {
            *sum = sum.saturating_add(rollup.tally.calls());
        }
    }

    /// Those of `ranked`, which says how many calls each has at most, that may be among the
    /// `wanted` with the most calls; and how many of them were not taken yet.
    fn may_lead<'a>(&self, ranked: &'a Ranked, wanted: usize) -> (&'a Ranked, usize) {
        let mut calls: Vec<_> = self.0.values().copied().collect();
        calls.sort_unstable_by_key(|calls| Reverse(*calls));
        let least = wanted.checked_sub(1).and_then(|at| calls.get(at));
        let least = least.copied().unwrap_or(0);
        let may_lead = &ranked[..ranked.partition_point(|(_, most)| *most >= least)];
        (may_lead, self.missing(may_lead).len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_or_hours_lie_around_whatever_is_asked_for() {
        const HOUR: i64 = 3_600_000_000;
        let span = |from_us, to_us| Span {
            bucket_s: 60,
            from_us,
            to_us,
        };
        let days = around(&[span(25 * HOUR, 26 * HOUR), span(26 * HOUR, 50 * HOUR)]).unwrap();
        assert_eq!((days.from_us, days.to_us), (24 * HOUR, 50 * HOUR));
        assert_eq!(days.bucket_s, 86_400);
        let hours = around(&[span(25 * HOUR + 7, 26 * HOUR)]).unwrap();
        assert_eq!((hours.from_us, hours.to_us), (25 * HOUR, 26 * HOUR));
        assert_eq!(hours.bucket_s, 3_600);
        let open = around(&[span(i64::MIN, i64::MAX)]).unwrap();
        assert_eq!((open.from_us, open.to_us), (i64::MIN, i64::MAX));
        assert!(around(&[]).is_none());
    }

    #[test]
    fn who_had_fewer_calls_than_the_last_that_is_wanted_cannot_lead() {
        let ids: Vec<_> = (0..5).map(|_| FunctionId::new()).collect();
        let ranked: Vec<_> = ids.iter().copied().zip([90, 50, 40, 30, 5]).collect();
        let mut calls = Calls::default();
        // Two are wanted, and both are there, with fewer calls than in the longer range.
        calls.0.extend([(ids[0], 60), (ids[1], 35)]);
        assert_eq!(calls.may_lead(&ranked, 2), (&ranked[..3], 1));
        // Of those who are not there nothing is known.
        assert_eq!(calls.may_lead(&ranked, 3), (&ranked[..], 3));
        assert_eq!(calls.take(&ranked[..3]), [ids[2]]);
        assert!(calls.take(&ranked[..3]).is_empty());
        calls.0.insert(ids[2], 38);
        assert_eq!(calls.may_lead(&ranked, 2), (&ranked[..3], 0));
    }
}
