//! The example `shop` as it is, over an acted sandbox: its own routes and the mounted ones.

#[allow(dead_code)] // Its `main` opens gVisor.
#[path = "../src/bin/shop.rs"]
mod shop;

use std::sync::Arc;

use lambda_http::ServerOptions;
use lambda_store::Platform;
use lambda_store::model::RuntimeName;
use lambda_store::runtime::fake::FakeRuntime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

#[tokio::test]
async fn customers_hooks_price_orders_and_staff_see_the_figures() {
    let data_dir = tempfile::tempdir().expect("a directory");
    let platform = Platform::builder()
        .data_dir(data_dir.path())
        .runtime(Arc::new(FakeRuntime::new(RuntimeName::docker())))
        .build()
        .await
        .expect("a platform");
    let shop = shop::shop(platform.clone(), RuntimeName::docker(), "secret").expect("routes");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let stopped = async { stopped.await.unwrap_or_default() };
        lambda_http::serve(listener, shop, ServerOptions::default(), stopped).await;
    });
    let ask = async |head: &str, body: &str| ask(&address, head, body).await;

    assert!(
        ask("POST /orders/alice", r#"{"items": 2}"#)
            .await
            .contains("404")
    );
    assert!(ask("PUT /hooks/a.b", "fake:echo").await.contains("400"));
    assert!(
        ask("PUT /hooks/alice", "fake:echo")
            .await
            .ends_with(r#"{"version":1}"#)
    );
    let priced = ask("POST /orders/alice", r#"{"items": 2}"#).await;
    assert!(priced.ends_with(r#"{"price":{"items":2}}"#), "{priced}");
    ask("PUT /hooks/bob", "fake:raise").await;
    let failed = ask("POST /orders/bob", r#"{"message": "no"}"#).await;
    assert!(
        failed.ends_with(r#"{"error":"no","status":"function_error"}"#),
        "{failed}"
    );

    let refused = ask("GET /lambda/functions", "").await;
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    let list = ask("GET /lambda/functions\nauthorization: Bearer secret", "").await;
    assert!(
        list.starts_with("HTTP/1.1 200") && list.contains("alice"),
        "{list}"
    );

    drop(stop);
    server.await.expect("it ends");
    platform.close().await;
}

/// The answer to one request: `head` is the method, the path, and further headers.
async fn ask(address: &str, head: &str, body: &str) -> String {
    let (line, headers) = head.split_once('\n').unwrap_or((head, "x: y"));
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}
