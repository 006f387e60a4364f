//! Ten thousand forged frames: a reply counts only with the id of the invocation that runs
//! (threat 16).

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use jiff::Timestamp;
use lambda_core::model::{
    CodeFormat, Function, FunctionConfig, FunctionId, FunctionName, Language, Namespace, RequestId,
};
use lambda_core::protocol::Session;
use lambda_core::runtime::{InitializeSandbox, InvokeSandbox, SandboxReply};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const FRAMES: u64 = 10_000;

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n";

fn function() -> Arc<Function> {
    let mut config = FunctionConfig::new(Language::Python);
    config.handler = Some("app.handler".to_owned());
    Arc::new(Function::first_version(
        Namespace::default(),
        FunctionId::new(),
        FunctionName::new("f").unwrap(),
        config,
        Vec::new(),
        Timestamp::now(),
    ))
}

/// A session that waits for the reply of `own`, and the sandbox's end of it.
async fn session() -> (Session<DuplexStream>, DuplexStream) {
    let (host, mut sandbox) = tokio::io::duplex(1 << 16);
    sandbox
        .write_all(format!("GET /lambda/v1/init HTTP/1.1\r\n\r\n{NEXT}").as_bytes())
        .await
        .unwrap();
    let mut session = Session::new(host, "log");
    session.wait_for_init().await.unwrap();
    let request = InitializeSandbox::new(function(), Some((CodeFormat::Inline, "x".into())));
    let ready = session.initialize(&request).await.unwrap();
    assert_eq!(ready, SandboxReply::Ready);
    (session, sandbox)
}

/// A reply with an id that is nearly, or not at all, or in other words `own`.
fn forged_id(own: RequestId, dice: &mut StdRng) -> String {
    let own = own.to_string();
    match dice.random_range(0..8) {
        0 => RequestId::new().to_string(),
        1 => {
            let at = dice.random_range(0..own.len());
            let other = b"0123456789abcdef-"[dice.random_range(0..17)] as char;
            own.chars()
                .enumerate()
                .map(|(n, c)| if n == at { other } else { c })
                .collect()
        }
        2 => own[..dice.random_range(0..own.len())].to_owned(),
        3 => format!("{own}{}", dice.random_range(0..10)),
        4 => own.replace('-', "%2d"),
        5 => format!("../invocation/{own}"),
        6 => own.chars().rev().collect(),
        _ => own,
    }
}

fn frame(id: &str, dice: &mut StdRng) -> Vec<u8> {
    let body = "\"forged\"";
    let what = ["response", "error", "respons", "response/", "next", ""][dice.random_range(0..6)];
    let method = ["POST", "POST", "POST", "PUT", "GET", "post"][dice.random_range(0..6)];
    let length = match dice.random_range(0..6) {
        0 => "Content-Length: 9999999999999999999".to_owned(),
        1 => format!(
            "Content-Length: {0}\r\nTransfer-Encoding: chunked",
            body.len()
        ),
        2 => format!("content-length:{}", body.len()),
        _ => format!("Content-Length: {}", body.len()),
    };
    let mut frame =
        format!("{method} /2018-06-01/runtime/invocation/{id}/{what} HTTP/1.1\r\n{length}\r\n\r\n{body}{NEXT}")
            .into_bytes();
    // Some are damaged as well.
    for _ in 0..dice.random_range(0..3_usize).saturating_sub(1) {
        let at = dice.random_range(0..frame.len());
        frame[at] = dice.random();
    }
    frame
}

/// The id that a frame's first line names, read as leniently as ids are anywhere.
fn named_id(frame: &[u8]) -> Option<RequestId> {
    let line = frame.split(|byte| *byte == b'\n').next()?;
    let path = std::str::from_utf8(line).ok()?.split(' ').nth(1)?;
    let rest = path.strip_prefix("/2018-06-01/runtime/invocation/")?;
    rest.split('/').next()?.parse().ok()
}

#[tokio::test]
async fn a_reply_counts_only_with_the_id_of_the_invocation_that_runs() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..FRAMES {
        let mut dice = StdRng::seed_from_u64(seed);
        let (mut session, mut sandbox) = session().await;
        let own = RequestId::new();
        let frame = frame(&forged_id(own, &mut dice), &mut dice);
        sandbox.write_all(&frame).await.unwrap();
        // Then the sandbox ends, so that nobody waits for the rest of a frame.
        sandbox.shutdown().await.unwrap();
        let request = InvokeSandbox::new(own, "{}".into(), 0, "arn".into());
        let reply = session.invoke(&request).await;
        match reply {
            Ok(SandboxReply::Response(_) | SandboxReply::Failed(_)) => {
                let named = named_id(&frame);
                let shown = String::from_utf8_lossy(&frame);
                assert_eq!(named, Some(own), "seed {seed}: accepted: {shown}");
                accepted += 1;
            }
            Ok(SandboxReply::Ended) | Err(_) => refused += 1,
            Ok(other) => panic!("seed {seed}: {other:?}"),
        }
        drop(session);
        let mut said = Vec::new();
        sandbox.read_to_end(&mut said).await.unwrap();
    }
    println!("{accepted} were its own, {refused} were refused");
    assert!(accepted > 100 && refused > 5_000);
}
