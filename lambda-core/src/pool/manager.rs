//! Carries out what the pool's state decides.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::options::PoolOptions;
use super::state::{Action, Demand, PoolKey, PoolState, PoolStats, Refusal, WaiterId};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{FunctionId, RuntimeName, SandboxId, StartKind};
use crate::runtime::{CreateSandbox, Runtime, Sandbox};

/// How often waiters' deadlines, idle times and idle sandboxes' health are looked at.
const TICK: Duration = Duration::from_millis(250);

/// Sandboxes of this machine, shared by all invocations. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Leases may be dropped anywhere, also outside of the runtime.
    handle: Handle,
    runtimes: HashMap<RuntimeName, Arc<dyn Runtime>>,
    next_waiter: AtomicU64,
    inner: Mutex<Inner>,
    /// Woken when a sandbox is removed: for `close`.
    removed: Notify,
}

#[derive(Debug)]
struct Inner {
    state: PoolState,
    sandboxes: HashMap<SandboxId, Member>,
    /// What a sandbox that is being created is made from; set by those who wait for it.
    plans: HashMap<PoolKey, CreateSandbox>,
    waiters: HashMap<WaiterId, oneshot::Sender<Result<Lease>>>,
    ticker: Option<AbortOnDropHandle<()>>,
}

#[derive(Debug, Clone)]
struct Member {
    sandbox: Arc<dyn Sandbox>,
    boot: Duration,
    memory_peak_mib: Arc<AtomicU32>,
}

/// What an invocation needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PoolRequest {
    /// Whose sandboxes will do.
    pub key: PoolKey,
    /// Most sandboxes of the key's function; none: the pool's own bound.
    pub concurrency: Option<u32>,
    /// How to make one where none is there. Its id is not used.
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

impl Pool {
    /// A pool over `runtimes`, on the current tokio runtime.
    #[must_use]
    pub fn new(options: PoolOptions, runtimes: HashMap<RuntimeName, Arc<dyn Runtime>>) -> Self {
        let shared = Arc::new(Shared {
            handle: Handle::current(),
            runtimes,
            next_waiter: AtomicU64::new(0),
            inner: Mutex::new(Inner {
                state: PoolState::new(options),
                sandboxes: HashMap::new(),
                plans: HashMap::new(),
                waiters: HashMap::new(),
                ticker: None,
            }),
            removed: Notify::new(),
        });
        let ticker = tokio::spawn(tick_forever(Arc::downgrade(&shared)));
        shared.lock().ticker = Some(AbortOnDropHandle::new(ticker));
        Self(shared)
    }

    /// A sandbox for one invocation: a warm one, or one that is created for it.
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
            let mut lease = self.acquire_any(&request).await?;
            let waited = started.elapsed();
            lease.boot = lease.boot.min(waited);
            lease.queue = waited.saturating_sub(lease.boot);
            if lease.sandbox().is_alive() {
                return Ok(lease);
            }
            // It died while it idled; dropping the lease discards it.
        }
    }

    /// A sandbox that idles for the key, if there is one. It is what a warm invocation asks
    /// first, before it works out how one would be created.
    #[must_use]
    pub fn take_idle(&self, key: &PoolKey) -> Option<Lease> {
        loop {
            // The lock is released first: dropping a lease takes it.
            let lease = self.idle(&mut self.0.lock(), key);
            match lease {
                Some(lease) if !lease.sandbox().is_alive() => {}
                lease => return lease,
            }
        }
    }

    fn idle(&self, inner: &mut Inner, key: &PoolKey) -> Option<Lease> {
        let (sandbox, used) = inner.state.take_idle(key)?;
        let member = inner.sandboxes.get(&sandbox)?;
        let start = if used {
            StartKind::Warm
        } else {
            // Created for somebody who was then served by another one.
            StartKind::Prewarmed
        };
        Some(Lease::new(self, member, start, Duration::ZERO))
    }

    async fn acquire_any(&self, request: &PoolRequest) -> Result<Lease> {
        let waiter = self.0.next_waiter.fetch_add(1, Ordering::Relaxed);
        let receiver = {
            let mut inner = self.0.lock();
            if let Some(lease) = self.idle(&mut inner, &request.key) {
                return Ok(lease);
            }
            let demand = Demand {
                memory_mib: request.create.memory_mib,
                concurrency: request
                    .concurrency
                    .unwrap_or(inner.state.options().function_concurrency),
            };
            let (sender, receiver) = oneshot::channel();
            inner.waiters.insert(waiter, sender);
            inner
                .plans
                .insert(request.key.clone(), request.create.clone());
            let actions = inner
                .state
                .acquire(Instant::now(), waiter, request.key.clone(), demand);
            self.carry_out(&mut inner, actions);
            receiver
        };
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

    /// Lets go of what idles for a function, all versions but `except`.
    pub fn function_changed(&self, function: FunctionId, except: Option<u32>) {
        self.event(|state| state.function_changed(function, except));
    }

    /// What is there, in numbers.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.0.lock().state.stats()
    }

    /// Refuses all who wait and all who come, and destroys every sandbox that is or becomes
    /// free. Returns when none is left; cancel it to stop waiting.
    pub async fn close(&self) {
        self.event(PoolState::close);
        loop {
            let removed = self.0.removed.notified();
            tokio::pin!(removed);
            // Registered before the look, or a removal in between would be missed.
            removed.as_mut().enable();
            let stats = self.stats();
            if stats.creating + stats.idle + stats.busy + stats.removing == 0 {
                return;
            }
            removed.await;
        }
    }

    fn event(&self, event: impl FnOnce(&mut PoolState) -> Vec<Action>) {
        let mut inner = self.0.lock();
        let actions = event(&mut inner.state);
        self.carry_out(&mut inner, actions);
    }

    fn carry_out(&self, inner: &mut Inner, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Hand {
                    waiter,
                    sandbox,
                    used,
                } => self.hand(inner, waiter, sandbox, used),
                Action::Create { sandbox, key } => self.create(inner, sandbox, &key),
                Action::Destroy { sandbox } => self.destroy(inner, sandbox),
                Action::Refuse { waiter, reason } => {
                    if let Some(sender) = inner.waiters.remove(&waiter) {
                        let _ = sender.send(Err(refusal(reason)));
                    }
                }
            }
        }
    }

    fn hand(&self, inner: &mut Inner, waiter: WaiterId, sandbox: SandboxId, used: bool) {
        let member = inner.sandboxes.get(&sandbox).cloned();
        let sender = inner.waiters.remove(&waiter);
        if let (Some(member), Some(sender)) = (member, sender) {
            let (start, boot) = if used {
                (StartKind::Warm, Duration::ZERO)
            } else {
                (StartKind::Cold, member.boot)
            };
            match sender.send(Ok(Lease::new(self, &member, start, boot))) {
                Ok(()) => return,
                // Not to be dropped: that would take the lock which is held here.
                Err(unsent) => unsent.into_iter().for_each(Lease::disarm),
            }
        }
        // The waiter went in this very moment: the sandbox is still good for the next one.
        let actions = if used {
            inner.state.released(Instant::now(), sandbox)
        } else {
            inner.state.discarded(sandbox)
        };
        self.carry_out(inner, actions);
    }

    fn create(&self, inner: &Inner, sandbox: SandboxId, key: &PoolKey) {
        let plan = inner.plans.get(key).cloned();
        let runtime = self.0.runtimes.get(&key.runtime).cloned();
        let pool = self.clone();
        let key = key.clone();
        self.0.handle.spawn(async move {
            let started = Instant::now();
            let result = match (plan, runtime) {
                (Some(mut plan), Some(runtime)) => {
                    plan.id = sandbox;
                    runtime.create(plan).await
                }
                _ => Err(Error::internal(
                    "pool_create",
                    "Nothing is known of how to create it.",
                )),
            };
            pool.created(&key, sandbox, result, started.elapsed());
        });
    }

    fn created(
        &self,
        key: &PoolKey,
        id: SandboxId,
        result: Result<Arc<dyn Sandbox>>,
        boot: Duration,
    ) {
        let mut inner = self.0.lock();
        match result {
            Ok(sandbox) => {
                inner.sandboxes.insert(
                    id,
                    Member {
                        sandbox,
                        boot,
                        memory_peak_mib: Arc::default(),
                    },
                );
                let actions = inner.state.created(Instant::now(), id);
                self.carry_out(&mut inner, actions);
            }
            Err(error) => {
                tracing::warn!(runtime = %key.runtime, function = %key.function, ?error, "a sandbox could not be created");
                let permanent = !error.is_retryable();
                let actions = inner.state.create_failed(id, permanent);
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
                self.0.removed.notify_waiters();
            }
        }
    }

    fn destroy(&self, inner: &mut Inner, id: SandboxId) {
        let Some(member) = inner.sandboxes.remove(&id) else {
            return;
        };
        let pool = self.clone();
        self.0.handle.spawn(async move {
            member.sandbox.destroy().await;
            member.sandbox.removed().await;
            pool.event(|state| state.removed(id));
            pool.0.removed.notify_waiters();
        });
    }
}

impl Shared {
    /// A panic while the lock was held is a defect; the state behind it is still the best
    /// there is, and shutting down needs it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Plans of keys that nobody waits for: a plan is looked up in the moment in which a
    /// creation is decided, and each waiter brings its own.
    fn forget_plans(&mut self) {
        let state = &self.state;
        self.plans.retain(|key, _| state.is_waited_for(key));
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

/// A sandbox for the time of one invocation. Dropping it destroys the sandbox, which is
/// right after every error; [`release`](Self::release) keeps it for the next one.
#[derive(Debug)]
pub struct Lease {
    pool: Pool,
    sandbox: Option<Arc<dyn Sandbox>>,
    memory_peak_mib: Arc<AtomicU32>,
    start: StartKind,
    queue: Duration,
    boot: Duration,
}

impl Lease {
    fn new(pool: &Pool, member: &Member, start: StartKind, boot: Duration) -> Self {
        Self {
            pool: pool.clone(),
            sandbox: Some(Arc::clone(&member.sandbox)),
            memory_peak_mib: Arc::clone(&member.memory_peak_mib),
            start,
            queue: Duration::ZERO,
            boot,
        }
    }

    fn disarm(mut self) {
        self.sandbox = None;
    }

    /// The sandbox.
    ///
    /// # Panics
    /// Never: it is there until the lease is released or dropped.
    #[must_use]
    pub fn sandbox(&self) -> &Arc<dyn Sandbox> {
        self.sandbox
            .as_ref()
            .expect("a lease holds its sandbox until it ends")
    }

    /// Whether it has its code already.
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        self.start == StartKind::Warm
    }

    /// What kind of start this is.
    #[must_use]
    pub fn start(&self) -> StartKind {
        self.start
    }

    /// How long the wait for others was.
    #[must_use]
    pub fn queue(&self) -> Duration {
        self.queue
    }

    /// How long the wait for this sandbox to be created and booted was.
    #[must_use]
    pub fn boot(&self) -> Duration {
        self.boot
    }

    /// The sandbox's memory peak in MiB when it was last looked at.
    #[must_use]
    pub fn memory_peak_mib(&self) -> Option<u32> {
        match self.memory_peak_mib.load(Ordering::Relaxed) {
            0 => None,
            peak => Some(peak),
        }
    }

    /// Looks at the sandbox's memory peak.
    pub async fn sample_memory_peak(&self) {
        if let Some(peak) = self.sandbox().memory_peak_mib().await {
            self.memory_peak_mib.store(peak, Ordering::Relaxed);
        }
    }

    /// Keeps the sandbox for the next invocation of its key.
    pub fn release(mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            let id = sandbox.id();
            self.pool.event(|state| state.released(Instant::now(), id));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            let id = sandbox.id();
            self.pool.event(|state| state.discarded(id));
        }
    }
}

fn refusal(reason: Refusal) -> Error {
    match reason {
        Refusal::QueueFull => Error::new(
            ErrorKind::Throttled,
            "pool_acquire",
            "Too many invocations are waiting already.",
        )
        .hint("Try again later, or raise the function's concurrency or the pool's bounds.")
        .retry_after(Duration::from_secs(1)),
        Refusal::QueueTimeout => Error::new(
            ErrorKind::Throttled,
            "pool_acquire",
            "No sandbox became free in time.",
        )
        .hint("Try again later, or raise the function's concurrency or the pool's bounds.")
        .retry_after(Duration::from_secs(1)),
        Refusal::TooLarge => Error::invalid(
            "pool_acquire",
            "The function's memory is more than the platform may use in all.",
        )
        .hint("Lower the function's `memory_mib`, or raise the pool's memory bound."),
        Refusal::CreateFailed => Error::new(
            ErrorKind::RuntimeUnavailable,
            "pool_acquire",
            "The sandbox could not be created.",
        )
        .hint("Run `lambda doctor`; it says what to mend."),
        Refusal::Closed => Error::new(
            ErrorKind::Closed,
            "pool_acquire",
            "The platform is shutting down.",
        ),
    }
}

/// Ends with the pool: it holds no strong reference.
async fn tick_forever(shared: Weak<Shared>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let pool = Pool(shared);
        let dead: Vec<_> = {
            let inner = pool.0.lock();
            let idle = inner.state.idle_sandboxes();
            idle.into_iter()
                .filter(|id| {
                    inner
                        .sandboxes
                        .get(id)
                        .is_some_and(|m| !m.sandbox.is_alive())
                })
                .collect()
        };
        for sandbox in dead {
            tracing::info!(%sandbox, "an idle sandbox has died");
            pool.event(|state| state.died(sandbox));
        }
        pool.event(|state| state.tick(Instant::now()));
        pool.0.lock().forget_plans();
    }
}
