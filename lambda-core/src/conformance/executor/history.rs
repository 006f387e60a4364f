//! Versions, aliases and what is kept of a run.

use super::{ExecutorHarness, find_record};
use crate::error::ErrorKind;
use crate::executor::ExecuteRequest;
use crate::model::{
    AliasName, CodeSource, FunctionPatch, FunctionRef, Language, Outcome, Qualifier, Status,
};

async fn run(h: &ExecutorHarness, function: &FunctionRef, qualifier: &str) -> Outcome {
    let qualifier: Qualifier = qualifier.parse().expect("a qualifier");
    let request = ExecuteRequest::new(function.clone()).qualifier(qualifier);
    h.execute(request).await
}

/// Version 1 raises, version 2 echoes.
pub(super) async fn versions_and_aliases(h: ExecutorHarness) {
    let function = h.deploy(Language::Python, "raise", true).await;
    let first = h.platform.function_get(&function).await.expect("get");
    let source = h.sources.handler(Language::Python, "echo");
    let patch = FunctionPatch {
        code: Some(CodeSource::Inline(source)),
        ..FunctionPatch::default()
    };
    let second = h.platform.function_update(&function, patch).await;
    let second = second.expect("updated");
    let (old, new) = (first.version.to_string(), second.version.to_string());
    let (fails, works) = (Status::FunctionError, Status::Success);

    for (qualifier, version, status) in [
        ("current", second.version, works),
        (&old, first.version, fails),
        (&new, second.version, works),
        (&old, first.version, fails),
    ] {
        let outcome = run(&h, &function, qualifier).await;
        assert_eq!(
            (outcome.version, outcome.status),
            (version, status),
            "{qualifier}"
        );
    }

    let stable = AliasName::new("stable").expect("a name");
    let set = |version| {
        h.platform
            .alias_set(&function, stable.clone(), version, None)
    };
    set(second.version).await.expect("a new alias");
    assert_eq!(run(&h, &function, "stable").await.status, works);
    set(first.version).await.expect("moved");
    assert_eq!(
        run(&h, &function, "stable").await.status,
        fails,
        "seen at once"
    );

    let back = h
        .platform
        .rollback(&function, first.version, Some(second.revision));
    // Setting the alias has renewed the revision.
    let stale = back.await.map_err(|error| error.kind());
    assert_eq!(stale.err(), Some(ErrorKind::PreconditionFailed));
    let back = h.platform.rollback(&function, first.version, None).await;
    assert_eq!(back.expect("rolled back").version, first.version);
    assert_eq!(run(&h, &function, "current").await.status, fails);
    assert_eq!(run(&h, &function, &new).await.status, works);

    h.platform
        .alias_delete(&function, stable)
        .await
        .expect("deleted");
    h.platform
        .function_delete(&function)
        .await
        .expect("deleted");
    for qualifier in ["current", "stable", &old, &new] {
        let request = ExecuteRequest::new(function.clone())
            .qualifier(qualifier.parse().expect("a qualifier"));
        let gone = h
            .platform
            .execute(request)
            .await
            .map_err(|error| error.kind());
        assert_eq!(gone.err(), Some(ErrorKind::NotFound), "{qualifier}");
    }
}

pub(super) async fn output_is_kept(h: ExecutorHarness) {
    let outcome = h
        .handle(Language::Python, "echo", serde_json::json!({}))
        .await;
    find_record(&h.platform, outcome.request_id).await;
    let kept = h.platform.invocation_get(outcome.request_id).await;
    let kept = kept.expect("a record");
    assert_eq!(kept.record.function_id, outcome.function_id);
    assert_eq!(kept.output.stdout, outcome.stdout.text);
    assert_eq!(kept.output.stderr, outcome.stderr.text);
    assert!(kept.output.stdout.contains("echo to stdout\n"), "{kept:?}");

    let outcome = h
        .handle(Language::Python, "raise", serde_json::json!({}))
        .await;
    find_record(&h.platform, outcome.request_id).await;
    let kept = h.platform.invocation_get(outcome.request_id).await;
    let message = outcome.error.map(|error| error.message);
    assert_eq!(kept.expect("a record").output.error_message, message);
}
