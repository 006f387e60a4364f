//! Figures over invocations, kept beside the records so that a summary never reads them.
//!
//! For each minute, hour and day, and since the beginning, there is one [`Rollup`] per runtime
//! over all functions, and one per runtime and function. A store keeps them as rows under
//! [`RollupKey`], in the same transaction as the records:
//!
//! 1. [`Rollup::of`] makes those of a batch of new records;
//! 2. the store reads what it has under their keys, [`merge`](Rollup::merge)s, and writes;
//! 3. for a summary [`Plan`] says which rows to read, and [`SummaryBuilder`] adds them up.

mod histogram;
mod plan;
mod sum;
mod summary;
mod tally;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::model::{
    Bucket, FunctionId, FunctionName, InvocationRecord, Namespace, RequestId, RuntimeName,
};
use crate::store::AppendInvocations;

pub use histogram::{Histogram, HistogramError};
pub use plan::{Plan, Span};
pub use summary::SummaryBuilder;
pub use tally::Tally;

/// What invocations are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RollupKey {
    /// Whose invocations.
    pub namespace: Namespace,
    /// The length of the bucket in seconds: that of a [`Bucket`], or 0 for the one since the
    /// beginning.
    pub bucket_s: u32,
    /// When the bucket starts, in microseconds since the epoch.
    pub start_us: i64,
    /// The function; none: all of them.
    pub function: Option<FunctionId>,
    /// Where they ran.
    pub runtime: RuntimeName,
}

/// The figures of one bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollup {
    /// What is counted.
    pub key: RollupKey,
    /// The function's name at its latest invocation. Of all functions: that one's.
    pub name: FunctionName,
    /// When the latest invocation started, in microseconds since the epoch.
    pub latest_us: i64,
    /// Its id, which decides between two that started together.
    pub latest_id: RequestId,
    /// The figures.
    pub tally: Tally,
}

impl Rollup {
    /// The figures of records that are new to a store, in the order of their keys.
    ///
    /// `since` are the bounds of `minutes_since` and `hours_since` of `request`; its entries are
    /// not looked at, because some of them may not be new.
    pub fn of<'a>(
        records: impl IntoIterator<Item = &'a InvocationRecord>,
        request: &AppendInvocations,
    ) -> Vec<Self> {
        // First by minute and function alone: the others are made of few of these, not of each record.
        let mut minutes = BTreeMap::<RollupKey, Self>::new();
        for record in records {
            let key = RollupKey {
                namespace: record.namespace.clone(),
                bucket_s: Bucket::Minute.seconds(),
                start_us: floor(record.started_at.as_microsecond(), Bucket::Minute),
                function: Some(record.function_id),
                runtime: record.runtime.clone(),
            };
            minutes
                .entry(key)
                .or_insert_with_key(|key| Self::empty(key.clone(), record))
                .add(record);
        }
        let mut rollups = BTreeMap::<RollupKey, Self>::new();
        for minute in minutes.values() {
            for (bucket_s, start_us) in buckets(minute.key.start_us, request) {
                for function in [None, minute.key.function] {
                    let key = RollupKey {
                        bucket_s,
                        start_us,
                        function,
                        ..minute.key.clone()
                    };
                    match rollups.entry(key) {
                        Entry::Occupied(mut rollup) => rollup.get_mut().merge(minute),
                        Entry::Vacant(place) => {
                            let key = place.key().clone();
                            place.insert(Self {
                                key,
                                ..minute.clone()
                            });
                        }
                    }
                }
            }
        }
        rollups.into_values().collect()
    }

    fn empty(key: RollupKey, first: &InvocationRecord) -> Self {
        Self {
            key,
            name: first.function_name.clone(),
            latest_us: first.started_at.as_microsecond(),
            latest_id: first.request_id,
            tally: Tally::default(),
        }
    }

    fn add(&mut self, record: &InvocationRecord) {
        self.tally.add(record);
        self.rename(
            record.started_at.as_microsecond(),
            record.request_id,
            &record.function_name,
        );
    }

    /// Counts in what `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
        self.rename(other.latest_us, other.latest_id, &other.name);
    }

    fn rename(&mut self, at_us: i64, id: RequestId, name: &FunctionName) {
        if (at_us, id) > (self.latest_us, self.latest_id) {
            (self.latest_us, self.latest_id) = (at_us, id);
            self.name.clone_from(name);
        }
    }
}

/// The buckets that what happened at `at_us` is counted in: their lengths in seconds, and their
/// starts.
fn buckets(at_us: i64, request: &AppendInvocations) -> impl Iterator<Item = (u32, i64)> + use<> {
    let (minutes, hours) = (request.minutes_since, request.hours_since);
    let of_buckets = Bucket::ALL.into_iter().filter_map(move |bucket| {
        let start_us = floor(at_us, bucket);
        let since = match bucket {
            Bucket::Minute => minutes,
            Bucket::Hour => hours,
            Bucket::Day => None,
        };
        let kept = since.is_none_or(|since| start_us >= since.as_microsecond());
        kept.then_some((bucket.seconds(), start_us))
    });
    of_buckets.chain([(0, 0)])
}

/// The start of the bucket that a point in time lies in.
fn floor(at_us: i64, bucket: Bucket) -> i64 {
    let length_us = length_us(bucket);
    at_us.div_euclid(length_us).saturating_mul(length_us)
}

/// The first start of a bucket at or after a point in time.
fn ceil(at_us: i64, bucket: Bucket) -> i64 {
    let floor = floor(at_us, bucket);
    match floor == at_us {
        true => at_us,
        false => floor.saturating_add(length_us(bucket)),
    }
}

const fn length_us(bucket: Bucket) -> i64 {
    bucket.seconds() as i64 * 1_000_000
}
