//! Carries out what the pool's state decides.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument as _, debug_span};

use super::key::{PoolKey, SandboxClass};
use super::lease::Lease;
use super::options::PoolOptions;
use super::state::{Action, Demand, PoolState, Refusal, Slot, WaiterId};
use super::stats::{PoolStats, RuntimeStats};
use super::survey::StatusFile;
use super::{refusal, upkeep};
use crate::error::{Error, Result};
use crate::event_loop;
use crate::model::{FunctionId, OwnerId, RuntimeName, SandboxId, StartKind};
use crate::runtime::{BOOT_TIMEOUT, CreateSandbox, Runtime, Sandbox};

/// Sandboxes of this machine, shared by all invocations. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pool(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    /// Leases may be dropped anywhere, also outside of the runtime.
    handle: Handle,
    owner: OwnerId,
    runtimes: HashMap<RuntimeName, Arc<dyn Runtime>>,
    next_waiter: AtomicU64,
    inner: Mutex<Inner>,
    /// Woken when a sandbox is removed: for `close`.
    removed: Notify,
    /// Woken when there is something to look after sooner than usual.
    hurry: Arc<Notify>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) state: PoolState,
    pub(super) sandboxes: HashMap<Slot, Member>,
    /// What a sandbox with mounted code is made from; set by those who wait for it.
    plans: HashMap<PoolKey, CreateSandbox>,
    /// How what is kept warm is made.
    provided: HashMap<FunctionId, Provided>,
    waiters: HashMap<WaiterId, oneshot::Sender<Result<Lease>>>,
    ticker: Option<AbortOnDropHandle<()>>,
    pub(super) status_file: Option<StatusFile>,
}

#[derive(Debug)]
struct Provided {
    key: PoolKey,
    create: CreateSandbox,
    loader: Arc<dyn CodeLoader>,
}

/// Loads the code of one function version into sandboxes that are kept warm.
#[async_trait]
pub trait CodeLoader: fmt::Debug + Send + Sync + 'static {
    /// Loads it, within the function's own timeout.
    ///
    /// # Errors
    /// Whatever hinders it; the sandbox is destroyed then, and another try follows after a
    /// pause.
    async fn load(&self, sandbox: &dyn Sandbox) -> Result<()>;
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) sandbox: Arc<dyn Sandbox>,
    pub(super) boot: Duration,
    pub(super) memory_peak_mib: Arc<AtomicU32>,
    /// Held while it is frozen or thawed.
    pub(super) frost: Arc<tokio::sync::Mutex<()>>,
}

/// What an invocation needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PoolRequest {
    /// Whose sandboxes will do.
    pub key: PoolKey,
    /// Most sandboxes of the key's function; none: the pool's own bound.
    pub concurrency: Option<u32>,
    /// How to make one where none is there. Its id and owner are not used.
    pub create: CreateSandbox,
}

impl PoolRequest {
    /// A request with all its parts.
    #[must_use]
    pub fn new(key: PoolKey, concurrency: Option<u32>, create: CreateSandbox) -> Self {
        Self {
            key,
            concurrency,
            create,
        }
    }
}

/// Thaws a sandbox; false: it is fit only to be destroyed.
async fn thaw(sandbox: &dyn Sandbox, frost: &tokio::sync::Mutex<()>) -> bool {
    let _turn = frost.lock().await;
    sandbox.thaw().await
}

impl Pool {
    /// A pool over `runtimes`, on the current tokio runtime. Its sandboxes belong to `owner`.
    #[must_use]
    pub fn new(
        options: PoolOptions,
        runtimes: HashMap<RuntimeName, Arc<dyn Runtime>>,
        owner: OwnerId,
    ) -> Self {
        let hurry = Arc::new(Notify::new());
        let shared = Arc::new(Shared {
            handle: Handle::current(),
            owner,
            runtimes,
            next_waiter: AtomicU64::new(0),
            inner: Mutex::new(Inner {
                state: PoolState::new(options, now()),
                sandboxes: HashMap::new(),
                plans: HashMap::new(),
                provided: HashMap::new(),
                waiters: HashMap::new(),
                ticker: None,
                status_file: None,
            }),
            removed: Notify::new(),
            hurry: Arc::clone(&hurry),
        });
        let ticker = tokio::spawn(upkeep::tick_forever(Arc::downgrade(&shared), hurry));
        shared.lock().ticker = Some(AbortOnDropHandle::new(ticker));
        Self(shared)
    }

    /// Has it tell other processes what is amiss, in a file of its own.
    pub(crate) fn report_to(&self, path: PathBuf) {
        self.0.lock().status_file = Some(StatusFile::new(path));
    }

    /// A sandbox for one invocation: a warm one, a prewarmed one, or one that is created.
    ///
    /// # Errors
    /// `Throttled` if the queue is full or the wait was too long; `RuntimeUnavailable` or
    /// `InvalidParameter` if the sandbox cannot be created; `Closed`.
    ///
    /// # Cancellation
    /// Gives up the place in the queue.
    pub async fn acquire(&self, request: PoolRequest) -> Result<Lease> {
        let started = Instant::now();
        loop {
            let lease = self.acquire_any(&request).await?;
            let Some(mut lease) = self.usable(lease).await else {
                continue;
            };
            let waited = started.elapsed();
            lease.boot = lease.boot.min(waited);
            lease.queue = waited.saturating_sub(lease.boot);
            return Ok(lease);
        }
    }

    /// A sandbox that idles for the key, if there is one. It is what a warm invocation asks
    /// first, before it works out how one would be created.
    ///
    /// # Cancellation
    /// Destroys the sandbox if it was being thawed.
    pub async fn take_idle(&self, key: &PoolKey) -> Option<Lease> {
        loop {
            // The lock is released first: dropping a lease takes it.
            let lease = self.idle(&mut self.0.lock(), key)?;
            if let Some(lease) = self.usable(lease).await {
                return Some(lease);
            }
        }
    }

    /// Keeps `min_warm` sandboxes of the request's key with their code loaded by `loader`,
    /// within the bounds of the pool and of its function; it replaces what was asked for that
    /// function before.
    pub fn provision(&self, request: PoolRequest, min_warm: u32, loader: Arc<dyn CodeLoader>) {
        let mut inner = self.0.lock();
        let demand = demand(&inner, &request);
        let PoolRequest { key, create, .. } = request;
        let provided = Provided {
            key: key.clone(),
            create,
            loader,
        };
        inner.provided.insert(key.function, provided);
        let actions = inner.state.provision(now(), key, demand, min_warm);
        self.carry_out(&mut inner, actions);
        inner.forget_plans();
        drop(inner);
        self.0.hurry.notify_one();
    }

    /// Keeps no sandboxes of a function any more beyond what is called.
    pub fn unprovision(&self, function: FunctionId) {
        let mut inner = self.0.lock();
        inner.state.unprovision(function);
        inner.forget_plans();
    }

    /// The functions of which some are kept warm.
    #[must_use]
    pub fn provisioned(&self) -> Vec<FunctionId> {
        self.0.lock().provided.keys().copied().collect()
    }

    /// Lets go of what idles for a function, all versions but `except`, and of the rest of
    /// them when they have served.
    pub fn function_changed(&self, function: FunctionId, except: Option<u32>) {
        self.event(|state, _| state.function_changed(function, except));
        self.0.lock().forget_plans();
    }

    /// What is there, in numbers.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let mut stats = self.0.lock().state.stats(now());
        for name in self.0.runtimes.keys() {
            if stats.runtimes.iter().all(|known| known.runtime != *name) {
                stats.runtimes.push(RuntimeStats::well(name.clone()));
            }
        }
        stats.runtimes.sort_by(|a, b| a.runtime.cmp(&b.runtime));
        stats
    }

    /// Refuses all who wait and all who come, and destroys every sandbox that is or becomes
    /// free. Returns when none is left; cancel it to stop waiting.
    pub async fn close(&self) {
        self.event(|state, _| state.close());
        loop {
            let removed = self.0.removed.notified();
            tokio::pin!(removed);
            // Registered before the look, or a removal in between would be missed.
            removed.as_mut().enable();
            if self.stats().sandboxes() == 0 {
                return;
            }
            removed.await;
        }
    }

    pub(super) fn released(&self, slot: Slot, init: Option<Duration>) {
        self.event(|state, now| state.released(now, slot, init));
    }

    pub(super) fn discarded(&self, slot: Slot) {
        self.event(|state, _| state.discarded(slot));
    }

    pub(super) fn event(
        &self,
        event: impl FnOnce(&mut PoolState, std::time::Instant) -> Vec<Action>,
    ) {
        let mut inner = self.0.lock();
        let actions = event(&mut inner.state, now());
        self.carry_out(&mut inner, actions);
    }

    fn idle(&self, inner: &mut Inner, key: &PoolKey) -> Option<Lease> {
        let taken = inner.state.take_idle(now(), key)?;
        let member = inner.sandboxes.get(&taken.slot)?;
        let (start, is_frozen) = (taken.start(), taken.is_frozen);
        Some(Lease::new(self, taken.slot, member, start, is_frozen))
    }

    /// The lease, if its sandbox lives; dropping one whose sandbox died while it idled
    /// discards it.
    async fn usable(&self, lease: Lease) -> Option<Lease> {
        if let Some(frost) = lease.frost() {
            event_loop::leave().await;
            if !thaw(&**lease.sandbox(), frost).await {
                return None;
            }
        }
        lease.sandbox().is_alive().then_some(lease)
    }

    async fn acquire_any(&self, request: &PoolRequest) -> Result<Lease> {
        let waiter = self.0.next_waiter.fetch_add(1, Ordering::Relaxed);
        let receiver = {
            let mut inner = self.0.lock();
            if let Some(lease) = self.idle(&mut inner, &request.key) {
                return Ok(lease);
            }
            let is_mounted = request.create.code_directory.is_some();
            let demand = demand(&inner, request);
            let (sender, receiver) = oneshot::channel();
            inner.waiters.insert(waiter, sender);
            if is_mounted {
                inner
                    .plans
                    .insert(request.key.clone(), request.create.clone());
            }
            let actions = inner
                .state
                .acquire(now(), waiter, request.key.clone(), demand);
            self.carry_out(&mut inner, actions);
            receiver
        };
        // What was taken is replaced, and who waits is looked after.
        self.0.hurry.notify_one();
        let mut place = Place {
            pool: self,
            waiter: Some(waiter),
        };
        let lease = receiver
            .await
            .unwrap_or_else(|_| Err(Error::internal("pool_acquire", "A waiter was forgotten.")));
        place.waiter = None;
        lease
    }

    pub(super) fn carry_out(&self, inner: &mut Inner, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Hand {
                    waiter,
                    slot,
                    start,
                    is_frozen,
                } => self.hand(inner, waiter, slot, start, is_frozen),
                Action::Create { slot, class, key } => self.create(inner, slot, &class, key),
                Action::Destroy { slot } => self.destroy(inner, slot),
                Action::Load {
                    slot,
                    key,
                    is_frozen,
                } => self.load(inner, slot, &key, is_frozen),
                Action::Freeze { slot } => self.freeze(inner, slot),
                Action::Refuse { waiter, reason } => {
                    if let Some(sender) = inner.waiters.remove(&waiter) {
                        let _ = sender.send(Err(refusal::error(reason)));
                    }
                }
            }
        }
    }

    fn hand(
        &self,
        inner: &mut Inner,
        waiter: WaiterId,
        slot: Slot,
        start: StartKind,
        is_frozen: bool,
    ) {
        let member = inner.sandboxes.get(&slot).cloned();
        let sender = inner.waiters.remove(&waiter);
        if let (Some(member), Some(sender)) = (member, sender) {
            let lease = Lease::new(self, slot, &member, start, is_frozen);
            match sender.send(Ok(lease)) {
                Ok(()) => return,
                // Not to be dropped: that would take the lock which is held here.
                Err(unsent) => unsent.into_iter().for_each(Lease::disarm),
            }
        }
        // The waiter went in this very moment. A warm one is still good for the next; what has
        // no code yet would seem to have it.
        let actions = if start == StartKind::Warm && !is_frozen {
            inner.state.released(now(), slot, None)
        } else {
            inner.state.discarded(slot)
        };
        self.carry_out(inner, actions);
    }

    fn create(
        &self,
        inner: &Inner,
        slot: Slot,
        class: &Arc<SandboxClass>,
        key: Option<Arc<PoolKey>>,
    ) {
        let plan = match &key {
            Some(key) => inner.plan(key),
            None => Some(class.request(self.0.owner, BOOT_TIMEOUT)),
        };
        let runtime = self.0.runtimes.get(&class.runtime).cloned();
        let pool = self.clone();
        let class = Arc::clone(class);
        self.0.handle.spawn(async move {
            let started = Instant::now();
            let result = match (plan, runtime) {
                (Some(mut plan), Some(runtime)) => {
                    plan.id = SandboxId::new();
                    plan.owner = pool.0.owner;
                    // Of no invocation: who is first in the queue when it is done gets it.
                    let span = debug_span!(parent: None, "boot", sandbox = %plan.id, runtime = %class.runtime);
                    runtime.create(plan).instrument(span).await
                }
                _ => Err(Error::internal(
                    "pool_create",
                    "Nothing is known of how to create it.",
                )),
            };
            pool.created(&class, slot, result, started.elapsed());
        });
    }

    fn created(
        &self,
        class: &SandboxClass,
        slot: Slot,
        result: Result<Arc<dyn Sandbox>>,
        boot: Duration,
    ) {
        match result {
            Ok(sandbox) => {
                let cpu = sandbox.cpu_time();
                let member = Member {
                    sandbox,
                    boot,
                    memory_peak_mib: Arc::default(),
                    frost: Arc::default(),
                };
                let mut inner = self.0.lock();
                inner.sandboxes.insert(slot, member);
                let actions = inner.state.created(now(), slot, cpu);
                self.carry_out(&mut inner, actions);
            }
            Err(error) => {
                tracing::warn!(runtime = %class.runtime, language = %class.language, ?error, "a sandbox could not be created");
                let permanent = !error.is_retryable();
                let mut inner = self.0.lock();
                let actions = inner.state.create_failed(now(), slot, permanent);
                // All who are refused for it hear why.
                for action in &actions {
                    if let Action::Refuse {
                        waiter,
                        reason: Refusal::CreateFailed,
                    } = action
                        && let Some(sender) = inner.waiters.remove(waiter)
                    {
                        let _ = sender.send(Err(error.for_another()));
                    }
                }
                self.carry_out(&mut inner, actions);
                drop(inner);
                self.0.removed.notify_waiters();
            }
        }
    }

    fn destroy(&self, inner: &mut Inner, slot: Slot) {
        let Some(member) = inner.sandboxes.remove(&slot) else {
            return;
        };
        let pool = self.clone();
        self.0.handle.spawn(async move {
            // Not in the middle of being frozen.
            let frost = member.frost.lock().await;
            member.sandbox.destroy().await;
            drop(frost);
            member.sandbox.removed().await;
            pool.event(|state, now| state.removed(now, slot));
            pool.0.removed.notify_waiters();
        });
    }

    fn load(&self, inner: &Inner, slot: Slot, key: &PoolKey, is_frozen: bool) {
        let member = inner.sandboxes.get(&slot).cloned();
        let provided = inner.provided.get(&key.function);
        let loader = provided
            .filter(|own| own.key == *key)
            .map(|own| Arc::clone(&own.loader));
        let (pool, function) = (self.clone(), key.function);
        self.0.handle.spawn(async move {
            let began = Instant::now();
            let loaded = match (&member, loader) {
                (Some(member), Some(loader)) if !is_frozen || thaw(&*member.sandbox, &member.frost).await =>
                {
                    loader.load(&*member.sandbox).await
                }
                (Some(_), Some(_)) => Err(Error::internal("pool_provision", "It cannot be thawed.")),
                _ => Err(Error::internal("pool_provision", "Its code is not known any more.")),
            };
            match loaded {
                Ok(()) => pool.event(|state, now| state.loaded(now, slot, began.elapsed())),
                Err(error) => {
                    tracing::warn!(%function, ?error, "a sandbox could not be warmed ahead of its first call");
                    pool.event(|state, now| state.load_failed(now, slot));
                }
            }
        });
    }

    fn freeze(&self, inner: &Inner, slot: Slot) {
        let Some(member) = inner.sandboxes.get(&slot).cloned() else {
            return;
        };
        let pool = self.clone();
        self.0.handle.spawn(async move {
            let _turn = member.frost.lock().await;
            // It may have been taken since; who took it thaws it after this, or has done so.
            if pool.0.lock().state.is_frozen(slot) && !member.sandbox.freeze().await {
                pool.0.lock().state.freeze_failed(slot);
            }
        });
    }
}

/// The time for the pool's state: tokio's, so that a test whose clock is paused covers it.
pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}

fn demand(inner: &Inner, request: &PoolRequest) -> Demand {
    let class = SandboxClass::of(request.key.runtime.clone(), &request.create);
    let concurrency = request
        .concurrency
        .unwrap_or(inner.state.options().function_concurrency);
    let is_mounted = request.create.code_directory.is_some();
    Demand::new(Arc::new(class), is_mounted, concurrency)
}

impl Shared {
    /// A panic while the lock was held is a defect; the state behind it is still the best
    /// there is, and shutting down needs it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Plans of keys that nobody waits for: a plan is looked up in the moment in which a
    /// creation is decided, and each waiter brings its own.
    pub(super) fn forget_plans(&mut self) {
        let state = &self.state;
        self.plans.retain(|key, _| state.is_key_waited_for(key));
        self.provided
            .retain(|function, own| state.provisioned(*function) == Some(&own.key));
    }

    fn plan(&self, key: &PoolKey) -> Option<CreateSandbox> {
        let provided = self.provided.get(&key.function);
        let provided = provided
            .filter(|own| own.key == *key)
            .map(|own| &own.create);
        self.plans.get(key).or(provided).cloned()
    }
}

/// A place in the queue, given up when it is dropped.
struct Place<'a> {
    pool: &'a Pool,
    waiter: Option<WaiterId>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(waiter) = self.waiter else { return };
        let mut inner = self.pool.0.lock();
        inner.state.cancel(waiter);
        // Where a lease was sent in the moment before, the receiver drops it.
        inner.waiters.remove(&waiter);
    }
}
