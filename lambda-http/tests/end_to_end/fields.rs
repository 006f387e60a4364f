//! Each field of a function takes effect.

use std::process::Command;

use serde_json::{Value, json};

use super::server::{Server, docker, runtimes};

const PROBE: &str = r#"
import os, shutil

def read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError as error:
        return str(error)

def handler(event, context):
    return {
        "env": os.environ.get("GREETING"),
        "tmp_mib": shutil.disk_usage("/tmp").total // 1024**2,
        "name": context.function_name,
        "memory": context.memory_limit_in_mb,
        "interfaces": sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else [],
        "image": read("/etc/image-of-the-test"),
        "uid": os.getuid(),
    }
"#;

async fn probe(server: &Server, runtime: &str, fields: Value) -> Value {
    let mut function = json!({
        "name": format!("p{}", uuid::Uuid::now_v7().simple()), "language": "python",
        "runtime": runtime, "code": PROBE, "handler": "app.handler", "timeout_ms": 20_000,
    });
    for (key, value) in fields.as_object().unwrap() {
        function[key] = value.clone();
    }
    let id = server.create(function).await;
    let outcome = server.execute(json!({ "id": id })).await;
    assert_eq!(outcome["status"], "success", "{outcome}");
    outcome["output"].clone()
}

#[tokio::test]
async fn fields_take_effect() {
    let image = "lambda-test-image";
    let network = "lambda-test-network";
    let config =
        format!("[containers]\nallowed_images = ['{image}']\nallowed_networks = ['{network}']\n");
    for runtime in runtimes() {
        let _made = Made::new(image, network);
        let server = Server::start(&config).await;
        let plain = probe(&server, runtime, json!({ "name": "plain" })).await;
        assert_eq!(plain["env"], Value::Null);
        assert_eq!(plain["tmp_mib"], 32, "a quarter of the memory");
        assert_eq!(
            (&plain["name"], &plain["memory"]),
            (&json!("plain"), &json!("128"))
        );
        assert!(plain["uid"].as_u64().unwrap() > 1_000);
        let external = |probe: &Value| {
            let names = probe["interfaces"].as_array().unwrap().clone();
            names
                .iter()
                .any(|name| name.as_str().is_some_and(|name| name.starts_with("eth")))
        };
        assert!(!external(&plain), "{plain}");

        let set = probe(
            &server,
            runtime,
            json!({ "env": { "GREETING": "gr\u{fc}\u{df}e" }, "tmp_mib": 50, "memory_mib": 256, "image": image }),
        )
        .await;
        assert_eq!(set["env"], "gr\u{fc}\u{df}e");
        assert_eq!(set["tmp_mib"], 50);
        assert_eq!(set["memory"], "256");
        assert_eq!(set["image"], "here");

        let listed = json!({
            "name": "networked", "language": "python", "runtime": runtime, "code": PROBE,
            "handler": "app.handler", "network": network,
        });
        if runtime == "docker" {
            let networked = probe(&server, runtime, json!({ "network": network })).await;
            assert!(external(&networked), "{networked}");
        } else {
            let (status, body) = server.call("POST", "/functions", None, Some(&listed)).await;
            assert_eq!(status, 400, "gVisor has no network, and says so: {body}");
        }
        for (field, value) in [
            ("image", "python:2"),
            ("network", "host"),
            ("network", "bridge"),
        ] {
            let mut refused = listed.clone();
            refused["network"] = json!("none");
            refused[field] = json!(value);
            let (status, body) = server
                .call("POST", "/functions", None, Some(&refused))
                .await;
            assert_eq!(status, 400, "{body}");
            assert!(
                body["error"]["message"].as_str().unwrap().contains(field),
                "{body}"
            );
        }
        assert!(server.stop().await.is_empty());
    }
}

#[tokio::test]
async fn memory_and_cpus_are_limits() {
    for runtime in runtimes() {
        let server = Server::start("").await;
        let alloc = "def handler(event, context):\n    return len(bytearray(100 * 1024**2))\n";
        for (memory_mib, status) in [(64, "out_of_memory"), (256, "success")] {
            let id = server
                .create(json!({
                    "name": format!("alloc-{memory_mib}"), "language": "python", "runtime": runtime,
                    "code": alloc, "handler": "app.handler", "memory_mib": memory_mib,
                    "timeout_ms": 20_000,
                }))
                .await;
            let outcome = server.execute(json!({ "id": id })).await;
            assert_eq!(outcome["status"], status, "{outcome}");
            let peak = outcome["max_memory_mib"].as_u64().unwrap();
            assert!(peak <= memory_mib && peak > 32, "{outcome}");
        }
        let spin = "import time\n\ndef handler(event, context):\n    until = time.monotonic() + 1\n    begin = time.process_time()\n    while time.monotonic() < until:\n        pass\n    return time.process_time() - begin\n";
        let id = server
            .create(json!({
                "name": "half", "language": "python", "runtime": runtime, "code": spin,
                "handler": "app.handler", "cpus": 0.5, "timeout_ms": 20_000,
            }))
            .await;
        let outcome = server.execute(json!({ "id": id })).await;
        let used = outcome["output"].as_f64().unwrap();
        // gVisor's own clock counts what its kernel does besides; the bound is the cgroup's.
        assert!(used < 0.8, "half a CPU for a second: {outcome}");
        assert!(server.stop().await.is_empty());
    }
}

/// An image and a network of the test's own.
struct Made {
    image: &'static str,
    network: &'static str,
}

impl Made {
    fn new(image: &'static str, network: &'static str) -> Self {
        let container = docker(&["create", "--network=none", "lambda-python", "true"]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "here\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(file.path(), mode).unwrap();
        let target = format!("{container}:/etc/image-of-the-test");
        docker(&["cp", file.path().to_str().unwrap(), &target]);
        docker(&["commit", &container, image]);
        docker(&["rm", &container]);
        // Left by a run that was killed.
        let _ = Command::new("docker")
            .args(["network", "rm", network])
            .output();
        docker(&["network", "create", network]);
        Self { image, network }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for args in [["network", "rm", self.network], ["image", "rm", self.image]] {
            let _ = Command::new("docker").args(args).output();
        }
    }
}
