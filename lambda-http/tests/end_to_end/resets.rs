//! Clients that reset their connection, over real sandboxes. tests/resets.rs resets at points that
//! are known; here the request is cut anywhere, and the run at any time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::server::{Server, runtimes};

const CUTS: usize = 10;
/// Before, in and after the run, boots included.
const DELAYS_MS: [u64; 10] = [0, 1, 5, 20, 50, 100, 200, 300, 400, 800];
/// A reset throws away what the server has not read yet. How soon it reads depends on how busy the
/// machine is, but within this time it has.
const READ_WITHIN_MS: u64 = 200;

/// Sends so many bytes of a request, waits, and resets.
async fn reset(server: &Server, bytes: &[u8], wait: Duration) {
    let address = server.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    tokio::time::sleep(wait).await;
    stream.set_zero_linger().unwrap();
}

async fn get(server: &Server, path: &str) -> Value {
    let (status, body) = server.call("GET", path, Some(&server.token), None).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn clients_that_reset_hold_no_sandbox_and_lose_no_record() {
    for runtime in runtimes() {
        // One connection is the test's own: a held one would leave no room for the others.
        let server = Server::start("[http]\nconnections_max = 2\n").await;
        server
            .create(json!({
                "name": "slow", "language": "python", "runtime": runtime, "handler": "app.handler",
                "code": "import time\n\ndef handler(event, context):\n    print(1)\n    time.sleep(0.3)\n",
                "concurrency": 2,
            }))
            .await;
        let body = json!({ "name": "slow", "event": {} }).to_string();
        for accept in ["", "accept: text/event-stream\r\n"] {
            let request = format!(
                "POST /functions/execute HTTP/1.1\r\nhost: localhost\r\n{accept}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let request = request.as_bytes();
            for cut in 0..CUTS {
                let part = &request[..request.len() * cut / CUTS];
                reset(&server, part, Duration::from_millis(2)).await;
            }
            for delay in DELAYS_MS {
                reset(&server, request, Duration::from_millis(delay)).await;
            }
        }
        let begin = Instant::now();
        loop {
            let pool = get(&server, "/pool").await;
            let is_free = ["busy", "creating", "waiting"]
                .iter()
                .all(|own| pool[own] == 0);
            let starts = ["warm_starts", "prewarmed_starts", "cold_starts"];
            let starts = starts
                .iter()
                .map(|own| pool["counters"][own].as_u64().unwrap());
            let starts: u64 = starts.sum();
            let records = get(&server, "/invocations?limit=1000").await;
            let records = records["items"].as_array().unwrap();
            let surely_read = DELAYS_MS.iter().filter(|delay| **delay >= READ_WITHIN_MS);
            let least = 2 * surely_read.count() as u64;
            if is_free && starts >= least && records.len() as u64 == starts {
                assert!(records.iter().all(|own| own["status"] == "success"));
                break;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "{pool} {}",
                records.len()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let outcome = server.execute(json!({ "name": "slow" })).await;
        assert_eq!(outcome["start"], "warm", "{outcome}");
        assert!(server.stop().await.is_empty());
    }
}
