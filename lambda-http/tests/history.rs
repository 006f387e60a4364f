//! Versions, aliases, and what is kept of a run.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Answer, Server};

async fn get(server: &Server, path: &str) -> Answer {
    server.call("GET", path).operator().send().await
}

async fn two_versions(server: &Server) -> String {
    let id = server.hello().await;
    let change = json!({"description": "second"});
    let second = server.put("/functions/hello", &change).await.ok();
    assert_eq!(second["version"], 2);
    id
}

#[tokio::test]
async fn versions_are_listed_and_read_and_run_by_number() {
    let server = Server::start().await;
    let id = two_versions(&server).await;
    let versions = server.get("/functions/hello/versions").await.ok();
    let listed: Vec<_> = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|version| (version["version"].clone(), version["description"].clone()))
        .collect();
    assert_eq!(listed, [(json!(2), json!("second")), (json!(1), json!(""))]);
    let page = server.get("/functions/hello/versions?limit=1").await;
    let link = page.header("link").unwrap();
    assert!(
        link.contains("/functions/hello/versions?limit=1&cursor="),
        "{link}"
    );

    let first = server
        .get(&format!("/functions/{id}?qualifier=1"))
        .await
        .ok();
    assert_eq!(
        (&first["version"], &first["description"]),
        (&json!(1), &json!(""))
    );
    for (qualifier, version) in [("1", 1), ("2", 2), ("current", 2), ("$LATEST", 2)] {
        let request = json!({"name": "hello", "qualifier": qualifier, "args": ["x"]});
        let outcome = server.execute(&request).await.ok();
        assert_eq!(outcome["version"], version, "{qualifier}");
    }
    for gone in ["3", "0", "stable"] {
        let request = json!({"name": "hello", "qualifier": gone});
        server
            .execute(&request)
            .await
            .refused(404, "ResourceNotFoundException");
    }
    let request = json!({"name": "hello", "qualifier": "a b"});
    server
        .execute(&request)
        .await
        .refused(400, "InvalidParameterValueException");
}

#[tokio::test]
async fn an_alias_is_set_moved_and_deleted_and_current_rolls_back() {
    let server = Server::start().await;
    two_versions(&server).await;
    let set = |alias: &'static str, body: Value| {
        let path = format!("/functions/hello/aliases/{alias}");
        let server = &server;
        async move { server.put(&path, &body).await }
    };
    assert_eq!(
        set("stable", json!({"version": 1})).await.ok()["version"],
        1
    );
    let aliases = server.get("/functions/hello/aliases").await.ok();
    assert_eq!(
        aliases,
        json!([{"name": "current", "version": 2}, {"name": "stable", "version": 1}])
    );
    let run = json!({"name": "hello", "qualifier": "stable"});
    assert_eq!(server.execute(&run).await.ok()["version"], 1);

    let before = server.get("/functions/hello").await.ok()["revision_id"].clone();
    let back = set("current", json!({"version": 1, "revision_id": before}))
        .await
        .ok();
    assert_eq!(back["version"], 1);
    assert_ne!(back["revision_id"], before);
    let run = json!({"name": "hello"});
    assert_eq!(server.execute(&run).await.ok()["version"], 1);
    set("current", json!({"version": 2, "revision_id": before}))
        .await
        .refused(412, "PreconditionFailedException");
    let next = server
        .put("/functions/hello", &json!({"description": "third"}))
        .await;
    assert_eq!(next.ok()["version"], 3);

    for (alias, status) in [("stable", 204), ("stable", 404), ("current", 400)] {
        let path = format!("/functions/hello/aliases/{alias}");
        let answer = server.call("DELETE", &path).send().await;
        assert_eq!(answer.status, status, "{alias}");
    }
    set("7", json!({"version": 1}))
        .await
        .refused(400, "InvalidParameterValueException");
    set("x", json!({"version": 9}))
        .await
        .refused(404, "ResourceNotFoundException");
    set("x", json!({}))
        .await
        .refused(400, "InvalidParameterValueException");
    set("..%2f..%00", json!({"version": 1}))
        .await
        .refused(400, "InvalidParameterValueException");
}

#[tokio::test]
async fn a_run_is_found_with_what_it_wrote() {
    let server = Server::start().await;
    server.hello().await;
    let outcome = server
        .execute(&json!({"name": "hello", "args": ["Alice"]}))
        .await
        .ok();
    let path = format!("/invocations/{}", outcome["request_id"].as_str().unwrap());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let found = loop {
        let answer = get(&server, &path).await;
        if answer.status == 200 {
            break answer.ok();
        }
        answer.refused(404, "ResourceNotFoundException");
        assert!(tokio::time::Instant::now() < deadline, "it is recorded");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(found["request_id"], outcome["request_id"]);
    assert_eq!(found["stdout_end"], outcome["stdout"]);
    assert_eq!(found["error_message"], Value::Null);
    get(&server, "/invocations/none")
        .await
        .refused(400, "InvalidParameterValueException");
    let unknown = "/invocations/01890a5d-ac96-774b-bcce-b302099a8057";
    get(&server, unknown)
        .await
        .refused(404, "ResourceNotFoundException");

    for (query, calls) in [
        ("status=success", 1),
        ("status=error", 0),
        ("function=hello&runtime=docker&from=2020-01-01T00:00:00Z", 1),
        ("runtime=gvisor", 0),
        ("to=2020-01-01T00:00:00Z", 0),
    ] {
        let listed = get(&server, &format!("/metrics?{query}")).await.ok();
        assert_eq!(listed["items"].as_array().unwrap().len(), calls, "{query}");
    }
    for (query, calls) in [
        ("", 1),
        ("function=hello", 1),
        ("bucket=minute", 1),
        ("runtime=gvisor", 0),
        (
            "from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z&bucket=day",
            0,
        ),
    ] {
        let summary = get(&server, &format!("/metrics/summary?{query}"))
            .await
            .ok();
        assert_eq!(summary["totals"]["calls"], calls, "{query}");
        let points = summary["series"].as_array().map(Vec::len);
        let is_series = query.contains("bucket");
        assert_eq!(points, is_series.then_some(calls), "{query}");
    }
    for bad in ["bucket=week", "from=x", "function=a%20b", "x=1"] {
        let answer = get(&server, &format!("/metrics/summary?{bad}")).await;
        answer.refused(400, "InvalidParameterValueException");
    }
}
