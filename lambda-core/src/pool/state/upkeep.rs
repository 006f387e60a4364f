//! What time brings: deadlines, idle times, samples of CPU time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sandboxes::Stage;
use super::{Action, PoolState, Refusal, Slot};
use crate::model::FunctionId;

/// Samples further apart than this are not compared: what idles uses CPU too, in gVisor.
const SAMPLE_AGE_MAX: Duration = Duration::from_secs(1);

/// Beyond this share of the cores the machine is in full use.
const SATURATED: f64 = 0.9;

impl PoolState {
    /// Time passes: waiters that waited too long are refused, sandboxes that idled too long
    /// go, others are frozen, and what is missing is created.
    pub fn tick(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        for waiter in self.queue.matching(|waiter| waiter.deadline <= now) {
            self.queue.remove(waiter);
            actions.push(self.refuse(waiter, Refusal::QueueTimeout));
        }
        self.expire(now, &mut actions);
        self.freeze(now, &mut actions);
        for (class, _) in &self.options.prewarmed_classes {
            if !self.sandboxes.stocks.contains_key(class) {
                self.sandboxes.stock(&Arc::new(class.clone()));
            }
        }
        if self
            .sampled_at
            .is_none_or(|at| now.saturating_duration_since(at) > SAMPLE_AGE_MAX)
        {
            self.is_saturated = false;
        }
        self.serve(now, &mut actions);
        self.refill(now, &mut actions);
        actions
    }

    /// The sandboxes whose CPU time matters now: while somebody waits, those that serve.
    #[must_use]
    pub fn to_sample(&self) -> Vec<Slot> {
        if self.queue.is_empty() {
            return Vec::new();
        }
        self.sandboxes
            .iter()
            .filter(|(_, entry)| matches!(entry.stage, Stage::Busy { .. }))
            .map(|(slot, _)| slot)
            .collect()
    }

    /// The CPU time that sandboxes have used since they began; none where the back end does
    /// not know.
    pub fn sampled(&mut self, now: Instant, samples: &[(Slot, Option<Duration>)]) {
        let mut used: BTreeMap<FunctionId, (Duration, Duration)> = BTreeMap::new();
        for (slot, cpu) in samples {
            let Some(entry) = self.sandboxes.get_mut(*slot) else {
                continue;
            };
            let Some(function) = entry.key.as_ref().map(|key| key.function) else {
                continue;
            };
            let Some(cpu) = *cpu else {
                self.sandboxes.function(function).share.set_unmeasurable();
                continue;
            };
            let meter = &mut entry.meter;
            let mut run = std::mem::take(&mut meter.busy);
            let last = meter.last.replace((now, cpu));
            let since = last
                .map(|(at, _)| at)
                .filter(|at| now.saturating_duration_since(*at) <= SAMPLE_AGE_MAX);
            if let Stage::Busy { since: began } = entry.stage {
                let from = since.map_or(began, |since| began.max(since));
                run += now.saturating_duration_since(from);
            }
            if let (Some(_), Some((_, before))) = (since, last) {
                let sum = used.entry(function).or_default();
                sum.0 += cpu.saturating_sub(before);
                sum.1 += run;
            }
        }
        let total: Duration = used.values().map(|(cpu, _)| *cpu).sum();
        for (function, (cpu, run)) in used {
            self.sandboxes.function(function).share.add(cpu, run);
        }
        let since = self.sampled_at.replace(now);
        if let Some(wall) = since.map(|since| now.saturating_duration_since(since))
            && wall <= SAMPLE_AGE_MAX
            && !wall.is_zero()
        {
            let cores = f64::from(self.options.cores.max(1));
            self.is_saturated = total.as_secs_f64() / wall.as_secs_f64() > SATURATED * cores;
        }
    }

    fn expire(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let idle_timeout = self.options.idle_timeout;
        let old: Vec<_> = self
            .sandboxes
            .iter()
            .filter(|(_, entry)| match entry.stage {
                Stage::Idle { since } => now.saturating_duration_since(since) >= idle_timeout,
                _ => false,
            })
            .map(|(slot, _)| slot)
            .collect();
        // One by one: each that goes changes how many are left.
        for slot in old {
            let Some(entry) = self.sandboxes.get(slot) else {
                continue;
            };
            let is_kept = match &entry.key {
                Some(_) => self.is_kept(entry),
                None => {
                    let ready = self.sandboxes.stocks.get(&entry.class);
                    let ready = ready.map_or(0, |stock| stock.ready.len());
                    ready <= self.target(now, &entry.class) as usize
                }
            };
            if !is_kept {
                self.counters.expirations += 1;
                self.destroy(slot, actions);
            }
        }
        let (queue, provisions) = (&self.queue, &self.provisions);
        self.sandboxes.forget(
            |function| queue.line(function).is_some() || provisions.contains_key(&function),
            |_, stock| {
                stock
                    .last_use
                    .is_some_and(|at| now.saturating_duration_since(at) < idle_timeout)
            },
        );
    }

    fn freeze(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let Some(after) = self.options.freeze_after else {
            return;
        };
        let still: Vec<_> = self
            .sandboxes
            .iter()
            .filter(|(_, entry)| match entry.stage {
                Stage::Idle { since } => {
                    !entry.is_frozen && now.saturating_duration_since(since) >= after
                }
                _ => false,
            })
            .map(|(slot, _)| slot)
            .collect();
        for slot in still {
            self.sandboxes.froze(slot);
            actions.push(Action::Freeze { slot });
        }
    }
}
