//! Docker goes away while sandboxes are frozen: they are thawed at once, or a daemon that starts
//! anew would wait for their end for ever (threat 27).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::docker::{Daemon, docker};
use crate::left;
use crate::server::Server;

/// Nobody waits for what idles: it is frozen soon, and nothing is made that is not called.
const CONFIG: &str = "[pool]\nprewarmed = 0\nfreeze_after_ms = 200\n";

const FREEZING: Duration = Duration::from_secs(20);

/// The end of the daemon's socket is seen at once, and each thaw is one write.
const THAWING: Duration = Duration::from_secs(3);

/// A runtime that failed alone is left alone for up to 30 s.
const RECOVERY: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Frozen,
    Thawed,
    Gone,
}

/// What the kernel says of a cgroup, of either version.
fn state(cgroup: &Path) -> State {
    let read = |name| std::fs::read_to_string(cgroup.join(name));
    if let Ok(state) = read("freezer.state") {
        return match state.trim() {
            "THAWED" => State::Thawed,
            _ => State::Frozen,
        };
    }
    match read("cgroup.events") {
        Ok(events) if events.contains("frozen 1") => State::Frozen,
        Ok(_) => State::Thawed,
        Err(_) => State::Gone,
    }
}

/// The cgroup of each container that can be frozen, by the name of its OCI runtime.
fn cgroups(daemon: &Daemon) -> BTreeMap<String, PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let v1 = root.join("freezer").join(daemon.cgroup());
    let parent = match v1.is_dir() {
        true => v1,
        false => root.join(daemon.cgroup()),
    };
    let format = "{{.HostConfig.Runtime}} {{.Id}}";
    let ids = docker(&["ps", "-q"]);
    let ids = ids.iter().map(String::as_str);
    let args: Vec<_> = ["inspect", "--format", format]
        .into_iter()
        .chain(ids)
        .collect();
    let listed = docker(&args);
    let split = listed.iter().map(|line| line.split_once(' ').unwrap());
    split
        .map(|(runtime, id)| (runtime.to_owned(), parent.join(id)))
        .collect()
}

async fn wait_until(what: &str, limit: Duration, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < limit, "{what} within {limit:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Any outcome, or none.
async fn call(server: &Server, id: &str) -> bool {
    let request = json!({ "id": id, "event": 7 });
    let answer = server
        .try_call("POST", "/functions/execute", None, Some(&request))
        .await;
    answer.is_some_and(|(status, outcome)| status == 200 && outcome["output"] == 7)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "kills a Docker daemon of its own, which scripts/torture.sh makes"]
async fn what_is_frozen_is_thawed_when_docker_goes_away() {
    let mut daemon = Daemon::start().await;
    let data_dir = tempfile::tempdir().unwrap();
    std::fs::write(data_dir.path().join("lambda.toml"), CONFIG).unwrap();
    let server = Server::start_in(data_dir.path()).await;
    let mut functions = Vec::new();
    for runtime in ["docker", "gvisor"] {
        let id = server
            .create(json!({
                "name": runtime, "language": "python", "runtime": runtime, "handler": "app.handler",
                "code": "def handler(event, context):\n    return event\n",
            }))
            .await;
        assert!(call(&server, &id).await, "{runtime}");
        functions.push(id);
    }
    let cgroups = cgroups(&daemon);
    assert!(cgroups.keys().eq(["runc", "runsc"]), "{cgroups:?}");
    let all_are = |wanted| cgroups.values().all(|cgroup| state(cgroup) == wanted);
    wait_until("both are frozen", FREEZING, || all_are(State::Frozen)).await;

    daemon.kill();
    let killed = Instant::now();
    wait_until("both are thawed", THAWING, || all_are(State::Thawed)).await;
    let thawed = killed.elapsed();

    let begin = Instant::now();
    daemon.restart().await;
    let back = begin.elapsed();
    for id in &functions {
        while !call(&server, id).await {
            assert!(begin.elapsed() < RECOVERY, "a call succeeds again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    println!(
        "thawed {thawed:.0?} after Docker's end was seen; Docker was back after {back:.1?}, all \
         answered after {:.1?}",
        begin.elapsed()
    );
    server.stop().await;
    left::wait_for_all(data_dir.path(), &daemon).await;
}
