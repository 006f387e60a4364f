//! What there is and what has happened, in numbers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::sandboxes::Stage;
use super::{PoolState, Refusal};
use crate::model::StartKind;
use crate::pool::SandboxClass;
use crate::pool::stats::{ClassStats, PoolCounters, PoolStats, RuntimeStats};

impl PoolState {
    /// What is there, in numbers.
    #[must_use]
    pub fn stats(&self, now: Instant) -> PoolStats {
        let mut stats = self.sandboxes.sums.clone();
        stats.memory_mib_max = self.options.memory_mib_max;
        stats.sandboxes_max = self.options.sandboxes_max;
        stats.waiting = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        let first = self.queue.waiters().map(|waiter| waiter.since).min();
        stats.oldest_wait = first.map(|since| now.saturating_duration_since(since));
        stats.classes = self.classes(now);
        stats.provisioned = self.provisioned_stats();
        let runtimes = self.breakers.iter().map(|(runtime, breaker)| {
            let (state, pause) = (breaker.state(now), breaker.pause(now));
            RuntimeStats::new(runtime.clone(), state, breaker.failures(), pause)
        });
        stats.runtimes = runtimes.collect();
        stats.runtimes.sort_by(|a, b| a.runtime.cmp(&b.runtime));
        stats.counters = self.counters;
        stats
    }

    fn classes(&self, now: Instant) -> Vec<ClassStats> {
        let mut classes: BTreeMap<&Arc<SandboxClass>, ClassStats> = BTreeMap::new();
        let of = |class: &Arc<SandboxClass>| {
            ClassStats::new(SandboxClass::clone(class), self.target(now, class))
        };
        for (_, entry) in self.sandboxes.iter() {
            let stats = classes
                .entry(&entry.class)
                .or_insert_with(|| of(&entry.class));
            stats.memory_mib += u64::from(entry.class.memory_mib);
            stats.frozen += u32::from(entry.is_frozen);
            match entry.stage {
                Stage::Creating { .. } => stats.creating += 1,
                Stage::Idle { .. } if entry.key.is_none() => stats.prewarmed += 1,
                Stage::Idle { .. } => stats.idle += 1,
                Stage::Busy { .. } => {
                    stats.busy += 1;
                    stats.draining += u32::from(entry.is_stale || self.closed);
                }
                Stage::Removing => stats.removing += 1,
            }
        }
        for waiter in self.queue.waiters() {
            let class = &waiter.demand.class;
            classes.entry(class).or_insert_with(|| of(class)).waiting += 1;
        }
        for class in self.sandboxes.stocks.keys() {
            classes.entry(class).or_insert_with(|| of(class));
        }
        classes
            .into_values()
            .filter(|stats| !stats.is_empty())
            .collect()
    }
}

impl PoolCounters {
    pub(super) fn started(&mut self, start: StartKind) {
        *match start {
            StartKind::Cold => &mut self.cold_starts,
            StartKind::Prewarmed => &mut self.prewarmed_starts,
            StartKind::Warm => &mut self.warm_starts,
        } += 1;
    }

    pub(super) fn refused(&mut self, reason: Refusal) {
        *match reason {
            Refusal::QueueFull => &mut self.throttled_queue_full,
            Refusal::QueueTimeout => &mut self.throttled_queue_timeout,
            Refusal::CreateFailed | Refusal::RuntimeFailing { .. } => &mut self.unavailable,
            // The caller's own, or nobody's fault.
            Refusal::TooLarge | Refusal::Closed => return,
        } += 1;
    }
}
