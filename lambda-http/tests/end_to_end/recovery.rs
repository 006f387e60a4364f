//! A server that is killed loses nothing that it has answered, and leaves nothing behind.

use std::collections::BTreeSet;
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
    loop {
        let (_, page) = server
            .call("GET", "/metrics?limit=1000", Some(&server.token), None)
            .await;
        let recorded: Vec<_> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item: &Value| item["request_id"].as_str().unwrap().to_owned())
            .collect();
        let unique: BTreeSet<_> = recorded.iter().cloned().collect();
        assert_eq!(unique.len(), recorded.len(), "none is doubled");
        if unique == answered {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "none is lost");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(server.stop().await.is_empty());
}
