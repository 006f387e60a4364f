//! Records by function, time, status and runtime, in all combinations, against a filter over
//! all of them.

use std::sync::Arc;

use jiff::Timestamp;

use super::fixture::{Random, all_records, append, namespace, record, time};
use crate::model::{FunctionId, InvocationRecord, Namespace, RuntimeName, Status};
use crate::store::{ListInvocations, Store};

fn runtime(name: &str) -> RuntimeName {
    RuntimeName::new(name).expect("a good name")
}

fn sets_of_statuses() -> Vec<Vec<Status>> {
    let failures = Status::ALL.iter().copied();
    let failures: Vec<_> = failures.filter(|s| *s != Status::Success).collect();
    let mut sets: Vec<_> = Status::ALL.iter().map(|status| vec![*status]).collect();
    sets.extend([
        Vec::new(),
        failures.clone(),
        failures[1..3].to_vec(),
        vec![Status::Success, Status::Timeout],
        vec![Status::Crashed, Status::Crashed],
        Status::ALL.to_vec(),
    ]);
    sets
}

/// Many at one point in time, many statuses and runtimes, in no order.
fn records(functions: &[FunctionId]) -> Vec<InvocationRecord> {
    let mut random = Random::new();
    let runtimes = ["docker", "gvisor", "third"].map(runtime);
    (0..150)
        .map(|n| {
            let status = match random.below(2) {
                0 => Status::Success,
                _ => *random.of(Status::ALL),
            };
            let at = random.below(40);
            InvocationRecord {
                status,
                runtime: random.of(&runtimes).clone(),
                namespace: if n % 20 == 0 {
                    namespace("other")
                } else {
                    Namespace::default()
                },
                ..record(*random.of(functions), i64::try_from(at).unwrap_or(0))
            }
        })
        .collect()
}

fn expected(all: &[InvocationRecord], request: &ListInvocations) -> Vec<InvocationRecord> {
    let admitted = all.iter().filter(|record| request.admits(record));
    let mut admitted: Vec<_> = admitted.cloned().collect();
    admitted.sort_by_key(|record| (record.started_at, record.request_id));
    admitted.reverse();
    admitted
}

pub(super) async fn all_combinations(store: Arc<dyn Store>) {
    let functions: Vec<_> = (0..4).map(|_| FunctionId::new()).collect();
    let all = records(&functions);
    for batch in all.chunks(40) {
        append(&*store, batch).await.expect("append");
    }
    let mut request = ListInvocations::first(Namespace::default(), 40);
    let ids = [None, Some(functions[0]), Some(FunctionId::new())];
    let ranges = [
        (None, None),
        (Some(10), None),
        (None, Some(30)),
        (Some(7), Some(20)),
    ];
    for function in ids {
        for runtime in [None, Some(runtime("gvisor")), Some(runtime("fourth"))] {
            for statuses in sets_of_statuses() {
                for (from, to) in ranges {
                    request.function = function;
                    request.runtime.clone_from(&runtime);
                    request.statuses.clone_from(&statuses);
                    (request.from, request.to) = (from.map(time), to.map(time));
                    let listed = all_records(&*store, request.clone()).await;
                    assert!(listed == expected(&all, &request), "{request:?}");
                }
            }
        }
    }
}

pub(super) async fn page_by_page(store: Arc<dyn Store>) {
    let functions = [FunctionId::new(), FunctionId::new()];
    let all = records(&functions);
    append(&*store, &all).await.expect("append");
    for limit in [1, 2, 7, 1_000] {
        let mut request = ListInvocations::first(namespace("other"), limit);
        request.statuses = vec![Status::Success];
        let listed = all_records(&*store, request.clone()).await;
        assert!(listed == expected(&all, &request), "{request:?}");

        request.namespace = Namespace::default();
        request.function = Some(functions[1]);
        request.statuses = vec![Status::Timeout, Status::Crashed];
        request.runtime = Some(runtime("docker"));
        request.from = Some(time(5));
        let listed = all_records(&*store, request.clone()).await;
        assert!(listed == expected(&all, &request), "{request:?}");
    }
}

/// Ranges are exact to the microsecond, may be empty, and may lie anywhere.
pub(super) async fn edges_of_time(store: Arc<dyn Store>) {
    let id = FunctionId::new();
    let mut all: Vec<_> = (0..5).map(|at| record(id, at)).collect();
    all.push(InvocationRecord {
        started_at: Timestamp::from_microsecond(-1).expect("in range"),
        ..record(id, 0)
    });
    append(&*store, &all).await.expect("append");
    let edges = [
        Timestamp::MIN,
        Timestamp::UNIX_EPOCH,
        time(0),
        time(1),
        time(4),
        Timestamp::MAX,
    ];
    for from in edges {
        for to in edges {
            let mut request = ListInvocations::first(Namespace::default(), 3);
            (request.from, request.to) = (Some(from), Some(to));
            let listed = all_records(&*store, request.clone()).await;
            assert!(listed == expected(&all, &request), "{from} to {to}");
        }
    }
}
