//! Sandboxes that the back end freezes and cannot thaw.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{FunctionConfig, FunctionId, Namespace, OwnerId, RuntimeName, SandboxId};
use crate::model::{Language, Termination};
use crate::output::OutputCapture;
use crate::pool::{CodeLoader, Pool, PoolKey, PoolOptions, PoolRequest, SandboxClass};
use crate::runtime::{
    CreateSandbox, Finding, InitializeSandbox, InvokeSandbox, Runtime, RuntimeCapability, Sandbox,
    SandboxEnd, SandboxReply,
};

/// Makes sandboxes that stay frozen.
#[derive(Debug, Default)]
struct Ice {
    destroyed: Arc<AtomicU32>,
    frozen: Arc<AtomicU32>,
}

#[derive(Debug)]
struct Block {
    id: SandboxId,
    destroyed: Arc<AtomicU32>,
    frozen: Arc<AtomicU32>,
}

#[async_trait]
impl Runtime for Ice {
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
        Ok(Arc::new(Block {
            id: request.id,
            destroyed: Arc::clone(&self.destroyed),
            frozen: Arc::clone(&self.frozen),
        }))
    }
    async fn owners(&self) -> Result<Vec<OwnerId>> {
        Ok(Vec::new())
    }
    async fn remove_owned(&self, _: OwnerId) -> Result<usize> {
        Ok(0)
    }
}

#[async_trait]
impl Sandbox for Block {
    fn id(&self) -> SandboxId {
        self.id
    }
    fn is_alive(&self) -> bool {
        true
    }
    async fn initialize(&self, _: InitializeSandbox, _: &OutputCapture) -> Result<SandboxReply> {
        unreachable!("the loader loads nothing")
    }
    async fn invoke(&self, _: InvokeSandbox, _: &OutputCapture) -> Result<SandboxReply> {
        unreachable!("nobody calls")
    }
    async fn memory_peak_mib(&self) -> Option<u32> {
        None
    }
    async fn freeze(&self) -> bool {
        self.frozen.fetch_add(1, Ordering::Relaxed);
        true
    }
    async fn thaw(&self) -> bool {
        false
    }
    async fn ended(&self) -> SandboxEnd {
        SandboxEnd::Unknown
    }
    fn drain(&self, _: &OutputCapture) {}
    async fn destroy(&self) -> Termination {
        self.destroyed.fetch_add(1, Ordering::Relaxed);
        Termination::Confirmed
    }
    async fn removed(&self) {}
}

/// Counts what it is given.
#[derive(Debug, Default)]
struct Counting(AtomicU32);

#[async_trait]
impl CodeLoader for Counting {
    async fn load(&self, _: &dyn Sandbox) -> Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

async fn until(count: &AtomicU32) {
    // The clock is paused: this takes no time.
    for _ in 0..10_000 {
        if count.load(Ordering::Relaxed) > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never");
}

#[tokio::test(start_paused = true)]
async fn no_code_is_loaded_into_a_sandbox_that_cannot_be_thawed() {
    let ice = Arc::new(Ice::default());
    let class = SandboxClass::new(RuntimeName::docker(), Language::Python);
    let options = PoolOptions {
        prewarmed_classes: vec![(class.clone(), 1)],
        freeze_after: Some(Duration::from_millis(100)),
        ..PoolOptions::default()
    };
    let runtimes: HashMap<_, Arc<dyn Runtime>> =
        HashMap::from([(RuntimeName::docker(), Arc::clone(&ice) as _)]);
    let owner = OwnerId::new();
    let pool = Pool::new(options, runtimes, owner);
    until(&ice.frozen).await;

    let key = PoolKey {
        namespace: Namespace::default(),
        function: FunctionId::new(),
        version: 1,
        runtime: RuntimeName::docker(),
    };
    let create = class.request(owner, Duration::from_secs(1));
    let loader = Arc::new(Counting::default());
    pool.provision(
        PoolRequest::new(key, None, create),
        1,
        Arc::clone(&loader) as _,
    );
    until(&ice.destroyed).await;
    assert_eq!(
        loader.0.load(Ordering::Relaxed),
        0,
        "code went into a frozen one"
    );
}
