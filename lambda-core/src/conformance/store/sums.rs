//! Summaries as they ought to be: a calculation over all records, and records to calculate with.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::fixture::{Random, name, namespace, record};
use super::summary::assert_summary;
use crate::model::{
    Bucket, FunctionId, InvocationRecord, InvocationSummary, RuntimeName, StartKind, Status,
};
use crate::store::SummarizeInvocations;

pub(super) const MINUTE: i64 = 60_000_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

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
