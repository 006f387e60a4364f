//! What is kept beside records.

use std::sync::Arc;

use super::fixture::{append, every_record, expect_kind, namespace, record};
use crate::error::ErrorKind;
use crate::model::{FunctionId, InvocationEntry, InvocationOutput, Namespace, RequestId, limits};
use crate::store::{AppendInvocations, Store};

fn entry(output: InvocationOutput) -> InvocationEntry {
    InvocationEntry::new(record(FunctionId::new(), 0), output)
}

pub(super) async fn kept_beside_the_record(store: Arc<dyn Store>) {
    let default = Namespace::default();
    let long = "🦀".repeat(limits::OUTPUT_KEPT_BYTES_MAX / 4);
    let entries: Vec<_> = [
        ("", "", None),
        ("out\n", "", None),
        ("", "err\n", None),
        ("", "", Some("")),
        ("", "", Some("it's broken: \"x\" \\ %")),
        (
            "naïve\r\n\t\u{1b}[31m\u{fffd}",
            "日本語",
            Some("é e\u{301}"),
        ),
        (&long, &long, Some(&long)),
    ]
    .into_iter()
    .map(|(stdout, stderr, error)| entry(InvocationOutput::new(stdout, stderr, error)))
    .collect();
    let request = AppendInvocations::new(entries.clone());
    store.invocation_append(request).await.expect("append");
    assert_eq!(every_record(&*store).await.len(), entries.len());
    for expected in &entries {
        let id = expected.record.request_id;
        let found = store.invocation_get(&default, id).await.expect("get");
        assert!(&found == expected, "{found:?}");
        let elsewhere = store.invocation_get(&namespace("other"), id).await;
        expect_kind(elsewhere, ErrorKind::NotFound, "another namespace");
    }
    let unknown = store.invocation_get(&default, RequestId::new()).await;
    expect_kind(unknown, ErrorKind::NotFound, "an unknown id");
}

/// With NUL characters, too: kept byte for byte, or the batch is refused.
pub(super) async fn nul_characters(store: Arc<dyn Store>) {
    let expected = entry(InvocationOutput::new("a\0b", "\0", Some("tail\0")));
    let request = AppendInvocations::new(vec![expected.clone()]);
    match store.invocation_append(request).await {
        Ok(()) => {
            let id = expected.record.request_id;
            let found = store.invocation_get(&Namespace::default(), id).await;
            assert_eq!(found.expect("get"), expected);
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidParameter, "{error:?}"),
    }
}

pub(super) async fn the_first_is_kept(store: Arc<dyn Store>) {
    let default = Namespace::default();
    let output = |text: &str| InvocationOutput::new(text, "", None);
    let (silent, loud) = (entry(output("")), entry(output("first")));
    let again =
        |entry: &InvocationEntry, text| InvocationEntry::new(entry.record.clone(), output(text));
    let batch = vec![silent.clone(), loud.clone(), again(&loud, "second")];
    let request = AppendInvocations::new(batch);
    store.invocation_append(request).await.expect("append");
    let batch = vec![
        again(&silent, "late"),
        again(&loud, ""),
        again(&loud, "third"),
    ];
    let request = AppendInvocations::new(batch);
    store.invocation_append(request).await.expect("append");
    for expected in [silent, loud] {
        let id = expected.record.request_id;
        let found = store.invocation_get(&default, id).await.expect("get");
        assert_eq!(found, expected);
    }
}

/// As many as a flush brings, some with output and some without.
pub(super) async fn large_batch(store: Arc<dyn Store>) {
    let id = FunctionId::new();
    let entries: Vec<_> = (0..1_500)
        .map(|n| {
            let text = if n % 3 == 0 {
                String::new()
            } else {
                format!("line {n}\n")
            };
            InvocationEntry::new(record(id, n), InvocationOutput::new(&text, "", None))
        })
        .collect();
    let request = AppendInvocations::new(entries.clone());
    store.invocation_append(request).await.expect("append");
    for expected in entries.iter().step_by(100) {
        let id = expected.record.request_id;
        let found = store.invocation_get(&Namespace::default(), id).await;
        assert_eq!(&found.expect("get"), expected);
    }
    append(&*store, &[]).await.expect("nothing");
}
