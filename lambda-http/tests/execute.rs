//! `POST /functions/execute`: every outcome, every field.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use serde_json::{Value, json};
use support::Server;

const FIELDS: [&str; 20] = [
    "request_id",
    "function_id",
    "version",
    "status",
    "output",
    "stdout",
    "stdout_truncated",
    "stderr",
    "stderr_truncated",
    "exit_code",
    "error",
    "start",
    "runtime",
    "termination",
    "queue_ms",
    "boot_ms",
    "init_ms",
    "run_ms",
    "total_ms",
    "max_memory_mib",
];

/// Checks what all outcomes have in common.
#[track_caller]
fn checked(outcome: Value) -> Value {
    let object = outcome.as_object().unwrap();
    assert_eq!(object.len(), FIELDS.len(), "{outcome}");
    for field in FIELDS {
        assert!(object.contains_key(field), "{field} in {outcome}");
    }
    for field in ["queue_ms", "boot_ms", "init_ms", "run_ms", "total_ms"] {
        let printed = outcome[field].to_string();
        let (_, decimals) = printed.split_once('.').expect("a float");
        assert!(decimals.len() <= 3, "{field} is {printed}");
    }
    assert_eq!(
        outcome["error"].is_null(),
        outcome["status"] == "success",
        "{outcome}"
    );
    if let Some(error) = outcome["error"].as_object() {
        let names: Vec<_> = error.keys().map(String::as_str).collect();
        assert_eq!(names, ["message", "trace", "type"]);
        assert!(
            error["trace"]
                .as_array()
                .unwrap()
                .iter()
                .all(Value::is_string)
        );
    }
    outcome
}

async fn execute(server: &Server, body: Value) -> Value {
    checked(server.execute(&body).await.ok())
}

#[tokio::test]
async fn a_script_in_both_runtimes() {
    let server = Server::start().await;
    let id = server.hello().await;
    let cold = execute(&server, json!({"id": id, "args": ["Hello, Alice!"]})).await;
    assert_eq!(cold["output"], "Hello, Alice!");
    assert_eq!(cold["stdout"], "Hello, Alice!\n");
    assert_eq!(cold["function_id"], *id);
    assert_eq!(cold["version"], 1);
    assert_eq!(
        (&cold["status"], &cold["start"]),
        (&json!("success"), &json!("cold"))
    );
    assert_eq!(
        (&cold["runtime"], &cold["exit_code"]),
        (&json!("docker"), &json!(0))
    );
    assert_eq!(cold["termination"], Value::Null);
    let warm = execute(&server, json!({"name": "hello", "use_gvisor": false})).await;
    assert_eq!(
        (&warm["output"], &warm["start"]),
        (&json!(""), &json!("warm"))
    );
    assert_eq!(warm["boot_ms"], 0.0);
    assert_ne!(warm["request_id"], cold["request_id"]);
    for body in [
        json!({"use_gvisor": true}),
        json!({"runtime": "gvisor"}),
        json!({"runtime": "gvisor", "use_gvisor": true}),
    ] {
        let mut body = body;
        body["id"] = id.clone().into();
        assert_eq!(execute(&server, body).await["runtime"], "gvisor");
    }
}

#[tokio::test]
async fn a_handlers_event_and_result_are_any_json() {
    let server = Server::start().await;
    let id = server.echo().await;
    for event in [
        json!({"name": "Alice"}),
        json!([1, "a", null]),
        json!("x"),
        json!(null),
        json!(0.1),
        json!({"a": {"b": []}}),
    ] {
        let outcome = execute(&server, json!({"id": id, "event": event})).await;
        assert_eq!(outcome["output"], event);
        assert_eq!(
            (&outcome["status"], &outcome["exit_code"]),
            (&json!("success"), &Value::Null)
        );
        assert_eq!(outcome["stdout"], "echo to stdout\n");
        assert_eq!(outcome["stderr"], "echo to stderr\n");
    }
    assert_eq!(
        execute(&server, json!({"id": id})).await["output"],
        json!({})
    );
}

#[tokio::test]
async fn a_failure_of_the_function_is_an_outcome() {
    let server = Server::start().await;
    server
        .function("raises", "raise", Some("case.handler"))
        .await;
    let outcome = execute(
        &server,
        json!({"name": "raises", "event": {"message": "on purpose"}}),
    )
    .await;
    assert_eq!(
        (&outcome["status"], &outcome["output"]),
        (&json!("function_error"), &Value::Null)
    );
    assert_eq!(outcome["error"]["type"], "CaseError");
    assert_eq!(outcome["error"]["message"], "on purpose");
    assert_eq!(outcome["error"]["trace"].as_array().unwrap().len(), 1);

    server.function("exits", "exit", None).await;
    let outcome = execute(&server, json!({"name": "exits", "args": ["3"]})).await;
    assert_eq!(
        (&outcome["status"], &outcome["exit_code"]),
        (&json!("function_error"), &json!(3))
    );

    server.function("dies", "signal", None).await;
    let outcome = execute(&server, json!({"name": "dies"})).await;
    assert_eq!(
        (&outcome["status"], &outcome["exit_code"]),
        (&json!("crashed"), &Value::Null)
    );

    server.function("eats", "alloc", Some("case.handler")).await;
    let outcome = execute(&server, json!({"name": "eats", "event": {"mib": 1000}})).await;
    assert_eq!(outcome["status"], "out_of_memory");

    server.function("spins", "spin", None).await;
    let outcome = execute(&server, json!({"name": "spins", "timeout_ms": 50})).await;
    assert_eq!(
        (&outcome["status"], &outcome["termination"]),
        (&json!("timeout"), &json!("confirmed"))
    );
    assert_eq!(outcome["stdout"], "spinning\n");
    assert_eq!(outcome["output"], Value::Null);

    server.function("floods", "flood", None).await;
    let outcome = execute(&server, json!({"name": "floods", "args": ["2"]})).await;
    assert_eq!(outcome["stdout_truncated"], true);
    assert_eq!(outcome["stderr_truncated"], false);
    assert!(outcome["stdout"].as_str().unwrap().len() <= 1024 * 1024);
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused() {
    let server = Server::start().await;
    let script = server.hello().await;
    let handler = server.echo().await;
    let boxed =
        json!({"name": "boxed", "language": "python", "code": "fake:args", "runtime": "gvisor"});
    server.post("/functions", &boxed).await.ok();
    for bad in [
        json!({}),
        json!({"id": script, "name": "hello"}),
        json!({"id": "hello"}),
        json!({"name": script}),
        json!({"name": "a b"}),
        json!({"id": script, "event": {}}),
        json!({"id": handler, "args": []}),
        json!({"id": handler, "args": [], "event": {}}),
        json!({"id": script, "args": "Alice"}),
        json!({"id": script, "args": [1]}),
        json!({"id": script, "args": ["\u{0}"]}),
        json!({"id": script, "timeout_ms": 0}),
        json!({"id": script, "timeout_ms": 3001}),
        json!({"id": script, "use_gvisor": 1}),
        json!({"id": script, "use_gvisor": true, "runtime": "docker"}),
        json!({"id": script, "use_gvisor": false, "runtime": "gvisor"}),
        json!({"id": script, "payload": {}}),
        json!({"name": "boxed", "use_gvisor": false}),
        json!({"name": "boxed", "runtime": "docker"}),
    ] {
        let answer = server.execute(&bad).await;
        answer.refused(400, "InvalidParameterValueException");
    }
    assert_eq!(
        execute(&server, json!({"name": "boxed"})).await["runtime"],
        "gvisor"
    );
    for unknown in [
        json!({"name": "nobody"}),
        json!({"id": "01890a5d-ac96-774b-bcce-b302099a8057"}),
    ] {
        server
            .execute(&unknown)
            .await
            .refused(404, "ResourceNotFoundException");
    }
    server.docker.set_unavailable(true);
    let answer = server.execute(&json!({"id": handler})).await;
    answer.refused(503, "ResourceNotReadyException");
}

#[tokio::test]
async fn an_event_of_six_megabytes_is_taken_and_one_byte_more_is_not() {
    let server = Server::start().await;
    server.function("sink", "flood", Some("case.handler")).await;
    let body = |bytes: usize| {
        format!(
            "{{\"name\":\"sink\",\"event\":\"{}\"}}",
            "x".repeat(bytes - 2)
        )
    };
    let max = 6 * 1024 * 1024;
    let answer = server
        .call("POST", "/functions/execute")
        .text(body(max))
        .send()
        .await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    for bytes in [max + 1, max + 1024 * 1024] {
        let answer = server
            .call("POST", "/functions/execute")
            .text(body(bytes))
            .send()
            .await;
        answer.refused(413, "RequestTooLargeException");
    }
}

#[tokio::test]
async fn a_full_queue_is_a_429_that_says_when_to_come_back() {
    let server = Server::start().await;
    let new = json!({"name": "slow", "language": "python", "code": "fake:sleep", "handler": "a.b", "concurrency": 1});
    server.post("/functions", &new).await.ok();
    // The first holds the only sandbox; the second waits for it longer than anybody may.
    let long = json!({"name": "slow", "event": {"ms": 2900}});
    let first = server.execute(&long);
    let rest = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let calls = (0..1100).map(|_| {
            server.platform.start(
                lambda_core::ExecuteRequest::named("slow")
                    .unwrap()
                    .event("{\"ms\":1}"),
            )
        });
        let mut waiting = Vec::new();
        for call in calls {
            waiting.push(call.await.unwrap());
        }
        let answer = server.execute(&json!({"name": "slow"})).await;
        answer.refused(429, "TooManyRequestsException");
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!(seconds >= 1);
    };
    tokio::join!(first, rest);
}
