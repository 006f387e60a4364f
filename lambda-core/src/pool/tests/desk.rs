//! A pool whose sandboxes the test itself creates and removes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{FunctionId, Language, Namespace, RuntimeName, StartKind};
use crate::pool::state::{Action, Demand, PoolState, Refusal, Slot, WaiterId};
use crate::pool::{PoolKey, PoolOptions, SandboxClass};

/// A pool, and a function that calls are made of.
pub(super) struct Pool {
    pub(super) state: PoolState,
    pub(super) now: Instant,
    pub(super) waiters: WaiterId,
}

#[derive(Clone)]
pub(super) struct Calls {
    pub(super) key: PoolKey,
    pub(super) demand: Demand,
}

pub(super) fn calls(memory_mib: u32, cap: u32) -> Calls {
    let runtime = RuntimeName::docker();
    let mut class = SandboxClass::new(runtime.clone(), Language::Python);
    class.memory_mib = memory_mib;
    let key = PoolKey {
        namespace: Namespace::default(),
        function: FunctionId::new(),
        version: 1,
        runtime,
    };
    Calls {
        key,
        demand: Demand::new(Arc::new(class), false, cap),
    }
}

/// Without prewarming, so that each test sees its own sandboxes only.
pub(super) fn options() -> PoolOptions {
    PoolOptions {
        sandboxes_max: 100,
        memory_mib_max: 100_000,
        cores: 2,
        creating_max: 2,
        queue_max: 300,
        prewarmed: 0,
        ..PoolOptions::default()
    }
}

impl Pool {
    pub(super) fn new(options: PoolOptions) -> Self {
        let now = Instant::now();
        Self {
            state: PoolState::new(options, now),
            now,
            waiters: 0,
        }
    }

    pub(super) fn call(&mut self, calls: &Calls) -> Vec<Action> {
        self.waiters += 1;
        let (key, demand) = (calls.key.clone(), calls.demand.clone());
        self.state.acquire(self.now, self.waiters, key, demand)
    }

    pub(super) fn provision(&mut self, calls: &Calls, min_warm: u32) -> Vec<Action> {
        let (key, demand) = (calls.key.clone(), calls.demand.clone());
        self.state.provision(self.now, key, demand, min_warm)
    }

    pub(super) fn created(&mut self, slot: Slot) -> Vec<Action> {
        self.state.created(self.now, slot, Some(Duration::ZERO))
    }

    pub(super) fn released(&mut self, slot: Slot) -> Vec<Action> {
        self.state.released(self.now, slot, None)
    }

    pub(super) fn tick_after(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.state.tick(self.now)
    }

    /// A call that is served by a sandbox made for it, which then serves on.
    pub(super) fn started(&mut self, calls: &Calls) -> Slot {
        let slot = creates(&self.call(calls))[0];
        assert_eq!(hands(&self.created(slot)), [(slot, StartKind::Cold)]);
        slot
    }

    /// A sandbox that idles.
    pub(super) fn warm(&mut self, calls: &Calls) -> Slot {
        let slot = self.started(calls);
        self.released(slot);
        slot
    }
}

pub(super) fn creates(actions: &[Action]) -> Vec<Slot> {
    let slots = actions.iter().filter_map(|action| match action {
        Action::Create { slot, .. } => Some(*slot),
        _ => None,
    });
    slots.collect()
}

pub(super) fn hands(actions: &[Action]) -> Vec<(Slot, StartKind)> {
    let hands = actions.iter().filter_map(|action| match action {
        Action::Hand { slot, start, .. } => Some((*slot, *start)),
        _ => None,
    });
    hands.collect()
}

pub(super) fn destroys(actions: &[Action]) -> Vec<Slot> {
    let slots = actions.iter().filter_map(|action| match action {
        Action::Destroy { slot } => Some(*slot),
        _ => None,
    });
    slots.collect()
}

pub(super) fn refusals(actions: &[Action]) -> Vec<(WaiterId, Refusal)> {
    let refusals = actions.iter().filter_map(|action| match action {
        Action::Refuse { waiter, reason } => Some((*waiter, *reason)),
        _ => None,
    });
    refusals.collect()
}
