//! Tokens over HTTP, what the pool holds, and whether the server is ready.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::time::Duration;

use serde_json::json;
use support::Server;

#[tokio::test]
async fn a_token_is_made_shown_once_used_and_revoked_at_once() {
    let server = Server::start_exposed().await;
    let body = json!({"name": "ci", "scopes": ["invoke", "functions:read", "invoke"]});
    let call = server.call("POST", "/tokens").operator().json(&body);
    let answer = call.send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let made = answer.json();
    let secret = made["secret"].as_str().unwrap().to_owned();
    let (prefix, digits) = secret.split_at("lambda_".len());
    assert_eq!((prefix, digits.len()), ("lambda_", 64), "256 bits in hex");
    assert_eq!(made["scopes"], json!(["functions:read", "invoke"]));

    let list = || async { server.call("GET", "/tokens").operator().send().await.ok() };
    let listed = list().await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["name"], "ci");
    assert_eq!(listed[0]["id"], made["id"]);
    assert!(!listed.to_string().contains(&secret));
    assert!(listed[0].get("secret").is_none());

    let use_it = || server.call("GET", "/functions").token(&secret).send();
    assert_eq!(use_it().await.status, 200);
    let own = server.call("GET", "/tokens").token(&secret).send().await;
    own.refused(403, "AccessDeniedException");
    let path = format!("/tokens/{}", made["id"].as_str().unwrap());
    let gone = server.call("DELETE", &path).operator().send().await;
    assert_eq!(gone.status, 204);
    use_it().await.refused(401, "UnrecognizedClientException");
    let again = server.call("DELETE", &path).operator().send().await;
    again.refused(404, "ResourceNotFoundException");
    assert_eq!(list().await, json!([]));
}

/// Another process revokes it in the store: this one hears of it within a second.
#[tokio::test]
async fn a_token_that_another_process_revoked_is_refused_after_a_second() {
    let server = Server::start_exposed().await;
    let scopes = vec![lambda_core::model::Scope::FunctionsRead];
    let (token, secret) = server.platform.token_create("t", scopes).await.unwrap();
    let use_it = || server.call("GET", "/functions").token(&secret).send();
    assert_eq!(use_it().await.status, 200);
    server.platform.token_delete(token.id).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    use_it().await.refused(401, "UnrecognizedClientException");
}

#[tokio::test]
async fn tokens_that_say_too_much_or_too_little_are_refused() {
    let server = Server::start().await;
    for bad in [
        json!({"name": "t"}),
        json!({"scopes": ["invoke"]}),
        json!({"name": "t", "scopes": []}),
        json!({"name": "", "scopes": ["invoke"]}),
        json!({"name": "a\u{1b}[31m", "scopes": ["invoke"]}),
        json!({"name": "x".repeat(101), "scopes": ["invoke"]}),
        json!({"name": "t", "scopes": ["everything"]}),
        json!({"name": "t", "scopes": ["invoke"], "secret": "mine"}),
    ] {
        let call = server.call("POST", "/tokens").operator().json(&bad);
        let answer = call.send().await;
        answer.refused(400, "InvalidParameterValueException");
    }
    let call = server.call("GET", "/tokens").operator();
    assert_eq!(call.send().await.ok(), json!([]));
}

#[tokio::test]
async fn the_pool_shows_what_it_holds() {
    let server = Server::start().await;
    server.echo().await;
    server
        .execute(&json!({"name": "echo", "event": 1}))
        .await
        .ok();
    let pool = server.call("GET", "/pool").operator().send().await.ok();
    assert_eq!(pool["sandboxes"], 1);
    assert_eq!(pool["idle"], 1);
    assert_eq!(pool["waiting"], 0);
    assert_eq!(pool["memory_mib"], 128);
    assert_eq!(pool["classes"][0]["language"], "python");
    assert_eq!(pool["classes"][0]["idle"], 1);
    assert_eq!(pool["counters"]["cold_starts"], 1);
    let runtimes = pool["runtimes"].as_array().unwrap();
    assert!(!runtimes.is_empty());
    assert_eq!(runtimes[0]["breaker"], "closed");
}

#[tokio::test]
async fn ready_is_what_works() {
    let server = Server::start_exposed().await;
    let answer = server.get("/ready").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({"status": "ready", "store": "ok", "runtimes": {"docker": "ok", "gvisor": "ok"}})
    );
    let closed = Server::start().await;
    closed.platform.close().await;
    let answer = closed.get("/ready").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["store"], "error");
}
