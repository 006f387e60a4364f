//! `/metrics`: every field, pages, and what is visible when.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Answer, Server};

async fn get(server: &Server, path: &str) -> Answer {
    server.call("GET", path).operator().send().await
}

/// The records, once there are `count` of them; a run is visible within a second.
async fn recorded(server: &Server, count: usize) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
    loop {
        let items = get(server, "/metrics").await.ok()["items"]
            .as_array()
            .unwrap()
            .clone();
        if items.len() >= count {
            return items;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "only {} are visible",
            items.len()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_run_is_recorded_with_every_field() {
    let server = Server::start().await;
    let id = server.hello().await;
    let outcome = server
        .execute(&json!({"id": id, "args": ["Alice"]}))
        .await
        .ok();
    let items = recorded(&server, 1).await;
    let item = &items[0];
    assert_eq!(item.as_object().unwrap().len(), 15, "{item}");
    for same in [
        "request_id",
        "function_id",
        "version",
        "runtime",
        "start",
        "status",
        "queue_ms",
        "boot_ms",
        "init_ms",
        "run_ms",
        "total_ms",
        "max_memory_mib",
    ] {
        assert_eq!(item[same], outcome[same], "{same}");
    }
    assert_eq!(item["function_name"], "hello");
    assert_eq!(item["error_type"], Value::Null);
    assert!(
        item["started_at"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
}

#[tokio::test]
async fn records_come_newest_first_in_pages() {
    let server = Server::start().await;
    let id = server.hello().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let outcome = server.execute(&json!({"id": id})).await.ok();
        ids.insert(0, outcome["request_id"].clone());
    }
    recorded(&server, 5).await;
    let mut seen = Vec::new();
    let mut path = "/metrics?limit=2".to_owned();
    loop {
        let page = get(&server, &path).await.ok();
        assert_eq!(page.as_object().unwrap().len(), 2);
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["request_id"].clone()));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/metrics?limit=2&cursor={next}");
    }
    assert_eq!(seen, ids);
    for bad in ["limit=0", "limit=1001", "cursor=%27%20OR%201=1", "x=1"] {
        let answer = get(&server, &format!("/metrics?{bad}")).await;
        answer.refused(400, "InvalidParameterValueException");
    }
}

#[tokio::test]
async fn the_summary_counts_every_kind() {
    let server = Server::start().await;
    let empty = get(&server, "/metrics/summary").await.ok();
    let zero = json!({
        "calls": 0, "errors": 0, "function_errors": 0, "timeouts": 0, "out_of_memory": 0,
        "crashed": 0, "cancelled": 0, "cold": 0, "prewarmed": 0, "warm": 0,
        "avg_ms": 0.0, "p50_ms": 0.0, "p90_ms": 0.0, "p99_ms": 0.0, "avg_queue_ms": 0.0,
        "avg_boot_ms": 0.0, "avg_init_ms": 0.0, "avg_run_ms": 0.0, "max_memory_mib": null,
    });
    let mut figures = empty.clone();
    let recorder = figures.as_object_mut().unwrap().remove("recorder").unwrap();
    assert_eq!(
        figures,
        json!({"totals": zero, "functions": [], "runtimes": {"docker": zero, "gvisor": zero}})
    );
    assert_eq!(
        (&recorder["pending_records"], &recorder["shed"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(recorder["store"], Value::Null);

    let hello = server.hello().await;
    let spins = server.function("spins", "spin", None).await;
    for gvisor in [false, false, true] {
        server
            .execute(&json!({"id": hello, "use_gvisor": gvisor}))
            .await
            .ok();
    }
    server
        .execute(&json!({"id": spins, "timeout_ms": 20}))
        .await
        .ok();
    recorded(&server, 4).await;
    let summary = get(&server, "/metrics/summary").await.ok();
    let totals = &summary["totals"];
    assert_eq!(
        (&totals["calls"], &totals["errors"], &totals["timeouts"]),
        (&json!(4), &json!(1), &json!(1))
    );
    assert_eq!(
        (&totals["cold"], &totals["prewarmed"], &totals["warm"]),
        (&json!(3), &json!(0), &json!(1))
    );
    // Percentiles are known to 1.6 %.
    assert!(totals["p99_ms"].as_f64().unwrap() >= 20.0 * 0.984);
    for field in ["avg_ms", "p50_ms", "p90_ms", "p99_ms"] {
        let printed = totals[field].to_string();
        assert!(printed.split_once('.').unwrap().1.len() <= 3, "{printed}");
    }
    let functions = summary["functions"].as_array().unwrap();
    assert_eq!(functions.len(), 2);
    assert_eq!(
        (&functions[0]["function_id"], &functions[0]["name"]),
        (&json!(hello), &json!("hello"))
    );
    assert_eq!(
        (&functions[0]["calls"], &functions[1]["errors"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(functions[0].as_object().unwrap().len(), 21);
    assert_eq!(summary["runtimes"]["docker"]["calls"], 3);
    assert_eq!(summary["runtimes"]["gvisor"]["calls"], 1);
}
