//! A sandbox whose death is not confirmed, as where Docker hangs: the answer says so, and its
//! place is not given to another before it is gone (threat 20).

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lambda_core::model::{FunctionConfig, OwnerId, RuntimeName, SandboxId, Status, Termination};
use lambda_core::output::OutputCapture;
use lambda_core::pool::PoolOptions;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_core::runtime::{
    CreateSandbox, Finding, InitializeSandbox, InvokeSandbox, Runtime, RuntimeCapability, Sandbox,
    SandboxEnd, SandboxReply,
};
use lambda_core::{ExecuteRequest, NewFunction, Platform, Result};
use tokio::sync::watch;

/// The fake runtime, but nothing of it dies before it is told that it may.
#[derive(Debug)]
struct Stuck {
    inner: FakeRuntime,
    may_die: watch::Receiver<bool>,
}

#[derive(Debug)]
struct StuckSandbox {
    inner: Arc<dyn Sandbox>,
    may_die: watch::Receiver<bool>,
}

#[async_trait]
impl Runtime for Stuck {
    fn name(&self) -> RuntimeName {
        self.inner.name()
    }

    fn capability(&self) -> RuntimeCapability {
        self.inner.capability()
    }

    async fn check(&self, thorough: bool) -> Vec<Finding> {
        self.inner.check(thorough).await
    }

    fn accepts(&self, config: &FunctionConfig) -> Result<()> {
        self.inner.accepts(config)
    }

    async fn create(&self, request: CreateSandbox) -> Result<Arc<dyn Sandbox>> {
        let inner = self.inner.create(request).await?;
        let may_die = self.may_die.clone();
        Ok(Arc::new(StuckSandbox { inner, may_die }))
    }

    async fn owners(&self) -> Result<Vec<OwnerId>> {
        self.inner.owners().await
    }

    async fn remove_owned(&self, owner: OwnerId) -> Result<usize> {
        self.inner.remove_owned(owner).await
    }
}

#[async_trait]
impl Sandbox for StuckSandbox {
    fn id(&self) -> SandboxId {
        self.inner.id()
    }

    fn is_alive(&self) -> bool {
        self.inner.is_alive()
    }

    async fn initialize(
        &self,
        request: InitializeSandbox,
        output: &OutputCapture,
    ) -> Result<SandboxReply> {
        self.inner.initialize(request, output).await
    }

    async fn invoke(&self, request: InvokeSandbox, output: &OutputCapture) -> Result<SandboxReply> {
        self.inner.invoke(request, output).await
    }

    async fn memory_peak_mib(&self) -> Option<u32> {
        self.inner.memory_peak_mib().await
    }

    async fn ended(&self) -> SandboxEnd {
        self.inner.ended().await
    }

    fn drain(&self, output: &OutputCapture) {
        self.inner.drain(output);
    }

    async fn destroy(&self) -> Termination {
        if *self.may_die.borrow() {
            return self.inner.destroy().await;
        }
        Termination::Pending
    }

    async fn removed(&self) {
        let mut may_die = self.may_die.clone();
        let told = may_die.wait_for(|may_die| *may_die).await;
        drop(told.expect("the test holds the sender"));
        self.inner.destroy().await;
        self.inner.removed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_that_is_not_confirmed_is_told_and_its_place_stays_taken() {
    let root = tempfile::tempdir().unwrap();
    let (let_die, may_die) = watch::channel(false);
    let inner = FakeRuntime::new(RuntimeName::docker());
    let runtime = Stuck {
        inner: inner.clone(),
        may_die,
    };
    let mut pool = PoolOptions::default();
    (pool.sandboxes_max, pool.prewarmed) = (1, 0);
    let platform = Platform::builder()
        .data_dir(root.path())
        .pool(pool)
        .runtime(Arc::new(runtime))
        .build()
        .await
        .unwrap();
    let new = NewFunction::python("f", "fake:sleep").unwrap();
    let function = platform.deploy(new.handler("case.handler")).await.unwrap();
    let call = |ms: u32| ExecuteRequest::new(function.id).event(format!("{{\"ms\":{ms}}}"));

    let limit = Duration::from_millis(100);
    let begin = Instant::now();
    let outcome = platform.execute(call(60_000).timeout(limit)).await.unwrap();
    assert_eq!(outcome.status, Status::Timeout);
    assert_eq!(outcome.termination, Some(Termination::Pending));
    assert!(begin.elapsed() < limit + Duration::from_secs(1));

    // The only place is its own, and whoever comes next waits.
    let next = tokio::spawn({
        let (platform, call) = (platform.clone(), call(1));
        async move { platform.execute(call).await.unwrap() }
    });
    super::settled(&platform, |stats| stats.waiting == 1).await;
    let stats = platform.pool_stats().unwrap();
    assert_eq!((stats.removing, stats.sandboxes()), (1, 1), "{stats:?}");
    assert_eq!((inner.live(), inner.created()), (1, 1));
    assert!(!next.is_finished());

    let_die.send(true).unwrap();
    let outcome = next.await.unwrap();
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!((inner.live(), inner.created()), (1, 2));
    platform.close().await;
    assert_eq!(inner.live(), 0);
}
