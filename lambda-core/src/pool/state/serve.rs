//! Who gets what, and what is created.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sandboxes::{Entry, Stage};
use super::{Action, PoolState, Slot};
use crate::model::{FunctionId, StartKind};
use crate::pool::governor::CpuShare;
use crate::pool::key::{PoolKey, SandboxClass};
use crate::pool::queue::{Demand, WaiterId};

/// So long after the last invocation has begun its sandbox is taken to have no other soon.
const CALM_AFTER: Duration = Duration::from_millis(200);

/// A waiter that may have a sandbox more.
struct Entitled {
    waiter: WaiterId,
    key: Arc<PoolKey>,
    demand: Demand,
}

impl PoolState {
    /// Gives what is ready to those who wait, and creates what they need beyond that and
    /// beyond what is being created already, as far as the bounds allow.
    pub(super) fn serve(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.is_short = false;
        if self.queue.is_empty() || self.closed {
            return;
        }
        // Under a full load this is where most calls end.
        if self.sandboxes.sums.creating >= self.options.creating_max
            && self.sandboxes.sums.prewarmed == 0
        {
            self.is_short = true;
            return;
        }
        let mut lines = Vec::new();
        for function in self.in_order() {
            let entitled = self.entitled(function);
            if entitled.is_empty() {
                self.unblock(function, actions);
            }
            lines.push(entitled.into_iter());
        }
        let mut coming = Coming::default();
        // One for each function in turn, as deep as the lines are.
        loop {
            let mut is_done = true;
            for line in &mut lines {
                if let Some(entitled) = line.next() {
                    is_done = false;
                    self.serve_one(now, &entitled, &mut coming, actions);
                }
            }
            if is_done {
                return;
            }
        }
    }

    /// A sandbox has just been created: it is for whoever has most right to one like it.
    pub(super) fn serve_fresh(&mut self, now: Instant, slot: Slot, actions: &mut Vec<Action>) {
        let Some(entry) = self.sandboxes.get(slot) else {
            return;
        };
        if entry.key.is_none() && !matches!(entry.stage, Stage::Busy { .. }) {
            let class = Arc::clone(&entry.class);
            let fits = |demand: &Demand| demand.class == class && !demand.is_mounted;
            let waiter = self.in_order().into_iter().find_map(|function| {
                let mut entitled = self.entitled(function).into_iter();
                entitled.find(|entitled| fits(&entitled.demand))
            });
            if let Some(Entitled { waiter, key, .. }) = waiter {
                self.give(now, slot, waiter, &key, StartKind::Cold, actions);
            }
        }
        self.serve(now, actions);
    }

    /// Keeps as many warm of each function, and ready of each class, as it should have. Waits while somebody waits for a
    /// sandbox to be created: that one's start would be slowed by it.
    pub(super) fn refill(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.closed || self.is_short {
            return;
        }
        self.uphold(now, actions);
        let classes: Vec<_> = self.sandboxes.stocks.keys().cloned().collect();
        for class in classes {
            let target = self.target(now, &class);
            loop {
                let stock = self.sandboxes.stock(&class);
                let there = u32::try_from(stock.ready.len()).unwrap_or(u32::MAX) + stock.creating;
                if there >= target
                    || !self.may_create(now, &class)
                    || !self.may_refill(now)
                    || !self.fits(1, class.memory_mib)
                {
                    break;
                }
                self.create(now, &class, None, actions);
            }
        }
    }

    /// How many of a class are to be ready.
    pub(super) fn target(&self, now: Instant, class: &Arc<SandboxClass>) -> u32 {
        let Some(stock) = self.sandboxes.stocks.get(class) else {
            return 0;
        };
        if stock.is_impossible {
            return 0;
        }
        let set = self.options.prewarmed_classes.iter();
        if let Some((_, count)) = set.clone().find(|(other, _)| *other == **class) {
            return *count;
        }
        let is_used = stock
            .last_use
            .is_some_and(|at| now.saturating_duration_since(at) < self.options.idle_timeout);
        if is_used { self.options.prewarmed } else { 0 }
    }

    /// Most sandboxes of a function at the moment.
    pub(super) fn limit(&self, function: FunctionId, cap: u32) -> u32 {
        let unknown = CpuShare::default();
        let share = self
            .sandboxes
            .tally(function)
            .map_or(&unknown, |tally| &tally.share);
        share.limit(self.options.cores, cap, self.is_saturated)
    }

    /// Hands the idle sandbox of `key` that was used last to a waiter of it.
    pub(super) fn hand(
        &mut self,
        now: Instant,
        waiter: WaiterId,
        key: &PoolKey,
        start: StartKind,
        actions: &mut Vec<Action>,
    ) {
        let Some(taken) = self.sandboxes.take(now, key) else {
            return;
        };
        self.served(now, start);
        self.queue.remove(waiter);
        self.queue.had_turn(key.function);
        actions.push(Action::Hand {
            waiter,
            slot: taken.slot,
            start,
            is_frozen: taken.is_frozen,
        });
    }

    /// Gives a sandbox that is nobody's to a waiter.
    fn give(
        &mut self,
        now: Instant,
        slot: Slot,
        waiter: WaiterId,
        key: &Arc<PoolKey>,
        start: StartKind,
        actions: &mut Vec<Action>,
    ) {
        if let Some(entry) = self.sandboxes.get(slot) {
            let class = Arc::clone(&entry.class);
            self.sandboxes.stock(&class).uses += 1;
        }
        self.sandboxes.claim(slot, key);
        self.hand(now, waiter, key, start, actions);
    }

    /// The functions that wait: who holds least first, then in turns.
    fn in_order(&self) -> Vec<FunctionId> {
        let mut order: Vec<_> = self
            .queue
            .lines()
            .map(|(function, line)| {
                let memory_mib = self.sandboxes.tally(function).map_or(0, |t| t.memory_mib);
                (memory_mib, line.turn(), function)
            })
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, _, function)| function).collect()
    }

    /// The first waiters of a function, as many as it may have sandboxes more.
    fn entitled(&self, function: FunctionId) -> Vec<Entitled> {
        let Some(line) = self.queue.line(function) else {
            return Vec::new();
        };
        let cap = line.first().map_or(0, |first| first.demand.concurrency);
        let held = self.sandboxes.tally(function).map_or(0, |tally| tally.held);
        let more = self.limit(function, cap).saturating_sub(held);
        line.iter()
            .take(more as usize)
            .map(|(waiter, entry)| Entitled {
                waiter,
                key: Arc::clone(&entry.key),
                demand: entry.demand.clone(),
            })
            .collect()
    }

    /// A function is at its bound: another version's or runtime's idle sandbox must not be
    /// what keeps it there.
    fn unblock(&mut self, function: FunctionId, actions: &mut Vec<Action>) {
        if self
            .sandboxes
            .tally(function)
            .is_some_and(|tally| tally.removing > 0)
        {
            return;
        }
        let is_idle_one = |entry: &Entry| {
            let key = entry.key.as_ref();
            key.is_some_and(|key| key.function == function)
        };
        // Nobody waits beside an idle sandbox of the same key, so it is of another.
        self.evict(is_idle_one, actions);
    }

    fn serve_one(
        &mut self,
        now: Instant,
        entitled: &Entitled,
        coming: &mut Coming,
        actions: &mut Vec<Action>,
    ) {
        let Entitled {
            waiter,
            key,
            demand,
        } = entitled;
        let class = &demand.class;
        if !demand.is_mounted
            && let Some(slot) = self.sandboxes.stock(class).ready.last().copied()
        {
            self.give(now, slot, *waiter, key, StartKind::Prewarmed, actions);
            return;
        }
        self.is_short = true;
        let coming = if demand.is_mounted {
            coming.keys.entry(Arc::clone(key)).or_insert_with(|| {
                let version = self.sandboxes.versions.get(key);
                version.map_or(0, |version| version.creating)
            })
        } else {
            coming
                .classes
                .entry(Arc::clone(class))
                .or_insert_with(|| self.sandboxes.stock(class).creating)
        };
        if *coming > 0 {
            *coming -= 1;
            return;
        }
        if self.may_create(now, class) && self.make_room(class.memory_mib, actions) {
            let key = demand.is_mounted.then(|| Arc::clone(key));
            self.create(now, class, key, actions);
        }
    }

    /// One at a time beside invocations, which creating slows down.
    fn may_refill(&self, now: Instant) -> bool {
        let sums = &self.sandboxes.sums;
        let is_calm = sums.busy == 0
            && self
                .served_at
                .is_none_or(|at| now.saturating_duration_since(at) >= CALM_AFTER);
        is_calm || sums.creating == 0
    }

    pub(super) fn may_create(&self, now: Instant, class: &SandboxClass) -> bool {
        let creating = self.sandboxes.creating_in(&class.runtime);
        self.sandboxes.sums.creating < self.options.creating_max
            && self
                .breakers
                .get(&class.runtime)
                .is_none_or(|breaker| breaker.permits(now, creating))
    }

    pub(super) fn create(
        &mut self,
        now: Instant,
        class: &Arc<SandboxClass>,
        key: Option<Arc<PoolKey>>,
        actions: &mut Vec<Action>,
    ) {
        self.counters.creations += 1;
        let slot = self.sandboxes.add(now, Arc::clone(class), key.clone());
        actions.push(Action::Create {
            slot,
            class: Arc::clone(class),
            key,
        });
    }
}

/// What is being created and has no waiter counted for it yet.
#[derive(Default)]
struct Coming {
    classes: BTreeMap<Arc<SandboxClass>, u32>,
    keys: HashMap<Arc<PoolKey>, u32>,
}
