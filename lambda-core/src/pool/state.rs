//! The pool's decisions, without any work: events in, actions out.
//!
//! Nothing here reads a clock, locks, waits or talks to a runtime, so that whole lives of a
//! pool are tested in microseconds. The rules:
//!
//! - A sandbox belongs to one [`PoolKey`] from creation to removal, serves one invocation at
//!   a time, and is charged (count and memory) until it is *removed*, not just told to die.
//! - Whoever waits is served by the first sandbox of its key that is free, be it released or
//!   fresh: sandboxes are created for a queue, not for a waiter.
//! - When memory or the count is at its bound, the sandbox that has idled longest makes room.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use super::options::PoolOptions;
use crate::model::{FunctionId, Namespace, RuntimeName, SandboxId};

/// What makes sandboxes interchangeable: one tenant's function, one immutable version of its
/// code and configuration, one back end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// The tenant.
    pub namespace: Namespace,
    /// The function.
    pub function: FunctionId,
    /// Its version.
    pub version: u32,
    /// Where it runs.
    pub runtime: RuntimeName,
}

/// What a key's sandboxes cost, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) memory_mib: u32,
    pub(crate) concurrency: u32,
}

/// Someone who waits for a sandbox. Numbered in the order of arrival.
pub(crate) type WaiterId = u64;

/// What the manager has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Give the sandbox to the waiter. `used`: it has served before.
    Hand {
        waiter: WaiterId,
        sandbox: SandboxId,
        used: bool,
    },
    /// Create a sandbox for the key and report `created` or `create_failed`.
    Create { sandbox: SandboxId, key: PoolKey },
    /// Destroy the sandbox and report `removed`.
    Destroy { sandbox: SandboxId },
    /// Tell the waiter that it is refused.
    Refuse { waiter: WaiterId, reason: Refusal },
}

/// Why a waiter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many wait already.
    QueueFull,
    /// It waited for as long as one may.
    QueueTimeout,
    /// One such sandbox is more than the pool may ever hold.
    TooLarge,
    /// The sandbox that was being created for its key could not be.
    CreateFailed,
    /// The pool is shutting down.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Creating,
    Idle { since: Instant, used: bool },
    Busy,
    Removing,
}

#[derive(Debug)]
struct Entry {
    key: PoolKey,
    memory_mib: u32,
    stage: Stage,
}

#[derive(Debug)]
struct Waiter {
    key: PoolKey,
    demand: Demand,
    deadline: Instant,
}

/// What is there, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// Being created.
    pub creating: u32,
    /// Without work.
    pub idle: u32,
    /// Serving.
    pub busy: u32,
    /// Told to die, and still charged.
    pub removing: u32,
    /// Memory limits of all of these together, in MiB.
    pub memory_mib: u64,
    /// Invocations that wait.
    pub waiting: u32,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct PoolState {
    options: PoolOptions,
    sandboxes: HashMap<SandboxId, Entry>,
    /// Idle sandboxes of a key, the one used last at the end.
    idle: HashMap<PoolKey, Vec<SandboxId>>,
    waiters: BTreeMap<WaiterId, Waiter>,
    /// Who waits for a key, in order.
    queues: HashMap<PoolKey, VecDeque<WaiterId>>,
    closed: bool,
}

impl PoolState {
    pub(crate) fn new(options: PoolOptions) -> Self {
        Self {
            options,
            sandboxes: HashMap::new(),
            idle: HashMap::new(),
            waiters: BTreeMap::new(),
            queues: HashMap::new(),
            closed: false,
        }
    }

    pub(crate) fn options(&self) -> &PoolOptions {
        &self.options
    }

    /// Takes the idle sandbox that was used last, if there is one and nobody waits for it.
    /// The warm path: no allocation, no action.
    pub(crate) fn take_idle(&mut self, key: &PoolKey) -> Option<(SandboxId, bool)> {
        let sandbox = self.idle.get_mut(key)?.pop()?;
        let entry = self.sandboxes.get_mut(&sandbox)?;
        let used = matches!(entry.stage, Stage::Idle { used: true, .. });
        entry.stage = Stage::Busy;
        Some((sandbox, used))
    }

    /// Someone needs a sandbox.
    pub(crate) fn acquire(
        &mut self,
        now: Instant,
        waiter: WaiterId,
        key: PoolKey,
        demand: Demand,
    ) -> Vec<Action> {
        let refuse = |reason| vec![Action::Refuse { waiter, reason }];
        if self.closed {
            return refuse(Refusal::Closed);
        }
        if u64::from(demand.memory_mib) > self.options.memory_mib_max {
            return refuse(Refusal::TooLarge);
        }
        if let Some((sandbox, used)) = self.take_idle(&key) {
            return vec![Action::Hand {
                waiter,
                sandbox,
                used,
            }];
        }
        // Those whose sandbox is on its way count as waiting too: the bound is on people.
        if self.waiters.len() >= self.options.queue_max as usize {
            return refuse(Refusal::QueueFull);
        }
        self.queues
            .entry(key.clone())
            .or_default()
            .push_back(waiter);
        let deadline = now + self.options.queue_timeout;
        self.waiters.insert(
            waiter,
            Waiter {
                key,
                demand,
                deadline,
            },
        );
        self.advance()
    }

    /// A waiter is gone.
    pub(crate) fn cancel(&mut self, waiter: WaiterId) {
        self.forget_waiter(waiter);
    }

    /// A sandbox that was being created is ready.
    pub(crate) fn created(&mut self, now: Instant, sandbox: SandboxId) -> Vec<Action> {
        self.freed(now, sandbox, Stage::Creating, false)
    }

    /// A sandbox has served and may serve again.
    pub(crate) fn released(&mut self, now: Instant, sandbox: SandboxId) -> Vec<Action> {
        self.freed(now, sandbox, Stage::Busy, true)
    }

    /// A sandbox could not be created; nothing is left of it. If `permanent`, no other of its
    /// key can be, either.
    pub(crate) fn create_failed(&mut self, sandbox: SandboxId, permanent: bool) -> Vec<Action> {
        let Some(entry) = self.sandboxes.remove(&sandbox) else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        // The one at the front has waited longest for this very sandbox.
        while let Some(waiter) = self.front(&entry.key) {
            self.forget_waiter(waiter);
            actions.push(Action::Refuse {
                waiter,
                reason: Refusal::CreateFailed,
            });
            if !permanent {
                break;
            }
        }
        actions.extend(self.advance());
        actions
    }

    /// A sandbox is of no more use.
    pub(crate) fn discarded(&mut self, sandbox: SandboxId) -> Vec<Action> {
        self.destroy(sandbox).into_iter().collect()
    }

    /// An idle sandbox was found dead. One that has been taken meanwhile is its taker's.
    pub(crate) fn died(&mut self, sandbox: SandboxId) -> Vec<Action> {
        match self.sandboxes.get(&sandbox) {
            Some(entry) if matches!(entry.stage, Stage::Idle { .. }) => self.discarded(sandbox),
            _ => Vec::new(),
        }
    }

    /// Nothing is left of a sandbox.
    pub(crate) fn removed(&mut self, sandbox: SandboxId) -> Vec<Action> {
        self.sandboxes.remove(&sandbox);
        self.advance()
    }

    /// Lets go of the idle sandboxes of a function, all versions, or all but `except`.
    pub(crate) fn function_changed(
        &mut self,
        function: FunctionId,
        except: Option<u32>,
    ) -> Vec<Action> {
        let stale = |key: &PoolKey| key.function == function && Some(key.version) != except;
        self.destroy_idle(|entry, _| stale(&entry.key))
    }

    /// Time passes: sandboxes that idled too long go, and waiters that waited too long.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<Action> {
        let late: Vec<_> = self
            .waiters
            .iter()
            .filter(|(_, waiter)| waiter.deadline <= now)
            .map(|(id, _)| *id)
            .collect();
        let mut actions = Vec::new();
        for waiter in late {
            self.forget_waiter(waiter);
            actions.push(Action::Refuse {
                waiter,
                reason: Refusal::QueueTimeout,
            });
        }
        self.idle.retain(|_, sandboxes| !sandboxes.is_empty());
        let idle_timeout = self.options.idle_timeout;
        actions.extend(self.destroy_idle(|_, since| now.duration_since(since) >= idle_timeout));
        actions
    }

    /// Refuses all who wait and all who come, and lets go of all that idles. Busy sandboxes
    /// go when they are released.
    pub(crate) fn close(&mut self) -> Vec<Action> {
        self.closed = true;
        self.queues.clear();
        let mut actions: Vec<_> = std::mem::take(&mut self.waiters)
            .into_keys()
            .map(|waiter| Action::Refuse {
                waiter,
                reason: Refusal::Closed,
            })
            .collect();
        actions.extend(self.destroy_idle(|_, _| true));
        actions
    }

    /// Whether somebody waits for a sandbox of this key.
    pub(crate) fn is_waited_for(&self, key: &PoolKey) -> bool {
        self.queues.contains_key(key)
    }

    /// Sandboxes without work.
    pub(crate) fn idle_sandboxes(&self) -> Vec<SandboxId> {
        self.idle.values().flatten().copied().collect()
    }

    /// How many sandboxes of a key idle.
    #[cfg(test)]
    pub(crate) fn idle_of(&self, key: &PoolKey) -> usize {
        self.idle.get(key).map_or(0, Vec::len)
    }

    pub(crate) fn stats(&self) -> PoolStats {
        let mut stats = PoolStats {
            waiting: u32::try_from(self.waiters.len()).unwrap_or(u32::MAX),
            ..PoolStats::default()
        };
        for entry in self.sandboxes.values() {
            stats.memory_mib += u64::from(entry.memory_mib);
            match entry.stage {
                Stage::Creating => stats.creating += 1,
                Stage::Idle { .. } => stats.idle += 1,
                Stage::Busy => stats.busy += 1,
                Stage::Removing => stats.removing += 1,
            }
        }
        stats
    }

    fn freed(&mut self, now: Instant, sandbox: SandboxId, from: Stage, used: bool) -> Vec<Action> {
        let closed = self.closed;
        let Some(entry) = self.sandboxes.get_mut(&sandbox) else {
            return Vec::new();
        };
        debug_assert_eq!(entry.stage, from, "a sandbox is freed once");
        if entry.stage != from {
            return Vec::new();
        }
        if closed {
            return self.discarded(sandbox);
        }
        let key = entry.key.clone();
        if let Some(waiter) = self.front(&key) {
            self.forget_waiter(waiter);
            self.set_stage(sandbox, Stage::Busy);
            return vec![Action::Hand {
                waiter,
                sandbox,
                used,
            }];
        }
        self.set_stage(sandbox, Stage::Idle { since: now, used });
        self.idle.entry(key).or_default().push(sandbox);
        // It may be the room that a waiter of another key needs.
        self.advance()
    }

    /// Creates what the queues need, oldest waiter first, as far as the bounds allow.
    fn advance(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.waiters.is_empty() || self.closed {
            return actions;
        }
        let mut coming: HashMap<PoolKey, u32> = HashMap::new();
        let mut functions: HashMap<FunctionId, u32> = HashMap::new();
        let mut creating = 0_u32;
        for entry in self.sandboxes.values() {
            *functions.entry(entry.key.function).or_default() += 1;
            if entry.stage == Stage::Creating {
                creating += 1;
                *coming.entry(entry.key.clone()).or_default() += 1;
            }
        }
        let wanted: Vec<_> = self
            .waiters
            .values()
            .map(|waiter| (waiter.key.clone(), waiter.demand))
            .collect();
        for (key, demand) in wanted {
            if creating >= self.options.creating_max {
                break;
            }
            if let Some(coming) = coming.get_mut(&key).filter(|coming| **coming > 0) {
                *coming -= 1;
                continue;
            }
            let own = functions.entry(key.function).or_default();
            if *own >= demand.concurrency {
                // Another version's or runtime's idle sandbox must not block this one.
                actions.extend(
                    self.evict_oldest(|entry| {
                        entry.key.function == key.function && entry.key != key
                    }),
                );
                continue;
            }
            if !self.make_room(demand.memory_mib, &mut actions) {
                continue;
            }
            *own += 1;
            creating += 1;
            let sandbox = SandboxId::new();
            self.sandboxes.insert(
                sandbox,
                Entry {
                    key: key.clone(),
                    memory_mib: demand.memory_mib,
                    stage: Stage::Creating,
                },
            );
            actions.push(Action::Create { sandbox, key });
        }
        actions
    }

    /// Whether a sandbox of this size may be created now. If not, and evicting helps, starts
    /// to evict: the room is there once the evicted are removed.
    fn make_room(&mut self, memory_mib: u32, actions: &mut Vec<Action>) -> bool {
        let stats = self.stats();
        let count = stats.creating + stats.idle + stats.busy + stats.removing;
        let fits = count < self.options.sandboxes_max
            && stats.memory_mib + u64::from(memory_mib) <= self.options.memory_mib_max;
        if !fits && stats.removing == 0 {
            actions.extend(self.evict_oldest(|_| true));
        }
        fits
    }

    fn evict_oldest(&mut self, choose: impl Fn(&Entry) -> bool) -> Option<Action> {
        let (_, sandbox) = self
            .sandboxes
            .iter()
            .filter_map(|(id, entry)| match entry.stage {
                Stage::Idle { since, .. } if choose(entry) => Some((since, *id)),
                _ => None,
            })
            .min()?;
        self.destroy(sandbox)
    }

    fn destroy_idle(&mut self, choose: impl Fn(&Entry, Instant) -> bool) -> Vec<Action> {
        let chosen: Vec<_> = self
            .sandboxes
            .iter()
            .filter(|(_, entry)| match entry.stage {
                Stage::Idle { since, .. } => choose(entry, since),
                _ => false,
            })
            .map(|(id, _)| *id)
            .collect();
        chosen
            .into_iter()
            .filter_map(|sandbox| self.destroy(sandbox))
            .collect()
    }

    fn destroy(&mut self, sandbox: SandboxId) -> Option<Action> {
        let entry = self.sandboxes.get_mut(&sandbox)?;
        if entry.stage == Stage::Removing {
            return None;
        }
        entry.stage = Stage::Removing;
        if let Some(idle) = self.idle.get_mut(&entry.key) {
            idle.retain(|other| *other != sandbox);
            if idle.is_empty() {
                self.idle.remove(&entry.key);
            }
        }
        Some(Action::Destroy { sandbox })
    }

    fn set_stage(&mut self, sandbox: SandboxId, stage: Stage) {
        if let Some(entry) = self.sandboxes.get_mut(&sandbox) {
            entry.stage = stage;
        }
    }

    fn front(&self, key: &PoolKey) -> Option<WaiterId> {
        self.queues.get(key)?.front().copied()
    }

    fn forget_waiter(&mut self, waiter: WaiterId) {
        let Some(gone) = self.waiters.remove(&waiter) else {
            return;
        };
        if let Some(queue) = self.queues.get_mut(&gone.key) {
            queue.retain(|other| *other != waiter);
            if queue.is_empty() {
                self.queues.remove(&gone.key);
            }
        }
    }
}
