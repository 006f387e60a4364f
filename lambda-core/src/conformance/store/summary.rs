//! Summaries, against a calculation that shares nothing with any store.

use std::sync::Arc;

use super::fixture::{append, name, namespace, record};
use crate::model::{
    FunctionId, InvocationRecord, InvocationSummary, Namespace, RuntimeName, StartKind, Status,
    Summary,
};
use crate::store::{Store, SummarizeInvocations};

/// By the definition: the smallest duration that at least `percent` of all do not exceed.
#[allow(clippy::cast_precision_loss)]
fn percentile_ms(records: &[&InvocationRecord], percent: usize) -> f64 {
    let mut candidates: Vec<u64> = records.iter().map(|r| r.total_us).collect();
    candidates.sort_unstable();
    let smallest = candidates.into_iter().find(|candidate| {
        let not_above = records.iter().filter(|r| r.total_us <= *candidate).count();
        not_above * 100 >= records.len() * percent
    });
    smallest.unwrap_or(0) as f64 / 1_000.0
}

#[track_caller]
#[allow(clippy::cast_precision_loss)]
pub(super) fn assert_summary(found: &Summary, records: &[&InvocationRecord], what: &str) {
    let count = |wanted: &dyn Fn(&InvocationRecord) -> bool| {
        records.iter().filter(|record| wanted(record)).count() as u64
    };
    assert_eq!(found.calls, records.len() as u64, "calls of {what}");
    let errors = count(&|r| r.status != Status::Success);
    assert_eq!(found.errors, errors, "errors of {what}");
    for (found, status) in [
        (found.function_errors, Status::FunctionError),
        (found.timeouts, Status::Timeout),
        (found.out_of_memory, Status::OutOfMemory),
        (found.crashed, Status::Crashed),
        (found.cancelled, Status::Cancelled),
    ] {
        assert_eq!(found, count(&|r| r.status == status), "{status} of {what}");
    }
    let memory = records.iter().filter_map(|r| r.max_memory_mib).max();
    assert_eq!(found.max_memory_mib, memory, "memory of {what}");
    let starts = [StartKind::Cold, StartKind::Prewarmed, StartKind::Warm]
        .map(|start| count(&|r| r.start == start));
    let found_starts = [found.cold, found.prewarmed, found.warm];
    assert_eq!(found_starts, starts, "starts of {what}");
    for (found, percent) in [(found.p50_ms, 50), (found.p90_ms, 90), (found.p99_ms, 99)] {
        let expected = percentile_ms(records, percent);
        // What a histogram of 32 buckets to a power of two knows.
        assert!(
            (found - expected).abs() <= expected / 64.0,
            "p{percent} of {what}: {found}, not {expected}"
        );
    }
    type Part = fn(&InvocationRecord) -> u64;
    let means: [(f64, Part); 5] = [
        (found.avg_ms, |r| r.total_us),
        (found.avg_queue_ms, |r| r.queue_us),
        (found.avg_boot_ms, |r| r.boot_us),
        (found.avg_init_ms, |r| r.init_us),
        (found.avg_run_ms, |r| r.run_us),
    ];
    for (found, part) in means {
        let sum: u128 = records.iter().map(|r| u128::from(part(r))).sum();
        let mean = sum as f64 / (records.len().max(1) as f64) / 1_000.0;
        let error = (found - mean).abs();
        assert!(error <= mean * 1e-9, "mean of {what}: {found}, not {mean}");
    }
}

pub(super) async fn nothing(store: Arc<dyn Store>) {
    let summary = store
        .invocation_summary(SummarizeInvocations::all(Namespace::default()))
        .await;
    assert_eq!(summary.expect("summary"), InvocationSummary::default());
}

/// Counts around those where a percentile's rank moves on; durations with many equal ones.
pub(super) async fn figures_are_exact(store: Arc<dyn Store>) {
    let mut seed = 12_345_u64;
    let mut random = |bound: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    let runtimes = [
        RuntimeName::docker(),
        RuntimeName::gvisor(),
        RuntimeName::new("third").expect("a good name"),
    ];
    let mut records = Vec::new();
    for calls in [1, 2, 3, 9, 10, 11, 50, 99, 100, 101, 200, 101] {
        let function = FunctionId::new();
        for _ in 0..calls {
            let pick = |random: u64, length: usize| usize::try_from(random).unwrap_or(0) % length;
            records.push(InvocationRecord {
                function_name: name(&format!("calls-{calls}")),
                status: Status::ALL[pick(random(100), Status::ALL.len())],
                start: StartKind::ALL[pick(random(100), StartKind::ALL.len())],
                runtime: runtimes[pick(random(7), runtimes.len())].clone(),
                total_us: if random(2) == 0 {
                    random(5)
                } else {
                    random(900_000_000)
                },
                ..record(function, i64::try_from(random(1_000_000)).unwrap_or(0))
            });
        }
    }
    append(&*store, &records).await.expect("append");
    let summary = store
        .invocation_summary(SummarizeInvocations::all(Namespace::default()))
        .await;
    let summary = summary.expect("summary");

    assert_summary(&summary.totals, &records.iter().collect::<Vec<_>>(), "all");
    assert_eq!(summary.runtimes.len(), runtimes.len());
    for (runtime, found) in &summary.runtimes {
        let own: Vec<_> = records.iter().filter(|r| r.runtime == *runtime).collect();
        assert_summary(found, &own, runtime.as_str());
    }
    assert_eq!(summary.functions.len(), 12);
    for found in &summary.functions {
        let own: Vec<_> = records
            .iter()
            .filter(|r| r.function_id == found.function_id)
            .collect();
        assert_eq!(found.name, own[0].function_name);
        assert_summary(&found.summary, &own, found.name.as_str());
    }
    let mut sorted = summary.functions.clone();
    sorted.sort_by_key(|f| (std::cmp::Reverse(f.summary.calls), f.function_id));
    assert_eq!(
        summary.functions, sorted,
        "most calls first, then the older"
    );
}

pub(super) async fn name_is_the_latest(store: Arc<dyn Store>) {
    let function = FunctionId::new();
    let named = |text, at| InvocationRecord {
        function_name: name(text),
        ..record(function, at)
    };
    // The latest by start, whatever came first; of equal ones the latest by id.
    let batch = [
        named("old", 1),
        named("a", 9),
        named("latest", 9),
        named("older", 0),
    ];
    append(&*store, &batch).await.expect("append");
    let summary = store
        .invocation_summary(SummarizeInvocations::all(Namespace::default()))
        .await;
    let functions = summary.expect("summary").functions;
    assert_eq!(functions.len(), 1);
    assert_eq!(functions[0].name, name("latest"));
}

pub(super) async fn namespaces_are_apart(store: Arc<dyn Store>) {
    let function = FunctionId::new();
    let own = InvocationRecord {
        total_us: 1_000,
        ..record(function, 0)
    };
    // Of the same function id, to see that it is the namespace that counts.
    let other = InvocationRecord {
        namespace: namespace("other"),
        function_name: name("other"),
        total_us: 9_000,
        ..record(function, 5)
    };
    append(&*store, &[own.clone(), other.clone()])
        .await
        .expect("append");
    for record in [own, other] {
        let summary = store
            .invocation_summary(SummarizeInvocations::all(record.namespace.clone()))
            .await;
        let summary = summary.expect("summary");
        assert_summary(&summary.totals, &[&record], "one");
        assert_eq!(summary.functions.len(), 1);
        assert_eq!(summary.functions[0].name, record.function_name);
        assert_summary(&summary.functions[0].summary, &[&record], "the function");
        assert_eq!(summary.runtimes.len(), 1);
    }
}

/// The sum does not fit into 64 bits.
pub(super) async fn large_durations(store: Arc<dyn Store>) {
    let function = FunctionId::new();
    let records: Vec<_> = (0..4)
        .map(|at| InvocationRecord {
            total_us: i64::MAX.unsigned_abs(),
            ..record(function, at)
        })
        .collect();
    append(&*store, &records).await.expect("append");
    let summary = store
        .invocation_summary(SummarizeInvocations::all(Namespace::default()))
        .await;
    let all: Vec<_> = records.iter().collect();
    assert_summary(&summary.expect("summary").totals, &all, "all");
}
