//! The host keeps to the exchanges that the bootstraps' tests read, too.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::Session;
use crate::model::{
    CodeFormat, Function, FunctionConfig, FunctionId, FunctionName, Language, Namespace,
};
use crate::runtime::{InitializeSandbox, InvokeSandbox, SandboxReply};

struct Message {
    from_host: bool,
    head: Vec<String>,
    body: Vec<u8>,
}

impl Message {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.join("\r\n").into_bytes();
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.iter().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn is_accepted(&self) -> bool {
        self.head[0] == "HTTP/1.1 202 Accepted"
    }
}

fn read(path: &Path) -> (Language, Vec<Message>) {
    let text = std::fs::read_to_string(path).unwrap();
    let fixture: Value = serde_json::from_str(&text).unwrap();
    let language = match fixture["language"].as_str() {
        Some("javascript") => Language::Javascript,
        _ => Language::Python,
    };
    let messages = fixture["exchange"].as_array().unwrap();
    let message = |message: &Value| Message {
        from_host: message["from"] == "host",
        head: serde_json::from_value(message["head"].clone()).unwrap(),
        body: match message.get("body_base64") {
            Some(text) => decode_base64(text.as_str().unwrap()),
            None => message["body"].as_str().unwrap().as_bytes().to_vec(),
        },
    };
    (language, messages.iter().map(message).collect())
}

/// Enough of base64 for fixtures; the crate itself has no need of it.
fn decode_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = ALPHABET.iter().position(|letter| *letter == byte).unwrap();
        bits = (bits << 6 | u32::try_from(value).unwrap()) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// Plays the sandbox: sends its messages, and compares the host's byte for byte.
async fn play(mut stream: DuplexStream, messages: Vec<Message>) {
    let last = messages.len() - 1;
    for (index, message) in messages.iter().enumerate() {
        if !message.from_host {
            stream.write_all(&message.bytes()).await.unwrap();
            continue;
        }
        if index == last && message.is_accepted() && !messages[index - 1].from_host {
            // Held back until there is another event, where the next request is there.
            let posted = messages[index - 1].head[0].starts_with("POST");
            if !posted {
                return;
            }
        }
        let expected = message.bytes();
        let mut actual = vec![0; expected.len()];
        stream.read_exact(&mut actual).await.unwrap();
        assert_eq!(
            String::from_utf8_lossy(&actual),
            String::from_utf8_lossy(&expected)
        );
    }
}

fn init_request(language: Language, message: &Message) -> (InitializeSandbox, String) {
    let config_len: usize = message
        .header("Lambda-Init-Config-Length")
        .unwrap()
        .parse()
        .unwrap();
    let (config, code) = message.body.split_at(config_len);
    let config: Value = serde_json::from_slice(config).unwrap();
    let mut own = FunctionConfig::new(language);
    own.handler = config["handler"].as_str().map(str::to_owned);
    own.memory_mib = u32::try_from(config["memory_limit_mib"].as_u64().unwrap()).unwrap();
    own.env = serde_json::from_value(config["env"].clone()).unwrap();
    let mut function = Function::first_version(
        Namespace::default(),
        FunctionId::new(),
        FunctionName::new(config["function_name"].as_str().unwrap()).unwrap(),
        own,
        Vec::new(),
        jiff::Timestamp::now(),
    );
    function.version = config["function_version"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let code = match config["code"]["format"].as_str().unwrap() {
        "inline" => Some((CodeFormat::Inline, Bytes::copy_from_slice(code))),
        "zip" => Some((CodeFormat::Zip, Bytes::copy_from_slice(code))),
        _ => None,
    };
    let log_stream = config["log_stream_name"].as_str().unwrap().to_owned();
    (InitializeSandbox::new(Arc::new(function), code), log_stream)
}

fn event(message: &Message) -> Option<InvokeSandbox> {
    let id = message.header("Lambda-Runtime-Aws-Request-Id")?;
    let mut request = InvokeSandbox::new(
        id.parse().unwrap(),
        Bytes::copy_from_slice(&message.body),
        message
            .header("Lambda-Runtime-Deadline-Ms")?
            .parse()
            .unwrap(),
        message
            .header("Lambda-Runtime-Invoked-Function-Arn")?
            .into(),
    );
    request.trace_id = message.header("Lambda-Runtime-Trace-Id").map(str::to_owned);
    request.traceparent = message
        .header("Lambda-Runtime-Traceparent")
        .map(|text| text.parse().unwrap());
    Some(request)
}

/// The body that the sandbox sends for the invocation: what the host must make of it.
fn reported(messages: &[Message], request: &InvokeSandbox) -> (bool, Value) {
    let id = request.request_id.to_string();
    let post = messages
        .iter()
        .find(|message| !message.from_host && message.head[0].contains(&id))
        .unwrap();
    let body = match post.header("Transfer-Encoding") {
        None => serde_json::from_slice(&post.body).unwrap(),
        Some(_) => Value::Null,
    };
    (post.head[0].contains("/response "), body)
}

fn check_reply(reply: &SandboxReply, is_script: bool, (is_response, body): (bool, Value)) {
    match reply {
        SandboxReply::Response(bytes) => {
            assert!(is_response && !is_script);
            let actual: Value = serde_json::from_slice(bytes).unwrap();
            assert!(body.is_null() || actual == body);
        }
        SandboxReply::Exited(code) => assert_eq!(body["exit_code"], *code),
        SandboxReply::Signaled(signal) => assert_eq!(body["signal"], *signal),
        SandboxReply::Failed(error) => {
            assert!(!is_response);
            assert_eq!(body["errorType"], error.error_type);
            assert_eq!(body["errorMessage"], error.message);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_host_keeps_to_the_exchanges() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protocol/fixtures");
    let mut played = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        eprintln!("{}", path.display());
        let (language, messages) = read(&path);
        let (init, log_stream) =
            init_request(language, messages.iter().find(|m| m.from_host).unwrap());
        let (host, sandbox) = tokio::io::duplex(1024);
        let sandbox = tokio::spawn(play(sandbox, read(&path).1));
        let mut session = Session::new(host, log_stream);
        session.wait_for_init().await.unwrap();
        let is_script = init.function.config.handler.is_none();
        match session.initialize(&init).await.unwrap() {
            SandboxReply::Ready => {
                for request in messages.iter().filter_map(event) {
                    let reply = session.invoke(&request).await.unwrap();
                    check_reply(&reply, is_script, reported(&messages, &request));
                }
            }
            SandboxReply::Failed(error) => {
                let report = messages
                    .iter()
                    .find(|m| m.head[0].contains("/init/error"))
                    .unwrap();
                let report: Value = serde_json::from_slice(&report.body).unwrap();
                assert_eq!(report["errorType"], error.error_type);
            }
            other => panic!("{other:?}"),
        }
        sandbox.await.unwrap();
        played += 1;
    }
    assert!(played >= 10, "{played} exchanges");
}
