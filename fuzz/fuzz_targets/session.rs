//! A whole conversation with a sandbox that says anything: a reply counts only with the id of
//! the invocation that runs.
#![no_main]

use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use lambda_core::NewFunction;
use lambda_core::model::{CodeFormat, Function, FunctionId, Namespace, RequestId};
use lambda_core::protocol::Session;
use lambda_core::runtime::{InitializeSandbox, InvokeSandbox, SandboxReply};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Gives what is in it, then says that it is closed; takes everything.
struct Scripted<'a>(&'a [u8]);

impl AsyncRead for Scripted<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let take = buffer.remaining().min(self.0.len());
        let (now, later) = self.0.split_at(take);
        buffer.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

static OWN: LazyLock<RequestId> = LazyLock::new(|| RequestId::from_bytes(*b"0123456789abcdef"));

static FUNCTION: LazyLock<Arc<Function>> = LazyLock::new(|| {
    let new = NewFunction::python("f", "x")
        .expect("a function")
        .handler("app.handler");
    Arc::new(Function::first_version(
        Namespace::default(),
        FunctionId::from_bytes([1; 16]),
        new.name,
        new.config,
        Vec::new(),
        Default::default(),
    ))
});

fuzz_target!(|data: &[u8]| {
    let own = OWN.to_string();
    let talk = async {
        let mut session = Session::new(Scripted(data), "log");
        session.wait_for_init().await.ok()?;
        let code = Some((CodeFormat::Inline, "x".into()));
        let request = InitializeSandbox::new(Arc::clone(&FUNCTION), code);
        session.initialize(&request).await.ok()?;
        let mut replies = 0;
        loop {
            let request = InvokeSandbox::new(*OWN, "{}".into(), 0, "arn".into());
            match session.invoke(&request).await.ok()? {
                SandboxReply::Response(_) | SandboxReply::Failed(_) => replies += 1,
                _ => return Some(replies),
            }
            // Whatever was accepted named this invocation, in one spelling or another.
            let text = String::from_utf8_lossy(data)
                .to_ascii_lowercase()
                .replace('-', "");
            assert!(text.matches(&own.replace('-', "")).count() >= replies);
        }
    };
    let polled = pin!(talk).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready());
});
