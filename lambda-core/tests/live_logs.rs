//! What a function writes is there while it runs, whatever it is and wherever it runs.

#![cfg(all(feature = "conformance", feature = "docker"))]
#![allow(clippy::unwrap_used)] // A test fails by panicking.

#[allow(dead_code, reason = "shared with the tests of the container runtimes")]
#[path = "container_runtime/support.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use lambda_core::logs::{LogEventKind, LogItem, LogPosition, SubscriptionItem};
use lambda_core::model::RuntimeName;
use lambda_core::pool::PoolOptions;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_core::{ErrorKind, ExecuteRequest, NewFunction, Platform, Runtime};

use support::Bench;

const PYTHON_HANDLER: &str = "import time\ndef handler(event, context):\n    print('first')\n    time.sleep(1)\n    print('second')\n";
const PYTHON_SCRIPT: &str = "import time\nprint('first')\ntime.sleep(1)\nprint('second')\n";
const JAVASCRIPT_HANDLER: &str = "exports.handler = async () => {\n  console.log('first');\n  await new Promise((done) => setTimeout(done, 1000));\n  console.log('second');\n};\n";
const JAVASCRIPT_SCRIPT: &str =
    "console.log('first');\nsetTimeout(() => console.log('second'), 1000);\n";

/// How long the functions wait between their lines.
const WAIT: Duration = Duration::from_secs(1);

fn functions() -> Vec<NewFunction> {
    let handler = |name, code, is_python, is_fresh| {
        let function = match is_python {
            true => NewFunction::python(name, code),
            false => NewFunction::javascript(name, code),
        };
        let mut function = function.unwrap().handler("main.handler");
        function.config.fresh_process = is_fresh;
        function
    };
    let mut functions = vec![
        handler("python", PYTHON_HANDLER, true, false),
        handler("javascript", JAVASCRIPT_HANDLER, false, false),
        handler("python-fresh", PYTHON_HANDLER, true, true),
        handler("javascript-fresh", JAVASCRIPT_HANDLER, false, true),
        NewFunction::python("python-script", PYTHON_SCRIPT).unwrap(),
        NewFunction::javascript("javascript-script", JAVASCRIPT_SCRIPT).unwrap(),
    ];
    for function in &mut functions {
        function.config.timeout = Duration::from_secs(20);
    }
    functions
}

async fn is_live(name: &str) {
    let Some(bench) = Bench::open(name).await else {
        return;
    };
    let platform = platform(bench.data_dir.path(), Arc::clone(&bench.runtime)).await;
    for mut new in functions() {
        new.config.runtime = RuntimeName::new(name).unwrap();
        let function = platform.deploy(new).await.unwrap();
        let mut subscription = platform.follow_function(function.id, None);
        // The first is a cold start, and the second is warm.
        for _ in 0..2 {
            let request = ExecuteRequest::new(function.id);
            let invocation = platform.start(request).await.unwrap();
            let what = format!("{} in {name}", function.name);
            let mut text = String::new();
            let mut first_at = None;
            let mut logs = invocation.follow();
            while let Some(item) = logs.next().await {
                if let LogItem::Output { text: piece, .. } = item {
                    text += &piece;
                    first_at.get_or_insert_with(Instant::now);
                }
            }
            assert_eq!(text, "first\nsecond\n", "{what}");
            let between = first_at.unwrap().elapsed();
            assert!(between > WAIT / 2, "{what}: {between:?} before the end");
            assert!(invocation.outcome().await.unwrap().is_success());
            assert_eq!(
                all_of_one(&mut subscription).await,
                "first\nsecond\n",
                "{what}"
            );
        }
    }
    platform.close().await;
    assert_eq!(platform.follow_all(None).next().await, None);
}

/// What a subscription hears until an invocation's end.
async fn all_of_one(subscription: &mut lambda_core::logs::Subscription) -> String {
    let mut text = String::new();
    loop {
        match subscription.next().await {
            Some(SubscriptionItem::Event(event)) => match &event.kind {
                LogEventKind::Output { text: piece, .. } => text += piece,
                LogEventKind::End(_) => return text,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

async fn platform(root: &std::path::Path, runtime: Arc<dyn Runtime>) -> Platform {
    let builder = Platform::builder().data_dir(root).runtime(runtime);
    builder.build().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_is_live_in_docker() {
    is_live("docker").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_is_live_in_gvisor() {
    is_live("gvisor").await;
}

#[tokio::test]
async fn an_invocation_is_followed_by_its_id_while_it_runs_and_afterwards() {
    let root = tempfile::tempdir().unwrap();
    let fake = FakeRuntime::new(RuntimeName::docker());
    // With nothing prewarmed, which a runtime that fails would not be asked for.
    let mut pool = PoolOptions::default();
    pool.prewarmed = 0;
    let platform = Platform::builder()
        .data_dir(root.path())
        .runtime(Arc::new(fake.clone()))
        .pool(pool);
    let platform = platform.build().await.unwrap();
    let spin = NewFunction::python("spin", "fake:spin").unwrap();
    let function = platform.deploy(spin.handler("case.handler")).await.unwrap();
    let invocation = platform
        .start(ExecuteRequest::new(function.id))
        .await
        .unwrap();
    let id = invocation.request_id();
    assert_eq!(invocation.target().version, 1);

    // It never ends by itself: so this is read while it runs.
    let begin = LogPosition::default();
    let mut first = platform.follow_invocation(id, begin).await.unwrap();
    let Some(LogItem::Output { text, position, .. }) = first.next().await else {
        panic!("no output")
    };
    assert_eq!(text, "spinning\n");
    invocation.cancel();
    assert!(
        matches!(first.next().await, Some(LogItem::End(end)) if end.to_string() == "cancelled")
    );
    assert_eq!(first.next().await, None);
    let mut resumed = platform.follow_invocation(id, position).await.unwrap();
    assert!(matches!(resumed.next().await, Some(LogItem::End(_))));

    fake.set_unavailable(true);
    let failed = platform
        .start(ExecuteRequest::new(function.id))
        .await
        .unwrap();
    let mut logs = failed.follow();
    assert!(matches!(logs.next().await, Some(LogItem::End(end)) if end.to_string() == "not_run"));
    assert!(failed.outcome().await.is_err());
    let unknown = lambda_core::model::RequestId::new();
    let unknown = platform
        .follow_invocation(unknown, begin)
        .await
        .unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    platform.close().await;
}
