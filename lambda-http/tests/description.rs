//! The API's description and its page, and what every answer tells browsers.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use lambda_http::{ROUTES, Route};
use serde_json::json;
use support::Server;

#[tokio::test]
async fn anybody_may_read_the_description() {
    let server = Server::start_exposed().await;
    let document = server.get("/openapi.json").await.ok();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let invoke = &document["paths"]["/functions/{function}/invoke"]["post"];
    assert_eq!(invoke["security"][0]["token"], json!(["invoke"]));
    assert_eq!(invoke["requestBody"]["required"], false);
}

#[tokio::test]
async fn the_page_loads_its_own_files_and_nothing_else() {
    let server = Server::start_exposed().await;
    let page = server.get("/docs").await;
    assert_eq!(page.status, 200);
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(!html.contains("//"), "nothing of another server: {html}");
    for part in html.split('"').filter(|part| part.starts_with("docs/")) {
        let file = server.get(&format!("/{part}")).await;
        assert_eq!(file.status, 200, "{part}");
    }
    assert!(!html.contains("<script>") && !html.contains("style="));
}

/// Whatever a function wrote, no browser takes it for a page, a script or a frame.
#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let server = Server::start().await;
    server.hello().await;
    // A stream of a function's logs has no end; tests/logs.rs looks at its head.
    let ends = |route: &&Route| route.path != "/functions/{function}/logs";
    let gets = ROUTES.iter().filter(|route| route.method == "GET");
    for route in gets.filter(ends) {
        let path = route.path.replace("{function}", "hello");
        let path = path
            .replace("{invocation}", "none")
            .replace("{token}", "none");
        let answer = server.call("GET", &path).operator().send().await;
        let header = |name| answer.header(name);
        assert_eq!(header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(
            header("cross-origin-resource-policy"),
            Some("same-origin"),
            "{path}"
        );
        assert!(header("access-control-allow-origin").is_none(), "{path}");
        let content_type = header("content-type").unwrap();
        if content_type.starts_with("text/html") {
            let policy = header("content-security-policy").unwrap();
            for rule in [
                "default-src 'none'",
                "script-src 'self'",
                "frame-ancestors 'none'",
            ] {
                assert!(policy.contains(rule), "{path}: {policy}");
            }
            assert!(!policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!(header("x-frame-options"), Some("DENY"), "{path}");
            assert_eq!(header("referrer-policy"), Some("no-referrer"), "{path}");
        } else if !matches!(route.path, p if p.starts_with("/assets/") || p.starts_with("/docs/")) {
            assert_eq!(header("cache-control"), Some("no-store"), "{path}");
        }
    }
}
