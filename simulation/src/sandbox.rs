//! One sandbox: what it answers, when it dies, and whether it was treated as it should be.

use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lambda_core::model::{FunctionError, SandboxId, Termination};
use lambda_core::output::OutputCapture;
use lambda_core::runtime::{InitializeSandbox, InvokeSandbox, SandboxEnd, SandboxReply};
use lambda_core::{Error, Result, Sandbox};

use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::machine::Machine;
use crate::mutant::Mutant;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct SimSandbox {
    pub(crate) id: SandboxId,
    pub(crate) serial: u64,
    pub(crate) machine: Machine,
    pub(crate) ledger: Ledger,
    pub(crate) life: u32,
}

/// The time during which it is at work, however that ends.
struct Work<'a>(&'a SimSandbox);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        let sandbox = self.0;
        sandbox
            .machine
            .with(sandbox.serial, |body| body.is_busy = false);
    }
}

impl SimSandbox {
    async fn step(&self, what: &'static str) {
        if !self.machine.world.step(self.life, what, self.serial) {
            pending::<()>().await;
        }
    }

    /// Works for a while, unless it dies before.
    async fn work(&self, takes: Duration) -> bool {
        let world = &self.machine.world;
        let dies_at = self
            .machine
            .with(self.serial, |body| body.dies_at)
            .flatten();
        let lives_for = dies_at.map(|at| at.saturating_sub(world.now()));
        tokio::time::sleep(takes.min(lives_for.unwrap_or(Duration::MAX))).await;
        let burns = takes / 2;
        self.machine.with(self.serial, |body| body.cpu += burns);
        lives_for.is_none_or(|left| left > takes)
    }

    /// What comes of a call, unless it goes well.
    async fn fail(&self) -> Option<Result<SandboxReply>> {
        let world = &self.machine.world;
        if world.strikes(Fault::NeverAnswers) {
            // Longer than any timeout.
            self.work(Duration::from_secs(600)).await;
            return Some(Ok(SandboxReply::Ended));
        }
        let takes = match world.draw(|rng| rng.percent(10)) {
            true => world.millis(1, 1_500),
            false => world.millis(0, 60),
        };
        if !self.work(takes).await {
            return Some(Ok(SandboxReply::Ended));
        }
        if world.strikes(Fault::DiesInCall) {
            self.die();
            return Some(Ok(SandboxReply::Ended));
        }
        if world.strikes(Fault::OutOfMemory) {
            return Some(Ok(SandboxReply::OutOfMemory));
        }
        if world.strikes(Fault::Breach) {
            return Some(Err(Error::internal("sandbox", "It broke the protocol.")));
        }
        None
    }

    fn die(&self) {
        let now = self.machine.world.now();
        self.machine
            .with(self.serial, |body| body.dies_at = Some(now));
    }

    /// It has answered, and may be called again.
    fn is_well(&self) {
        self.machine
            .with(self.serial, |body| body.is_spoiled = false);
    }
}

#[async_trait]
impl Sandbox for SimSandbox {
    fn id(&self) -> SandboxId {
        self.id
    }

    fn is_alive(&self) -> bool {
        let now = self.machine.world.now();
        let alive = self.machine.with(self.serial, |body| {
            !body.is_destroyed && body.dies_at.is_none_or(|at| at > now)
        });
        alive.unwrap_or(false)
    }

    async fn initialize(
        &self,
        request: InitializeSandbox,
        _: &OutputCapture,
    ) -> Result<SandboxReply> {
        let world = &self.machine.world;
        self.step("sandbox: initialize").await;
        self.machine.enter(self.serial, "load code");
        let _work = Work(self);
        let function = &request.function;
        let code = request.code.as_ref().and_then(|(_, code)| token(code));
        let code = (function.id, function.version, code.unwrap_or_default());
        let bound = world.plan().pool.function_concurrency;
        let concurrency = function.config.concurrency.unwrap_or(bound);
        self.machine.load(self.serial, code, concurrency);
        if let Some(reply) = self.fail().await {
            return reply;
        }
        self.step("sandbox: initialized").await;
        if world.strikes(Fault::LoadFails) {
            let error = FunctionError::new("SyntaxError", "It does not load.");
            return Ok(SandboxReply::Failed(error));
        }
        self.is_well();
        Ok(SandboxReply::Ready)
    }

    async fn invoke(&self, request: InvokeSandbox, _: &OutputCapture) -> Result<SandboxReply> {
        let world = &self.machine.world;
        self.step("sandbox: invoke").await;
        self.machine.enter(self.serial, "serve");
        let _work = Work(self);
        let code = self.machine.with(self.serial, |body| body.code).flatten();
        match code {
            Some((_, _, token)) => self.ledger.served(request.request_id, token),
            None => world.broken(format!("sandbox {} is to serve without code", self.serial)),
        }
        match self.fail().await {
            Some(Ok(reply)) if reply.is_final() && world.has(Mutant::ErrorHidden) => {
                let error = FunctionError::new("Error", "It says that it may serve on.");
                return Ok(SandboxReply::Failed(error));
            }
            Some(reply) => return reply,
            None => {}
        }
        self.step("sandbox: reply").await;
        self.is_well();
        if world.strikes(Fault::FunctionFails) {
            let error = FunctionError::new("ValueError", "It fails.");
            return Ok(SandboxReply::Failed(error));
        }
        let token = code.map_or(0, |(_, _, token)| token);
        Ok(SandboxReply::Response(Bytes::from(token.to_string())))
    }

    async fn memory_peak_mib(&self) -> Option<u32> {
        Some(20)
    }

    fn cpu_time(&self) -> Option<Duration> {
        self.machine.with(self.serial, |body| body.cpu)
    }

    async fn freeze(&self) -> bool {
        let world = &self.machine.world;
        self.step("sandbox: freeze").await;
        if world.strikes(Fault::FreezeFails) {
            return false;
        }
        let is_busy = self.machine.with(self.serial, |body| {
            body.is_frozen = true;
            body.is_busy
        });
        if is_busy == Some(true) {
            world.broken(format!("sandbox {} is frozen while it works", self.serial));
        }
        tokio::time::sleep(world.millis(0, 20)).await;
        true
    }

    async fn thaw(&self) -> bool {
        let world = &self.machine.world;
        self.step("sandbox: thaw").await;
        tokio::time::sleep(world.millis(0, 20)).await;
        let is_frozen = self.machine.with(self.serial, |body| body.is_frozen);
        if is_frozen == Some(true) && world.strikes(Fault::ThawFails) {
            return false;
        }
        if !world.has(Mutant::ThawLies) {
            self.machine
                .with(self.serial, |body| body.is_frozen = false);
        }
        true
    }

    async fn ended(&self) -> SandboxEnd {
        tokio::time::sleep(self.machine.world.millis(0, 500)).await;
        let choices = [
            SandboxEnd::Exited(1),
            SandboxEnd::Signaled(9),
            SandboxEnd::OutOfMemory,
            SandboxEnd::Unknown,
        ];
        self.machine.world.draw(|rng| rng.pick(&choices))
    }

    fn drain(&self, _: &OutputCapture) {}

    async fn destroy(&self) -> Termination {
        let world = &self.machine.world;
        self.step("sandbox: destroy").await;
        if world.has(Mutant::DestroyHangs) {
            pending::<()>().await;
        }
        let is_slow = world.strikes(Fault::RemovalSlow);
        let takes = match is_slow {
            true => world.millis(1_000, 8_000),
            false => world.millis(0, 100),
        };
        let gone_at = world.now() + takes;
        self.machine.with(self.serial, |body| {
            if !std::mem::replace(&mut body.is_destroyed, true) && !world.has(Mutant::RemovalLies) {
                body.gone_at = Some(gone_at);
            }
        });
        if world.strikes(Fault::DeathPends) {
            tokio::time::sleep(Duration::from_millis(900)).await;
            return Termination::Pending;
        }
        tokio::time::sleep(world.millis(0, 10)).await;
        Termination::Confirmed
    }

    async fn removed(&self) {
        let world = &self.machine.world;
        let gone_at = self
            .machine
            .with(self.serial, |body| body.gone_at)
            .flatten();
        if let Some(gone_at) = gone_at {
            tokio::time::sleep(gone_at.saturating_sub(world.now())).await;
        }
    }
}

/// The number that is the code of a simulated function.
fn token(code: &[u8]) -> Option<u64> {
    std::str::from_utf8(code).ok()?.parse().ok()
}
