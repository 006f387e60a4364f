//! A sandbox at work.

use std::future::Future;
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::Mutex;

use super::body::{Custody, Stage, Vitals};
use super::cgroup::Cgroup;
use super::exchange::Exchange;
use super::output::OutputPipes;
use super::stream::SandboxStream;
use crate::error::{Error, Result};
use crate::model::{SandboxId, Termination};
use crate::output::OutputCapture;
use crate::protocol::Session;
use crate::runtime::{InitializeSandbox, InvokeSandbox, Sandbox, SandboxEnd, SandboxReply};

/// How long [`Sandbox::destroy`] waits for the proof of death.
const DEATH_TIMEOUT: Duration = Duration::from_millis(900);

/// How long [`Sandbox::ended`] waits for Docker's word.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// How long Docker may take to say whether a sandbox lacked memory. Longer than for its end: it is
/// asked where the host was too busy for its cgroup to be read in time.
const OOM_TIMEOUT: Duration = Duration::from_secs(5);

/// Docker hears of the end and of its reason by two events: after a kill the reason may come a
/// little later, so it is looked for this often, this far apart.
const OOM_LOOKS: u32 = 10;
const OOM_LOOK_PAUSE: Duration = Duration::from_millis(30);

/// docker-init reports a child's death by signal n as the exit code 128 + n.
const SIGNAL_BASE: i64 = 128;
const SIGNAL_MAX: i64 = 64;

/// What the cgroup tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OomKill {
    Yes,
    No,
    /// It is gone, or cannot be read.
    Unknown,
}

#[derive(Debug)]
pub(crate) struct ContainerSandbox {
    id: SandboxId,
    body: Custody,
    session: Mutex<Session<SandboxStream>>,
    /// The session's connection, to look at it while the session is in use.
    connection: Arc<UnixStream>,
    pipes: OutputPipes,
    is_oom_killed: AtomicBool,
    /// The latest figure: the cgroup does not outlive the sandbox.
    peak_bytes: AtomicU64,
    memory_limit_bytes: u64,
}

impl ContainerSandbox {
    /// A booted sandbox. `body` has its vitals.
    pub(crate) fn new(
        id: SandboxId,
        body: Custody,
        session: Session<SandboxStream>,
        connection: Arc<UnixStream>,
        pipes: OutputPipes,
        memory_mib: u32,
    ) -> Self {
        let sandbox = Self {
            id,
            body,
            session: Mutex::new(session),
            connection,
            pipes,
            is_oom_killed: AtomicBool::new(false),
            peak_bytes: AtomicU64::new(0),
            memory_limit_bytes: u64::from(memory_mib) << 20,
        };
        // So that there is a figure however fast it dies.
        sandbox.sample_peak();
        sandbox
    }

    async fn exchange(
        &self,
        output: &OutputCapture,
        // Where it is: each hand that it went through by value would add its size to the task.
        work: Pin<&mut impl Future<Output = Result<SandboxReply>>>,
    ) -> Result<SandboxReply> {
        let exchange = Exchange::begin();
        let reply = self.pipes.read_during(output, work).await;
        drop(exchange);
        // First: the cgroup of a sandbox that has died is gone some milliseconds later.
        let kill = self.oom_kill();
        let is_sampled =
            (kill != OomKill::No || matches!(reply, Ok(SandboxReply::Ended))) && self.sample_peak();
        // The function wrote all of it before it replied.
        self.pipes.drain(output);
        let is_oom_killed = match (kill, &reply) {
            (OomKill::Yes, _) => true,
            (OomKill::Unknown, Ok(SandboxReply::Ended)) => Box::pin(self.docker_saw_oom()).await,
            _ => false,
        };
        if !is_oom_killed {
            return reply;
        }
        if !is_sampled {
            // The cgroup has gone already, but it was its limit that was reached.
            self.peak_bytes
                .fetch_max(self.memory_limit_bytes, Ordering::Relaxed);
        }
        Ok(SandboxReply::OutOfMemory)
    }

    fn cgroup(&self) -> Option<&Cgroup> {
        self.vitals()?.cgroup.as_ref()
    }

    fn vitals(&self) -> Option<&Vitals> {
        self.body.vitals.get()
    }

    /// Whether there was a kill for want of memory. The kernel counts it before it kills, so
    /// what made a connection close is counted by then.
    fn oom_kill(&self) -> OomKill {
        match self.cgroup().and_then(Cgroup::oom_kills) {
            // Every reply is looked at, and the first kill is the end: so it is a new one.
            Some(kills) if kills > 0 => {
                self.is_oom_killed.store(true, Ordering::Relaxed);
                OomKill::Yes
            }
            Some(_) => OomKill::No,
            None => OomKill::Unknown,
        }
    }

    /// Docker's word on it, where the cgroup was gone before it could be read (the host is
    /// overloaded) or cannot be read at all. Docker knows it once it knows of the death.
    async fn docker_saw_oom(&self) -> bool {
        let engine = &self.body.engine;
        let asking = async {
            let code = engine.wait(&self.body.name).await?;
            // Not only where the code says SIGKILL: in gVisor it is 1.
            let mut looks = if code == Some(0) { 1 } else { OOM_LOOKS };
            loop {
                let container = engine.inspect(&self.body.name).await?;
                looks -= 1;
                let is_oom_killed = container.state.and_then(|state| state.oom_killed);
                if is_oom_killed == Some(true) || looks == 0 {
                    return Ok::<_, Error>(is_oom_killed);
                }
                tokio::time::sleep(OOM_LOOK_PAUSE).await;
            }
        };
        let is_oom_killed = match tokio::time::timeout(OOM_TIMEOUT, asking).await {
            Ok(Ok(is_oom_killed)) => is_oom_killed,
            Ok(Err(error)) => {
                tracing::warn!(?error, "Docker cannot say whether a sandbox lacked memory");
                None
            }
            Err(_) => None,
        };
        let is_oom_killed = is_oom_killed == Some(true);
        self.is_oom_killed
            .fetch_or(is_oom_killed, Ordering::Relaxed);
        is_oom_killed
    }

    /// False: it cannot be read, or not any more.
    fn sample_peak(&self) -> bool {
        let Some(bytes) = self.cgroup().and_then(Cgroup::memory_peak_bytes) else {
            return false;
        };
        self.peak_bytes.fetch_max(bytes, Ordering::Relaxed);
        true
    }
}

#[async_trait]
impl Sandbox for ContainerSandbox {
    fn id(&self) -> SandboxId {
        self.id
    }

    fn is_alive(&self) -> bool {
        let Some(vitals) = self.vitals() else {
            return false;
        };
        // The process's end makes its pidfd readable. Of the connection only its closing
        // counts: a request that is waiting there is a sign of life.
        let mut fds = [
            PollFd::new(vitals.process.fd(), PollFlags::IN),
            PollFd::new(&*self.connection, PollFlags::RDHUP),
        ];
        poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready == 0)
            && *self.body.stage.borrow() == Stage::Alive
    }

    async fn initialize(
        &self,
        request: InitializeSandbox,
        output: &OutputCapture,
    ) -> Result<SandboxReply> {
        let mut session = self.session.lock().await;
        let initialize = pin!(session.initialize(&request));
        self.exchange(output, initialize).await
    }

    async fn invoke(&self, request: InvokeSandbox, output: &OutputCapture) -> Result<SandboxReply> {
        let mut session = self.session.lock().await;
        let invoke = pin!(session.invoke(&request));
        self.exchange(output, invoke).await
    }

    async fn memory_peak_mib(&self) -> Option<u32> {
        self.sample_peak();
        match self.peak_bytes.load(Ordering::Relaxed) {
            0 => None,
            bytes => u32::try_from(bytes.div_ceil(1 << 20)).ok(),
        }
    }

    fn cpu_time(&self) -> Option<Duration> {
        self.cgroup()?.cpu_time()
    }

    async fn freeze(&self) -> bool {
        self.body.0.freeze().await
    }

    async fn thaw(&self) -> bool {
        self.body.thaw().await
    }

    async fn ended(&self) -> SandboxEnd {
        if self.is_oom_killed.load(Ordering::Relaxed) || self.oom_kill() == OomKill::Yes {
            return SandboxEnd::OutOfMemory;
        }
        let waiting = self.body.engine.wait(&self.body.name);
        match tokio::time::timeout(END_TIMEOUT, waiting).await {
            Ok(Ok(Some(code))) => end_of(code),
            Ok(Ok(None)) | Err(_) => SandboxEnd::Unknown,
            Ok(Err(error)) => {
                tracing::warn!(?error, "Docker cannot say why a sandbox ended");
                SandboxEnd::Unknown
            }
        }
    }

    fn drain(&self, output: &OutputCapture) {
        self.pipes.drain(output);
    }

    async fn destroy(&self) -> Termination {
        self.sample_peak();
        self.body.terminate();
        let dead = self.body.reached(Stage::Dead);
        match tokio::time::timeout(DEATH_TIMEOUT, dead).await {
            Ok(()) => Termination::Confirmed,
            Err(_) => {
                tracing::warn!(sandbox = %self.id, "the death of a sandbox is not confirmed yet");
                Termination::Pending
            }
        }
    }

    async fn removed(&self) {
        self.body.reached(Stage::Removed).await;
    }
}

fn end_of(code: i64) -> SandboxEnd {
    let signal = code - SIGNAL_BASE;
    match (i32::try_from(code), i32::try_from(signal)) {
        (_, Ok(signal)) if (1..=SIGNAL_MAX).contains(&i64::from(signal)) => {
            SandboxEnd::Signaled(signal)
        }
        (Ok(code), _) => SandboxEnd::Exited(code),
        _ => SandboxEnd::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_of_docker_init_tell_signals_from_exits() {
        assert_eq!(end_of(0), SandboxEnd::Exited(0));
        assert_eq!(end_of(3), SandboxEnd::Exited(3));
        assert_eq!(end_of(128), SandboxEnd::Exited(128));
        assert_eq!(end_of(139), SandboxEnd::Signaled(11));
        assert_eq!(end_of(255), SandboxEnd::Exited(255));
    }
}
