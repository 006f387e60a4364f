//! What makes room, and when a function must yield to another.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::sandboxes::{Entry, Stage};
use super::{Action, PoolState, Slot};
use crate::pool::key::PoolKey;
use crate::pool::queue::Waiter;

/// A function that holds nothing gets the next sandbox that is freed, whoever's, once it has
/// waited for this long: some starts of a few hundred milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

impl PoolState {
    /// Whether so many sandboxes of so much memory together fit beside what there is.
    pub(super) fn fits(&self, count: u32, memory_mib: u32) -> bool {
        let sums = &self.sandboxes.sums;
        sums.sandboxes() + count <= self.options.sandboxes_max
            && sums.memory_mib + u64::from(memory_mib) <= self.options.memory_mib_max
    }

    /// Whether a sandbox of this size may be created now. If not, and evicting helps, starts
    /// to evict: the room is there once the evicted are removed.
    pub(super) fn make_room(&mut self, memory_mib: u32, actions: &mut Vec<Action>) -> bool {
        if self.fits(1, memory_mib) {
            return true;
        }
        // All or nothing: what is evicted in vain is lost.
        let evictable = self.evictable();
        let (mut count, mut memory) = self.lacking(memory_mib);
        let mut victims = Vec::new();
        for (_, slot, size) in evictable {
            if count == 0 && memory == 0 {
                break;
            }
            victims.push(slot);
            count = count.saturating_sub(1);
            memory = memory.saturating_sub(u64::from(size));
        }
        if count == 0 && memory == 0 {
            for slot in victims {
                self.evict_one(slot, actions);
            }
        }
        false
    }

    /// Evicts the idle sandbox of the lowest priority among those that `choose` likes.
    pub(super) fn evict(&mut self, choose: impl Fn(&Entry) -> bool, actions: &mut Vec<Action>) {
        let victim = self
            .sandboxes
            .iter()
            .filter(|(_, entry)| matches!(entry.stage, Stage::Idle { .. }) && choose(entry))
            .min_by(|(_, a), (_, b)| a.priority.total_cmp(&b.priority));
        if let Some((slot, _)) = victim {
            self.evict_one(slot, actions);
        }
    }

    /// Whether the sandbox, which has served and is wanted by its own function, must go, to
    /// make room for a function that has less.
    pub(super) fn must_yield(&self, now: Instant, slot: Slot, key: &PoolKey) -> bool {
        let Some(entry) = self
            .sandboxes
            .get(slot)
            .filter(|entry| !self.is_kept(entry))
        else {
            return false;
        };
        let held = |function| self.sandboxes.tally(function).map_or(0, |t| t.memory_mib);
        let left = held(key.function).saturating_sub(u64::from(entry.class.memory_mib));
        let mut others = self
            .queue
            .lines()
            .filter(|(other, _)| *other != key.function);
        others.any(|(other, line)| {
            let Some(first) = line.first() else {
                return false;
            };
            let need = first.demand.class.memory_mib;
            let own = held(other);
            let is_fairer = own + u64::from(need) <= left;
            let is_starved = own == 0 && now.saturating_duration_since(first.since) >= PATIENCE;
            let tally = self.sandboxes.tally(other);
            (is_fairer || is_starved)
                && tally.map_or(0, |t| t.held) < self.limit(other, first.demand.concurrency)
                && self.lacking(need) != (0, 0)
                && self.evictable().is_empty()
                && !self.is_coming(first)
        })
    }

    /// Whether something is being created that would do.
    fn is_coming(&self, waiter: &Waiter) -> bool {
        let stock = self.sandboxes.stocks.get(&waiter.demand.class);
        let version = self.sandboxes.versions.get(&waiter.key);
        stock.is_some_and(|stock| stock.creating > 0 && !waiter.demand.is_mounted)
            || version.is_some_and(|version| version.creating > 0)
    }

    /// The count and the memory that are missing for one more sandbox of this size, what is on
    /// its way back left out.
    fn lacking(&self, memory_mib: u32) -> (u32, u64) {
        let sums = &self.sandboxes.sums;
        let (count, memory) = self.sandboxes.being_freed();
        let count = (sums.sandboxes() - count + 1).saturating_sub(self.options.sandboxes_max);
        let memory = (sums.memory_mib - memory + u64::from(memory_mib))
            .saturating_sub(self.options.memory_mib_max);
        (count, memory)
    }

    /// What may be evicted, of the lowest priority first, with its memory.
    fn evictable(&self) -> Vec<(f64, Slot, u32)> {
        let mut found: Vec<_> = self
            .sandboxes
            .iter()
            .filter(|(_, entry)| matches!(entry.stage, Stage::Idle { .. }))
            .collect();
        found.sort_by(|(a, one), (b, other)| {
            let by_priority = one.priority.total_cmp(&other.priority);
            by_priority.then(a.cmp(b))
        });
        // Of those that a function always has: as many as there are beyond that.
        let mut taken = HashMap::new();
        found.retain(|(_, entry)| match (self.surplus(entry), &entry.key) {
            (Some(surplus), Some(key)) => {
                let taken: &mut u32 = taken.entry(key).or_default();
                *taken += 1;
                *taken <= surplus
            }
            _ => true,
        });
        let found = found.into_iter();
        found
            .map(|(slot, entry)| (entry.priority, slot, entry.class.memory_mib))
            .collect()
    }

    /// Whether it is one of the warm sandboxes that its function always has.
    pub(super) fn is_kept(&self, entry: &Entry) -> bool {
        self.surplus(entry) == Some(0)
    }

    /// How many like it there are beyond those that its function always has; none: it is not of
    /// that kind.
    fn surplus(&self, entry: &Entry) -> Option<u32> {
        let key = entry.key.as_ref().filter(|_| !entry.is_stale)?;
        let provision = self.provisions.get(&key.function)?;
        if provision.key != *key {
            return None;
        }
        let live = self.sandboxes.versions.get(key).map_or(0, |own| own.live);
        Some(live.saturating_sub(provision.min_warm))
    }

    fn evict_one(&mut self, slot: Slot, actions: &mut Vec<Action>) {
        if let Some(entry) = self.sandboxes.get(slot) {
            self.clock = self.clock.max(entry.priority);
            self.counters.evictions += 1;
        }
        self.destroy(slot, actions);
    }
}
