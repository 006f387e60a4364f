//! The suite that every [`Runtime`] must pass.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::cases::Sources;
use super::suite::{Case, Failures, run_cases};
use crate::error::ErrorKind;
use crate::model::{
    CodeFormat, CodeRef, Function, FunctionConfig, FunctionId, FunctionName, Language, Namespace,
    OwnerId, PackageDigest, RequestId, Termination,
};
use crate::output::{LogStream, OutputCapture};
use crate::runtime::{
    CreateSandbox, InitializeSandbox, InvokeSandbox, Runtime, Sandbox, SandboxEnd, SandboxReply,
};

/// A runtime and what the suite runs in it.
#[derive(Clone)]
pub struct RuntimeHarness {
    /// The runtime.
    pub runtime: Arc<dyn Runtime>,
    /// The case functions.
    pub sources: Arc<dyn Sources>,
    /// Whether it dies, and confirms deaths, as containers do. A death that cannot be
    /// confirmed within 900 ms fails the suite where this holds.
    pub confirms_deaths: bool,
}

/// Runs every case in every language.
///
/// # Errors
/// The names of the cases that failed, each with its reason.
pub async fn run(harness: &RuntimeHarness) -> Result<(), Failures> {
    run_cases(
        harness,
        &[
            Case::new("echo_returns_the_event_again_and_again", |h| {
                Box::pin(echo(h))
            }),
            Case::new("output_is_complete_when_the_reply_is_there", |h| {
                Box::pin(output(h))
            }),
            Case::new("unicode_is_kept", |h| Box::pin(unicode(h))),
            Case::new(
                "a_result_of_6_mb_arrives_and_a_larger_one_is_an_error",
                |h| Box::pin(large(h)),
            ),
            Case::new("an_exception_is_reported_and_the_sandbox_serves_on", |h| {
                Box::pin(raise(h))
            }),
            Case::new("code_that_cannot_be_loaded_is_reported", |h| {
                Box::pin(missing_module(h))
            }),
            Case::new("an_exit_inside_a_handler_ends_the_sandbox", |h| {
                Box::pin(exit(h))
            }),
            Case::new(
                "a_script_gets_its_args_and_a_fresh_process_each_time",
                |h| Box::pin(script(h)),
            ),
            Case::new("a_scripts_exit_status_and_signal_are_reported", |h| {
                Box::pin(script_ends(h))
            }),
            Case::new("a_spinning_handler_dies_when_it_is_destroyed", |h| {
                Box::pin(spin(h))
            }),
            Case::new("more_memory_than_the_limit_is_out_of_memory", |h| {
                Box::pin(alloc(h))
            }),
            Case::new("a_flood_is_cut_and_its_reply_arrives", |h| {
                Box::pin(flood(h))
            }),
            Case::new("what_cannot_be_created_leaves_nothing_behind", |h| {
                Box::pin(not_created(h))
            }),
            Case::new("only_the_named_owners_sandboxes_are_removed", |h| {
                Box::pin(removal(h))
            }),
        ],
    )
    .await
}

/// A sandbox of a case, and what it has written.
struct Started {
    sandbox: Arc<dyn Sandbox>,
    output: OutputCapture,
    owner: OwnerId,
}

impl RuntimeHarness {
    async fn create(&self, function: &Function, owner: OwnerId) -> Arc<dyn Sandbox> {
        let request = CreateSandbox::for_function(owner, function);
        self.runtime
            .create(request)
            .await
            .expect("a sandbox is created")
    }

    async fn start(&self, function: Function, source: String) -> (Started, SandboxReply) {
        let owner = OwnerId::new();
        let sandbox = self.create(&function, owner).await;
        let output = OutputCapture::new();
        let code = Some((CodeFormat::Inline, Bytes::from(source)));
        let request = InitializeSandbox::new(Arc::new(function), code);
        let reply = sandbox
            .initialize(request, &output)
            .await
            .expect("initialised");
        let started = Started {
            sandbox,
            output,
            owner,
        };
        (started, reply)
    }

    async fn handler(&self, language: Language, case: &str) -> Started {
        let source = self.sources.handler(language, case);
        let (started, reply) = self.start(function(language, true), source).await;
        assert_eq!(reply, SandboxReply::Ready);
        started
    }

    async fn script(&self, language: Language, case: &str) -> Started {
        let source = self.sources.script(language, case);
        let (started, reply) = self.start(function(language, false), source).await;
        assert_eq!(reply, SandboxReply::Ready);
        started
    }

    async fn finish(&self, started: Started) {
        let termination = started.sandbox.destroy().await;
        if self.confirms_deaths {
            assert_eq!(termination, Termination::Confirmed);
        }
        assert_eq!(
            started.sandbox.destroy().await,
            termination,
            "destroy is idempotent"
        );
        started.sandbox.removed().await;
        assert!(!started.sandbox.is_alive());
        let owners = self.runtime.owners().await.expect("owners are listed");
        assert!(
            !owners.contains(&started.owner),
            "nothing is left of the sandbox"
        );
    }
}

impl Started {
    async fn invoke(&mut self, payload: &Value) -> SandboxReply {
        self.output = OutputCapture::new();
        let request = InvokeSandbox::new(
            RequestId::new(),
            Bytes::from(payload.to_string()),
            4_000_000_000_000,
            "arn:aws:lambda:local:000000000000:function:case".into(),
        );
        self.sandbox
            .invoke(request, &self.output)
            .await
            .expect("the sandbox keeps to the protocol")
    }

    fn stdout(&self) -> String {
        self.output.text(LogStream::Stdout).text
    }
}

fn function(language: Language, is_handler: bool) -> Function {
    let mut config = FunctionConfig::new(language);
    config.handler = is_handler.then(|| "case.handler".to_owned());
    config
        .env
        .insert("CASE".to_owned(), "conformance".to_owned());
    let code = CodeRef {
        digest: PackageDigest::of(b""),
        format: CodeFormat::Inline,
        size_bytes: 0,
    };
    Function::first_version(
        Namespace::default(),
        FunctionId::new(),
        FunctionName::new("case").expect("a name"),
        config,
        vec![code],
        jiff::Timestamp::now(),
    )
}

async fn echo(h: RuntimeHarness) {
    for language in h.sources.languages() {
        let mut started = h.handler(language, "echo").await;
        for n in 0..20 {
            let event = json!({ "n": n, "nested": [null, true, "x"] });
            match started.invoke(&event).await {
                SandboxReply::Response(body) => {
                    let body: Value = serde_json::from_slice(&body).expect("JSON");
                    assert_eq!(body, event);
                }
                other => panic!("{language}: {other:?}"),
            }
            assert!(started.sandbox.is_alive());
        }
        if h.runtime.capability().limits {
            assert!(started.sandbox.memory_peak_mib().await.is_some());
        }
        h.finish(started).await;
    }
}

async fn output(h: RuntimeHarness) {
    for language in h.sources.languages() {
        let mut started = h.handler(language, "echo").await;
        for _ in 0..50 {
            started.invoke(&json!({})).await;
            assert_eq!(started.stdout(), "echo to stdout\n", "{language}");
            let stderr = started.output.text(LogStream::Stderr).text;
            assert_eq!(stderr, "echo to stderr\n", "{language}");
        }
        h.finish(started).await;
    }
}

async fn unicode(h: RuntimeHarness) {
    for language in h.sources.languages() {
        let mut started = h.handler(language, "unicode").await;
        let text = "gr\u{fc}\u{df}e \u{1f980} \u{0} \u{2028}";
        let event = json!({ "text": text });
        let SandboxReply::Response(body) = started.invoke(&event).await else {
            panic!("{language}: no response");
        };
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let around = format!("\u{e9}\u{20ac}\u{1f600}{text}\u{1f600}\u{20ac}\u{e9}");
        assert_eq!(body["text"], around, "{language}");
        assert_eq!(started.stdout(), format!("{text}\n"), "{language}");
        h.finish(started).await;
    }
}

async fn large(h: RuntimeHarness) {
    for language in h.sources.languages() {
        let mut started = h.handler(language, "large").await;
        let size = 6_000_000;
        match started.invoke(&json!({ "size": size })).await {
            SandboxReply::Response(body) => assert_eq!(body.len(), size + 2, "{language}"),
            other => panic!("{language}: {other:?}"),
        }
        match started.invoke(&json!({ "size": 7_000_000 })).await {
            SandboxReply::Failed(error) => {
                assert_eq!(
                    error.error_type, "Function.ResponseSizeTooLarge",
                    "{language}"
                );
            }
            other => panic!("{language}: {other:?}"),
        }
        match started.invoke(&json!({ "size": 1 })).await {
            SandboxReply::Response(body) => assert_eq!(body.len(), 3, "{language}"),
            other => panic!("{language}: {other:?}"),
        }
        h.finish(started).await;
    }
}

async fn raise(h: RuntimeHarness) {
    for language in h.sources.languages() {
        let mut started = h.handler(language, "raise").await;
        for _ in 0..2 {
            match started.invoke(&json!({ "message": "on purpose" })).await {
                SandboxReply::Failed(error) => {
                    assert_eq!(error.error_type, "CaseError", "{language}");
                    assert_eq!(error.message, "on purpose", "{language}");
                    assert!(!error.trace.is_empty(), "{language}: {error:?}");
                }
                other => panic!("{language}: {other:?}"),
            }
        }
        h.finish(started).await;
    }
}

async fn missing_module(h: RuntimeHarness) {
    for language in h.sources.languages() {
        let source = h.sources.handler(language, "missing-module");
        let (started, reply) = h.start(function(language, true), source).await;
        match reply {
            SandboxReply::Failed(error) => {
                assert_eq!(error.error_type, "Runtime.ImportModuleError", "{language}");
            }
            other => panic!("{language}: {other:?}"),
        }
        h.finish(started).await;
    }
}

async fn exit(h: RuntimeHarness) {
    for language in h.sources.languages() {
        let mut started = h.handler(language, "exit").await;
        let reply = started.invoke(&json!({ "code": 7 })).await;
        assert_eq!(reply, SandboxReply::Ended, "{language}");
        assert_eq!(
            started.sandbox.ended().await,
            SandboxEnd::Exited(7),
            "{language}"
        );
        h.finish(started).await;
    }
}

async fn script(h: RuntimeHarness) {
    for language in h.sources.languages() {
        let mut started = h.script(language, "args").await;
        for name in ["Alice", "\u{c5}sa \u{1f980}", "two words", "\"quoted\""] {
            let reply = started.invoke(&json!([name])).await;
            assert_eq!(reply, SandboxReply::Exited(0), "{language}");
            assert_eq!(started.stdout(), format!("{name}\n"), "{language}");
        }
        h.finish(started).await;
    }
}

async fn script_ends(h: RuntimeHarness) {
    for language in h.sources.languages() {
        let mut started = h.script(language, "exit").await;
        for code in [0, 3, 255] {
            let reply = started.invoke(&json!([code.to_string()])).await;
            assert_eq!(reply, SandboxReply::Exited(code), "{language}");
        }
        h.finish(started).await;
        let mut started = h.script(language, "raise").await;
        let reply = started.invoke(&json!(["on purpose"])).await;
        assert_eq!(reply, SandboxReply::Exited(1), "{language}");
        let stderr = started.output.text(LogStream::Stderr).text;
        assert!(stderr.contains("on purpose"), "{language}: {stderr}");
        h.finish(started).await;
        let mut started = h.script(language, "signal").await;
        let reply = started.invoke(&json!(["11"])).await;
        assert_eq!(reply, SandboxReply::Signaled(11), "{language}");
        h.finish(started).await;
    }
}

async fn spin(h: RuntimeHarness) {
    for language in h.sources.languages() {
        for is_handler in [true, false] {
            let mut started = if is_handler {
                h.handler(language, "spin").await
            } else {
                h.script(language, "spin").await
            };
            let payload = if is_handler { json!({}) } else { json!([]) };
            let wait = tokio::time::timeout(Duration::from_millis(300), started.invoke(&payload));
            assert!(wait.await.is_err(), "{language}: it spins");
            assert!(started.sandbox.is_alive());
            h.finish(started).await;
        }
    }
}

async fn alloc(h: RuntimeHarness) {
    if !h.runtime.capability().limits {
        return;
    }
    for language in h.sources.languages() {
        let mut started = h.handler(language, "alloc").await;
        let reply = started.invoke(&json!({ "mib": 512 })).await;
        assert_eq!(reply, SandboxReply::OutOfMemory, "{language}");
        h.finish(started).await;
        let mut started = h.script(language, "alloc").await;
        let reply = started.invoke(&json!(["512"])).await;
        assert_eq!(reply, SandboxReply::OutOfMemory, "{language}");
        h.finish(started).await;
    }
}

async fn flood(h: RuntimeHarness) {
    for language in h.sources.languages() {
        let mut started = h.handler(language, "flood").await;
        let reply = started.invoke(&json!({ "mib": 3 })).await;
        assert!(
            matches!(reply, SandboxReply::Response(_)),
            "{language}: {reply:?}"
        );
        let stdout = started.output.text(LogStream::Stdout);
        assert!(stdout.truncated, "{language}");
        assert_eq!(stdout.text.len(), 1024 * 1024, "{language}");
        h.finish(started).await;
    }
}

async fn not_created(h: RuntimeHarness) {
    let owner = OwnerId::new();
    let mut config = FunctionConfig::new(Language::Python);
    config.image = Some("an-image-that-nobody-listed".to_owned());
    let refused = h.runtime.accepts(&config).map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::InvalidParameter));
    for network in ["none", "a-network-that-nobody-listed"] {
        let mut request = CreateSandbox::for_function(owner, &function(Language::Python, true));
        network.clone_into(&mut request.network);
        if network == "none" {
            request.image = Some("an-image-that-nobody-listed".to_owned());
        }
        let refused = h
            .runtime
            .create(request)
            .await
            .map_err(|error| error.kind());
        assert_eq!(
            refused.err(),
            Some(ErrorKind::InvalidParameter),
            "{network}"
        );
    }
    let owners = h.runtime.owners().await.expect("owners are listed");
    assert!(!owners.contains(&owner));
}

async fn removal(h: RuntimeHarness) {
    let (dead, alive) = (OwnerId::new(), OwnerId::new());
    let function = function(Language::Python, true);
    let left = [
        h.create(&function, dead).await,
        h.create(&function, dead).await,
    ];
    let kept = h.create(&function, alive).await;
    let owners = h.runtime.owners().await.expect("owners are listed");
    assert!(owners.contains(&dead) && owners.contains(&alive));

    assert_eq!(
        h.runtime.remove_owned(dead).await.expect("removed"),
        left.len()
    );
    assert_eq!(h.runtime.remove_owned(dead).await.expect("removed"), 0);
    let owners = h.runtime.owners().await.expect("owners are listed");
    assert!(!owners.contains(&dead) && owners.contains(&alive));
    assert!(kept.is_alive());
    assert!(left.iter().all(|sandbox| !sandbox.is_alive()));
    let kept = Started {
        sandbox: kept,
        output: OutputCapture::new(),
        owner: alive,
    };
    h.finish(kept).await;
}
