//! A function that calls itself through the platform's own API: without a network it cannot; with
//! one it gets its own share and nothing of the others', and its end ends all of it (threat 32).

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::server::{Server, docker, runtimes};

/// Calls itself from several threads, for as long as it may run.
const CODE: &str = r#"
import json, os, threading, urllib.error, urllib.request

def call(depth):
    body = json.dumps({"name": "recursive", "event": {"depth": depth, "url": URL}}).encode()
    head = {"content-type": "application/json", "authorization": "Bearer " + os.environ["TOKEN"]}
    request = urllib.request.Request(URL + "/functions/execute", body, head)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.status

def calls(depth):
    while True:
        try:
            call(depth)
        except OSError:
            pass

def handler(event, context):
    global URL
    URL = event["url"]
    if event["depth"] == 0:
        # Whether the platform can be reached at all, and why not.
        try:
            return call(-1)
        except OSError as error:
            return str(error)
    if event["depth"] < 0:
        return None
    for _ in range(3):
        threading.Thread(target=calls, args=(event["depth"] + 1,), daemon=True).start()
    calls(event["depth"] + 1)
"#;

/// Sandboxes at once of the function that calls itself, and of all functions.
const CONCURRENCY: u64 = 2;
const SANDBOXES_MAX: u64 = 4;
const QUEUE_MAX: u64 = 8;

/// For the first call, which boots a sandbox, and for what is over to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// A network of Docker's that leads to this machine and no further.
struct Network {
    name: String,
    gateway: String,
}

impl Network {
    fn create() -> Self {
        let name = format!("lambda-test-{}", uuid::Uuid::now_v7().simple());
        docker(&["network", "create", "--internal", &name]);
        let gateway = "{{(index .IPAM.Config 0).Gateway}}";
        let gateway = docker(&["network", "inspect", "--format", gateway, &name]);
        Self { name, gateway }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["network", "rm", &self.name])
            .output();
    }
}

fn recursive(server: &Server, runtime: &str, network: &str) -> Value {
    json!({
        "name": "recursive", "language": "python", "handler": "app.handler", "code": CODE,
        "runtime": runtime, "network": network, "timeout_ms": 3_000, "concurrency": CONCURRENCY,
        "env": { "TOKEN": server.token },
    })
}

async fn create(server: &Server, function: &Value) -> (u16, Value) {
    let token = Some(&*server.token);
    server
        .call("POST", "/functions", token, Some(function))
        .await
}

async fn execute(server: &Server, name: &str, event: Value) -> (u16, Value) {
    let body = json!({ "name": name, "event": event });
    let token = Some(&*server.token);
    server
        .call("POST", "/functions/execute", token, Some(&body))
        .await
}

async fn pool(server: &Server) -> Value {
    let (status, pool) = server.call("GET", "/pool", Some(&server.token), None).await;
    assert_eq!(status, 200, "{pool}");
    pool
}

fn count(pool: &Value, what: &str) -> u64 {
    pool[what].as_u64().unwrap()
}

#[tokio::test]
async fn without_a_network_a_function_cannot_reach_the_platform() {
    if runtimes().len() < 2 {
        return;
    }
    let network = Network::create();
    for runtime in ["docker", "gvisor"] {
        let server = Server::start_at(&network.gateway, "[pool]\nprewarmed = 0\n").await;
        let (status, made) = create(&server, &recursive(&server, runtime, "none")).await;
        assert_eq!(status, 201, "{made}");
        let port = server.url().rsplit(':').next().unwrap();
        let local = format!("http://127.0.0.1:{port}");
        for url in [server.url(), &local] {
            let event = json!({ "depth": 0, "url": url });
            let (status, outcome) = execute(&server, "recursive", event).await;
            assert_eq!(status, 200, "{outcome}");
            let why = outcome["output"]
                .as_str()
                .unwrap_or_default()
                .to_lowercase();
            assert!(
                ["unreachable", "refused", "no route"]
                    .iter()
                    .any(|end| why.contains(end)),
                "{runtime}: {url}: {outcome}"
            );
        }
        // Not even where the operator allows others one.
        let mut other = recursive(&server, runtime, &network.name);
        other["name"] = "other".into();
        let (status, refused) = create(&server, &other).await;
        assert_eq!(status, 400, "no network is listed: {refused}");
        assert!(server.stop().await.is_empty());
    }
}

#[tokio::test]
async fn with_a_network_a_function_that_calls_itself_leaves_the_others_their_share() {
    if runtimes().len() < 2 {
        return;
    }
    let network = Network::create();
    let config = format!(
        "[pool]\nprewarmed = 0\nsandboxes_max = {SANDBOXES_MAX}\nqueue_max = {QUEUE_MAX}\n\
         queue_timeout_ms = 5000\n[containers]\nallowed_networks = [{:?}]\n",
        network.name
    );
    let server = Server::start_at(&network.gateway, &config).await;
    // gVisor has none, listed or not.
    let (status, refused) = create(&server, &recursive(&server, "gvisor", &network.name)).await;
    assert_eq!(status, 400, "{refused}");
    let (status, made) = create(&server, &recursive(&server, "docker", &network.name)).await;
    assert_eq!(status, 201, "{made}");
    let bystander = json!({
        "name": "bystander", "language": "python", "handler": "app.handler", "concurrency": 1,
        "code": "def handler(event, context):\n    return event\n",
    });
    assert_eq!(create(&server, &bystander).await.0, 201);

    // It reaches the platform, or there would be nothing to see.
    let event = json!({ "depth": 0, "url": server.url() });
    let (_, reached) = execute(&server, "recursive", event).await;
    assert_eq!(reached["output"], 200, "{reached}");

    let event = json!({ "depth": 1, "url": server.url() });
    let first = execute(&server, "recursive", event);
    let others = async {
        let begin = Instant::now();
        while count(&pool(&server).await, "waiting") == 0 {
            assert!(begin.elapsed() < PATIENCE, "it calls itself");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for n in 0..20 {
            let begin = Instant::now();
            let (status, outcome) = execute(&server, "bystander", json!(n)).await;
            assert_eq!((status, &outcome["output"]), (200, &json!(n)), "{outcome}");
            assert!(begin.elapsed() < PATIENCE / 4, "{:?}", begin.elapsed());
            let pool = pool(&server).await;
            // Itself, and the bystander's sandbox where that is not idle again.
            assert!(count(&pool, "busy") <= CONCURRENCY + 1, "{pool}");
            assert!(count(&pool, "sandboxes") <= SANDBOXES_MAX, "{pool}");
            assert!(count(&pool, "waiting") <= QUEUE_MAX, "{pool}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let ((_, outcome), ()) = tokio::join!(first, others);
    assert_eq!(outcome["status"], "timeout", "{outcome}");

    // Deleting it ends all of it.
    let (status, _) = server
        .call("DELETE", "/functions/recursive", Some(&server.token), None)
        .await;
    assert_eq!(status, 204);
    let begin = Instant::now();
    loop {
        let pool = pool(&server).await;
        let under_way = ["busy", "creating", "waiting"].map(|what| count(&pool, what));
        if under_way == [0, 0, 0] {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{pool}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(execute(&server, "recursive", json!({})).await.0, 404);
    assert_eq!(execute(&server, "bystander", json!(1)).await.0, 200);
    assert!(server.stop().await.is_empty());
}
