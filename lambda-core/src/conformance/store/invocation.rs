//! Records of invocations.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::fixture::{append, assert_distinct, create, every_record, name, record, time};
use crate::model::{FunctionId, InvocationRecord, Namespace, RuntimeName, StartKind, Status};
use crate::store::Store;

pub(super) async fn every_field_is_kept(store: Arc<dyn Store>) {
    append(&*store, &[]).await.expect("no records");
    let mut records = Vec::new();
    for (n, status) in (0_u32..).zip(Status::ALL) {
        for (m, start) in (0_u32..).zip(StartKind::ALL) {
            records.push(InvocationRecord {
                function_name: name(&format!("f-{n}-{m}")),
                version: n * 10 + m + 1,
                runtime: if m == 0 {
                    RuntimeName::gvisor()
                } else {
                    RuntimeName::docker()
                },
                start: *start,
                status: *status,
                error_type: (n > 0).then(|| format!("Error{n}")),
                queue_us: 1 + u64::from(n),
                boot_us: 10 + u64::from(n),
                init_us: 100 + u64::from(n),
                run_us: 1_000 + u64::from(n),
                total_us: 10_000 + u64::from(n),
                max_memory_mib: (m > 0).then_some(n * 7),
                ..record(FunctionId::new(), i64::from(n * 10 + m))
            });
        }
    }
    append(&*store, &records).await.expect("append");
    records.reverse();
    assert_eq!(every_record(&*store).await, records);
}

pub(super) async fn extremes(store: Arc<dyn Store>) {
    let id = FunctionId::new();
    let large = InvocationRecord {
        version: u32::MAX,
        queue_us: u64::MAX,
        boot_us: i64::MAX.unsigned_abs() + 1,
        init_us: i64::MAX.unsigned_abs(),
        run_us: 0,
        total_us: u64::MAX,
        max_memory_mib: Some(u32::MAX),
        started_at: time(0) + SignedDuration::from_nanos(1_999),
        ..record(id, 0)
    };
    let old = InvocationRecord {
        started_at: Timestamp::UNIX_EPOCH,
        ..record(id, 0)
    };
    append(&*store, &[large.clone(), old.clone()])
        .await
        .expect("append");
    let bounded = InvocationRecord {
        queue_us: i64::MAX.unsigned_abs(),
        boot_us: i64::MAX.unsigned_abs(),
        total_us: i64::MAX.unsigned_abs(),
        started_at: time(1),
        ..large
    };
    assert_eq!(every_record(&*store).await, [bounded, old]);
}

pub(super) async fn same_id_is_kept_once(store: Arc<dyn Store>) {
    let id = FunctionId::new();
    let records: Vec<_> = (0..10).map(|n| record(id, n)).collect();
    let changed = |original: &InvocationRecord| InvocationRecord {
        request_id: original.request_id,
        status: Status::Crashed,
        ..record(id, 1_000)
    };

    let mut batch = records[..6].to_vec();
    batch.push(changed(&records[0]));
    batch.push(records[3].clone());
    append(&*store, &batch).await.expect("append");
    append(&*store, &batch).await.expect("the same again");
    // Some are there and some are not.
    let mut batch = records.clone();
    batch[2] = changed(&records[2]);
    append(&*store, &batch).await.expect("append");

    let mut expected = records;
    expected.reverse();
    assert_eq!(every_record(&*store).await, expected);
}

pub(super) async fn large_batch(store: Arc<dyn Store>) {
    let id = FunctionId::new();
    let mut records: Vec<_> = (0..2_500).map(|n| record(id, n)).collect();
    append(&*store, &records).await.expect("append");
    records.reverse();
    assert!(every_record(&*store).await == records, "the records differ");
}

/// What a journal that is flushed twice does.
pub(super) async fn concurrent_batches_that_overlap(store: Arc<dyn Store>) {
    let id = FunctionId::new();
    let records: Arc<Vec<_>> = Arc::new((0..400).map(|n| record(id, n)).collect());
    let mut appending = Vec::new();
    for task in 0..16_usize {
        let (store, records) = (Arc::clone(&store), Arc::clone(&records));
        appending.push(tokio::spawn(async move {
            let batch = &records[task * 20..task * 20 + 100];
            append(&*store, batch).await
        }));
    }
    for append in appending {
        append.await.expect("no panic").expect("append");
    }
    let listed = every_record(&*store).await;
    assert_distinct(listed.iter().map(|record| record.request_id));
    assert!(listed.iter().eq(records.iter().rev()), "the records differ");
}

pub(super) async fn records_outlive_the_function(store: Arc<dyn Store>) {
    let function = create(&*store, "a").await;
    let before = record(function.id, 0);
    append(&*store, std::slice::from_ref(&before))
        .await
        .expect("append");
    store
        .function_delete(&Namespace::default(), function.id)
        .await
        .expect("delete");
    // Of a run that ended after its function was deleted.
    let after = record(function.id, 1);
    append(&*store, std::slice::from_ref(&after))
        .await
        .expect("append");
    assert_eq!(every_record(&*store).await, [after, before]);
}
