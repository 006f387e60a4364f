//! A gVisor that drops the limits of memory, processes and CPU without a word: nothing is run in
//! it, and what looks for it says so (threat 17).

use serde_json::json;

use crate::docker::{Daemon, docker};
use crate::left;
use crate::server::Server;

/// As `scripts/torture.sh` registers it: with `--ignore-cgroups`.
const UNBOUNDED: &str = "[pool]\nprewarmed = 0\n[containers]\nrunsc = \"runsc-unbounded\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker daemon of its own, which scripts/torture.sh makes"]
async fn where_limits_are_not_enforced_nothing_is_run() {
    let daemon = Daemon::start().await;
    // It does start, and its processes are in no cgroup: else there is nothing to refuse.
    let probe = [
        "run",
        "--rm",
        "--network=none",
        "--memory=64m",
        "--runtime=runsc-unbounded",
    ];
    let said = docker(&[&probe[..], &["lambda-python", "echo", "runs"]].concat());
    assert_eq!(said, ["runs"]);

    let data_dir = tempfile::tempdir().unwrap();
    std::fs::write(data_dir.path().join("lambda.toml"), UNBOUNDED).unwrap();
    let server = Server::start_in(data_dir.path()).await;
    let code = "def handler(event, context):\n    print('run')\n    return event\n";
    let mut statuses = Vec::new();
    for runtime in ["docker", "gvisor"] {
        let id = server
            .create(json!({
                "name": runtime, "language": "python", "runtime": runtime,
                "handler": "app.handler", "code": code,
            }))
            .await;
        let request = json!({ "id": id, "event": 7 });
        let (status, answer) = server
            .call("POST", "/functions/execute", None, Some(&request))
            .await;
        statuses.push(status);
        let said = answer.to_string();
        assert_eq!(
            said.contains("does not enforce the limits"),
            status == 503,
            "{said}"
        );
        assert_eq!(answer["output"] == 7, status == 200, "{said}");
    }
    assert_eq!(statuses, [200, 503]);
    server.stop().await;
    left::wait_for_all(data_dir.path(), &daemon).await;
}
