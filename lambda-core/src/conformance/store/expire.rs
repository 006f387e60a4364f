//! Removing what is old, a little at a time.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::fixture::{every_record, expect_kind, namespace, record, time};
use super::summary::assert_summary;
use super::sums::{assert_summed, history};
use crate::error::ErrorKind;
use crate::model::{
    Bucket, FunctionId, InvocationEntry, InvocationOutput, InvocationRecord, Namespace,
};
use crate::store::{AppendInvocations, ExpireInvocations, Expiring, Store, SummarizeInvocations};

fn request(what: Expiring, before: Timestamp, limit: u32) -> ExpireInvocations {
    ExpireInvocations::new(Namespace::default(), what, before, limit)
}

/// Removes by `limit` until there is nothing left; returns how many it was told.
async fn expire(store: &dyn Store, what: Expiring, before: Timestamp, limit: u32) -> u64 {
    let mut all = 0;
    loop {
        let request = request(what, before, limit);
        let removed = store.invocation_expire(request).await.expect("expire");
        assert!(removed <= u64::from(limit), "{removed} of at most {limit}");
        all += removed;
        if removed < u64::from(limit) {
            return all;
        }
    }
}

async fn keep(store: &dyn Store, records: &[InvocationRecord]) {
    let entries = records.iter().map(|record| {
        let output = InvocationOutput::new("out", "", None);
        InvocationEntry::new(record.clone(), output)
    });
    let request = AppendInvocations::new(entries.collect());
    store.invocation_append(request).await.expect("append");
}

/// Twenty in the namespace, one a microsecond, and as many in another.
async fn twenty(store: &dyn Store) -> Vec<InvocationRecord> {
    let id = FunctionId::new();
    let own: Vec<_> = (0..20).map(|at| record(id, at)).collect();
    keep(store, &own).await;
    let others: Vec<_> = (0..20)
        .map(|at| InvocationRecord {
            namespace: namespace("other"),
            ..record(id, at)
        })
        .collect();
    keep(store, &others).await;
    own
}

pub(super) async fn records_with_their_output(store: Arc<dyn Store>) {
    let records = twenty(&*store).await;
    let removed = expire(&*store, Expiring::Invocations, time(0), 10).await;
    assert_eq!(removed, 0, "what started at that time is not before it");
    let first = store
        .invocation_expire(request(Expiring::Invocations, time(13), 5))
        .await;
    assert_eq!(first.expect("expire"), 5);
    assert_eq!(every_record(&*store).await.len(), 15);
    let removed = expire(&*store, Expiring::Invocations, time(13), 3).await;
    assert_eq!(removed, 8);
    let left = every_record(&*store).await;
    assert!(left.iter().rev().eq(&records[13..]), "the newest stay");
    for record in &records[..13] {
        let found = store
            .invocation_get(&record.namespace, record.request_id)
            .await;
        expect_kind(found, ErrorKind::NotFound, "a removed record");
    }
    let found = store
        .invocation_get(&Namespace::default(), left[0].request_id)
        .await;
    assert_eq!(found.expect("get").output.stdout, "out");
    // Those beside the removed records are gone with them.
    let removed = expire(&*store, Expiring::Outputs, Timestamp::MAX, 100).await;
    assert_eq!(removed, 7);
    let removed = expire(&*store, Expiring::Invocations, Timestamp::MAX, 100).await;
    assert_eq!(removed, 7);

    let all = SummarizeInvocations::all(namespace("other"));
    let summary = store.invocation_summary(all).await.expect("summary");
    assert_eq!(summary.totals.calls, 20, "another namespace's stay");
    let others = ExpireInvocations {
        namespace: namespace("other"),
        ..request(Expiring::Invocations, Timestamp::MAX, 100)
    };
    let removed = store.invocation_expire(others).await.expect("expire");
    assert_eq!(removed, 20, "they were all there");
}

pub(super) async fn output_before_its_record(store: Arc<dyn Store>) {
    let records = twenty(&*store).await;
    let removed = expire(&*store, Expiring::Outputs, time(8), 3).await;
    assert_eq!(removed, 8);
    assert_eq!(every_record(&*store).await.len(), 20, "the records stay");
    for (n, record) in records.iter().enumerate() {
        let found = store
            .invocation_get(&record.namespace, record.request_id)
            .await;
        let found = found.expect("get");
        assert_eq!(&found.record, record);
        assert_eq!(found.output.is_empty(), n < 8, "output of record {n}");
    }
    let again = expire(&*store, Expiring::Outputs, time(8), 3).await;
    assert_eq!(again, 0);
}

pub(super) async fn figures_outlive_their_records(store: Arc<dyn Store>) {
    let all = history();
    keep(&*store, &all).await;
    let removed = expire(&*store, Expiring::Invocations, Timestamp::MAX, 70).await;
    let own = all.iter().filter(|r| r.namespace == Namespace::default());
    assert_eq!(removed, own.count() as u64);
    assert!(every_record(&*store).await.is_empty());
    for bucket in [
        None,
        Some(Bucket::Minute),
        Some(Bucket::Hour),
        Some(Bucket::Day),
    ] {
        let mut request = SummarizeInvocations::all(Namespace::default());
        request.bucket = bucket;
        let found = store
            .invocation_summary(request.clone())
            .await
            .expect("summary");
        assert_summed(&found, &request, &all, bucket.unwrap_or(Bucket::Day));
    }
}

/// Without the short buckets, a summary is made of the longer ones.
pub(super) async fn figures_of_short_buckets(store: Arc<dyn Store>) {
    let all = history();
    keep(&*store, &all).await;
    let hours = |hours| time(0) + SignedDuration::from_hours(hours);
    let (minutes_since, hours_since) = (hours(60), hours(30));
    let minutes = Expiring::Figures(Bucket::Minute);
    assert!(expire(&*store, minutes, minutes_since, 7).await > 0);
    assert_eq!(expire(&*store, minutes, minutes_since, 7).await, 0);
    let mut request = SummarizeInvocations::all(Namespace::default());
    request.minutes_since = Some(minutes_since);
    (request.from, request.to) = (Some(hours(10)), Some(hours(50)));
    let found = store
        .invocation_summary(request.clone())
        .await
        .expect("summary");
    assert_summed(&found, &request, &all, Bucket::Hour);

    assert!(expire(&*store, Expiring::Figures(Bucket::Hour), hours_since, 7).await > 0);
    request.hours_since = Some(hours_since);
    request.to = Some(hours(20));
    let found = store
        .invocation_summary(request.clone())
        .await
        .expect("summary");
    assert_summed(&found, &request, &all, Bucket::Day);
    // What is newer is still known to the minute.
    (request.from, request.to) = (Some(hours(62)), Some(hours(70)));
    let found = store
        .invocation_summary(request.clone())
        .await
        .expect("summary");
    assert_summed(&found, &request, &all, Bucket::Minute);
    let ever = SummarizeInvocations::all(Namespace::default());
    let found = store
        .invocation_summary(ever.clone())
        .await
        .expect("summary");
    assert_summed(&found, &ever, &all, Bucket::Day);
}

/// Figures that would be removed at once need not be kept; the longer ones are.
pub(super) async fn figures_that_come_late(store: Arc<dyn Store>) {
    let all = history();
    let hours = |hours| time(0) + SignedDuration::from_hours(hours);
    let entries = all
        .iter()
        .map(|record| InvocationEntry::new(record.clone(), InvocationOutput::default()));
    let mut append = AppendInvocations::new(entries.collect());
    append.minutes_since = Some(hours(48));
    append.hours_since = Some(hours(24));
    store
        .invocation_append(append.clone())
        .await
        .expect("append");
    store.invocation_append(append).await.expect("append again");
    let mut request = SummarizeInvocations::all(Namespace::default());
    request.minutes_since = Some(hours(48));
    request.hours_since = Some(hours(24));
    for (from, to, shortest) in [(2, 20, Bucket::Day), (50, 60, Bucket::Minute)] {
        (request.from, request.to) = (Some(hours(from)), Some(hours(to)));
        let found = store
            .invocation_summary(request.clone())
            .await
            .expect("summary");
        assert_summed(&found, &request, &all, shortest);
    }
    let ever = SummarizeInvocations::all(Namespace::default());
    let found = store.invocation_summary(ever).await.expect("summary");
    let own = all.iter().filter(|r| r.namespace == Namespace::default());
    assert_summary(
        &found.totals,
        &own.collect::<Vec<_>>(),
        "since the beginning",
    );
}
