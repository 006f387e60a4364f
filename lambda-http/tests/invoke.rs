//! Invoking by name, running code that is not deployed, and cancelling.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::time::Duration;

use lambda_core::ExecuteRequest;
use lambda_core::model::FunctionRef;
use serde_json::{Value, json};
use support::{Answer, Server};

/// Waits until there is a record of a run.
async fn record(server: &Server, id: &str) -> Value {
    let path = format!("/invocations/{id}");
    for _ in 0..500 {
        let answer = server.call("GET", &path).operator().send().await;
        if answer.status == 200 {
            return answer.json();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{id} was not recorded")
}

#[tokio::test]
async fn an_event_goes_in_and_the_result_comes_out() {
    let server = Server::start().await;
    let id = server.echo().await;
    for reference in ["echo", &id] {
        let path = format!("/functions/{reference}/invoke");
        let answer = server.post(&path, &json!({"a": [1, 2.50, null]})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body, "{\"a\":[1,2.5,null]}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("lambda-version"), Some("1"));
        assert_eq!(answer.header("lambda-runtime"), Some("docker"));
    }
    let answer = server.call("POST", "/functions/echo/invoke").send().await;
    assert_eq!(answer.body, "null", "no body is the event null");
    assert_eq!(answer.header("lambda-start"), Some("warm"));
    let timing = answer.header("server-timing").unwrap();
    let names: Vec<_> = timing
        .split(", ")
        .map(|part| part.split_once(";dur=").unwrap())
        .inspect(|(_, ms)| assert!(ms.parse::<f64>().unwrap() >= 0.0))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["queue", "boot", "init", "run", "total"]);
    let request_id = answer.header("lambda-request-id").unwrap();
    assert_eq!(record(&server, request_id).await["status"], "success");

    let path = "/functions/echo/invoke?runtime=gvisor&qualifier=1";
    let answer = server.post(path, &json!(1)).await;
    assert_eq!(answer.header("lambda-runtime"), Some("gvisor"));
    server.hello().await;
    let answer = server.call("POST", "/functions/hello/invoke").send().await;
    assert_eq!(answer.status, 200, "a script without args: {answer:?}");
}

#[tokio::test]
async fn failures_of_the_function_are_statuses() {
    let server = Server::start().await;
    for (case, event, status, code, error_type) in [
        ("raise", json!({}), 502, "FunctionErrorException", None),
        (
            "exit",
            json!({"code": 7}),
            502,
            "FunctionCrashedException",
            Some("Runtime.ExitError"),
        ),
        (
            "alloc",
            json!({"mib": 512}),
            502,
            "FunctionOutOfMemoryException",
            Some("Runtime.OutOfMemory"),
        ),
    ] {
        server.function(case, case, Some("case.handler")).await;
        let answer = server
            .post(&format!("/functions/{case}/invoke"), &event)
            .await;
        failed(&answer, status, code, error_type);
    }
    let id = server.function("spin", "spin", Some("case.handler")).await;
    let patch = json!({"timeout_ms": 50});
    server.put(&format!("/functions/{id}"), &patch).await.ok();
    let answer = server.call("POST", "/functions/spin/invoke").send().await;
    failed(
        &answer,
        504,
        "FunctionTimeoutException",
        Some("Sandbox.Timedout"),
    );
}

#[track_caller]
fn failed(answer: &Answer, status: u16, code: &str, error_type: Option<&str>) {
    assert_eq!(answer.status, status, "{answer:?}");
    let error = &answer.json()["error"];
    assert_eq!(error["code"], code);
    assert!(!error["hint"].as_str().unwrap().is_empty());
    assert!(error["trace"].is_array());
    let named = answer.header("lambda-error-type").unwrap();
    assert_eq!(error["type"], named);
    if let Some(error_type) = error_type {
        assert_eq!(named, error_type);
    }
    assert!(answer.header("lambda-request-id").is_some());
}

#[tokio::test]
async fn what_is_no_event_is_refused() {
    let server = Server::start().await;
    server.echo().await;
    server.hello().await;
    let path = "/functions/echo/invoke";
    let bad = server.call("POST", path).text("{").send().await;
    bad.refused(400, "InvalidRequestContentException");
    let call = server.call("POST", path).text("1");
    let undeclared = call.header("content-type", "text/plain").send().await;
    undeclared.refused(415, "UnsupportedMediaTypeException");
    let large = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    let large = server.call("POST", path).text(large).send().await;
    large.refused(413, "RequestTooLargeException");
    let script = server.post("/functions/hello/invoke", &json!({})).await;
    script.refused(400, "InvalidParameterValueException");
    let missing = server.post("/functions/nobody/invoke", &json!({})).await;
    missing.refused(404, "ResourceNotFoundException");
    let unknown = server.post(&format!("{path}?x=1"), &json!({})).await;
    unknown.refused(400, "InvalidParameterValueException");
}

#[tokio::test]
async fn code_is_tested_without_being_deployed() {
    let server = Server::start().await;
    let body = json!({
        "code": "fake:echo", "language": "python", "handler": "case.handler",
        "event": {"n": 1}, "use_gvisor": true,
    });
    let outcome = server.post("/functions/test", &body).await.ok();
    assert_eq!(outcome["status"], "success");
    assert_eq!(outcome["output"], json!({"n": 1}));
    assert_eq!(outcome["runtime"], "gvisor");
    assert_eq!(outcome["version"], 0);
    let entry = record(&server, outcome["request_id"].as_str().unwrap()).await;
    assert_eq!(entry["function_name"], "test");
    assert_eq!(entry["function_id"], outcome["function_id"]);
    assert_eq!(server.get("/functions").await.ok(), json!([]));

    let script = json!({
        "name": "draft", "code": "fake:args", "language": "python", "args": ["Alice"],
    });
    let outcome = server.post("/functions/test", &script).await.ok();
    assert_eq!(outcome["output"], "Alice");
    // A function may be called like the route.
    server.function("test", "echo", Some("case.handler")).await;
    assert_eq!(server.get("/functions/test").await.ok()["name"], "test");
    let answer = server.post("/functions/test/invoke", &json!(2)).await;
    assert_eq!(answer.body, "2");
}

#[tokio::test]
async fn a_test_that_cannot_run_is_refused() {
    let server = Server::start().await;
    for bad in [
        json!({"language": "python"}),
        json!({"code": "x"}),
        json!({"code": "x", "language": "cobol"}),
        json!({"code": "x", "language": "python", "memory_mib": 1}),
        json!({"code": "x", "language": "python", "event": {}}),
        json!({"code": "x", "language": "python", "id": 1}),
    ] {
        let answer = server.post("/functions/test", &bad).await;
        answer.refused(400, "InvalidParameterValueException");
    }
    let zip = json!({"language": "python", "code_zip_base64": "UEsDBA=="});
    let answer = server.post("/functions/test", &zip).await;
    answer.refused(400, "InvalidZipFileException");
    let long = json!({"language": "python", "code": "x".repeat(5 * 1024 * 1024)});
    let answer = server.post("/functions/test", &long).await;
    answer.refused(413, "RequestTooLargeException");
}

#[tokio::test]
async fn an_invocation_is_cancelled_by_its_id() {
    let server = Server::start().await;
    server.function("spin", "spin", Some("case.handler")).await;
    let mut request = ExecuteRequest::new(FunctionRef::Name("spin".parse().unwrap()));
    request.payload = lambda_core::model::Payload::Empty;
    let id = request.request_id;
    let invocation = server.platform.start(request).await.unwrap();
    let path = format!("/invocations/{id}/cancel");
    let answer = server.call("POST", &path).send().await;
    assert_eq!(answer.status, 202);
    assert_eq!(
        answer.json(),
        json!({"request_id": id.to_string(), "state": "cancelling"})
    );
    let outcome = invocation.outcome().await.unwrap();
    assert_eq!(outcome.status.as_str(), "cancelled");
    let ended = server.call("POST", &path).send().await;
    ended.refused(404, "ResourceNotFoundException");
    let wrong = server.call("POST", "/invocations/x/cancel").send().await;
    wrong.refused(400, "InvalidParameterValueException");
}
