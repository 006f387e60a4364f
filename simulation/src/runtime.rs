//! A back end that makes sandboxes of the simulated machine.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lambda_core::model::{FunctionConfig, OwnerId, RuntimeName};
use lambda_core::runtime::{CreateSandbox, Finding, RuntimeCapability};
use lambda_core::{Error, ErrorKind, Result, Runtime, Sandbox};

use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::machine::Machine;
use crate::mutant::Mutant;
use crate::sandbox::SimSandbox;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct SimRuntime {
    pub(crate) machine: Machine,
    pub(crate) ledger: Ledger,
    pub(crate) life: u32,
}

/// What was begun and is not done: it is removed with it.
struct Unfinished<'a> {
    machine: &'a Machine,
    life: u32,
    serial: Option<u64>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // A dead process removes nothing.
        if let Some(serial) = self.serial
            && self.machine.world.lives(self.life)
        {
            self.machine.remove(serial);
        }
    }
}

impl SimRuntime {
    async fn step(&self, what: &'static str, about: u64) {
        if !self.machine.world.step(self.life, what, about) {
            pending::<()>().await;
        }
    }
}

#[async_trait]
impl Runtime for SimRuntime {
    fn name(&self) -> RuntimeName {
        RuntimeName::docker()
    }

    fn capability(&self) -> RuntimeCapability {
        RuntimeCapability::default()
    }

    async fn check(&self, _: bool) -> Vec<Finding> {
        Vec::new()
    }

    fn accepts(&self, _: &FunctionConfig) -> Result<()> {
        Ok(())
    }

    async fn create(&self, request: CreateSandbox) -> Result<Arc<dyn Sandbox>> {
        let world = &self.machine.world;
        let serial = self
            .machine
            .add(self.life, request.owner, request.memory_mib);
        let mut unfinished = Unfinished {
            machine: &self.machine,
            life: self.life,
            serial: Some(serial),
        };
        self.step("sandbox: create", serial).await;
        if world.strikes(Fault::CreateHangs) {
            tokio::time::sleep(request.boot_timeout).await;
            return Err(unavailable("It did not boot in time."));
        }
        tokio::time::sleep(world.millis(1, 300)).await;
        if world.weather().is_runtime_down || world.strikes(Fault::CreateFails) {
            return Err(unavailable("It cannot be created."));
        }
        if world.strikes(Fault::CreateRefused) {
            return Err(Error::invalid("sandbox_create", "There is no such image."));
        }
        self.step("sandbox: created", serial).await;
        if world.strikes(Fault::Dies) {
            let dies_at = world.now() + world.millis(0, 3_000);
            self.machine
                .with(serial, |body| body.dies_at = Some(dies_at));
        }
        unfinished.serial = None;
        let is_twin = world.has(Mutant::SandboxTwice) && world.draw(|rng| rng.percent(50));
        let other = is_twin.then(|| self.machine.another(self.life, serial));
        if let Some(Some(_)) = other {
            self.machine.remove(serial);
        }
        Ok(Arc::new(SimSandbox {
            id: request.id,
            serial: other.flatten().unwrap_or(serial),
            machine: self.machine.clone(),
            ledger: self.ledger.clone(),
            life: self.life,
        }))
    }

    async fn owners(&self) -> Result<Vec<OwnerId>> {
        Ok(Vec::new())
    }

    async fn remove_owned(&self, owner: OwnerId) -> Result<usize> {
        let world = &self.machine.world;
        self.step("sandbox: remove what the dead left", 0).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        if world.weather().is_runtime_down || world.strikes(Fault::CreateFails) {
            return Err(unavailable("It cannot be reached."));
        }
        match world.has(Mutant::DeadStay) {
            true => Ok(0),
            false => Ok(self.machine.remove_owned(owner)),
        }
    }
}

fn unavailable(why: &'static str) -> Error {
    Error::new(ErrorKind::RuntimeUnavailable, "sandbox_create", why)
}
