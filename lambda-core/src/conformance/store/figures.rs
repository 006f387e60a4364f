//! Summaries of ranges of time, over time, of one function and of one runtime, against a
//! calculation over all records.

use std::sync::Arc;

use jiff::Timestamp;

use super::fixture::{Random, append, expect_kind, namespace, record, time};
use super::summary::assert_summary;
use super::sums::{DAY, HOUR, MINUTE, assert_summed, history};
use crate::error::ErrorKind;
use crate::model::{Bucket, FunctionId, InvocationRecord, Namespace, RuntimeName};
use crate::store::{Store, SummarizeInvocations};

async fn keep(store: &dyn Store, records: &[InvocationRecord]) {
    // Not in the order in which they started.
    for offset in 0..3 {
        let batch: Vec<_> = records.iter().skip(offset).step_by(3).cloned().collect();
        append(store, &batch).await.expect("append");
    }
}

async fn check(
    store: &dyn Store,
    request: &SummarizeInvocations,
    all: &[InvocationRecord],
    shortest: Bucket,
) {
    let found = store
        .invocation_summary(request.clone())
        .await
        .expect("summary");
    assert_summed(&found, request, all, shortest);
}

pub(super) async fn of_ranges(store: Arc<dyn Store>) {
    let all = history();
    keep(&*store, &all).await;
    let mut request = SummarizeInvocations::all(Namespace::default());
    let (mut at, mut random) = (Vec::new(), Random::new());
    for length in [1, MINUTE, 7 * MINUTE, HOUR, 5 * HOUR, DAY, 2 * DAY, 9 * DAY] {
        let from = i64::try_from(random.below(2 * DAY.unsigned_abs())).unwrap_or(0);
        at.push((Some(from), Some(from + length)));
    }
    // Bounds of minutes, hours and days: 15:06:40 is 40 seconds after the minute.
    let midnight = DAY - (15 * 60 + 6) * MINUTE - 40_000_000;
    at.extend([
        (None, None),
        (Some(midnight), Some(midnight + DAY)),
        (Some(midnight - 1), Some(midnight + DAY + 1)),
        (Some(midnight + HOUR), None),
        (None, Some(midnight + 3 * HOUR + MINUTE)),
        (Some(DAY), Some(DAY + 10 * MINUTE)),
        (Some(-9 * DAY), Some(-8 * DAY)),
    ]);
    for (from, to) in at {
        (request.from, request.to) = (from.map(time), to.map(time));
        // Where a range is open at one end, that end is made of days.
        check(&*store, &request, &all, Bucket::Minute).await;
    }
    (request.from, request.to) = (Some(Timestamp::MIN), Some(Timestamp::MAX));
    let found = store.invocation_summary(request).await.expect("summary");
    let own = all.iter().filter(|r| r.namespace == Namespace::default());
    assert_summary(&found.totals, &own.collect::<Vec<_>>(), "from end to end");
}

pub(super) async fn over_time(store: Arc<dyn Store>) {
    let all = history();
    keep(&*store, &all).await;
    for bucket in Bucket::ALL {
        for (from, to) in [
            (None, None),
            (Some(HOUR + 1), Some(3 * DAY)),
            (Some(DAY), Some(DAY + 11 * MINUTE)),
            (Some(DAY), None),
            (None, Some(2 * DAY)),
        ] {
            for function in [None, Some(all[0].function_id)] {
                let mut request = SummarizeInvocations::all(Namespace::default());
                (request.from, request.to) = (from.map(time), to.map(time));
                (request.bucket, request.function) = (Some(bucket), function);
                check(&*store, &request, &all, bucket).await;
            }
        }
    }
}

pub(super) async fn of_one_function_and_one_runtime(store: Arc<dyn Store>) {
    let all = history();
    keep(&*store, &all).await;
    let runtimes = [
        None,
        Some(RuntimeName::gvisor()),
        Some(RuntimeName::new("none").expect("a good name")),
    ];
    let functions = [None, Some(all[1].function_id), Some(FunctionId::new())];
    for space in ["default", "other", "empty"] {
        for runtime in &runtimes {
            for function in functions {
                for range in [(None, None), (Some(time(DAY)), Some(time(2 * DAY + HOUR)))] {
                    let mut request = SummarizeInvocations::all(namespace(space));
                    request.runtime.clone_from(runtime);
                    request.function = function;
                    (request.from, request.to) = range;
                    check(&*store, &request, &all, Bucket::Minute).await;
                }
            }
        }
    }
}

pub(super) async fn of_so_many_functions(store: Arc<dyn Store>) {
    let mut all = history();
    // Two with the same number of calls.
    let (one, two) = (FunctionId::new(), FunctionId::new());
    for n in 0..20 {
        all.push(record(if n % 2 == 0 { two } else { one }, n * HOUR));
    }
    keep(&*store, &all).await;
    for functions_max in [0, 1, 2, 3, 5, 6, 7, 8, 9, 1_000] {
        for range in [(None, None), (Some(time(0)), Some(time(3 * DAY)))] {
            for function in [None, Some(one)] {
                let mut request = SummarizeInvocations::all(Namespace::default());
                request.functions_max = functions_max;
                request.function = function;
                (request.from, request.to) = range;
                check(&*store, &request, &all, Bucket::Minute).await;
            }
        }
    }
}

/// Who had the most calls in a range had the fewest before it, and the other way round.
pub(super) async fn of_leaders_that_changed(store: Arc<dyn Store>) {
    let functions: Vec<_> = (0..30).map(|_| FunctionId::new()).collect();
    let mut all = Vec::new();
    for (rank, function) in (0_i64..).zip(&functions) {
        let early = (0..3 * (30 - rank)).map(|call| call * HOUR / 90);
        let late = (0..=rank).map(|call| 3 * DAY + call * 50_000_000);
        all.extend(early.chain(late).map(|at| record(*function, at)));
    }
    keep(&*store, &all).await;
    for (from, to) in [
        (Some(2 * DAY), None),
        (Some(3 * DAY), Some(3 * DAY + 10 * MINUTE)),
        (Some(3 * DAY - HOUR), Some(3 * DAY + HOUR)),
        (Some(HOUR), Some(9 * DAY)),
        (None, None),
    ] {
        for functions_max in [1, 2, 5, 12, 29, 30] {
            for bucket in [None, Some(Bucket::Hour)] {
                let mut request = SummarizeInvocations::all(Namespace::default());
                (request.from, request.to) = (from.map(time), to.map(time));
                (request.functions_max, request.bucket) = (functions_max, bucket);
                check(&*store, &request, &all, bucket.unwrap_or(Bucket::Minute)).await;
            }
        }
    }
}

/// Every batch brings records that are there, or that others bring at the same time.
pub(super) async fn duplicates_count_once(store: Arc<dyn Store>) {
    let all: Arc<Vec<_>> = Arc::new(history());
    let mut appending = Vec::new();
    for task in 0..12_usize {
        let (store, all) = (Arc::clone(&store), Arc::clone(&all));
        appending.push(tokio::spawn(async move {
            // Each record is in three of the batches, and twice in one of them.
            let own = |n: &usize| [0, 4, 7].iter().any(|shift| (n + shift) % 12 == task);
            let mut batch: Vec<_> = (0..all.len()).filter(own).map(|n| all[n].clone()).collect();
            let twice: Vec<_> = batch.iter().step_by(3).cloned().collect();
            batch.extend(twice);
            append(&*store, &batch).await
        }));
    }
    for append in appending {
        append.await.expect("no panic").expect("append");
    }
    append(&*store, &all).await.expect("all of them again");
    for bucket in [
        None,
        Some(Bucket::Minute),
        Some(Bucket::Hour),
        Some(Bucket::Day),
    ] {
        let mut request = SummarizeInvocations::all(Namespace::default());
        request.bucket = bucket;
        check(&*store, &request, &all, bucket.unwrap_or(Bucket::Day)).await;
    }
}

pub(super) async fn bounds_are_checked(store: Arc<dyn Store>) {
    let all = SummarizeInvocations::all(Namespace::default());
    for (from, to, functions_max) in [(1, 1, 10), (2, 1, 10), (1, 2, 1_001)] {
        let mut request = all.clone();
        (request.from, request.to) = (Some(time(from)), Some(time(to)));
        request.functions_max = functions_max;
        let found = store.invocation_summary(request).await;
        expect_kind(found, ErrorKind::InvalidParameter, "bounds");
    }
}
