//! The suite that every [`Executor`](crate::Executor) must pass, seen through a platform
//! that uses it.

mod event_loop;
mod history;
mod undeployed;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cases::Sources;
use super::suite::{Case, Failures, run_cases};
use crate::error::ErrorKind;
use crate::executor::ExecuteRequest;
use crate::model::{
    FunctionName, FunctionPatch, FunctionRef, Language, Namespace, Outcome, RequestId, RuntimeName,
    StartKind, Status, Termination, Traceparent,
};
use crate::platform::{NewFunction, Platform};
use crate::store::ListInvocations;

/// A platform with the executor, and what the suite runs on it.
#[derive(Clone)]
pub struct ExecutorHarness {
    /// The platform, for this suite alone: its functions' names start with `suite-`.
    pub platform: Platform,
    /// Where the functions run.
    pub runtime: RuntimeName,
    /// The case functions.
    pub sources: Arc<dyn Sources>,
}

/// Runs every case in every language.
///
/// # Errors
/// The names of the cases that failed; their reasons are on stderr.
pub async fn run(harness: &ExecutorHarness) -> Result<(), Failures> {
    run_cases(
        harness,
        &[
            Case::new("a_script_runs_fresh_and_then_warm", |h| Box::pin(script(h))),
            Case::new("a_handler_gets_its_event_and_default_event", |h| {
                Box::pin(echo(h))
            }),
            Case::new(
                "failures_of_the_function_are_outcomes_in_awss_shapes",
                |h| Box::pin(failures(h)),
            ),
            Case::new("failures_of_scripts_are_outcomes", |h| {
                Box::pin(script_failures(h))
            }),
            Case::new("a_timeout_is_answered_within_a_second_of_the_limit", |h| {
                Box::pin(timeouts(h))
            }),
            Case::new("more_memory_than_the_limit_is_out_of_memory", |h| {
                Box::pin(memory(h))
            }),
            Case::new("a_request_of_the_wrong_kind_is_refused", |h| {
                Box::pin(wrong_kind(h))
            }),
            Case::new("cancelling_kills_and_dropping_does_not", |h| {
                Box::pin(cancelling(h))
            }),
            Case::new("an_invocation_is_cancelled_by_its_id", |h| {
                Box::pin(undeployed::cancelled_by_id(h))
            }),
            Case::new("code_that_is_not_deployed_runs_and_leaves_nothing", |h| {
                Box::pin(undeployed::runs_and_leaves_nothing(h))
            }),
            Case::new("each_test_has_a_sandbox_of_its_own", |h| {
                Box::pin(undeployed::has_its_own_sandbox(h))
            }),
            Case::new("every_run_is_recorded_once_with_its_figures", |h| {
                Box::pin(recorded(h))
            }),
            Case::new("an_update_is_what_the_next_execution_runs", |h| {
                Box::pin(updated(h))
            }),
            Case::new("a_deleted_functions_code_never_answers_again", |h| {
                Box::pin(deleted(h))
            }),
            Case::new("concurrency_is_a_bound_and_all_are_served", |h| {
                Box::pin(concurrency(h))
            }),
            Case::new(
                "an_event_loop_may_begin_a_run_and_is_told_of_its_end",
                |h| Box::pin(event_loop::started(h)),
            ),
            Case::new("logs_are_live_and_end", |h| Box::pin(logs(h))),
            Case::new("a_function_sees_its_place_in_the_callers_trace", |h| {
                Box::pin(traceparent(h))
            }),
            Case::new("any_version_runs_by_number_or_by_alias", |h| {
                Box::pin(history::versions_and_aliases(h))
            }),
            Case::new("the_end_of_the_output_is_kept_with_the_record", |h| {
                Box::pin(history::output_is_kept(h))
            }),
        ],
    )
    .await
}

impl ExecutorHarness {
    async fn deploy(&self, language: Language, case: &str, is_handler: bool) -> FunctionRef {
        let name = format!("suite-{language}-{case}-{is_handler}");
        let source = if is_handler {
            self.sources.handler(language, case)
        } else {
            self.sources.script(language, case)
        };
        let function = match language {
            Language::Python => NewFunction::python(&name, source),
            Language::Javascript => NewFunction::javascript(&name, source),
        };
        let mut function = function.expect("a name");
        function.config.runtime = self.runtime.clone();
        function.config.timeout = Duration::from_secs(20);
        if is_handler {
            function = function.handler("case.handler");
        }
        let function = self.platform.deploy(function).await.expect("deployed");
        FunctionRef::Id(function.id)
    }

    async fn execute(&self, request: ExecuteRequest) -> Outcome {
        self.platform.execute(request).await.expect("it ran")
    }

    async fn handle(&self, language: Language, case: &str, event: Value) -> Outcome {
        let function = self.deploy(language, case, true).await;
        self.execute(ExecuteRequest::new(function).event(event.to_string()))
            .await
    }

    async fn script(&self, language: Language, case: &str, args: &[&str]) -> Outcome {
        let function = self.deploy(language, case, false).await;
        self.execute(ExecuteRequest::new(function).args(args.iter().copied()))
            .await
    }
}

fn error_type(outcome: &Outcome) -> &str {
    outcome.error.as_ref().map_or("", |error| &error.error_type)
}

async fn script(h: ExecutorHarness) {
    for language in h.sources.languages() {
        let function = h.deploy(language, "args", false).await;
        for is_warm in [false, true, true] {
            let request = ExecuteRequest::new(function.clone()).args(["Alice"]);
            let outcome = h.execute(request).await;
            assert_eq!(outcome.status, Status::Success, "{outcome:?}");
            assert_eq!(outcome.output_text().as_deref(), Some("Alice"));
            assert_eq!(outcome.stdout.text, "Alice\n");
            assert_eq!(outcome.exit_code, Some(0));
            assert_eq!(outcome.start == StartKind::Warm, is_warm, "{language}");
            assert_eq!(outcome.runtime, h.runtime);
            assert_eq!(outcome.error, None);
            let parts = outcome.timings;
            let sum = parts.queue + parts.boot + parts.init + parts.run;
            assert!(sum <= parts.total, "{parts:?}");
            let is_cold = outcome.start == StartKind::Cold;
            assert_eq!(parts.boot.is_zero(), !is_cold, "{parts:?}");
            assert_eq!(parts.init.is_zero(), is_warm, "{parts:?}");
        }
    }
}

async fn echo(h: ExecutorHarness) {
    for language in h.sources.languages() {
        let event = json!({ "text": "gr\u{fc}\u{df}e", "list": [1, 2.5, null, true] });
        let outcome = h.handle(language, "echo", event.clone()).await;
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
        let output: Value =
            serde_json::from_slice(&outcome.output.expect("an output")).expect("JSON");
        assert_eq!(output, event);
        assert_eq!(outcome.exit_code, None);
        assert_eq!(outcome.stderr.text, "echo to stderr\n");

        let function = h.deploy(language, "echo", true).await;
        let outcome = h.execute(ExecuteRequest::new(function)).await;
        assert_eq!(outcome.output.as_deref(), Some(&b"{}"[..]));
    }
}

async fn failures(h: ExecutorHarness) {
    for language in h.sources.languages() {
        let raised = h
            .handle(language, "raise", json!({ "message": "on purpose" }))
            .await;
        assert_eq!(raised.status, Status::FunctionError);
        let error = raised.error.expect("an error");
        assert!(error.message.contains("on purpose"), "{error:?}");
        assert!(!error.trace.is_empty(), "{error:?}");
        assert_eq!(raised.output, None);

        let missing = h.handle(language, "missing-module", json!({})).await;
        assert_eq!(missing.status, Status::FunctionError);
        assert_eq!(error_type(&missing), "Runtime.ImportModuleError");

        let large = h
            .handle(language, "large", json!({ "size": 7_000_000 }))
            .await;
        assert_eq!(large.status, Status::FunctionError);
        assert_eq!(error_type(&large), "Function.ResponseSizeTooLarge");

        let exited = h.handle(language, "exit", json!({ "code": 7 })).await;
        assert_eq!(exited.status, Status::Crashed);
        assert_eq!(exited.exit_code, Some(7));
        assert_eq!(error_type(&exited), "Runtime.ExitError");
        let message = exited.error.expect("an error").message;
        assert_eq!(
            message,
            format!(
                "RequestId: {} Error: Runtime exited with error: exit status 7",
                exited.request_id
            )
        );
    }
}

async fn script_failures(h: ExecutorHarness) {
    for language in h.sources.languages() {
        let exited = h.script(language, "exit", &["3"]).await;
        assert_eq!(
            (exited.status, exited.exit_code),
            (Status::FunctionError, Some(3))
        );
        assert_eq!(error_type(&exited), "Runtime.ExitError");

        let raised = h.script(language, "raise", &["on purpose"]).await;
        assert_eq!(
            (raised.status, raised.exit_code),
            (Status::FunctionError, Some(1))
        );
        assert!(raised.stderr.text.contains("on purpose"), "{raised:?}");

        let killed = h.script(language, "signal", &["11"]).await;
        assert_eq!((killed.status, killed.exit_code), (Status::Crashed, None));
        let message = killed.error.expect("an error").message;
        assert!(message.ends_with("signal: segmentation fault"), "{message}");
    }
}

async fn timeouts(h: ExecutorHarness) {
    for language in h.sources.languages() {
        for is_handler in [true, false] {
            let function = h.deploy(language, "spin", is_handler).await;
            let limit = Duration::from_millis(1_500);
            let request = ExecuteRequest::new(function).timeout(limit);
            let started = Instant::now();
            let outcome = h.execute(request).await;
            let took = started.elapsed() - outcome.timings.boot - outcome.timings.queue;
            assert_eq!(outcome.status, Status::Timeout, "{outcome:?}");
            assert!(
                took < limit + Duration::from_secs(1),
                "{language}: {took:?}"
            );
            assert_eq!(outcome.termination, Some(Termination::Confirmed));
            assert_eq!(error_type(&outcome), "Sandbox.Timedout");
            let message = outcome.error.expect("an error").message;
            assert!(
                message.ends_with("Task timed out after 1.50 seconds"),
                "{message}"
            );
            assert_eq!(
                outcome.stdout.text, "spinning\n",
                "output before the end is kept"
            );
        }
    }
}

async fn memory(h: ExecutorHarness) {
    for language in h.sources.languages() {
        let outcome = h.handle(language, "alloc", json!({ "mib": 512 })).await;
        assert_eq!(outcome.status, Status::OutOfMemory, "{outcome:?}");
        assert_eq!(error_type(&outcome), "Runtime.OutOfMemory");
        let outcome = h.script(language, "alloc", &["512"]).await;
        assert_eq!(outcome.status, Status::OutOfMemory, "{outcome:?}");
    }
}

async fn wrong_kind(h: ExecutorHarness) {
    let handler = h.deploy(Language::Python, "echo", true).await;
    let script = h.deploy(Language::Python, "args", false).await;
    let kind = |request| {
        let platform = h.platform.clone();
        async move {
            platform
                .execute(request)
                .await
                .map_err(|error| error.kind())
                .err()
        }
    };
    let invalid = Some(ErrorKind::InvalidParameter);
    let handle = || ExecuteRequest::new(handler.clone());
    assert_eq!(kind(handle().args(["x"])).await, invalid);
    assert_eq!(
        kind(ExecuteRequest::new(script.clone()).event("{}")).await,
        invalid
    );
    assert_eq!(
        kind(handle().timeout(Duration::from_secs(21))).await,
        invalid
    );
    assert_eq!(kind(handle().timeout(Duration::ZERO)).await, invalid);
    assert_eq!(
        kind(handle().event("{\"a\": }")).await,
        Some(ErrorKind::InvalidRequestContent)
    );
    let six_mb = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    assert_eq!(
        kind(handle().event(six_mb)).await,
        Some(ErrorKind::PayloadTooLarge)
    );
    let nobody = crate::model::FunctionId::new();
    assert_eq!(
        kind(ExecuteRequest::new(nobody)).await,
        Some(ErrorKind::NotFound)
    );
    let elsewhere = RuntimeName::new("nowhere").expect("a name");
    assert_eq!(
        kind(handle().runtime(elsewhere)).await,
        Some(ErrorKind::InvalidParameter)
    );
}

async fn cancelling(h: ExecutorHarness) {
    let spin = h.deploy(Language::Python, "spin", true).await;
    let invocation = h
        .platform
        .start(ExecuteRequest::new(spin))
        .await
        .expect("started");
    let mut logs = invocation.logs();
    assert!(logs.next().await.is_some(), "it runs");
    invocation.cancel();
    let outcome = invocation.outcome().await.expect("it ran");
    assert_eq!(outcome.status, Status::Cancelled, "{outcome:?}");
    assert_eq!(outcome.termination, Some(Termination::Confirmed));

    // From elsewhere, while somebody waits for the end.
    let spin = h.deploy(Language::Python, "spin", true).await;
    let request = ExecuteRequest::new(spin);
    let id = request.request_id;
    let invocation = h.platform.start(request).await.expect("started");
    let (canceller, mut logs) = (invocation.canceller(), invocation.logs());
    let outcome = tokio::spawn(invocation.outcome());
    assert!(logs.next().await.is_some(), "it runs");
    canceller.cancel();
    let outcome = outcome.await.expect("no panic").expect("it ran");
    assert_eq!(outcome.status, Status::Cancelled, "{outcome:?}");
    assert_eq!(outcome.termination, Some(Termination::Confirmed));
    let record = find_record(&h.platform, id).await;
    assert_eq!(record.status, Status::Cancelled);

    let sleep = h.deploy(Language::Python, "sleep", true).await;
    let request = ExecuteRequest::new(sleep).event(r#"{"ms": 200}"#);
    let id = request.request_id;
    drop(h.platform.start(request).await.expect("started"));
    assert_eq!(find_record(&h.platform, id).await.status, Status::Success);

    // Whoever drives it may go away all the same.
    let sleep = h.deploy(Language::Python, "sleep", true).await;
    let mut request = ExecuteRequest::new(sleep).event(r#"{"ms": 200}"#);
    request.is_attended = true;
    let id = request.request_id;
    let waiting = tokio::time::timeout(Duration::from_millis(20), h.platform.execute(request));
    assert!(waiting.await.is_err(), "it is not over yet");
    assert_eq!(find_record(&h.platform, id).await.status, Status::Success);
}

async fn find_record(platform: &Platform, id: RequestId) -> crate::model::InvocationRecord {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let request = ListInvocations::first(Namespace::default(), 1_000);
        let page = platform.invocation_list(request).await.expect("listed");
        let mut found = page
            .items
            .into_iter()
            .filter(|record| record.request_id == id);
        if let Some(record) = found.next() {
            assert!(found.next().is_none(), "it is recorded once");
            return record;
        }
        assert!(Instant::now() < deadline, "the run is recorded");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn traceparent(h: ExecutorHarness) {
    const CALLERS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for language in h.sources.languages() {
        let handler = h.deploy(language, "traceparent", true).await;
        let script = h.deploy(language, "traceparent", false).await;
        // The second goes to a warm sandbox, and so does one that is in no trace.
        for traceparent in [Some(CALLERS), Some(CALLERS), None] {
            let parent = traceparent.map(|text| text.parse::<Traceparent>().expect("valid"));
            for (function, none) in [(&handler, "null"), (&script, "\"none\"")] {
                let mut request = ExecuteRequest::new(function.clone());
                request.traceparent = parent;
                let own = parent.map(|parent| parent.within(request.request_id));
                let outcome = h.execute(request).await;
                let expected = own.map_or_else(|| none.to_owned(), |own| format!("\"{own}\""));
                let output = outcome.output.clone().unwrap_or_default();
                assert_eq!(String::from_utf8_lossy(&output), expected, "{outcome:?}");
            }
        }
    }
}

async fn recorded(h: ExecutorHarness) {
    for (case, status) in [("echo", Status::Success), ("raise", Status::FunctionError)] {
        let outcome = h.handle(Language::Python, case, json!({})).await;
        assert_eq!(outcome.status, status);
        let answered = Instant::now();
        let record = find_record(&h.platform, outcome.request_id).await;
        assert!(
            answered.elapsed() < Duration::from_secs(1),
            "visible within a second"
        );
        assert_eq!(record.status, status);
        assert_eq!(record.function_id, outcome.function_id);
        assert_eq!(record.version, outcome.version);
        assert_eq!(record.start, outcome.start);
        assert_eq!(
            record.error_type.as_deref().unwrap_or(""),
            error_type(&outcome)
        );
        assert_eq!(
            u128::from(record.total_us),
            outcome.timings.total.as_micros()
        );
        assert_eq!(u128::from(record.run_us), outcome.timings.run.as_micros());
    }
}

async fn updated(h: ExecutorHarness) {
    let function = h.deploy(Language::Python, "raise", true).await;
    let outcome = h.execute(ExecuteRequest::new(function.clone())).await;
    assert_eq!(outcome.status, Status::FunctionError);
    let source = h.sources.handler(Language::Python, "echo");
    let patch = FunctionPatch {
        code: Some(crate::model::CodeSource::Inline(source)),
        ..FunctionPatch::default()
    };
    let update = h.platform.function_update(&function, patch).await;
    assert_eq!(update.expect("updated").version, outcome.version + 1);
    for _ in 0..3 {
        let outcome = h.execute(ExecuteRequest::new(function.clone())).await;
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    }
}

async fn deleted(h: ExecutorHarness) {
    let first = h.deploy(Language::Python, "echo", true).await;
    assert!(
        h.execute(ExecuteRequest::new(first.clone()))
            .await
            .is_success()
    );
    h.platform.function_delete(&first).await.expect("deleted");
    let gone = h.platform.execute(ExecuteRequest::new(first.clone())).await;
    assert_eq!(
        gone.map_err(|error| error.kind()).err(),
        Some(ErrorKind::NotFound)
    );
    // Other code under the same name: what answers is that.
    let name = FunctionName::new("suite-python-echo-true").expect("a name");
    let source = h.sources.handler(Language::Python, "raise");
    let mut second = NewFunction::python(name.as_str(), source).expect("a name");
    second.config.runtime = h.runtime.clone();
    let second = h.platform.function_create(second.handler("case.handler"));
    let second = FunctionRef::Id(second.await.expect("created").id);
    assert_ne!(first, second);
    for is_warm in [false, true, true] {
        let outcome = h.execute(ExecuteRequest::new(FunctionRef::Name(name.clone())));
        let outcome = outcome.await;
        assert_eq!(outcome.version, 1);
        assert_eq!(outcome.status, Status::FunctionError, "{outcome:?}");
        assert_eq!(outcome.start == StartKind::Warm, is_warm, "{outcome:?}");
    }
    let gone = h.platform.execute(ExecuteRequest::new(first)).await;
    let gone = gone.map_err(|error| error.kind()).err();
    assert_eq!(gone, Some(ErrorKind::NotFound));
    h.platform.function_delete(&second).await.expect("deleted");
}

async fn concurrency(h: ExecutorHarness) {
    let function = h.deploy(Language::Python, "sleep", true).await;
    let patch = FunctionPatch {
        concurrency: Some(Some(2)),
        ..FunctionPatch::default()
    };
    h.platform
        .function_update(&function, patch)
        .await
        .expect("updated");
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let request = ExecuteRequest::new(function.clone()).event(r#"{"ms": 100}"#);
        let platform = h.platform.clone();
        runs.spawn(async move { platform.execute(request).await });
    }
    let mut fresh = 0;
    while let Some(outcome) = runs.join_next().await {
        let outcome = outcome.expect("no panic").expect("served");
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
        fresh += u32::from(outcome.start != StartKind::Warm);
    }
    assert!(
        (1..=2).contains(&fresh),
        "{fresh} sandboxes for a concurrency of 2"
    );
}

async fn logs(h: ExecutorHarness) {
    for language in h.sources.languages() {
        let function = h.deploy(language, "echo", true).await;
        let invocation = h
            .platform
            .start(ExecuteRequest::new(function))
            .await
            .expect("started");
        let mut reader = invocation.logs();
        let mut seen = Vec::new();
        while let Some(chunk) = reader.next().await {
            seen.extend_from_slice(&chunk.bytes);
        }
        let seen = String::from_utf8(seen).expect("text");
        assert!(
            seen.contains("echo to stdout\n") && seen.contains("echo to stderr\n"),
            "{seen}"
        );
        assert!(invocation.outcome().await.expect("it ran").is_success());
    }
}
