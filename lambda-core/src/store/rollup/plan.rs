//! Which figures make up a range of time.

use jiff::Timestamp;

use super::{ceil, floor};
use crate::model::Bucket;
use crate::store::SummarizeInvocations;

/// Buckets of one length that start within a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Their length in seconds; 0: the one since the beginning.
    pub bucket_s: u32,
    /// The first start, in microseconds since the epoch.
    pub from_us: i64,
    /// The end: no bucket starts there or later.
    pub to_us: i64,
}

/// Which buckets make up a range of time: none overlaps another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The buckets.
    pub spans: Vec<Span>,
    /// What they cover; see [`InvocationSummary`](crate::model::InvocationSummary).
    pub from: Option<Timestamp>,
    /// See `from`.
    pub to: Option<Timestamp>,
}

impl Plan {
    /// The buckets that `request` is answered from: as few as will do, so long ones in the
    /// middle and short ones at the ends.
    #[must_use]
    pub fn of(request: &SummarizeInvocations) -> Self {
        if request.from.is_none() && request.to.is_none() && request.bucket.is_none() {
            let ever = Span {
                bucket_s: 0,
                from_us: 0,
                to_us: 1,
            };
            return Self {
                spans: vec![ever],
                from: None,
                to: None,
            };
        }
        let edge_from = request.from.map(|from| edge(request, from));
        let edge_to = request.to.map(|to| edge(request, to));
        let from_us = edge_from.map(|(at_us, bucket)| floor(at_us, bucket));
        let to_us = edge_to.map(|(at_us, bucket)| ceil(at_us, bucket));
        let mut plan = Self {
            spans: Vec::new(),
            from: from_us.map(timestamp),
            to: to_us.map(timestamp),
        };
        let (from_us, to_us) = (from_us.unwrap_or(i64::MIN), to_us.unwrap_or(i64::MAX));
        match request.bucket {
            Some(bucket) => plan.push(bucket, from_us, to_us),
            None => plan.push_longest(from_us, to_us, &Bucket::ALL),
        }
        plan
    }

    /// The buckets that figures per function are made of, for the same `request` and the same time.
    ///
    /// Those of a series are all of one length, and many; for a sum, fewer and longer ones do.
    #[must_use]
    pub fn function_spans(&self, request: &SummarizeInvocations) -> Vec<Span> {
        let since = match request.bucket {
            Some(Bucket::Minute) => request.minutes_since,
            Some(Bucket::Hour) => request.hours_since,
            Some(Bucket::Day) | None => None,
        };
        let from = request.from;
        // Where short buckets are missing, the sums are those of the series all the same.
        let complete = since.is_none_or(|since| from.is_some_and(|from| from >= since));
        if request.bucket.is_none() || !complete {
            return self.spans.clone();
        }
        let mut sum = SummarizeInvocations::all(request.namespace.clone());
        (sum.from, sum.to) = (self.from, self.to);
        Self::of(&sum).spans
    }

    fn push(&mut self, bucket: Bucket, from_us: i64, to_us: i64) {
        if from_us < to_us {
            self.spans.push(Span {
                bucket_s: bucket.seconds(),
                from_us,
                to_us,
            });
        }
    }

    /// The longest of `buckets` in the middle, the shorter ones on both sides.
    fn push_longest(&mut self, from_us: i64, to_us: i64, buckets: &[Bucket]) {
        let Some((longest, shorter)) = buckets.split_last() else {
            return;
        };
        // What has no end begins, or ends, with the longest.
        let middle_from = match from_us {
            i64::MIN => i64::MIN,
            from_us => ceil(from_us, *longest),
        };
        let middle_to = match to_us {
            i64::MAX => i64::MAX,
            to_us => floor(to_us, *longest),
        };
        if middle_from > middle_to {
            self.push_longest(from_us, to_us, shorter);
            return;
        }
        self.push_longest(from_us, middle_from, shorter);
        self.push(*longest, middle_from, middle_to);
        self.push_longest(middle_to, to_us, shorter);
    }
}

/// An end of the range, and the shortest bucket that is still there around it.
fn edge(request: &SummarizeInvocations, at: Timestamp) -> (i64, Bucket) {
    let at_us = at.as_microsecond();
    let is_kept = |bucket: Bucket| {
        let since = match bucket {
            Bucket::Minute => request.minutes_since,
            Bucket::Hour => request.hours_since,
            Bucket::Day => None,
        };
        let next = match bucket {
            Bucket::Minute => Bucket::Hour,
            Bucket::Hour | Bucket::Day => Bucket::Day,
        };
        // Of the next longer bucket around it none may be missing a part.
        since.is_none_or(|since| floor(at_us, next) >= since.as_microsecond())
    };
    let wanted = request.bucket.unwrap_or(Bucket::Minute);
    let shortest = Bucket::ALL.into_iter().find(|bucket| is_kept(*bucket));
    (at_us, shortest.unwrap_or(Bucket::Day).max(wanted))
}

fn timestamp(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(match us < 0 {
        true => Timestamp::MIN,
        false => Timestamp::MAX,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Namespace;

    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;

    fn at(us: i64) -> Option<Timestamp> {
        Some(Timestamp::from_microsecond(us).unwrap())
    }

    fn request(from: Option<i64>, to: Option<i64>) -> SummarizeInvocations {
        let mut request = SummarizeInvocations::all(Namespace::default());
        request.from = from.and_then(at);
        request.to = to.and_then(at);
        request
    }

    fn spans(plan: &Plan) -> Vec<(u32, i64, i64)> {
        let spans = plan.spans.iter();
        spans.map(|s| (s.bucket_s, s.from_us, s.to_us)).collect()
    }

    #[test]
    fn long_buckets_in_the_middle_and_short_ones_at_the_ends() {
        let plan = Plan::of(&request(
            Some(DAY - HOUR - MINUTE - 1),
            Some(3 * DAY + HOUR + MINUTE),
        ));
        assert_eq!(
            spans(&plan),
            [
                (60, DAY - HOUR - 2 * MINUTE, DAY - HOUR),
                (3_600, DAY - HOUR, DAY),
                (86_400, DAY, 3 * DAY),
                (3_600, 3 * DAY, 3 * DAY + HOUR),
                (60, 3 * DAY + HOUR, 3 * DAY + HOUR + MINUTE),
            ]
        );
        assert_eq!(plan.from, at(DAY - HOUR - 2 * MINUTE));
        assert_eq!(spans(&Plan::of(&request(None, None))), [(0, 0, 1)]);
        let open = Plan::of(&request(Some(HOUR), None));
        assert_eq!(spans(&open), [(3_600, HOUR, DAY), (86_400, DAY, i64::MAX)]);
        let open = Plan::of(&request(None, Some(DAY + MINUTE)));
        assert_eq!(
            spans(&open),
            [(86_400, i64::MIN, DAY), (60, DAY, DAY + MINUTE)]
        );
    }

    #[test]
    fn what_was_removed_is_taken_from_longer_buckets() {
        let mut request = request(Some(DAY + 90 * MINUTE), Some(5 * DAY + 90 * MINUTE));
        request.minutes_since = at(4 * DAY);
        let plan = Plan::of(&request);
        assert_eq!(plan.from, at(DAY + HOUR), "moved outward to the hour");
        assert_eq!(plan.to, at(5 * DAY + 90 * MINUTE));
        request.hours_since = at(3 * DAY);
        assert_eq!(Plan::of(&request).from, at(DAY));
    }

    #[test]
    fn a_series_has_buckets_of_one_length() {
        let mut request = request(Some(HOUR + 1), Some(3 * HOUR - 1));
        request.bucket = Some(Bucket::Hour);
        assert_eq!(spans(&Plan::of(&request)), [(3_600, HOUR, 3 * HOUR)]);
        request.from = None;
        assert_eq!(spans(&Plan::of(&request)), [(3_600, i64::MIN, 3 * HOUR)]);
    }

    #[test]
    fn sums_beside_a_series_need_fewer_buckets() {
        let mut request = request(Some(2 * HOUR), Some(3 * DAY));
        request.bucket = Some(Bucket::Hour);
        let plan = Plan::of(&request);
        let spans_of = |request: &SummarizeInvocations| {
            let spans = plan.function_spans(request);
            let spans = spans.iter();
            spans
                .map(|s| (s.bucket_s, s.from_us, s.to_us))
                .collect::<Vec<_>>()
        };
        let longer = [(3_600, 2 * HOUR, DAY), (86_400, DAY, 3 * DAY)];
        assert_eq!(spans_of(&request), longer);
        request.hours_since = at(2 * HOUR);
        assert_eq!(spans_of(&request), longer);
        request.hours_since = at(3 * HOUR);
        assert_eq!(spans_of(&request), spans(&plan), "some hours are missing");
    }

    proptest! {
        /// The spans are neighbours, begin and end on their own bounds, and cover the range.
        #[test]
        fn spans_tile_the_range(from in 0..40 * DAY, length in 1..40 * DAY) {
            let plan = Plan::of(&request(Some(from), Some(from + length)));
            let mut reached = plan.from.unwrap().as_microsecond();
            prop_assert!(reached <= from && from - reached < MINUTE);
            for span in &plan.spans {
                prop_assert_eq!(span.from_us, reached);
                prop_assert!(span.to_us > span.from_us);
                let length_us = i64::from(span.bucket_s) * 1_000_000;
                prop_assert_eq!(span.from_us % length_us, 0);
                prop_assert_eq!(span.to_us % length_us, 0);
                reached = span.to_us;
            }
            prop_assert_eq!(at(reached), plan.to);
            prop_assert!(reached >= from + length && reached - (from + length) < MINUTE);
            prop_assert!(plan.spans.len() <= 5);
        }
    }
}
