//! Requests that mean harm, or make no sense: a clear refusal, never a 5xx.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use serde_json::json;
use support::{Answer, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends bytes as they are and reads what comes back until the server closes.
async fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The server may refuse before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn refusals() -> [(u16, &'static str); 2] {
    [
        (400, "InvalidParameterValueException"),
        (404, "ResourceNotFoundException"),
    ]
}

#[track_caller]
fn is_refused(answer: &Answer) {
    let code = answer.json()["error"]["code"].as_str().unwrap().to_owned();
    let pair = (answer.status.as_u16(), &*code);
    assert!(refusals().contains(&pair), "{answer:?}");
}

#[tokio::test]
async fn ids_lead_nowhere_else() {
    let server = Server::start().await;
    server.hello().await;
    let long = "x".repeat(5_000);
    for id in [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e%2f",
        "%252e%252e%252f",
        "..",
        ".",
        "%00",
        "hello%00",
        "hello%2500",
        "%ff%fe",
        "%",
        "%zz",
        "hello%20",
        "%0d%0aSet-Cookie:%20a=b",
        "hello%2f",
        "'%20OR%201=1--",
        "%27;DROP%20TABLE%20functions;--",
        "hello'--",
        "%E2%80%AEhello",
        "*",
        "00000000-0000-0000-0000-000000000000",
        "{function}",
        &long,
    ] {
        for method in ["GET", "DELETE"] {
            let answer = server
                .call(method, &format!("/functions/{id}"))
                .send()
                .await;
            is_refused(&answer);
            assert!(answer.header("set-cookie").is_none());
        }
        let answer = server.put(&format!("/functions/{id}"), &json!({})).await;
        is_refused(&answer);
    }
    // Percent-encoding that was not needed names the same function.
    assert_eq!(server.get("/functions/%68ello").await.status, 200);
}

#[tokio::test]
async fn sql_stays_text() {
    let server = Server::start().await;
    server.hello().await;
    for sql in [
        "' OR '1'='1",
        "x'; DROP TABLE function; --",
        "\" OR 1=1 --",
        "1) UNION SELECT 1 --",
        "\\'",
    ] {
        is_refused(&server.execute(&json!({"name": sql})).await);
        is_refused(&server.execute(&json!({"id": sql})).await);
        let new = json!({"name": sql, "language": "python", "code": "fake:args"});
        is_refused(&server.post("/functions", &new).await);
        let answer = server.call("GET", "/functions").token(sql).send().await;
        answer.refused(401, "UnrecognizedClientException");
        // As text it is kept as it is.
        let described = server
            .put("/functions/hello", &json!({"description": sql}))
            .await
            .ok();
        assert_eq!(described["description"], sql);
    }
}

#[tokio::test]
async fn bodies_that_are_not_one_json_object_are_refused() {
    let server = Server::start().await;
    server.hello().await;
    let deep = "[".repeat(100_000);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "InvalidRequestContentException"),
        (b"null".to_vec(), "InvalidRequestContentException"),
        (b"[\"hello\"]".to_vec(), "InvalidRequestContentException"),
        (b"\"hello\"".to_vec(), "InvalidRequestContentException"),
        (
            b"{\"name\":\"hello\"".to_vec(),
            "InvalidRequestContentException",
        ),
        (
            b"{\"name\":\"hello\"}{}".to_vec(),
            "InvalidRequestContentException",
        ),
        (
            b"{name:\"hello\"}".to_vec(),
            "InvalidRequestContentException",
        ),
        (
            b"{\"name\":\"hel\xfflo\"}".to_vec(),
            "InvalidRequestContentException",
        ),
        (
            b"\xef\xbb\xbf{\"name\":\"hello\"}".to_vec(),
            "InvalidRequestContentException",
        ),
        (
            b"{\"name\":\"hello\",\"event\":NaN}".to_vec(),
            "InvalidRequestContentException",
        ),
        (
            b"{\"name\":\"hello\",\"event\":01}".to_vec(),
            "InvalidRequestContentException",
        ),
        (
            b"{\"name\":\"hello\",\"name\":\"hello\"}".to_vec(),
            "InvalidParameterValueException",
        ),
        (
            b"{\"name\":\"hello\",\"args\":[],\"args\":[]}".to_vec(),
            "InvalidParameterValueException",
        ),
        (
            format!("{{\"x\":{deep}").into(),
            "InvalidParameterValueException",
        ),
        (
            format!("{{\"name\":{deep}").into(),
            "InvalidParameterValueException",
        ),
        (
            format!("{{\"name\":\"hello\",\"args\":{deep}").into(),
            "InvalidParameterValueException",
        ),
        (
            format!("{{\"name\":\"hello\",\"event\":{deep}").into(),
            "InvalidRequestContentException",
        ),
    ];
    for (body, code) in cases {
        let shown = String::from_utf8_lossy(&body)
            .chars()
            .take(60)
            .collect::<String>();
        let answer = server
            .call("POST", "/functions/execute")
            .text(body)
            .send()
            .await;
        assert_eq!(answer.json()["error"]["code"], code, "{shown}");
        let message = answer.refused(400, code);
        assert!(message.len() < 1_000, "{message}");
    }
    let twice =
        "{\"name\":\"f\",\"language\":\"python\",\"code\":\"\",\"env\":{\"A\":\"1\",\"A\":\"2\"}}";
    let answer = server.call("POST", "/functions").text(twice).send().await;
    let message = answer.refused(400, "InvalidParameterValueException");
    assert!(message.contains("\"A\" twice"), "{message}");
}

#[tokio::test]
async fn only_json_that_says_so_is_read() {
    let server = Server::start().await;
    server.hello().await;
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "multipart/form-data; boundary=x"),
        ("content-type", "application/jsonx"),
        ("content-type", "text/plain;application/json"),
        ("content-encoding", "gzip"),
    ] {
        for (method, path) in [
            ("POST", "/functions/execute"),
            ("POST", "/functions"),
            ("PUT", "/functions/hello"),
        ] {
            let is_upload = path != "/functions/execute" && value.starts_with("multipart/");
            if is_upload {
                continue;
            }
            let call = server.call(method, path).json(&json!({"name": "hello"}));
            let answer = call.header(name, value).send().await;
            answer.refused(415, "UnsupportedMediaTypeException");
        }
    }
    let call = server
        .call("POST", "/functions/execute")
        .json(&json!({"name": "hello"}));
    let answer = call
        .header("content-type", "Application/JSON; charset=UTF-8")
        .send()
        .await;
    assert_eq!(answer.status, 200);
    let call = server.call("POST", "/functions/execute");
    call.send()
        .await
        .refused(415, "UnsupportedMediaTypeException");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told() {
    let server = Server::start().await;
    for path in [
        "/nothing",
        "/functions/",
        "/functions/a/b",
        "/metrics/",
        "/assets/../health",
        "//",
        "/functions//",
    ] {
        let answer = raw(
            &server,
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .as_bytes(),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path} {answer}");
        assert!(answer.contains("UnknownOperationException"), "{answer}");
    }
    for (method, path, allow) in [
        ("DELETE", "/functions", "GET, HEAD, POST"),
        ("GET", "/functions/execute", "POST"),
        ("POST", "/functions/hello", "GET, HEAD, PUT, DELETE"),
        ("PATCH", "/functions/hello", "GET, HEAD, PUT, DELETE"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
    ] {
        let answer = server.call(method, path).send().await;
        answer.refused(405, "MethodNotAllowedException");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        assert!(answer.header("access-control-allow-origin").is_none());
    }
    let head = server.call("HEAD", "/health").send().await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn malformed_http_ends_the_connection() {
    let server = Server::start().await;
    let huge = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "x".repeat(1_000_000)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
        "x: y\r\n".repeat(1_000)
    );
    for (request, status) in [
        (huge.as_bytes(), "431"),
        (many.as_bytes(), "431"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n\x00: b\r\n\r\n", "400"),
        (b"POST /functions HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n", "400"),
        (b"POST /functions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", ""),
    ] {
        let answer = raw(&server, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) || status.is_empty(), "{answer}");
    }
    // Neither two hosts nor none are a host of this machine.
    for hosts in ["", "host: localhost\r\nhost: evil.test\r\n"] {
        let request = format!("GET /functions HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
        let answer = raw(&server, request.as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 403") || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
    }
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_chunked_body_is_bounded_too() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /functions/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1024 * 1024));
    let (mut reader, mut writer) = stream.split();
    let send = async {
        let mut sent = 0;
        while sent < 64 && writer.write_all(chunk.as_bytes()).await.is_ok() {
            sent += 1;
        }
        sent
    };
    let mut answer = String::new();
    let (sent, _) = tokio::join!(send, reader.read_to_string(&mut answer));
    assert!(sent < 64, "the server read on");
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
}
