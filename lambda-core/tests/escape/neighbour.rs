//! Another sandbox of the same platform: it must not notice anything.

use lambda_core::runtime::SandboxReply;
use serde_json::{Value, json};

use crate::support::{Bench, PYTHON, Running, handler};

/// Listens wherever a neighbour could reach it, keeps files, and counts what happens to it.
const CODE: &str = r#"
import os, signal, socket, threading
heard = []
def listen(server, name):
    while True:
        server.accept()
        heard.append(name)
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\0lambda-neighbour")
abstract.listen()
tcp = socket.create_server(("127.0.0.1", 0))
for name, server in (("abstract", abstract), ("tcp", tcp)):
    threading.Thread(target=listen, args=(server, name), daemon=True).start()
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGIO, signal.SIGWINCH):
    signal.signal(number, lambda number, frame: heard.append("signal %d" % number))
for path in ("/tmp/neighbour", "/dev/shm/neighbour"):
    with open(path, "w") as file:
        file.write("kept")
def handler(event, context):
    return {
        "heard": heard,
        "port": tcp.getsockname()[1],
        "files": [open(path).read() for path in ("/tmp/neighbour", "/dev/shm/neighbour")],
        "tmp": sorted(os.listdir("/tmp")),
        "task": sorted(os.listdir("/var/task")),
        "shm": sorted(os.listdir("/dev/shm")),
        "run": sorted(os.listdir("/run/lambda")),
        "bootstrap": hash(open("/var/runtime/bootstrap.py").read()),
        "pids": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
        "ipc": [open("/proc/sysvipc/" + kind).read().count("\n") for kind in ("shm", "msg", "sem")
                if os.path.exists("/proc/sysvipc/" + kind)],
        "hostname": os.uname().nodename,
        "oom_score_adj": open("/proc/self/oom_score_adj").read(),
    }
"#;

pub(crate) struct Neighbour {
    running: Running,
    at_first: Value,
}

impl Neighbour {
    pub(crate) async fn start(bench: &Bench) -> Self {
        let running = bench.start(&handler(PYTHON), CODE).await;
        let at_first = see(&running).await;
        assert_eq!(at_first["heard"], json!([]));
        Self { running, at_first }
    }

    pub(crate) fn abstract_name(&self) -> &'static str {
        "lambda-neighbour"
    }

    pub(crate) fn port(&self) -> u64 {
        self.at_first["port"].as_u64().unwrap()
    }

    pub(crate) async fn expect_untouched(&self) {
        assert!(self.running.sandbox.is_alive());
        assert_eq!(
            see(&self.running).await,
            self.at_first,
            "a neighbour was touched"
        );
    }

    pub(crate) async fn destroy(self) {
        self.running.destroy().await;
    }
}

async fn see(running: &Running) -> Value {
    match running.invoke("{}").await.0 {
        SandboxReply::Response(body) => serde_json::from_slice(&body).unwrap(),
        other => panic!("the neighbour says {other:?}"),
    }
}
