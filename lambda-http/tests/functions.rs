//! `/functions`: every field, every status.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use serde_json::{Value, json};
use support::Server;

/// A zip archive with one file, main.py, with nothing in it.
const ZIP: &str = "UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAAHAAAAbWFpbi5weVBLAQIUAxQAAAAAAAAAIQAAAAAAAAAAAAAAAAAHAAAAAAAAAAAAAACAAQAAAABtYWluLnB5UEsFBgAAAAABAAEANQAAACUAAAAAAA==";

fn fields(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn is_time(value: &Value) -> bool {
    value.as_str().unwrap().parse::<jiff::Timestamp>().is_ok()
}

#[tokio::test]
async fn a_function_has_every_field_with_its_default() {
    let server = Server::start().await;
    let new = json!({"name": "hello", "language": "python", "code": "fake:args"});
    let answer = server.post("/functions", &new).await;
    assert_eq!(answer.status, 201);
    let created = answer.json();
    let id = created["id"].as_str().unwrap();
    assert_eq!(
        answer.header("location"),
        Some(&*format!("/functions/{id}"))
    );
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
    let expected = json!({
        "id": id, "name": "hello", "version": 1, "description": "", "language": "python",
        "handler": null, "runtime": "docker", "timeout_ms": 3000, "memory_mib": 128,
        "cpus": 1.0, "tmp_mib": 32, "env": {}, "concurrency": null, "image": null,
        "network": "none", "fresh_process": false, "min_warm": 0, "keep_processes": false, "code_format": "inline", "code_size_bytes": 9,
        "code_sha256": created["code_sha256"], "created_at": created["created_at"],
        "updated_at": created["updated_at"], "revision_id": created["revision_id"],
    });
    assert_eq!(created, expected);
    assert_eq!(created["code_sha256"].as_str().unwrap().len(), 64);
    assert!(is_time(&created["created_at"]) && is_time(&created["updated_at"]));

    let by_id = server.get(&format!("/functions/{id}")).await.ok();
    let by_name = server.get("/functions/hello").await.ok();
    assert_eq!(by_id, by_name);
    assert_eq!(by_id["code"], "fake:args");
    let mut with_code = expected;
    with_code["code"] = "fake:args".into();
    assert_eq!(by_id, with_code);
}

#[tokio::test]
async fn every_field_can_be_set_and_changed() {
    let server = Server::start().await;
    let given = json!({
        "name": "all", "language": "javascript", "code": "fake:echo", "description": "d",
        "handler": "a.handler", "runtime": "gvisor", "timeout_ms": 1, "memory_mib": 256,
        "cpus": 0.5, "tmp_mib": 100, "env": {"A": "1"}, "concurrency": 2, "image": null,
        "network": "none", "fresh_process": true, "min_warm": 1, "keep_processes": false,
    });
    let created = server.post("/functions", &given).await.ok();
    for (name, value) in given.as_object().unwrap() {
        if name != "code" {
            assert_eq!(&created[name], value, "{name}");
        }
    }
    let path = format!("/functions/{}", created["id"].as_str().unwrap());
    let changes = json!({
        "name": "other", "description": "e", "handler": null, "runtime": "docker",
        "timeout_ms": 900000, "memory_mib": 512, "cpus": 2.0, "tmp_mib": null,
        "env": {"B": "2"}, "concurrency": null, "network": "none", "fresh_process": false, "min_warm": 0,
        "keep_processes": true,
    });
    // One at a time, so that each is seen to leave the rest alone.
    let mut version = 1;
    let mut now = created;
    for (name, value) in changes.as_object().unwrap() {
        let mut change = json!({});
        change[name] = value.clone();
        let updated = server.put(&path, &change).await.ok();
        version += 1;
        assert_eq!(updated["version"], version, "{name}");
        assert_ne!(updated["revision_id"], now["revision_id"]);
        assert_eq!(updated["created_at"], now["created_at"]);
        for field in fields(&now) {
            let is_changed = field == name
                || ["version", "revision_id", "updated_at"].contains(&field)
                // A quarter of the memory, unless it is set.
                || (field == "tmp_mib" && name == "memory_mib");
            if !is_changed {
                assert_eq!(updated[field], now[field], "{field} after {name}");
            }
        }
        if name == "tmp_mib" {
            assert_eq!(updated["tmp_mib"], 128);
        } else {
            assert_eq!(&updated[name], value, "{name}");
        }
        now = updated;
    }
    let updated = server
        .put("/functions/other", &json!({"code_zip_base64": ZIP}))
        .await
        .ok();
    assert_eq!(updated["code_format"], "zip");
    assert_ne!(updated["code_sha256"], now["code_sha256"]);
    assert!(!fields(&updated).contains(&"code"));
    let read = server.get("/functions/other").await.ok();
    assert!(
        !fields(&read).contains(&"code"),
        "a zip is not shown as text"
    );
}

#[tokio::test]
async fn null_is_the_default_in_a_new_function_and_refused_where_there_must_be_a_value() {
    let server = Server::start().await;
    let nulls = json!({
        "name": "f", "language": "python", "code": "fake:args", "description": null,
        "handler": null, "runtime": null, "timeout_ms": null, "memory_mib": null,
        "cpus": null, "tmp_mib": null, "env": null, "concurrency": null, "image": null,
        "network": null, "fresh_process": null, "min_warm": null, "keep_processes": null,
        "code_zip_base64": null,
    });
    server.post("/functions", &nulls).await.ok();
    for name in [
        "name",
        "description",
        "language",
        "runtime",
        "timeout_ms",
        "memory_mib",
        "cpus",
        "env",
        "network",
        "code",
        "code_zip_base64",
    ] {
        let answer = server.put("/functions/f", &json!({name: null})).await;
        let message = answer.refused(400, "InvalidParameterValueException");
        assert!(message.contains(name), "{message}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_new_function_is_named() {
    let server = Server::start().await;
    let good = json!({"name": "f", "language": "python", "code": "fake:args"});
    for (field, bad) in [
        ("name", json!("a b")),
        ("name", json!("execute")),
        ("name", json!("")),
        ("name", json!(1)),
        ("name", json!("01890a5d-ac96-774b-bcce-b302099a8057")),
        ("name", json!("x".repeat(65))),
        ("language", json!("ruby")),
        ("handler", json!("nodot")),
        ("handler", json!("../x.y")),
        ("runtime", json!("firecracker")),
        ("timeout_ms", json!(0)),
        ("timeout_ms", json!(900_001)),
        ("timeout_ms", json!("3s")),
        ("timeout_ms", json!(1.5)),
        ("memory_mib", json!(1)),
        ("memory_mib", json!(-1)),
        ("cpus", json!(0)),
        ("cpus", json!(1000)),
        ("tmp_mib", json!(65)),
        ("min_warm", json!(1_001)),
        ("min_warm", json!(-1)),
        ("keep_processes", json!("yes")),
        ("env", json!({"1": "x"})),
        ("env", json!({"A": 1})),
        ("env", json!({"A": "\u{0}"})),
        ("env", json!({"A": "x".repeat(5000)})),
        ("env", json!([])),
        ("concurrency", json!(0)),
        ("description", json!("x".repeat(257))),
        ("image", json!("evil")),
        ("network", json!("host")),
        ("colour", json!("red")),
    ] {
        let mut new = good.clone();
        new[field] = bad.clone();
        let answer = server.post("/functions", &new).await;
        let message = answer.refused(400, "InvalidParameterValueException");
        if field == "colour" {
            assert!(message.contains("`colour`"), "{message}");
        }
        assert!(!message.contains(&"x".repeat(400)), "{message}");
    }
    for missing in ["name", "language", "code"] {
        let mut new = good.clone();
        new.as_object_mut().unwrap().remove(missing);
        let answer = server.post("/functions", &new).await;
        let message = answer.refused(400, "InvalidParameterValueException");
        assert!(message.contains(missing), "{message}");
    }
    let mut both = good.clone();
    both["code_zip_base64"] = ZIP.into();
    server
        .post("/functions", &both)
        .await
        .refused(400, "InvalidParameterValueException");
    for zip in ["!", "AAAA"] {
        let new = json!({"name": "f", "language": "python", "code_zip_base64": zip});
        server
            .post("/functions", &new)
            .await
            .refused(400, "InvalidZipFileException");
    }
    assert_eq!(
        server.get("/functions").await.json(),
        json!([]),
        "nothing was made"
    );
}

#[tokio::test]
async fn names_are_taken_once_and_freed_by_deleting() {
    let server = Server::start().await;
    let new = json!({"name": "f", "language": "python", "code": "fake:args"});
    let id = server.post("/functions", &new).await.ok()["id"].clone();
    server
        .post("/functions", &new)
        .await
        .refused(409, "ResourceConflictException");
    let path = format!("/functions/{}", id.as_str().unwrap());
    let answer = server.call("DELETE", &path).send().await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    for (method, path) in [("DELETE", &*path), ("GET", &path), ("GET", "/functions/f")] {
        server
            .call(method, path)
            .send()
            .await
            .refused(404, "ResourceNotFoundException");
    }
    server
        .put(&path, &json!({}))
        .await
        .refused(404, "ResourceNotFoundException");
    assert_ne!(server.post("/functions", &new).await.ok()["id"], id);
}

#[tokio::test]
async fn the_list_is_newest_first_in_pages() {
    let server = Server::start().await;
    assert_eq!(server.get("/functions").await.ok(), json!([]));
    for n in 0..5 {
        let new = json!({"name": format!("f{n}"), "language": "python", "code": "fake:args", "env": {"S": "secret"}});
        server.post("/functions", &new).await.ok();
    }
    let mut names = Vec::new();
    let mut path = "/functions?limit=2".to_owned();
    loop {
        let answer = server.get(&path).await;
        let page = answer.json();
        assert!(page.as_array().unwrap().len() <= 2);
        assert!(
            !answer.body.windows(6).any(|part| part == b"secret"),
            "no env in a listing"
        );
        names.extend(
            page.as_array()
                .unwrap()
                .iter()
                .map(|f| f["name"].as_str().unwrap().to_owned()),
        );
        let Some(link) = answer.header("link") else {
            break;
        };
        let (target, rel) = link.split_once("; ").unwrap();
        assert_eq!(rel, "rel=\"next\"");
        target.trim_matches(['<', '>']).clone_into(&mut path);
    }
    assert_eq!(names, ["f4", "f3", "f2", "f1", "f0"]);
    assert!(server.get("/functions").await.header("link").is_none());
    for bad in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=x",
        "colour=red",
        "limit=1&limit=2",
    ] {
        let answer = server.get(&format!("/functions?{bad}")).await;
        answer.refused(400, "InvalidParameterValueException");
    }
}
