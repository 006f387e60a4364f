//! A runtime without containers: its sandboxes are tasks that speak the real protocol.
//!
//! It passes the same suite as the real ones, so that everything above can be tested on any
//! machine. A function's code is `fake:` and the name of a case out of images/cases, which
//! the task acts out; further lines are left alone.

mod process;
mod sandbox;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{CreateSandbox, Finding, Runtime, RuntimeCapability, Sandbox};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{FunctionConfig, OwnerId, RuntimeName, SandboxId};

use sandbox::FakeSandbox;

/// A runtime that acts sandboxes out. Clones share their sandboxes.
#[derive(Debug, Clone)]
pub struct FakeRuntime(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: RuntimeName,
    live: Mutex<HashMap<SandboxId, OwnerId>>,
    created: AtomicU64,
    unavailable: AtomicBool,
    boot: Duration,
}

impl FakeRuntime {
    /// A runtime that goes by `name`, whose sandboxes boot at once.
    #[must_use]
    pub fn new(name: RuntimeName) -> Self {
        Self::with_boot_time(name, Duration::ZERO)
    }

    /// A runtime whose sandboxes take `boot` to be created.
    #[must_use]
    pub fn with_boot_time(name: RuntimeName, boot: Duration) -> Self {
        Self(Arc::new(Shared {
            name,
            live: Mutex::default(),
            created: AtomicU64::new(0),
            unavailable: AtomicBool::new(false),
            boot,
        }))
    }

    /// How many sandboxes there are now.
    #[must_use]
    pub fn live(&self) -> usize {
        self.0.live().len()
    }

    /// How many sandboxes have ever been created.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.0.created.load(Ordering::Relaxed)
    }

    /// Kills every sandbox, as a fault of the machine would.
    pub fn kill_all(&self) {
        self.0.live().clear();
    }

    /// Whether creating and removing fail from now on.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.0.unavailable.store(unavailable, Ordering::Relaxed);
    }
}

impl Shared {
    fn live(&self) -> MutexGuard<'_, HashMap<SandboxId, OwnerId>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn available(&self, operation: &'static str) -> Result<()> {
        if !self.unavailable.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::RuntimeUnavailable,
            operation,
            "The fake runtime is told to be unavailable.",
        ))
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn name(&self) -> RuntimeName {
        self.0.name.clone()
    }

    fn capability(&self) -> RuntimeCapability {
        RuntimeCapability {
            network: false,
            limits: true,
            untrusted_tenants: self.0.name == RuntimeName::gvisor(),
        }
    }

    async fn check(&self, _thorough: bool) -> Vec<Finding> {
        vec![Finding::ok(
            format!("{} runtime", self.0.name),
            "is a fake, and always there",
        )]
    }

    fn accepts(&self, config: &FunctionConfig) -> Result<()> {
        if config.network != "none" {
            return Err(Error::invalid(
                "function_validate",
                "The fake runtime has no `network`.",
            ));
        }
        if config.image.is_some() {
            return Err(Error::invalid(
                "function_validate",
                "The fake runtime has no `image`.",
            ));
        }
        Ok(())
    }

    async fn create(&self, request: CreateSandbox) -> Result<Arc<dyn Sandbox>> {
        if request.image.is_some() || request.network != "none" {
            return Err(Error::invalid(
                "sandbox_create",
                "The fake runtime has no images and no networks.",
            ));
        }
        tokio::time::sleep(self.0.boot).await;
        self.0.available("sandbox_create")?;
        self.0.created.fetch_add(1, Ordering::Relaxed);
        self.0.live().insert(request.id, request.owner);
        Ok(Arc::new(
            FakeSandbox::boot(Arc::clone(&self.0), request).await?,
        ))
    }

    async fn owners(&self) -> Result<Vec<OwnerId>> {
        let mut owners: Vec<_> = self.0.live().values().copied().collect();
        owners.sort_unstable();
        owners.dedup();
        Ok(owners)
    }

    async fn remove_owned(&self, owner: OwnerId) -> Result<usize> {
        self.0.available("remove_owned")?;
        let mut live = self.0.live();
        let before = live.len();
        live.retain(|_, other| *other != owner);
        Ok(before - live.len())
    }
}
