//! The host's side of one sandbox's connection, from boot to end.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::decode::{self, Decoder, Request, Route, ScriptEnd};
use super::encode;
use crate::error::{Error, Result};
use crate::model::FunctionError;
use crate::model::limits::RESPONSE_BYTES_MAX;
use crate::runtime::{InitializeSandbox, InvokeSandbox, SandboxReply};

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has come yet.
    Booting,
    /// `GET /lambda/v1/init` is waiting for its answer.
    Booted,
    /// The last answer is sent; `GET next` has not come yet.
    NextDue,
    /// `GET next` is waiting for its answer.
    Next,
    /// In the middle of a message, or over: no further use.
    Broken,
}

/// One sandbox's connection.
///
/// The futures of its methods are not to be dropped and then called again: what was read or
/// written so far is unknown then, and the session refuses.
#[derive(Debug)]
pub struct Session<S> {
    stream: S,
    decoder: Decoder,
    input: BytesMut,
    output: BytesMut,
    state: State,
    is_script: bool,
    log_stream_name: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// A session over the connection that the bootstrap has made. `log_stream_name` is what
    /// the function's context object says.
    pub fn new(stream: S, log_stream_name: impl Into<String>) -> Self {
        Self {
            stream,
            decoder: Decoder::default(),
            input: BytesMut::with_capacity(8 * 1024),
            output: BytesMut::with_capacity(1024),
            state: State::Booting,
            is_script: false,
            log_stream_name: log_stream_name.into(),
        }
    }

    /// Waits until the language is booted: until the bootstrap asks for code.
    ///
    /// # Errors
    /// `Internal` if the connection closed or something else came.
    pub async fn wait_for_init(&mut self) -> Result<()> {
        self.enter(&[State::Booting])?;
        match self.receive().await? {
            Some(Request {
                route: Route::InitNext,
                ..
            }) => {
                self.state = State::Booted;
                Ok(())
            }
            Some(_) => Err(out_of_order()),
            None => Err(Error::internal(
                "sandbox_boot",
                "The sandbox closed its connection while it booted.",
            )),
        }
    }

    /// Sends code and configuration: `Ready`, `Failed` or `Ended`.
    ///
    /// # Errors
    /// `Internal` if the sandbox broke the protocol.
    pub async fn initialize(&mut self, request: &InitializeSandbox) -> Result<SandboxReply> {
        self.enter(&[State::Booted])?;
        self.is_script = request.function.config.handler.is_none();
        encode::init(
            &mut self.output,
            request,
            std::mem::take(&mut self.log_stream_name),
        )?;
        if !self.send().await? {
            return Ok(SandboxReply::Ended);
        }
        match self.receive().await? {
            Some(Request {
                route: Route::InvocationNext,
                ..
            }) => {
                self.state = State::Next;
                Ok(SandboxReply::Ready)
            }
            Some(Request {
                route: Route::InitError,
                body,
            }) => {
                encode::accepted(&mut self.output);
                self.send().await?;
                Ok(SandboxReply::Failed(decode::parse_error_report(
                    &body.unwrap_or_default(),
                )))
            }
            Some(_) => Err(out_of_order()),
            None => Ok(SandboxReply::Ended),
        }
    }

    /// Hands over an event: `Response`, `Exited`, `Signaled`, `Failed` or `Ended`.
    ///
    /// # Errors
    /// `Internal` if the sandbox broke the protocol.
    pub async fn invoke(&mut self, request: &InvokeSandbox) -> Result<SandboxReply> {
        let state = self.enter(&[State::Next, State::NextDue])?;
        if state == State::NextDue {
            match self.receive().await? {
                Some(request) if request.route == Route::InvocationNext => {}
                Some(_) => return Err(out_of_order()),
                None => return Ok(SandboxReply::Ended),
            }
        }
        encode::event(&mut self.output, request);
        if !self.send().await? {
            return Ok(SandboxReply::Ended);
        }
        let Some(answer) = self.receive().await? else {
            return Ok(SandboxReply::Ended);
        };
        let reply = match answer.route {
            Route::InvocationResponse(id) if id == request.request_id => {
                self.response(answer.body)?
            }
            Route::InvocationError(id) if id == request.request_id => {
                encode::accepted(&mut self.output);
                SandboxReply::Failed(decode::parse_error_report(&answer.body.unwrap_or_default()))
            }
            _ => return Err(out_of_order()),
        };
        // Our bootstrap sends its next request along, and need not be woken for the answer
        // to this one; others wait for it.
        match self.decoder.decode(&mut self.input)? {
            Some(next) if next.route == Route::InvocationNext => self.state = State::Next,
            Some(_) => return Err(out_of_order()),
            None => {
                // A sandbox that is gone by now shows at its next use.
                self.send().await?;
                self.state = State::NextDue;
            }
        }
        Ok(reply)
    }

    fn response(&mut self, body: Option<Bytes>) -> Result<SandboxReply> {
        let Some(body) = body else {
            encode::too_large(&mut self.output);
            return Ok(SandboxReply::Failed(FunctionError::new(
                "Function.ResponseSizeTooLarge",
                format!(
                    "Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."
                ),
            )));
        };
        encode::accepted(&mut self.output);
        if self.is_script {
            return Ok(match decode::parse_script_end(&body)? {
                ScriptEnd::ExitCode(code) => SandboxReply::Exited(code),
                ScriptEnd::Signal(signal) => SandboxReply::Signaled(signal),
            });
        }
        // Read once, so that callers may splice it into their own JSON.
        match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
            Ok(_) => Ok(SandboxReply::Response(body)),
            Err(error) => Ok(SandboxReply::Failed(FunctionError::new(
                "Runtime.MarshalError",
                format!("The function's result is not JSON: {error}"),
            ))),
        }
    }

    /// Marks the session broken until its method has come to an end, so that a dropped
    /// future leaves it so.
    fn enter(&mut self, expected: &[State]) -> Result<State> {
        let state = std::mem::replace(&mut self.state, State::Broken);
        if expected.contains(&state) {
            return Ok(state);
        }
        Err(Error::internal(
            "sandbox_session",
            "The sandbox is not in a state to be used like this.",
        ))
    }

    /// Sends what is in `output`; false if the sandbox is gone.
    async fn send(&mut self) -> Result<bool> {
        let sent = self.stream.write_all_buf(&mut self.output).await;
        self.output.clear();
        alive(sent).map(|sent| sent.is_some())
    }

    /// The next request; none if the sandbox is gone.
    async fn receive(&mut self) -> Result<Option<Request>> {
        loop {
            if let Some(request) = self.decoder.decode(&mut self.input)? {
                return Ok(Some(request));
            }
            self.input.reserve(self.decoder.room_bytes());
            match alive(self.stream.read_buf(&mut self.input).await)? {
                None | Some(0) => return Ok(None),
                Some(_) => {}
            }
        }
    }
}

/// A connection that was closed on us is an end, not an error.
fn alive<T>(result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::WriteZero
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(
            Error::internal("sandbox_session", "The sandbox's connection failed.").source(error),
        ),
    }
}

fn out_of_order() -> Error {
    Error::internal(
        "sandbox_session",
        "The sandbox sent a message that is not due, or another invocation's reply.",
    )
}
