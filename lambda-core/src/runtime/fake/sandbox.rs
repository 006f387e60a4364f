//! The host's side of a fake sandbox.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::io::DuplexStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Shared;
use super::process::{self, Output};
use crate::error::Result;
use crate::model::{SandboxId, Termination};
use crate::output::OutputCapture;
use crate::protocol::Session;
use crate::runtime::{
    CreateSandbox, InitializeSandbox, InvokeSandbox, Sandbox, SandboxEnd, SandboxReply,
};

#[derive(Debug)]
pub(super) struct FakeSandbox {
    id: SandboxId,
    shared: Arc<Shared>,
    session: tokio::sync::Mutex<Session<DuplexStream>>,
    process: AbortHandle,
    output: Output,
    is_frozen: AtomicBool,
    end: watch::Receiver<Option<SandboxEnd>>,
}

impl FakeSandbox {
    pub(super) async fn boot(shared: Arc<Shared>, request: CreateSandbox) -> Result<Self> {
        let (host, sandbox) = tokio::io::duplex(64 * 1024);
        let (ended, end) = watch::channel(None);
        let output: Output = Arc::new(Mutex::new(None));
        let memory_mib = request.memory_mib;
        let process = tokio::spawn(process::run(
            sandbox,
            Arc::clone(&output),
            memory_mib,
            ended,
        ));
        let mut session = Session::new(host, request.id.to_string());
        session.wait_for_init().await?;
        Ok(Self {
            id: request.id,
            shared,
            session: tokio::sync::Mutex::new(session),
            process: process.abort_handle(),
            output,
            is_frozen: AtomicBool::new(false),
            end,
        })
    }

    fn direct_output(&self, output: &OutputCapture) {
        *self.output.lock().unwrap_or_else(PoisonError::into_inner) = Some(output.clone());
    }

    /// Nothing that is frozen answers.
    async fn unless_frozen(&self) {
        if self.is_frozen.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    fn out_of_memory(&self) -> bool {
        *self.end.borrow() == Some(SandboxEnd::OutOfMemory)
    }
}

#[async_trait]
impl Sandbox for FakeSandbox {
    fn id(&self) -> SandboxId {
        self.id
    }

    fn is_alive(&self) -> bool {
        !self.process.is_finished() && self.shared.live().contains_key(&self.id)
    }

    async fn initialize(
        &self,
        request: InitializeSandbox,
        output: &OutputCapture,
    ) -> Result<SandboxReply> {
        self.unless_frozen().await;
        self.direct_output(output);
        self.session.lock().await.initialize(&request).await
    }

    async fn invoke(&self, request: InvokeSandbox, output: &OutputCapture) -> Result<SandboxReply> {
        self.unless_frozen().await;
        self.direct_output(output);
        let reply = self.session.lock().await.invoke(&request).await?;
        if self.out_of_memory() {
            return Ok(SandboxReply::OutOfMemory);
        }
        Ok(reply)
    }

    async fn memory_peak_mib(&self) -> Option<u32> {
        Some(16)
    }

    async fn freeze(&self) -> bool {
        self.is_frozen.store(true, Ordering::Relaxed);
        true
    }

    async fn thaw(&self) -> bool {
        self.is_frozen.store(false, Ordering::Relaxed);
        true
    }

    async fn ended(&self) -> SandboxEnd {
        let mut end = self.end.clone();
        let ended = end.wait_for(Option::is_some).await;
        ended
            .ok()
            .and_then(|end| *end)
            .unwrap_or(SandboxEnd::Unknown)
    }

    fn drain(&self, _output: &OutputCapture) {}

    async fn destroy(&self) -> Termination {
        self.process.abort();
        self.shared.live().remove(&self.id);
        Termination::Confirmed
    }

    async fn removed(&self) {}
}

impl Drop for FakeSandbox {
    fn drop(&mut self) {
        self.process.abort();
    }
}
