//! The page at `/`: its files, their headers, and that it needs nothing from elsewhere.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::sync::Arc;

use lambda_core::Platform;
use lambda_core::model::RuntimeName;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_http::{HttpOptions, ROUTES, ServerOptions, routes, serve};
use support::Server;
use warp::Filter as _;

#[tokio::test]
async fn every_file_is_locked_down() {
    let server = Server::start().await;
    let files = ROUTES
        .iter()
        .filter(|route| route.path == "/" || route.path.starts_with("/assets/"));
    for file in files {
        let answer = server.get(file.path).await;
        assert_eq!(answer.status, 200, "{}", file.path);
        let csp = answer.header("content-security-policy").unwrap();
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(csp.contains(directive), "{csp}");
        }
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        for sink in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            " style=",
            " onclick=",
        ] {
            assert!(!text.contains(sink), "{sink} in {}", file.path);
        }
        assert!(
            !text.contains("https://"),
            "{} loads from elsewhere",
            file.path
        );
    }
}

#[tokio::test]
async fn the_page_and_its_modules_name_only_files_that_there_are() {
    let server = Server::start().await;
    let page = String::from_utf8(server.get("/").await.body.to_vec()).unwrap();
    let mut named: Vec<String> = page
        .split(['"', '\''])
        .filter(|part| part.starts_with("assets/"))
        .map(|part| format!("/{part}"))
        .collect();
    assert!(named.len() >= 2, "{named:?}");
    for route in ROUTES.iter().filter(|route| route.path.ends_with(".js")) {
        let module = String::from_utf8(server.get(route.path).await.body.to_vec()).unwrap();
        let imports = module.lines().filter(|line| line.starts_with("import "));
        named.extend(imports.map(|line| {
            let from = line.split('"').nth(1).unwrap();
            format!("/assets/{}", from.strip_prefix("./").unwrap())
        }));
    }
    for file in named {
        assert!(ROUTES.iter().any(|route| route.path == file), "{file}");
    }
}

#[tokio::test]
async fn an_app_can_mount_the_routes_under_a_path_beside_its_own() {
    let data_dir = tempfile::tempdir().unwrap();
    let platform = Platform::builder()
        .data_dir(data_dir.path())
        .runtime(Arc::new(FakeRuntime::new(RuntimeName::docker())))
        .build()
        .await
        .unwrap();
    let mounted = warp::path("lambda").and(routes(platform, HttpOptions::default()));
    let app = mounted
        .or(warp::path("hello").map(|| "hello"))
        .map(warp::reply::Reply::into_response);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(
        listener,
        app,
        ServerOptions::default(),
        std::future::pending(),
    ));
    let get = async |path: &str| {
        let client =
            hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
                .build_http::<http_body_util::Empty<bytes::Bytes>>();
        client
            .get(format!("http://{address}{path}").parse().unwrap())
            .await
            .unwrap()
            .status()
    };
    assert_eq!(get("/hello").await, 200);
    assert_eq!(get("/lambda/health").await, 200);
    assert_eq!(get("/lambda/").await, 200);
    assert_eq!(get("/lambda/functions").await, 200);
    assert_eq!(get("/lambda/metrics").await, 401);
    assert_eq!(get("/health").await, 404);
}
