//! Summaries of ranges of time, over time, of one function and of one runtime, against a
//! calculation over all records.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::fixture::{Random, append, name, namespace, record, time};
use super::summary::assert_summary;
use crate::model::{
    Bucket, FunctionId, InvocationRecord, InvocationSummary, Namespace, RuntimeName, StartKind,
    Status,
};
use crate::store::{Store, SummarizeInvocations};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn length_us(bucket: Bucket) -> i64 {
    i64::from(bucket.seconds()) * 1_000_000
}

fn floor(at: Timestamp, bucket: Bucket) -> Timestamp {
    let length = length_us(bucket);
    let floor = at.as_microsecond().div_euclid(length) * length;
    Timestamp::from_microsecond(floor).expect("in range")
}

fn ceil(at: Timestamp, bucket: Bucket) -> Timestamp {
    let floor = floor(at, bucket);
    match floor == at {
        true => at,
        false => floor + SignedDuration::from_micros(length_us(bucket)),
    }
}

/// Invocations of some functions with different popularity, all over some days.
pub(super) fn history() -> Vec<InvocationRecord> {
    let functions: Vec<_> = (0..6).map(|_| FunctionId::new()).collect();
    let runtimes = [RuntimeName::docker(), RuntimeName::gvisor()];
    let mut random = Random::new();
    let mut number = |bound| i64::try_from(random.below(bound)).unwrap_or(0);
    let mut records = Vec::new();
    for n in 0..400_usize {
        let rank = usize::try_from(number(6).min(number(6))).unwrap_or(0);
        // Half of them within some minutes, half of them over four days.
        let at = match n % 2 {
            0 => DAY + number(20 * 60) * 1_000_000,
            _ => number(4 * 24 * 60 * 60) * 1_000_000 + number(1_000_000),
        };
        let status = match number(3) {
            0 => Status::ALL[usize::try_from(number(6)).unwrap_or(0)],
            _ => Status::Success,
        };
        records.push(InvocationRecord {
            function_name: name(&format!("f{rank}-{}", n / 100)),
            status,
            start: StartKind::ALL[usize::try_from(number(3)).unwrap_or(0)],
            runtime: runtimes[usize::from(number(5) == 0)].clone(),
            namespace: namespace(if n % 25 == 0 { "other" } else { "default" }),
            queue_us: number(10_000).unsigned_abs(),
            total_us: number(5_000_000).unsigned_abs(),
            max_memory_mib: (n % 3 > 0).then_some(20 + u32::try_from(rank).unwrap_or(0)),
            ..record(functions[rank], at)
        });
    }
    records
}

async fn keep(store: &dyn Store, records: &[InvocationRecord]) {
    // Not in the order in which they started.
    for offset in 0..3 {
        let batch: Vec<_> = records.iter().skip(offset).step_by(3).cloned().collect();
        append(store, &batch).await.expect("append");
    }
}

/// Checks a summary, and that its bounds are those asked for, moved outward to `shortest`.
#[track_caller]
pub(super) fn assert_summed(
    found: &InvocationSummary,
    request: &SummarizeInvocations,
    all: &[InvocationRecord],
    shortest: Bucket,
) {
    assert_eq!(
        found.from,
        request.from.map(|at| floor(at, shortest)),
        "{request:?}"
    );
    assert_eq!(
        found.to,
        request.to.map(|at| ceil(at, shortest)),
        "{request:?}"
    );
    let of_all: Vec<_> = all
        .iter()
        .filter(|r| r.namespace == request.namespace)
        .filter(|r| request.function.is_none_or(|id| r.function_id == id))
        .filter(|r| {
            request
                .runtime
                .as_ref()
                .is_none_or(|name| r.runtime == *name)
        })
        .filter(|r| found.from.is_none_or(|from| r.started_at >= from))
        .filter(|r| found.to.is_none_or(|to| r.started_at < to))
        .collect();
    assert_summary(&found.totals, &of_all, &format!("{request:?}"));
    assert_runtimes(found, &of_all);
    assert_functions(found, &of_all, request.functions_max);
    assert_series(found, &of_all, request.bucket);
}

#[track_caller]
fn assert_runtimes(found: &InvocationSummary, of_all: &[&InvocationRecord]) {
    let expected: BTreeSet<_> = of_all.iter().map(|r| &r.runtime).collect();
    assert!(found.runtimes.keys().eq(expected), "the runtimes");
    for (runtime, summary) in &found.runtimes {
        let own = of_all.iter().filter(|r| r.runtime == *runtime);
        let own: Vec<_> = own.copied().collect();
        assert_summary(summary, &own, runtime.as_str());
    }
}

#[track_caller]
fn assert_functions(found: &InvocationSummary, of_all: &[&InvocationRecord], max: u32) {
    let mut by_function = BTreeMap::<FunctionId, Vec<&InvocationRecord>>::new();
    for record in of_all {
        by_function
            .entry(record.function_id)
            .or_default()
            .push(record);
    }
    let mut expected: Vec<_> = by_function.into_iter().collect();
    expected.sort_by_key(|(id, own)| (Reverse(own.len()), *id));
    expected.truncate(max as usize);
    assert_eq!(
        found.functions.len(),
        expected.len(),
        "the number of functions"
    );
    for (found, (id, own)) in found.functions.iter().zip(expected) {
        assert_eq!(found.function_id, id, "most calls first, then the older");
        assert_summary(&found.summary, &own, "a function");
        let latest = own.iter().max_by_key(|r| (r.started_at, r.request_id));
        assert_eq!(
            Some(&found.name),
            latest.map(|r| &r.function_name),
            "its name"
        );
    }
}

#[track_caller]
fn assert_series(found: &InvocationSummary, of_all: &[&InvocationRecord], bucket: Option<Bucket>) {
    let Some(bucket) = bucket else {
        assert!(found.series.is_empty(), "a series that nobody asked for");
        return;
    };
    let mut expected = BTreeMap::<Timestamp, Vec<&InvocationRecord>>::new();
    for record in of_all {
        let start = floor(record.started_at, bucket);
        expected.entry(start).or_default().push(record);
    }
    let starts = found.series.iter().map(|point| point.start);
    assert!(
        starts.eq(expected.keys().copied()),
        "where the points start"
    );
    for point in &found.series {
        assert_summary(&point.summary, &expected[&point.start], "a point");
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
    use super::fixture::expect_kind;
    use crate::error::ErrorKind;
    let all = SummarizeInvocations::all(Namespace::default());
    for (from, to, functions_max) in [(1, 1, 10), (2, 1, 10), (1, 2, 1_001)] {
        let mut request = all.clone();
        (request.from, request.to) = (Some(time(from)), Some(time(to)));
        request.functions_max = functions_max;
        let found = store.invocation_summary(request).await;
        expect_kind(found, ErrorKind::InvalidParameter, "bounds");
    }
}
