//! The warm sandboxes that a function always has, called or not.
//!
//! Whoever waits comes first; then these are made, where they need it in the place of what idles
//! beyond its own function's minimum. What a function has of them nobody else's demand takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sandboxes::Stage;
use super::{Action, PoolState, Slot};
use crate::model::FunctionId;
use crate::pool::breaker::Breaker;
use crate::pool::key::PoolKey;
use crate::pool::queue::Demand;
use crate::pool::stats::ProvisionedStats;

/// What a function is to have.
#[derive(Debug)]
pub(super) struct Provision {
    pub(super) key: Arc<PoolKey>,
    demand: Demand,
    pub(super) min_warm: u32,
    /// Code that does not load, or a class that cannot be created, is not tried all the time.
    breaker: Breaker,
}

impl PoolState {
    /// Keeps `min_warm` sandboxes of `key` with their code loaded, or as many as its function may
    /// have; 0: none. It replaces what was asked for the function before.
    pub fn provision(
        &mut self,
        now: Instant,
        key: PoolKey,
        demand: Demand,
        min_warm: u32,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        let function = key.function;
        if min_warm == 0 || self.closed {
            self.unprovision(function);
            return actions;
        }
        let before = self.provisions.remove(&function);
        let breaker = before
            .filter(|before| *before.key == key)
            .map(|before| before.breaker);
        // It is the current version, whatever was said before.
        self.sandboxes.refresh(&key);
        let provision = Provision {
            key: Arc::new(key),
            demand,
            min_warm,
            breaker: breaker.unwrap_or_default(),
        };
        self.provisions.insert(function, provision);
        self.serve(now, &mut actions);
        self.refill(now, &mut actions);
        actions
    }

    /// Keeps none of a function any more beyond what is called.
    pub fn unprovision(&mut self, function: FunctionId) {
        self.provisions.remove(&function);
    }

    /// The key that is kept warm for a function.
    #[must_use]
    pub fn provisioned(&self, function: FunctionId) -> Option<&PoolKey> {
        self.provisions.get(&function).map(|own| &*own.key)
    }

    /// A sandbox has loaded its code ahead of the first call, which took so long.
    pub fn loaded(&mut self, now: Instant, slot: Slot, init: Duration) -> Vec<Action> {
        if let Some(provision) = self.provision_of(slot) {
            provision.breaker.succeeded();
        }
        self.released(now, slot, Some(init))
    }

    /// A sandbox could not load its code ahead of the first call, and is of no more use.
    pub fn load_failed(&mut self, now: Instant, slot: Slot) -> Vec<Action> {
        if let Some(provision) = self.provision_of(slot) {
            provision.breaker.failed(now);
        }
        self.discarded(slot)
    }

    /// Makes what is missing.
    pub(super) fn uphold(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let functions: Vec<_> = self.provisions.keys().copied().collect();
        // Being created, for whoever comes first, and not counted for any of them yet.
        let mut coming = BTreeMap::new();
        for function in functions {
            self.uphold_one(now, function, &mut coming, actions);
        }
    }

    fn uphold_one(
        &mut self,
        now: Instant,
        function: FunctionId,
        coming: &mut BTreeMap<Arc<crate::pool::SandboxClass>, u32>,
        actions: &mut Vec<Action>,
    ) {
        let Some(provision) = self.provisions.get(&function) else {
            return;
        };
        let (key, demand) = (Arc::clone(&provision.key), provision.demand.clone());
        let Demand {
            class, is_mounted, ..
        } = &demand;
        let min_warm = provision.min_warm.min(demand.concurrency);
        let loading = self.loading(&key);
        if !provision.breaker.permits(now, loading) {
            return;
        }
        // After a failure one at a time.
        let mut may_start = match provision.breaker.failures() {
            0 => u32::MAX,
            _ => 1,
        };
        let codeless: Vec<_> = self.idle_without_code(&key);
        for slot in codeless {
            if may_start == 0 {
                return;
            }
            may_start -= 1;
            self.load(now, slot, &key, actions);
        }
        let live = |state: &Self| state.sandboxes.versions.get(&key).map_or(0, |v| v.live);
        let held = |state: &Self| {
            state
                .sandboxes
                .tally(function)
                .map_or(0, |tally| tally.held)
        };
        let mut expected = 0;
        while live(self) + expected < min_warm
            && held(self) + expected < demand.concurrency
            && may_start > 0
        {
            may_start -= 1;
            if !is_mounted && let Some(slot) = self.sandboxes.stock(class).ready.last().copied() {
                self.sandboxes.stock(class).uses += 1;
                self.sandboxes.claim(slot, &key);
                self.load(now, slot, &key, actions);
                continue;
            }
            if !is_mounted {
                let creating = self.sandboxes.stock(class).creating;
                let coming = coming.entry(Arc::clone(class)).or_insert(creating);
                if *coming > 0 {
                    *coming -= 1;
                    expected += 1;
                    continue;
                }
            }
            if !self.may_create(now, class) || !self.make_room(class.memory_mib, actions) {
                return;
            }
            let owner = is_mounted.then(|| Arc::clone(&key));
            expected += u32::from(owner.is_none());
            self.create(now, class, owner, actions);
        }
    }

    /// One could not be created: those that it would have been for are not tried at once.
    pub(super) fn provision_failed(
        &mut self,
        now: Instant,
        fails: impl Fn(&PoolKey, &Demand) -> bool,
    ) {
        for provision in self.provisions.values_mut() {
            if fails(&provision.key, &provision.demand) {
                provision.breaker.failed(now);
            }
        }
    }

    pub(super) fn provisioned_stats(&self) -> Vec<ProvisionedStats> {
        let stats = self.provisions.values().map(|provision| {
            let key = &provision.key;
            let failures = provision.breaker.failures();
            let mut stats = ProvisionedStats::new((**key).clone(), provision.min_warm, failures);
            for (_, entry) in self.sandboxes.iter() {
                if entry.key.as_ref() != Some(key) {
                    continue;
                }
                match entry.stage {
                    Stage::Removing => {}
                    _ if entry.has_code => stats.warm += 1,
                    _ => stats.coming += 1,
                }
            }
            stats
        });
        stats.collect()
    }

    fn load(&mut self, now: Instant, slot: Slot, key: &Arc<PoolKey>, actions: &mut Vec<Action>) {
        if let Some(is_frozen) = self.sandboxes.take_for_loading(now, slot) {
            self.counters.provisioned_starts += 1;
            actions.push(Action::Load {
                slot,
                key: Arc::clone(key),
                is_frozen,
            });
        }
    }

    fn provision_of(&mut self, slot: Slot) -> Option<&mut Provision> {
        let key = self.sandboxes.get(slot)?.key.clone()?;
        self.provisions
            .get_mut(&key.function)
            .filter(|provision| provision.key == key)
    }

    fn idle_without_code(&self, key: &PoolKey) -> Vec<Slot> {
        let Some(version) = self.sandboxes.versions.get(key) else {
            return Vec::new();
        };
        let is_codeless = |slot: &Slot| {
            let entry = self.sandboxes.get(*slot);
            entry.is_some_and(|entry| !entry.has_code)
        };
        version.idle.iter().copied().filter(is_codeless).collect()
    }

    /// How many of a key are on the way to be warm.
    fn loading(&self, key: &PoolKey) -> u32 {
        let loading = self.sandboxes.iter().filter(|(_, entry)| {
            entry.key.as_ref().is_some_and(|own| **own == *key)
                && !entry.has_code
                && matches!(entry.stage, Stage::Creating { .. } | Stage::Busy { .. })
        });
        u32::try_from(loading.count()).unwrap_or(u32::MAX)
    }
}
