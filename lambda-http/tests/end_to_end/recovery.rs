//! A server that is killed, or told to stop under load, loses nothing that it has answered, and
//! leaves nothing behind (threats 25 and 29).

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::{Server, containers, runtimes};

#[tokio::test]
async fn a_killed_server_loses_no_answer_and_its_sandboxes_are_removed() {
    let runtimes = runtimes();
    if runtimes.is_empty() {
        return;
    }
    let data_dir = tempfile::tempdir().unwrap();
    // Sandboxes are counted below: none that nobody asked for.
    std::fs::write(
        data_dir.path().join("lambda.toml"),
        "[pool]\nprewarmed = 0\n",
    )
    .unwrap();
    let mut answered = BTreeSet::new();
    let mut killed = BTreeSet::<String>::new();
    for round in 0..3 {
        let server = Server::start_in(data_dir.path()).await;
        let name = format!("greet-{round}");
        let id = server
            .create(json!({
                "name": name, "language": "python", "handler": "app.handler",
                "code": "def handler(event, context):\n    return context.aws_request_id\n",
            }))
            .await;
        for runtime in &runtimes {
            for _ in 0..20 {
                let request = json!({ "id": id, "use_gvisor": *runtime == "gvisor" });
                let outcome = server.execute(request).await;
                assert_eq!(outcome["output"], outcome["request_id"], "{outcome}");
                answered.insert(outcome["request_id"].as_str().unwrap().to_owned());
            }
        }
        let own = BTreeSet::from_iter(containers(data_dir.path()));
        assert!(own.is_disjoint(&killed), "only this server's: {own:?}");
        server.kill();
        // And perhaps one that Docker was making just then.
        killed = BTreeSet::from_iter(containers(data_dir.path()));
        assert!(killed.len() >= runtimes.len(), "nobody removes them");
    }

    let server = Server::start_in(data_dir.path()).await;
    let own = BTreeSet::from_iter(containers(data_dir.path()));
    assert!(
        own.is_disjoint(&killed),
        "the next start removes what the killed one left: {own:?}"
    );
    let (_, functions) = server.call("GET", "/functions", None, None).await;
    assert_eq!(functions.as_array().unwrap().len(), 3);
    let begin = Instant::now();
    while recorded(&server).await != answered {
        assert!(begin.elapsed() < Duration::from_secs(10), "none is lost");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(server.stop().await.is_empty());
}

/// The request ids on record, each of them once.
async fn recorded(server: &Server) -> BTreeSet<String> {
    let (_, page) = server
        .call("GET", "/metrics?limit=1000", Some(&server.token), None)
        .await;
    let items = page["items"].as_array().unwrap();
    let ids = items
        .iter()
        .map(|item: &Value| item["request_id"].as_str().unwrap().to_owned());
    let unique: BTreeSet<_> = ids.collect();
    assert_eq!(unique.len(), items.len(), "none is doubled");
    unique
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_under_load_ends_what_runs_and_records_all_of_it() {
    const CALLERS: usize = 6;
    let runtimes = runtimes();
    if runtimes.is_empty() {
        return;
    }
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start_in(data_dir.path()).await;
    let id = server
        .create(json!({
            "name": "slow", "language": "python", "handler": "app.handler", "concurrency": 4,
            "code": "import time\ndef handler(event, context):\n    time.sleep(0.3)\n    return event\n",
        }))
        .await;
    for runtime in &runtimes {
        let outcome = server
            .execute(json!({ "id": id, "runtime": runtime }))
            .await;
        assert_eq!(outcome["status"], "success", "{outcome}");
    }
    let before = recorded(&server).await.len();
    let told = OnceLock::new();
    // Each until the server no longer answers, or says that it stops.
    let callers = (0..CALLERS).map(async |caller| {
        let mut answered = Vec::new();
        let runtime = runtimes[caller % runtimes.len()];
        let request = json!({ "id": id, "runtime": runtime, "event": caller });
        loop {
            let begin = Instant::now();
            match server
                .try_call("POST", "/functions/execute", None, Some(&request))
                .await
            {
                Some((200, outcome)) => {
                    assert_eq!(outcome["output"], caller, "{outcome}");
                    answered.push(outcome["request_id"].as_str().unwrap().to_owned());
                }
                other => {
                    // The last moment's are on their way to a listener that closes.
                    let late = *told.get().unwrap() - Duration::from_millis(100);
                    assert!(begin > late, "what ran was given up: {other:?}");
                    return answered;
                }
            }
        }
    });
    let stopping = async {
        let begin = Instant::now();
        // Under way: one call of each is on record, and each has begun another one.
        while recorded(&server).await.len() < before + CALLERS {
            assert!(begin.elapsed() < Duration::from_secs(30), "calls succeed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (_, pool) = server.call("GET", "/pool", Some(&server.token), None).await;
        told.set(Instant::now()).unwrap();
        server.terminate();
        pool["busy"].as_u64().unwrap() + pool["waiting"].as_u64().unwrap()
    };
    let (answered, under_way) = tokio::join!(futures_util::future::join_all(callers), stopping);
    let answered: BTreeSet<_> = answered.into_iter().flatten().collect();
    assert!(under_way > 0, "nothing ran when it was told to stop");
    assert_eq!(
        server.end().await,
        Vec::<String>::new(),
        "sandboxes are left"
    );

    let server = Server::start_in(data_dir.path()).await;
    let kept = recorded(&server).await;
    let lost: Vec<_> = answered.difference(&kept).collect();
    assert!(
        lost.is_empty(),
        "{} of {}: {lost:?}",
        lost.len(),
        answered.len()
    );
    assert!(server.stop().await.is_empty());
}
