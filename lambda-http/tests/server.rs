//! The accept loop: bounds, timeouts, stopping, and clients that go away.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::time::Duration;

use lambda_http::ServerOptions;
use serde_json::json;
use support::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const LOOPBACK: &str = "127.0.0.1:0";
const PATIENCE: Duration = Duration::from_secs(10);
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";

async fn read_some(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 4096];
    let read = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap();
    String::from_utf8_lossy(&buffer[..read.unwrap_or(0)]).into_owned()
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let options = ServerOptions::default().header_timeout(Duration::from_millis(100));
    let server = Server::start_with(|options| options, options, LOOPBACK).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: local")
        .await
        .unwrap();
    let begin = Instant::now();
    read_some(&mut stream).await;
    assert!(begin.elapsed() < PATIENCE / 2);
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(HEALTH).await.unwrap();
    assert!(read_some(&mut idle).await.starts_with("HTTP/1.1 200"));
    assert_eq!(
        read_some(&mut idle).await,
        "",
        "a connection without work is closed"
    );
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_408() {
    let server = Server::start_with(
        |options| options.body_timeout(Duration::from_millis(100)),
        ServerOptions::default(),
        LOOPBACK,
    )
    .await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /functions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn a_head_that_is_too_large_or_has_too_many_fields_is_refused() {
    let server = Server::start().await;
    let long = format!("x-long: {}\r\n", "x".repeat(200 * 1024));
    let many = "x-many: 1\r\n".repeat(200);
    for fields in [long, many] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n");
        // The server may answer and close before it has read all.
        let _ = stream.write_all(head.as_bytes()).await;
        let answer = read_some(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}

/// It asks for more than the kernel keeps on its way, and reads none of it.
#[tokio::test]
async fn a_client_that_does_not_read_is_let_go() {
    let options = ServerOptions::default()
        .connections_max(1)
        .write_timeout(Duration::from_millis(200));
    let server = Server::start_with(|options| options, options, LOOPBACK).await;
    server
        .function("large", "large", Some("case.handler"))
        .await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let body = json!({"name": "large", "event": {"size": 6_000_000}}).to_string();
    let request = format!(
        "POST /functions/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // There is room for one connection: the next is served once this one is closed.
    let mut next = TcpStream::connect(server.address).await.unwrap();
    next.write_all(HEALTH).await.unwrap();
    assert!(read_some(&mut next).await.starts_with("HTTP/1.1 200"));
    drop(stream);
}

#[tokio::test]
async fn connections_are_bounded_and_the_next_one_waits() {
    let options = ServerOptions::default().connections_max(2);
    let server = Server::start_with(|options| options, options, LOOPBACK).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(HEALTH).await.unwrap();
        assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"));
        open.push(stream);
    }
    let mut third = TcpStream::connect(server.address).await.unwrap();
    third.write_all(HEALTH).await.unwrap();
    let mut byte = [0];
    assert!(
        timeout(Duration::from_millis(200), third.read(&mut byte))
            .await
            .is_err()
    );
    open.pop();
    assert!(read_some(&mut third).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn stopping_lets_running_requests_end_and_takes_no_new_ones() {
    let mut server = Server::start().await;
    server.function("slow", "sleep", Some("case.handler")).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let body = json!({"name": "slow", "event": {"ms": 600}}).to_string();
    let request = format!(
        "POST /functions/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(HEALTH).await.unwrap();
    read_some(&mut idle).await;
    sleep(Duration::from_millis(100)).await;
    let begin = Instant::now();
    timeout(PATIENCE, server.stop()).await.unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "an idle connection holds nothing up"
    );
    let answer = read_some(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"status\":\"success\""), "{answer}");
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_that_does_not_end_is_given_up_when_the_time_to_drain_is_over() {
    let options = ServerOptions::default().drain_timeout(Duration::from_millis(100));
    let mut server = Server::start_with(|options| options, options, LOOPBACK).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /functions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    timeout(PATIENCE, server.stop()).await.unwrap();
}

#[tokio::test]
async fn a_run_whose_client_goes_away_is_finished_and_recorded() {
    let server = Server::start().await;
    let id = server.function("slow", "sleep", Some("case.handler")).await;
    let body = json!({"id": id, "event": {"ms": 300}}).to_string();
    let request = format!(
        "POST /functions/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // Cut off in the head, in the body, and at several points of the run.
    let cuts = [1, 40, request.len() - 5, request.len()];
    for cut in cuts {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&request.as_bytes()[..cut]).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = server.call("GET", "/metrics").operator().send().await.ok();
        let items = page["items"].as_array().unwrap();
        if !items.is_empty() {
            assert_eq!(items.len(), 1, "only the whole request ran");
            assert_eq!(items[0]["status"], "success");
            break;
        }
        assert!(Instant::now() < deadline, "the run was not recorded");
        sleep(Duration::from_millis(20)).await;
    }
    let outcome = server
        .execute(&json!({"id": id, "event": {"ms": 1}}))
        .await
        .ok();
    assert_eq!(outcome["start"], "warm", "its sandbox came back");
}
