//! The pool's decisions, without any work: events in, actions out.
//!
//! Nothing here reads a clock, locks, waits or talks to a runtime, so that whole lives of a
//! pool are tested in microseconds, and traces of days replayed in seconds. It is public for
//! that; a platform uses [`Pool`](super::Pool). The rules:
//!
//! - A sandbox without code is nobody's; the first [`PoolKey`] that it is given to keeps it
//!   for ever. It serves one invocation at a time, and is charged (count and memory) until it
//!   is *removed*, not just told to die.
//! - Whoever waits is served by the first sandbox that is free and fits, be it released,
//!   prewarmed or fresh: sandboxes are created for a queue, not for a waiter.
//! - A function has at most its cap of sandboxes, and while its work burns CPU as many as
//!   there are cores.
//! - Where there is too little for all, the function that holds least memory comes first, and
//!   in turns. Who overfills the queue is shed from it.
//! - When memory or the count is at its bound, the idle sandbox of the lowest priority makes
//!   room, by the [`EvictionPolicy`](super::EvictionPolicy).
//!
//! | file | says |
//! |---|---|
//! | `mod` | which events there are |
//! | `sandboxes` | what there is |
//! | `serve` | who gets what, and what is created |
//! | `room` | what makes room |
//! | `provision` | the warm sandboxes that a function always has |
//! | `upkeep` | what time brings |
//! | `count` | all of it in numbers |

mod count;
mod provision;
mod room;
mod sandboxes;
mod serve;
mod upkeep;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::breaker::Breaker;
use super::key::PoolKey;
use super::options::PoolOptions;
use super::policy::IdleSandbox;
pub use super::queue::{Demand, WaiterId};
use super::queue::{Queue, Waiter};
use super::stats::PoolCounters;
use crate::model::{FunctionId, RuntimeName, StartKind};
use crate::pool::key::SandboxClass;

use provision::Provision;
use sandboxes::{Sandboxes, Stage};

/// A sandbox, numbered in the order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u64);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sandbox that begins to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Taken {
    /// Which one.
    pub slot: Slot,
    /// It has to be thawed first.
    pub is_frozen: bool,
    /// It has served before, so its code is loaded.
    pub has_code: bool,
}

impl Taken {
    /// What it is to the one who takes it.
    #[must_use]
    pub fn start(self) -> StartKind {
        if self.has_code {
            StartKind::Warm
        } else {
            // Created for somebody who was then served by another one.
            StartKind::Prewarmed
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Give the sandbox to the waiter.
    Hand {
        /// Who waits.
        waiter: WaiterId,
        /// For as long as the invocation takes; then [`PoolState::released`] or
        /// [`PoolState::discarded`] is due.
        slot: Slot,
        /// What it is to the waiter. Unless it is warm it has no code yet.
        start: StartKind,
        /// It has to be thawed first.
        is_frozen: bool,
    },
    /// Create a sandbox; [`PoolState::created`] or [`PoolState::create_failed`] is due.
    Create {
        /// Its number from now on.
        slot: Slot,
        /// What it is like.
        class: Arc<SandboxClass>,
        /// Whose code is mounted into it; none: nobody's.
        key: Option<Arc<PoolKey>>,
    },
    /// Destroy the sandbox; [`PoolState::removed`] is due.
    Destroy {
        /// It idles, or its invocation has ended.
        slot: Slot,
    },
    /// Load the code of `key` into the sandbox, ahead of the first call;
    /// [`PoolState::loaded`] or [`PoolState::load_failed`] is due.
    Load {
        /// It has no code yet, and is the key's from now on.
        slot: Slot,
        /// Whose code.
        key: Arc<PoolKey>,
        /// It has to be thawed first.
        is_frozen: bool,
    },
    /// Freeze the sandbox, which idles.
    Freeze {
        /// It is thawed when it is handed or destroyed.
        slot: Slot,
    },
    /// Tell the waiter that it is refused.
    Refuse {
        /// Who waits no more.
        waiter: WaiterId,
        /// Why.
        reason: Refusal,
    },
}

/// Why a waiter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Too many wait already.
    QueueFull,
    /// It waited for as long as one may.
    QueueTimeout,
    /// One such sandbox is more than the pool may ever hold.
    TooLarge,
    /// The sandbox that was being created for it could not be.
    CreateFailed,
    /// The runtime has failed several times in a row, and is tried again after this long.
    RuntimeFailing {
        /// When to come again.
        retry_after: Duration,
    },
    /// The pool is shutting down.
    Closed,
}

/// See the module's text.
#[derive(Debug)]
pub struct PoolState {
    options: PoolOptions,
    began: Instant,
    sandboxes: Sandboxes,
    queue: Queue,
    breakers: HashMap<RuntimeName, Breaker>,
    /// The functions that always have warm sandboxes.
    provisions: BTreeMap<FunctionId, Provision>,
    /// See [`EvictionPolicy::priority`](super::EvictionPolicy::priority).
    clock: f64,
    /// Some waiter is entitled to a sandbox that is being created or that lacks room.
    is_short: bool,
    /// The sandboxes use the cores up, as of the last sample.
    is_saturated: bool,
    sampled_at: Option<Instant>,
    /// When an invocation last got a sandbox.
    served_at: Option<Instant>,
    closed: bool,
    counters: PoolCounters,
}

impl PoolState {
    /// A pool without sandboxes, at `now`.
    #[must_use]
    pub fn new(options: PoolOptions, now: Instant) -> Self {
        Self {
            options,
            began: now,
            sandboxes: Sandboxes::default(),
            queue: Queue::default(),
            breakers: HashMap::new(),
            provisions: BTreeMap::new(),
            counters: PoolCounters::default(),
            clock: 0.0,
            is_short: false,
            is_saturated: false,
            sampled_at: None,
            served_at: None,
            closed: false,
        }
    }

    /// The bounds.
    #[must_use]
    pub fn options(&self) -> &PoolOptions {
        &self.options
    }

    /// Takes the sandbox of `key` that was used last, if one idles. Nobody is passed over:
    /// nobody waits beside an idle sandbox.
    pub fn take_idle(&mut self, now: Instant, key: &PoolKey) -> Option<Taken> {
        let taken = self.sandboxes.take(now, key)?;
        self.served(now, taken.start());
        Some(taken)
    }

    /// Someone needs a sandbox.
    pub fn acquire(
        &mut self,
        now: Instant,
        id: WaiterId,
        key: PoolKey,
        demand: Demand,
    ) -> Vec<Action> {
        if self.closed {
            return vec![self.refuse(id, Refusal::Closed)];
        }
        if u64::from(demand.class.memory_mib) > self.options.memory_mib_max {
            return vec![self.refuse(id, Refusal::TooLarge)];
        }
        if let Some(taken) = self.take_idle(now, &key) {
            return vec![Action::Hand {
                waiter: id,
                slot: taken.slot,
                start: taken.start(),
                is_frozen: taken.is_frozen,
            }];
        }
        let stock = self.sandboxes.stock(&demand.class);
        stock.last_use = Some(now);
        let has_ready = !demand.is_mounted && !stock.ready.is_empty();
        let key = Arc::new(key);
        if let Some(retry_after) = self.refusing(now, &key, &demand, has_ready) {
            return vec![self.refuse(id, Refusal::RuntimeFailing { retry_after })];
        }
        let mut actions = Vec::new();
        // Those whose sandbox is on its way count as waiting too: the bound is on people.
        if self.queue.len() >= self.options.queue_max as usize && !has_ready {
            let own = self.queue.line(key.function).map_or(0, |line| line.len());
            let Some(shed) = self.queue.last_of_longest(own + 1) else {
                return vec![self.refuse(id, Refusal::QueueFull)];
            };
            self.queue.remove(shed);
            actions.push(self.refuse(shed, Refusal::QueueFull));
        }
        let deadline = now + self.options.queue_timeout;
        let waiter = Waiter {
            key,
            demand,
            since: now,
            deadline,
        };
        self.queue.push(id, waiter);
        self.serve(now, &mut actions);
        // With a sandbox ready it is served at once, or else its function is at its bound.
        if self.queue.len() > self.options.queue_max as usize && self.queue.remove(id).is_some() {
            actions.push(self.refuse(id, Refusal::QueueFull));
        }
        actions
    }

    /// How long to wait before asking again for a sandbox that only a failing runtime could
    /// create; none: it may be had.
    fn refusing(
        &self,
        now: Instant,
        key: &PoolKey,
        demand: &Demand,
        has_ready: bool,
    ) -> Option<Duration> {
        let runtime = &demand.class.runtime;
        let breaker = self.breakers.get(runtime).filter(|b| b.is_open())?;
        let is_served = has_ready
            || self
                .sandboxes
                .versions
                .get(key)
                .is_some_and(|version| version.live > 0)
            || breaker.permits(now, self.sandboxes.creating_in(runtime));
        (!is_served).then(|| breaker.pause(now).max(Duration::from_millis(100)))
    }

    /// A waiter is gone.
    pub fn cancel(&mut self, waiter: WaiterId) {
        self.queue.remove(waiter);
    }

    /// A sandbox that was being created is ready. `cpu`: the CPU time that it has used.
    pub fn created(&mut self, now: Instant, slot: Slot, cpu: Option<Duration>) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.sandboxes.created(now, slot).is_none() {
            return actions;
        }
        let Some(entry) = self.sandboxes.get_mut(slot) else {
            return actions;
        };
        entry.meter.last = cpu.map(|cpu| (now, cpu));
        let runtime = entry.class.runtime.clone();
        let key = entry.key.clone();
        if let Some(breaker) = self.breakers.get_mut(&runtime) {
            breaker.succeeded();
        }
        if self.closed {
            self.destroy(slot, &mut actions);
            return actions;
        }
        self.idles(now, slot);
        // One with code mounted can be for nobody else.
        if let Some(key) = key
            && let Some(waiter) = self.queue.first_of(&key)
        {
            self.hand(now, waiter, &key, StartKind::Cold, &mut actions);
        }
        self.serve_fresh(now, slot, &mut actions);
        self.refill(now, &mut actions);
        actions
    }

    /// A sandbox could not be created; nothing is left of it. If `permanent`, no other like it
    /// can be, either.
    pub fn create_failed(&mut self, now: Instant, slot: Slot, permanent: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(entry) = self.sandboxes.failed(slot) else {
            return actions;
        };
        self.counters.create_failures += 1;
        let is_for = |key: &PoolKey, demand: &Demand| match &entry.key {
            Some(own) => *key == **own,
            None => demand.class == entry.class && !demand.is_mounted,
        };
        let mut refused = self
            .queue
            .matching(|waiter| is_for(&waiter.key, &waiter.demand));
        self.provision_failed(now, is_for);
        if permanent {
            self.sandboxes.stock(&entry.class).is_impossible = true;
        } else {
            // The one that has waited longest has waited for this very sandbox.
            refused.truncate(1);
            let runtime = entry.class.runtime.clone();
            let breaker = self.breakers.entry(runtime.clone()).or_default();
            breaker.failed(now);
            if breaker.is_open() {
                let versions = &self.sandboxes.versions;
                let is_lost = |waiter: &Waiter| {
                    waiter.demand.class.runtime == runtime
                        && versions.get(&waiter.key).is_none_or(|own| own.live == 0)
                };
                let retry_after = breaker.pause(now);
                let mut lost = self.queue.matching(is_lost);
                lost.retain(|waiter| !refused.contains(waiter));
                lost.iter()
                    .for_each(|waiter| _ = self.queue.remove(*waiter));
                let reason = Refusal::RuntimeFailing { retry_after };
                for waiter in lost {
                    actions.push(self.refuse(waiter, reason));
                }
            }
        }
        for waiter in refused {
            self.queue.remove(waiter);
            actions.push(self.refuse(waiter, Refusal::CreateFailed));
        }
        self.serve(now, &mut actions);
        self.refill(now, &mut actions);
        actions
    }

    /// A sandbox has served and may serve again. `init`: how long loading the code took, if
    /// that was part of it.
    pub fn released(&mut self, now: Instant, slot: Slot, init: Option<Duration>) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(entry) = self.sandboxes.get(slot) else {
            return actions;
        };
        let (Stage::Busy { .. }, Some(key)) = (entry.stage, entry.key.clone()) else {
            debug_assert!(false, "a sandbox is released once");
            return actions;
        };
        let is_stale = entry.is_stale;
        if let Some(init) = init {
            let tally = self.sandboxes.function(key.function);
            tally.init = sandboxes::recent(tally.init, init);
        }
        let next = self.queue.first_of(&key);
        let must_go = match next {
            Some(_) => self.must_yield(now, slot, &key),
            None => is_stale,
        };
        if self.closed || must_go {
            self.destroy(slot, &mut actions);
            return actions;
        }
        self.sandboxes.rest(now, slot);
        match next {
            Some(waiter) => self.hand(now, waiter, &key, StartKind::Warm, &mut actions),
            None => {
                self.idles(now, slot);
                // It may be the room that a waiter of another key needs.
                self.serve(now, &mut actions);
            }
        }
        actions
    }

    /// A sandbox is of no more use.
    pub fn discarded(&mut self, slot: Slot) -> Vec<Action> {
        let mut actions = Vec::new();
        self.destroy(slot, &mut actions);
        actions
    }

    /// A sandbox without work was found dead. One that has been taken meanwhile is its taker's.
    pub fn died(&mut self, slot: Slot) -> Vec<Action> {
        match self.sandboxes.get(slot) {
            Some(entry) if matches!(entry.stage, Stage::Idle { .. }) => {
                self.counters.deaths += 1;
                self.discarded(slot)
            }
            _ => Vec::new(),
        }
    }

    /// Nothing is left of a sandbox.
    pub fn removed(&mut self, now: Instant, slot: Slot) -> Vec<Action> {
        let mut actions = Vec::new();
        self.sandboxes.removed(slot);
        self.serve(now, &mut actions);
        self.refill(now, &mut actions);
        actions
    }

    /// Lets go of the sandboxes of a function, all versions, or all but `except`: at once, or
    /// when they have served.
    pub fn function_changed(&mut self, function: FunctionId, except: Option<u32>) -> Vec<Action> {
        let mut actions = Vec::new();
        if self
            .provisioned(function)
            .is_some_and(|key| Some(key.version) != except)
        {
            self.provisions.remove(&function);
        }
        let own: Vec<_> = self
            .sandboxes
            .iter()
            .filter_map(|(slot, entry)| Some((slot, entry.key.as_ref()?)))
            .filter(|(_, key)| key.function == function)
            .map(|(slot, key)| (slot, Some(key.version) != except))
            .collect();
        for (slot, is_stale) in own {
            match self.sandboxes.get_mut(slot) {
                Some(entry) if is_stale && matches!(entry.stage, Stage::Idle { .. }) => {
                    self.destroy(slot, &mut actions);
                }
                // Not so any more where an earlier version is current again.
                Some(entry) => entry.is_stale = is_stale,
                None => {}
            }
        }
        actions
    }

    /// Refuses all who wait and all who come, and lets go of all that is without work. Busy
    /// sandboxes go when they are released.
    pub fn close(&mut self) -> Vec<Action> {
        self.closed = true;
        self.provisions.clear();
        let mut actions = Vec::new();
        for waiter in self.queue.matching(|_| true) {
            self.queue.remove(waiter);
            actions.push(self.refuse(waiter, Refusal::Closed));
        }
        self.destroy_idle(|_, _| true, &mut actions);
        actions
    }

    /// Whether somebody waits.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether somebody waits for a sandbox of this key.
    #[must_use]
    pub fn is_key_waited_for(&self, key: &PoolKey) -> bool {
        self.queue.first_of(key).is_some()
    }

    /// Whether a sandbox is to be frozen: it idles, and has done so for long enough.
    #[must_use]
    pub fn is_frozen(&self, slot: Slot) -> bool {
        self.sandboxes
            .get(slot)
            .is_some_and(|entry| entry.is_frozen)
    }

    /// A sandbox that was to be frozen could not be. It is not tried again.
    pub fn freeze_failed(&mut self, slot: Slot) {
        self.sandboxes.stays_thawed(slot);
    }

    /// Sandboxes without work, with code or without.
    #[must_use]
    pub fn idle_sandboxes(&self) -> Vec<Slot> {
        self.sandboxes
            .iter()
            .filter(|(_, entry)| matches!(entry.stage, Stage::Idle { .. }))
            .map(|(slot, _)| slot)
            .collect()
    }

    /// Tells a waiter, who is not in the queue any more, that it is refused.
    fn refuse(&mut self, waiter: WaiterId, reason: Refusal) -> Action {
        self.counters.refused(reason);
        Action::Refuse { waiter, reason }
    }

    /// A sandbox begins to idle: how much it is worth to keep.
    fn idles(&mut self, now: Instant, slot: Slot) {
        let Some(entry) = self.sandboxes.get(slot) else {
            return;
        };
        let stock = self.sandboxes.stocks.get(&entry.class);
        let tally = entry
            .key
            .as_ref()
            .and_then(|key| self.sandboxes.tally(key.function));
        let boot = stock.map_or(Duration::ZERO, |stock| stock.boot);
        let idle = IdleSandbox {
            idle_since: now.saturating_duration_since(self.began),
            uses: tally.map_or(stock.map_or(0, |stock| stock.uses), |tally| tally.uses),
            start_cost: boot + tally.map_or(Duration::ZERO, |tally| tally.init),
            memory_mib: entry.class.memory_mib,
        };
        let priority = self.options.eviction.priority(&idle, self.clock);
        if let Some(entry) = self.sandboxes.get_mut(slot) {
            entry.priority = priority;
        }
    }

    fn served(&mut self, now: Instant, start: StartKind) {
        self.counters.started(start);
        self.served_at = Some(now);
    }

    fn destroy(&mut self, slot: Slot, actions: &mut Vec<Action>) {
        if self.sandboxes.doom(slot) {
            actions.push(Action::Destroy { slot });
        }
    }

    fn destroy_idle(
        &mut self,
        choose: impl Fn(&sandboxes::Entry, Instant) -> bool,
        actions: &mut Vec<Action>,
    ) {
        let chosen: Vec<_> = self
            .sandboxes
            .iter()
            .filter(|(_, entry)| match entry.stage {
                Stage::Idle { since } => choose(entry, since),
                _ => false,
            })
            .map(|(slot, _)| slot)
            .collect();
        for slot in chosen {
            self.destroy(slot, actions);
        }
    }
}
