//! The page at `/`: its files, their headers, and that it needs nothing from elsewhere.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use lambda_core::Platform;
use lambda_core::model::RuntimeName;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_http::{HttpOptions, ServerOptions, routes, serve};
use support::{Answer, Server};
use warp::Filter as _;

/// The page and all that it names, and what those files name in turn.
async fn files(server: &Server) -> BTreeMap<String, Answer> {
    let mut found = BTreeMap::new();
    let mut wanted = vec!["/".to_owned()];
    while let Some(path) = wanted.pop() {
        if found.contains_key(&path) {
            continue;
        }
        let answer = server.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        wanted.extend(if path == "/" {
            named_by_page(&text)
        } else {
            imports(&path, &text)
        });
        found.insert(path, answer);
    }
    found
}

fn named_by_page(text: &str) -> Vec<String> {
    text.split(['"', '\''])
        .filter(|part| part.starts_with("assets/"))
        .map(|part| format!("/{part}"))
        .collect()
}

fn imports(path: &str, text: &str) -> Vec<String> {
    let is_import = |line: &&str| {
        line.starts_with("import ") || line.starts_with("import{") || line.starts_with("export {")
    };
    text.lines()
        .filter(is_import)
        .filter_map(|line| line.split_once("from")?.1.split('"').nth(1))
        .map(|to| {
            let mut folders: Vec<_> = path.split('/').collect();
            folders.pop();
            for part in to.split('/') {
                match part {
                    "." => {}
                    ".." => drop(folders.pop()),
                    name => folders.push(name),
                }
            }
            folders.join("/")
        })
        .collect()
}

#[tokio::test]
async fn every_file_is_locked_down() {
    let server = Server::start().await;
    for (path, answer) in files(&server).await {
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
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(csp.contains(directive), "{csp}");
        }
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(
            !text.contains("eval(") && !text.contains("new Function"),
            "{path}"
        );
        // What others wrote names addresses in comments, and Preact has a way to set markup that
        // nothing here uses; the policy above forbids both.
        if path.contains("/vendor/") {
            continue;
        }
        for sink in [
            "innerHTML",
            "InnerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            " style=\"",
            " style='",
            " onclick=",
            "https://",
        ] {
            assert!(!text.contains(sink), "{sink} in {path}");
        }
    }
}

#[tokio::test]
async fn the_page_names_files_that_there_are_and_all_of_them() {
    let server = Server::start().await;
    let named = files(&server).await;
    let of_kind = |kind: &str| named.keys().filter(|path| path.ends_with(kind)).count();
    // A unit test beside the table compares it with the folder; this one, with what is used.
    assert!(of_kind(".js") >= 30, "{:?}", named.keys());
    assert!(of_kind(".css") >= 4, "{:?}", named.keys());
    for (path, answer) in &named {
        let expected = match path.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(answer.header("content-type"), Some(expected), "{path}");
    }
    for absent in [
        "/assets/",
        "/assets/index.html",
        "/assets/mod.rs",
        "/assets/vendor/README.md",
        "/assets/vendor/preact/LICENSE",
        "/assets/%61pp.js",
        "/assets/lib/../app.js",
        "/assets//app.js",
    ] {
        assert_eq!(server.get(absent).await.status, 404, "{absent}");
    }
}

#[tokio::test]
async fn a_browser_that_has_a_file_is_not_sent_it_again() {
    let server = Server::start().await;
    for path in ["/", "/assets/app.js"] {
        let first = server.get(path).await;
        let etag = first.header("etag").unwrap().to_owned();
        assert_eq!(first.header("cache-control"), Some("no-cache"));
        for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}")] {
            let call = server.call("GET", path).header("if-none-match", &known);
            let again = call.send().await;
            assert_eq!(again.status, 304, "{path} {known}");
            assert!(again.body.is_empty());
            assert_eq!(again.header("etag"), Some(etag.as_str()));
        }
        let call = server.call("GET", path).header("if-none-match", "\"x\"");
        let other = call.send().await;
        assert_eq!(other.status, 200);
        assert_eq!(other.body, first.body);
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
