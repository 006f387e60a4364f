//! Code that is not deployed, and cancelling by id.

use super::{ExecutorHarness, find_record};
use crate::error::ErrorKind;
use crate::executor::{ExecuteRequest, TestRequest};
use crate::model::{
    CodeSource, FunctionConfig, FunctionId, FunctionName, FunctionRef, Language, Payload,
    RequestId, StartKind, Status,
};

pub(super) async fn cancelled_by_id(h: ExecutorHarness) {
    let spin = h.deploy(Language::Python, "spin", true).await;
    let request = ExecuteRequest::new(spin);
    let id = request.request_id;
    let invocation = h.platform.start(request).await.expect("started");
    assert!(invocation.logs().next().await.is_some(), "it runs");
    let nobody = h.platform.cancel(RequestId::new()).await;
    assert_eq!(
        nobody.expect_err("nobody").kind(),
        ErrorKind::NotFound,
        "of another id"
    );
    h.platform.cancel(id).await.expect("cancelled");
    let outcome = invocation.outcome().await.expect("it ran");
    assert_eq!(outcome.status, Status::Cancelled, "{outcome:?}");
    assert_eq!(find_record(&h.platform, id).await.status, Status::Cancelled);
    let ended = h.platform.cancel(id).await;
    assert_eq!(ended.expect_err("ended").kind(), ErrorKind::NotFound);
}

fn test(h: &ExecutorHarness, language: Language, case: &str, is_handler: bool) -> TestRequest {
    let mut config = FunctionConfig::new(language);
    config.runtime = h.runtime.clone();
    let source = match is_handler {
        true => h.sources.handler(language, case),
        false => h.sources.script(language, case),
    };
    config.handler = is_handler.then(|| "case.handler".to_owned());
    let name = FunctionName::new("suite-test").expect("a name");
    TestRequest::new(name, config, CodeSource::Inline(source))
}

pub(super) async fn runs_and_leaves_nothing(h: ExecutorHarness) {
    for language in h.sources.languages() {
        let request = test(&h, language, "echo", true);
        let id = request.request_id;
        let event = Payload::Event("[1]".into());
        let outcome = h.platform.test(request.payload(event)).await;
        let outcome = outcome.expect("it ran");
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
        assert_eq!(outcome.output.as_deref(), Some(&b"[1]"[..]));
        assert_eq!(
            (outcome.function_id, outcome.version),
            (FunctionId::TEST, 0)
        );

        let record = find_record(&h.platform, id).await;
        assert_eq!((record.function_id, record.version), (FunctionId::TEST, 0));
        assert_eq!(record.function_name.as_str(), "suite-test");

        let args = Payload::Args(vec!["Alice".to_owned()]);
        let script = test(&h, language, "args", false).payload(args);
        let outcome = h.platform.test(script).await.expect("it ran");
        assert_eq!(outcome.output_text().as_deref(), Some("Alice"));
        let wrong = test(&h, language, "args", false).payload(Payload::Event("1".into()));
        let error = h.platform.test(wrong).await.expect_err("a script");
        assert_eq!(error.kind(), ErrorKind::InvalidParameter);
    }
    let name = FunctionName::new("suite-test").expect("a name");
    for reference in [FunctionRef::Name(name), FunctionRef::Id(FunctionId::TEST)] {
        let gone = h.platform.function_get(&reference).await;
        assert_eq!(gone.expect_err("none").kind(), ErrorKind::NotFound);
    }
}

/// The same code twice: the second finds nothing of the first, and another's code is never run.
pub(super) async fn has_its_own_sandbox(h: ExecutorHarness) {
    for (case, status) in [
        ("echo", Status::Success),
        ("raise", Status::FunctionError),
        ("echo", Status::Success),
    ] {
        let outcome = h
            .platform
            .test(test(&h, Language::Python, case, true))
            .await;
        let outcome = outcome.expect("it ran");
        assert_eq!(outcome.status, status, "{outcome:?}");
        assert_ne!(outcome.start, StartKind::Warm, "{outcome:?}");
    }
    let mut bad = test(&h, Language::Python, "echo", true);
    bad.config.memory_mib = 1;
    let error = h.platform.test(bad).await.expect_err("checked as deployed");
    assert_eq!(error.kind(), ErrorKind::InvalidParameter);
    let mut bad = test(&h, Language::Python, "echo", true);
    bad.code = CodeSource::Zip("PK no zip".into());
    let error = h.platform.test(bad).await.expect_err("checked as deployed");
    assert_eq!(error.kind(), ErrorKind::InvalidZipFile);
}
