//! The end-to-end log of the system that this one replaces.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::server::{Server, containers, missing, runtimes};

const HELLO_PY: &str = include_str!("../../../examples/functions/hello.py");
const HELLO_JS: &str = include_str!("../../../examples/functions/hello.js");
const INFINITE_PY: &str = include_str!("../../../examples/functions/infinite.py");

#[tokio::test]
async fn the_original_log_holds() {
    let runtimes = runtimes();
    if runtimes.is_empty() {
        return;
    }
    the_log_holds(Server::start("").await, &runtimes).await;
}

#[tokio::test]
async fn it_holds_with_the_records_in_a_database_server() {
    let runtimes = runtimes();
    if runtimes.is_empty() {
        return;
    }
    for (name, variable) in [
        ("mariadb", "LAMBDA_TEST_MARIADB_URL"),
        ("mysql", "LAMBDA_TEST_MYSQL_URL"),
    ] {
        let Ok(base) = std::env::var(variable) else {
            missing(name);
            continue;
        };
        let database = format!("lambda_log_{}", std::process::id());
        let url = format!("{base}{database}");
        the_log_holds(Server::start_with(&["--store", &url]).await, &runtimes).await;
        let options: MySqlConnectOptions = url.parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM invocation")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(kept, 5 * i64::try_from(runtimes.len()).unwrap(), "{name}");
        sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {database}")))
            .execute(&mut connection)
            .await
            .unwrap();
    }
}

async fn the_log_holds(server: Server, runtimes: &[&str]) {
    let mut runs = Vec::new();
    for (name, language, code) in [
        ("hello", "python", HELLO_PY),
        ("hello-js", "javascript", HELLO_JS),
    ] {
        let id = server
            .create(json!({ "name": name, "language": language, "code": code }))
            .await;
        for runtime in runtimes {
            for is_warm in [false, true] {
                let mut request = json!({ "id": id, "args": ["Alice"] });
                if *runtime == "gvisor" {
                    request["use_gvisor"] = json!(true);
                }
                let outcome = server.execute(request).await;
                assert_eq!(outcome["status"], "success", "{outcome}");
                assert_eq!(outcome["output"], "Hello, Alice!");
                assert_eq!(outcome["stdout"], "Hello, Alice!\n");
                assert_eq!(outcome["exit_code"], 0);
                assert_eq!(outcome["start"] == "warm", is_warm, "{outcome}");
                assert_eq!(outcome["runtime"], *runtime);
                assert!(outcome["max_memory_mib"].as_u64().unwrap() > 0, "{outcome}");
                runs.push(outcome);
            }
        }
    }
    for runtime in runtimes {
        runs.push(infinite(&server, runtime).await);
    }
    metrics(&server, &runs).await;
    assert!(!containers(server.data_dir()).is_empty(), "warm ones");
    let left = server.stop().await;
    assert!(left.is_empty(), "stopping removes every sandbox: {left:?}");
}

async fn infinite(server: &Server, runtime: &str) -> Value {
    let id = server
        .create(json!({
            "name": format!("infinite-{runtime}"), "language": "python", "code": INFINITE_PY,
            "runtime": runtime, "timeout_ms": 1_000,
        }))
        .await;
    let before = containers(server.data_dir());
    let begin = Instant::now();
    let outcome = server.execute(json!({ "id": id })).await;
    let boot = Duration::from_secs_f64(outcome["boot_ms"].as_f64().unwrap() / 1_000.0);
    assert!(begin.elapsed() - boot < Duration::from_secs(2), "{outcome}");
    assert_eq!(outcome["status"], "timeout", "{outcome}");
    assert_eq!(outcome["error"]["type"], "Sandbox.Timedout");
    assert_eq!(outcome["termination"], "confirmed");
    // How many there are says nothing by itself: those that are kept ready are replaced meanwhile.
    let mut seen = containers(server.data_dir());
    seen.extend(before.iter().cloned());
    let gone = Instant::now();
    let is_removed = |left: &[String]| {
        left.len() <= before.len() || seen.iter().any(|container| !left.contains(container))
    };
    while !is_removed(&containers(server.data_dir())) {
        assert!(
            gone.elapsed() < Duration::from_secs(10),
            "the container is removed"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    outcome
}

async fn metrics(server: &Server, runs: &[Value]) {
    for path in ["/metrics", "/metrics/summary"] {
        for token in [None, Some("wrong")] {
            let (status, body) = server.call("GET", path, token, None).await;
            assert_eq!(status, 401, "{body}");
            assert!(body.get("items").is_none() && body.get("totals").is_none());
        }
    }
    let begin = Instant::now();
    let items = loop {
        let (status, body) = server
            .call("GET", "/metrics?limit=1000", Some(&server.token), None)
            .await;
        assert_eq!(status, 200, "{body}");
        let items = body["items"].as_array().unwrap().clone();
        if items.len() == runs.len() {
            break items;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(1),
            "runs are visible within a second"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    for run in runs {
        let same = |item: &&Value| item["request_id"] == run["request_id"];
        let item = items.iter().find(same).expect("the run is recorded");
        for field in [
            "function_id",
            "version",
            "runtime",
            "start",
            "status",
            "max_memory_mib",
        ] {
            assert_eq!(item[field], run[field], "{field}");
        }
        assert_eq!(item["error_type"], run["error"]["type"]);
    }
    let (_, summary) = server
        .call("GET", "/metrics/summary", Some(&server.token), None)
        .await;
    let timeouts = runs.iter().filter(|run| run["status"] == "timeout").count();
    assert_eq!(summary["totals"]["calls"], runs.len());
    assert_eq!(summary["totals"]["errors"], timeouts);
    assert_eq!(summary["totals"]["timeouts"], timeouts);
    for runtime in runtimes() {
        let calls = runs.iter().filter(|run| run["runtime"] == runtime).count();
        assert_eq!(summary["runtimes"][runtime]["calls"], calls);
    }
}
