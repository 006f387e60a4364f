//! Every route of the table, with every kind of credentials, on loopback and off it.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use hyper::StatusCode;
use lambda_core::model::Scope;
use lambda_http::{Access, ROUTES, Route};
use serde_json::json;
use support::{Answer, OPERATOR, Server};

/// What each route is sent, so that a request that is let through succeeds or at least gets
/// past the check. A route without a row here fails the test.
fn body_for(method: &str, path: &str) -> Option<Option<serde_json::Value>> {
    Some(match (method, path) {
        ("POST", "/functions/execute") => Some(json!({"name": "hello"})),
        ("POST", "/functions") => {
            Some(json!({"name": "hello", "language": "python", "code": "fake:args"}))
        }
        ("POST", "/functions/test") => Some(json!({"language": "python", "code": "fake:args"})),
        ("POST", "/functions/{function}/invoke") => Some(json!({})),
        ("POST", "/tokens") => Some(json!({"name": "t", "scopes": ["invoke"]})),
        ("PUT", "/functions/{function}") => Some(json!({"description": "x"})),
        ("PUT", "/functions/{function}/aliases/{alias}") => Some(json!({"version": 1})),
        ("GET", "/functions")
        | ("GET", "/functions/{function}")
        | ("DELETE", "/functions/{function}")
        | ("GET", "/functions/{function}/code")
        | ("GET", "/functions/{function}/versions")
        | ("GET", "/functions/{function}/aliases")
        | ("DELETE", "/functions/{function}/aliases/{alias}")
        | ("GET", "/invocations")
        | ("GET", "/invocations/{invocation}")
        | ("POST", "/invocations/{invocation}/cancel")
        | ("GET", "/pool")
        | ("GET", "/tokens")
        | ("DELETE", "/tokens/{token}")
        | ("GET", "/ready" | "/openapi.json" | "/docs" | "/docs/page.js" | "/docs/page.css")
        | ("GET", "/invocations/{invocation}/logs")
        | ("GET", "/functions/{function}/logs")
        | ("GET", "/metrics")
        | ("GET", "/metrics/summary")
        | ("GET", "/metrics/prometheus")
        | ("GET", "/health")
        | ("GET", "/") => None,
        ("GET", asset) if asset.starts_with("/assets/") => None,
        _ => return None,
    })
}

/// What the table is meant to say: written down a second time, because the table itself
/// cannot tell that one of its rows is too lax.
fn expected_access(method: &str, path: &str) -> Access {
    match (method, path) {
        (
            "POST",
            "/functions/execute"
            | "/functions/{function}/invoke"
            | "/invocations/{invocation}/cancel",
        ) => Access::Local(Scope::Invoke),
        ("POST", "/functions/test") => Access::LocalAll(&[Scope::Invoke, Scope::FunctionsWrite]),
        (_, "/tokens" | "/tokens/{token}") => Access::Protected(Scope::Admin),
        (
            "GET",
            "/functions"
            | "/functions/{function}"
            | "/functions/{function}/code"
            | "/functions/{function}/versions"
            | "/functions/{function}/aliases",
        ) => Access::Local(Scope::FunctionsRead),
        (_, "/functions" | "/functions/{function}" | "/functions/{function}/aliases/{alias}") => {
            Access::Local(Scope::FunctionsWrite)
        }
        (
            _,
            "/metrics"
            | "/metrics/summary"
            | "/metrics/prometheus"
            | "/invocations"
            | "/invocations/{invocation}"
            | "/invocations/{invocation}/logs"
            | "/functions/{function}/logs"
            | "/pool",
        ) => Access::Protected(Scope::MetricsRead),
        (
            _,
            "/health" | "/ready" | "/openapi.json" | "/docs" | "/docs/page.js" | "/docs/page.css"
            | "/",
        ) => Access::Public,
        (_, asset) if asset.starts_with("/assets/") => Access::Public,
        other => panic!("{other:?} has no expected access"),
    }
}

/// The path with a name for each in braces.
fn path_of(route: &Route) -> String {
    let path = route.path.replace("{function}", "nobody");
    path.replace("{alias}", "stable")
        .replace("{asset}", "app.js")
        .replace("{invocation}", "none")
        .replace("{token}", "none")
}

async fn send(server: &Server, route: &Route, token: Option<&str>) -> Answer {
    let method = route.method.as_str();
    let path = path_of(route);
    let body = body_for(method, route.path)
        .unwrap_or_else(|| panic!("{method} {} is not in the test", route.path));
    let mut call = server.call(method, &path);
    if let Some(body) = body {
        call = call.json(&body);
    }
    if let Some(token) = token {
        call = call.token(token);
    }
    call.send().await
}

fn is_let_through(answer: &Answer) -> bool {
    ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status)
}

async fn check_all(server: &Server, is_loopback: bool) {
    for route in ROUTES {
        let access = expected_access(route.method.as_str(), route.path);
        assert_eq!(route.access, access, "{route:?}");

        let needs_token = match access {
            Access::Public => false,
            Access::Local(_) | Access::LocalAll(_) => !is_loopback,
            _ => true,
        };
        let without = send(server, route, None).await;
        if needs_token {
            without.refused(401, "UnrecognizedClientException");
            let challenge = without.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer"), "{route:?}");
        } else {
            assert!(is_let_through(&without), "{route:?} {without:?}");
        }

        // A wrong credential is never ignored, not even where none is needed.
        for wrong in ["wrong", &OPERATOR[1..], &format!("{OPERATOR}x")] {
            let answer = send(server, route, Some(wrong)).await;
            answer.refused(401, "UnrecognizedClientException");
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.contains("invalid_token"), "{route:?}");
        }

        // Each scope that is needed is missed when it alone is lacking.
        for scope in access.scopes() {
            let others: Vec<_> = Scope::ALL
                .into_iter()
                .filter(|other| other != scope && *other != Scope::Admin)
                .collect();
            let (_, lacking) = server
                .platform
                .token_create("lacking", others)
                .await
                .unwrap();
            let answer = send(server, route, Some(&lacking)).await;
            answer.refused(403, "AccessDeniedException");
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.contains("insufficient_scope"), "{route:?}");
            assert!(challenge.contains(scope.as_str()), "{route:?}");
        }
        if !access.scopes().is_empty() {
            for right in [access.scopes().to_vec(), vec![Scope::Admin]] {
                let created = server.platform.token_create("right", right).await;
                let answer = send(server, route, Some(&created.unwrap().1)).await;
                assert!(is_let_through(&answer), "{route:?} {answer:?}");
            }
        }
        let answer = send(server, route, Some(OPERATOR)).await;
        assert!(is_let_through(&answer), "{route:?} {answer:?}");
    }
}

#[tokio::test]
async fn every_route_on_loopback() {
    check_all(&Server::start().await, true).await;
}

#[tokio::test]
async fn every_route_off_loopback() {
    check_all(&Server::start_exposed().await, false).await;
}

#[tokio::test]
async fn loopback_can_be_made_to_ask_for_tokens() {
    let server = Server::start_with(
        |options| options.anonymous_loopback(false),
        Default::default(),
        "127.0.0.1:0",
    )
    .await;
    check_all(&server, false).await;
}

#[tokio::test]
async fn a_forwarded_request_is_not_of_this_machine() {
    let server = Server::start().await;
    for header in ["forwarded", "x-forwarded-for", "x-real-ip"] {
        let call = server
            .call("GET", "/functions")
            .header(header, "203.0.113.9");
        call.send()
            .await
            .refused(401, "UnrecognizedClientException");
    }
}

#[tokio::test]
async fn other_hosts_and_origins_are_refused() {
    let server = Server::start().await;
    let own = server.address.to_string();
    for host in ["evil.test", "localhost.evil.test", "203.0.113.9"] {
        for route in ROUTES.iter().filter(|route| route.method == "GET") {
            let path = path_of(route);
            let answer = server
                .call("GET", &path)
                .header("host", host)
                .operator()
                .send()
                .await;
            answer.refused(403, "AccessDeniedException");
        }
    }
    for origin in [
        "http://evil.test",
        "null",
        "http://127.0.0.1:1",
        "https://evil.test",
    ] {
        let answer = server
            .call("POST", "/functions/execute")
            .header("origin", origin)
            .json(&json!({"name": "hello"}))
            .send()
            .await;
        answer.refused(403, "AccessDeniedException");
    }
    let answer = server
        .call("GET", "/functions")
        .header("origin", format!("http://{own}"))
        .send()
        .await;
    assert_eq!(answer.status, 200);
    // Off loopback names are not known, but origins are compared all the same.
    let exposed = Server::start_exposed().await;
    let call = exposed.call("GET", "/functions").operator();
    assert_eq!(call.header("host", "example.com").send().await.status, 200);
    let call = exposed.call("GET", "/functions").operator();
    let answer = call.header("origin", "http://evil.test").send().await;
    answer.refused(403, "AccessDeniedException");
}

#[tokio::test]
async fn a_scheme_other_than_bearer_is_a_wrong_credential() {
    let server = Server::start().await;
    for value in ["Basic YTpi", "Bearer", "Bearer ", OPERATOR] {
        let call = server
            .call("GET", "/functions")
            .header("authorization", value);
        call.send()
            .await
            .refused(401, "UnrecognizedClientException");
    }
}
