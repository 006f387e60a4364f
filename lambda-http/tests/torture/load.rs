//! Clients that write down what was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::call::Caller;
use crate::ledger::Ledger;

const CALLERS: u32 = 5;

/// For the first calls: starts are bounded, and a circuit breaker may be open for 30 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// Name, language, code, timeout in milliseconds, and every how many rounds a caller calls it.
type Kind = (&'static str, &'static str, &'static str, u32, u32);

const ECHO: &str = "def handler(event, context):\n    print('echo')\n    return event\n";
const ECHO_JS: &str = "exports.handler = async (event) => { console.log('echo'); return event; };";
const SLEEP: &str =
    "import time\ndef handler(event, context):\n    time.sleep(0.3)\n    return event\n";
const CRASH: &str = "import os\ndef handler(event, context):\n    os._exit(3)\n";
const HANG: &str = "def handler(event, context):\n    while True: pass\n";

const KINDS: [Kind; 5] = [
    ("echo", "python", ECHO, 5_000, 1),
    ("echo-js", "javascript", ECHO_JS, 5_000, 3),
    ("sleep", "python", SLEEP, 5_000, 7),
    ("crash", "python", CRASH, 5_000, 40),
    ("hang", "python", HANG, 200, 60),
];

/// A function that callers call.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    id: String,
    every: u32,
    /// It answers with its event.
    echoes: bool,
    pub(crate) runtime: &'static str,
}

/// Deploys the functions that are called.
pub(crate) async fn deploy(caller: &Caller, ledger: &mut Ledger) -> Vec<Target> {
    let mut targets = Vec::new();
    for runtime in ["docker", "gvisor"] {
        for (name, language, code, timeout_ms, every) in KINDS {
            let function = json!({
                "name": format!("{name}-{runtime}"), "language": language, "code": code,
                "handler": "app.handler", "runtime": runtime, "timeout_ms": timeout_ms,
            });
            let created = caller.call("POST", "/functions", &function).await;
            let (status, function) = created.expect("the server answers");
            assert_eq!(status, 201, "{function}");
            let id = function["id"].as_str().unwrap().to_owned();
            ledger.deployed.insert(id.clone(), 1);
            targets.push(Target {
                id,
                every: if runtime == "gvisor" {
                    every * 3
                } else {
                    every
                },
                echoes: !["crash", "hang"].contains(&name),
                runtime,
            });
        }
    }
    targets
}

pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    successes: Arc<AtomicU32>,
    clients: Vec<JoinHandle<Ledger>>,
}

impl Load {
    pub(crate) fn start(url: &str, targets: &[Target]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let successes = Arc::new(AtomicU32::new(0));
        let caller = Caller::of(url);
        let mut clients = vec![tokio::spawn(deployer(caller.clone(), Arc::clone(&stop)))];
        for number in 0..CALLERS {
            let client = Client {
                caller: caller.clone(),
                stop: Arc::clone(&stop),
                successes: Arc::clone(&successes),
            };
            clients.push(tokio::spawn(client.run(targets.to_vec(), number)));
        }
        Self {
            stop,
            successes,
            clients,
        }
    }

    /// Waits until it is under way: sandboxes are there, and calls succeed.
    pub(crate) async fn is_under_way(&self) {
        let begin = Instant::now();
        while self.successes.load(Ordering::Relaxed) < 3 * CALLERS {
            assert!(
                begin.elapsed() < PATIENCE,
                "calls succeed within {PATIENCE:?} of a start"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it, and returns what was answered.
    pub(crate) async fn stop(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Ledger::default();
        for client in self.clients {
            all.add(client.await.unwrap());
        }
        all
    }
}

struct Client {
    caller: Caller,
    stop: Arc<AtomicBool>,
    successes: Arc<AtomicU32>,
}

impl Client {
    async fn run(self, targets: Vec<Target>, number: u32) -> Ledger {
        let mut ledger = Ledger::default();
        let mut round = number;
        while !self.stop.load(Ordering::Relaxed) {
            round += 1;
            let due = targets
                .iter()
                .filter(|target| round.is_multiple_of(target.every));
            for target in due.take_while(|_| !self.stop.load(Ordering::Relaxed)) {
                if call(&self.caller, target, &mut ledger).await {
                    self.successes.fetch_add(1, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        ledger
    }
}

/// Whether it was answered, and with success where there can be any.
pub(crate) async fn call(caller: &Caller, target: &Target, ledger: &mut Ledger) -> bool {
    let nonce = uuid::Uuid::now_v7().to_string();
    let request = json!({ "id": target.id, "event": { "nonce": nonce } });
    let Some((status, outcome)) = caller.call("POST", "/functions/execute", &request).await else {
        return false;
    };
    if status != 200 {
        ledger.refused += 1;
        return false;
    }
    let id = outcome["request_id"].as_str().unwrap().parse().unwrap();
    assert!(ledger.calls.insert(id), "{id} was answered twice");
    let is_success = outcome["status"] == "success";
    if is_success {
        assert!(
            target.echoes && outcome["output"]["nonce"] == nonce,
            "{outcome}"
        );
    }
    is_success
}

/// Creates a function, changes it, and deletes every other one.
async fn deployer(caller: Caller, stop: Arc<AtomicBool>) -> Ledger {
    let mut ledger = Ledger::default();
    let mut round = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        if deploy_one(&caller, &mut ledger, round.is_multiple_of(2))
            .await
            .is_none()
        {
            // Dead, or without its database.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    ledger
}

async fn deploy_one(caller: &Caller, ledger: &mut Ledger, is_deleted: bool) -> Option<()> {
    let name = format!("d{}", uuid::Uuid::now_v7().simple());
    let function = json!({ "name": name, "language": "python", "code": "print(1)\n" });
    let created = accepted(caller.call("POST", "/functions", &function).await, ledger)?;
    let id = created["id"].as_str().unwrap().to_owned();
    ledger.deployed.insert(id.clone(), 1);
    let path = format!("/functions/{id}");
    let change = json!({ "code": "print(2)\n" });
    let changed = accepted(caller.call("PUT", &path, &change).await, ledger)?;
    let version = u32::try_from(changed["version"].as_u64().unwrap()).unwrap();
    ledger.deployed.insert(id.clone(), version);
    if is_deleted {
        // From here on it may be gone, and once that is answered it must be.
        ledger.deployed.remove(&id);
        accepted(caller.call("DELETE", &path, &Value::Null).await, ledger)?;
        ledger.deleted.insert(id);
    }
    Some(())
}

fn accepted(answer: Option<(u16, Value)>, ledger: &mut Ledger) -> Option<Value> {
    let (status, body) = answer?;
    if (200..300).contains(&status) {
        return Some(body);
    }
    assert!(status >= 500, "{status} {body}");
    ledger.refused += 1;
    None
}
