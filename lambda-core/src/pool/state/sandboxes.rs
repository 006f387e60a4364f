//! All sandboxes there are, with the sums and indexes that decisions are made from.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Slot, Taken};
use crate::model::{FunctionId, RuntimeName};
use crate::pool::governor::CpuShare;
use crate::pool::key::{PoolKey, SandboxClass};
use crate::pool::stats::PoolStats;

/// What a sandbox does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Creating { since: Instant },
    Idle { since: Instant },
    Busy { since: Instant },
    Removing,
}

/// One sandbox.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) class: Arc<SandboxClass>,
    /// Whose it is; none: nobody's yet.
    pub(super) key: Option<Arc<PoolKey>>,
    pub(super) stage: Stage,
    /// The eviction policy's, while it idles.
    pub(super) priority: f64,
    pub(super) is_frozen: bool,
    /// It has served: so its code is loaded.
    pub(super) has_code: bool,
    /// Its version is not the current one any more: it is not kept.
    pub(super) is_stale: bool,
    pub(super) meter: Meter,
}

/// What is known of a sandbox's use of CPU.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// When it was last read, and what it said.
    pub(super) last: Option<(Instant, Duration)>,
    /// Time that it has been busy since then, up to the last release.
    pub(super) busy: Duration,
}

/// The sandboxes of a function version.
#[derive(Debug, Default)]
pub(super) struct Version {
    /// Without work; the one used last at the end.
    pub(super) idle: Vec<Slot>,
    /// Being created, for this version only.
    pub(super) creating: u32,
    /// All but those that are being removed.
    pub(super) live: u32,
}

/// The sandboxes of a function, in all versions.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// All, also those that are being removed.
    pub(super) held: u32,
    pub(super) removing: u32,
    /// Of all but those that are being removed.
    pub(super) memory_mib: u64,
    pub(super) uses: u64,
    /// How long loading its code took lately.
    pub(super) init: Duration,
    pub(super) share: CpuShare,
}

/// The sandboxes of a class that are nobody's yet.
#[derive(Debug, Default)]
pub(super) struct Stock {
    /// Ready; the one that came last at the end.
    pub(super) ready: Vec<Slot>,
    pub(super) creating: u32,
    pub(super) uses: u64,
    pub(super) last_use: Option<Instant>,
    /// How long booting one took lately.
    pub(super) boot: Duration,
    /// None can be created, whatever is done.
    pub(super) is_impossible: bool,
}

#[derive(Debug, Default)]
pub(super) struct Sandboxes {
    entries: BTreeMap<Slot, Entry>,
    next: u64,
    pub(super) versions: HashMap<Arc<PoolKey>, Version>,
    pub(super) functions: HashMap<FunctionId, Tally>,
    pub(super) stocks: BTreeMap<Arc<SandboxClass>, Stock>,
    creating: HashMap<RuntimeName, u32>,
    /// Only what can be added up.
    pub(super) sums: PoolStats,
    removing_mib: u64,
}

impl Sandboxes {
    pub(super) fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(&slot)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(&slot)
    }

    /// In the order of their creation.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        self.entries.iter().map(|(slot, entry)| (*slot, entry))
    }

    pub(super) fn creating_in(&self, runtime: &RuntimeName) -> u32 {
        self.creating.get(runtime).copied().unwrap_or(0)
    }

    /// Count and memory that are on their way back.
    pub(super) fn being_freed(&self) -> (u32, u64) {
        (self.sums.removing, self.removing_mib)
    }

    pub(super) fn tally(&self, function: FunctionId) -> Option<&Tally> {
        self.functions.get(&function)
    }

    /// Adds one that is to be created: for `key`, or for whoever needs its class.
    pub(super) fn add(
        &mut self,
        now: Instant,
        class: Arc<SandboxClass>,
        key: Option<Arc<PoolKey>>,
    ) -> Slot {
        let slot = Slot(self.next);
        self.next += 1;
        self.sums.creating += 1;
        self.sums.memory_mib += u64::from(class.memory_mib);
        *self.creating.entry(class.runtime.clone()).or_default() += 1;
        match &key {
            Some(key) => {
                self.own(key, class.memory_mib);
                self.version(key).creating += 1;
            }
            None => self.stock(&class).creating += 1,
        }
        let entry = Entry {
            class,
            key,
            stage: Stage::Creating { since: now },
            priority: 0.0,
            is_frozen: false,
            has_code: false,
            is_stale: false,
            meter: Meter::default(),
        };
        self.entries.insert(slot, entry);
        slot
    }

    /// One that was being created is ready, and counts as idle. Returns how long it took.
    pub(super) fn created(&mut self, now: Instant, slot: Slot) -> Option<Duration> {
        let entry = self.entries.get_mut(&slot)?;
        let Stage::Creating { since } = entry.stage else {
            return None;
        };
        entry.stage = Stage::Idle { since: now };
        let boot = now.saturating_duration_since(since);
        let (class, key) = (Arc::clone(&entry.class), entry.key.clone());
        self.creation_ended(&class, key.as_ref());
        let stock = self.stock(&class);
        stock.boot = recent(stock.boot, boot);
        stock.is_impossible = false;
        match key {
            Some(key) => {
                self.version(&key).idle.push(slot);
                self.sums.idle += 1;
            }
            None => {
                self.stock(&class).ready.push(slot);
                self.sums.prewarmed += 1;
            }
        }
        Some(boot)
    }

    /// Nothing came of one that was being created.
    pub(super) fn failed(&mut self, slot: Slot) -> Option<Entry> {
        let entry = self.entries.get(&slot)?;
        if !matches!(entry.stage, Stage::Creating { .. }) {
            return None;
        }
        let entry = self.entries.remove(&slot)?;
        self.creation_ended(&entry.class, entry.key.as_ref());
        self.sums.memory_mib -= u64::from(entry.class.memory_mib);
        if let Some(key) = &entry.key {
            self.version(key).live -= 1;
            let tally = self.function(key.function);
            tally.held -= 1;
            tally.memory_mib -= u64::from(entry.class.memory_mib);
        }
        Some(entry)
    }

    /// Gives one that is nobody's to `key`, for ever.
    pub(super) fn claim(&mut self, slot: Slot, key: &Arc<PoolKey>) {
        let Some(entry) = self
            .entries
            .get_mut(&slot)
            .filter(|entry| entry.key.is_none())
        else {
            return;
        };
        entry.key = Some(Arc::clone(key));
        let class = Arc::clone(&entry.class);
        self.stock(&class).ready.retain(|other| *other != slot);
        self.own(key, class.memory_mib);
        self.version(key).idle.push(slot);
        self.sums.prewarmed -= 1;
        self.sums.idle += 1;
    }

    /// The idle sandbox of `key` that was used last begins to serve. Allocates nothing.
    pub(super) fn take(&mut self, now: Instant, key: &PoolKey) -> Option<Taken> {
        let slot = self.versions.get_mut(key)?.idle.pop()?;
        let entry = self.entries.get_mut(&slot)?;
        entry.stage = Stage::Busy { since: now };
        let taken = Taken {
            slot,
            is_frozen: std::mem::take(&mut entry.is_frozen),
            has_code: entry.has_code,
        };
        self.sums.frozen -= u32::from(taken.is_frozen);
        self.sums.idle -= 1;
        self.sums.busy += 1;
        if let Some(tally) = self.functions.get_mut(&key.function) {
            tally.uses += 1;
        }
        Some(taken)
    }

    /// An idle one begins to load the code of its key. Returns whether it is frozen.
    pub(super) fn take_for_loading(&mut self, now: Instant, slot: Slot) -> Option<bool> {
        let entry = self.entries.get_mut(&slot)?;
        let (Stage::Idle { .. }, Some(key)) = (entry.stage, entry.key.clone()) else {
            return None;
        };
        entry.stage = Stage::Busy { since: now };
        let is_frozen = std::mem::take(&mut entry.is_frozen);
        self.version(&key).idle.retain(|other| *other != slot);
        self.sums.frozen -= u32::from(is_frozen);
        self.sums.idle -= 1;
        self.sums.busy += 1;
        Some(is_frozen)
    }

    /// Those of a key are kept when they have served.
    pub(super) fn refresh(&mut self, key: &PoolKey) {
        let entries = self.entries.values_mut();
        entries
            .filter(|entry| entry.key.as_ref().is_some_and(|own| **own == *key))
            .for_each(|entry| entry.is_stale = false);
    }

    /// One that served idles.
    pub(super) fn rest(&mut self, now: Instant, slot: Slot) {
        let Some(entry) = self.entries.get_mut(&slot) else {
            return;
        };
        let (Stage::Busy { since }, Some(key)) = (entry.stage, entry.key.clone()) else {
            return;
        };
        // What a sample has seen of it is counted.
        let from = entry.meter.last.map_or(since, |(at, _)| at.max(since));
        entry.meter.busy += now.saturating_duration_since(from);
        entry.has_code = true;
        entry.stage = Stage::Idle { since: now };
        self.version(&key).idle.push(slot);
        self.sums.busy -= 1;
        self.sums.idle += 1;
    }

    /// One that idles is frozen.
    pub(super) fn froze(&mut self, slot: Slot) {
        if let Some(entry) = self.entries.get_mut(&slot)
            && !std::mem::replace(&mut entry.is_frozen, true)
        {
            self.sums.frozen += 1;
        }
    }

    /// One that idles or serves is told to die. False: it is, already, or it does not exist
    /// yet.
    pub(super) fn doom(&mut self, slot: Slot) -> bool {
        let Some(entry) = self.entries.get_mut(&slot) else {
            return false;
        };
        let stage = std::mem::replace(&mut entry.stage, Stage::Removing);
        let was_frozen = std::mem::take(&mut entry.is_frozen);
        let (class, key) = (Arc::clone(&entry.class), entry.key.clone());
        match stage {
            Stage::Creating { .. } | Stage::Removing => {
                entry.stage = stage;
                entry.is_frozen = was_frozen;
                return false;
            }
            Stage::Busy { .. } => self.sums.busy -= 1,
            Stage::Idle { .. } => match &key {
                Some(key) => {
                    self.version(key).idle.retain(|other| *other != slot);
                    self.sums.idle -= 1;
                }
                None => {
                    self.stock(&class).ready.retain(|other| *other != slot);
                    self.sums.prewarmed -= 1;
                }
            },
        }
        self.sums.frozen -= u32::from(was_frozen);
        self.sums.removing += 1;
        self.removing_mib += u64::from(class.memory_mib);
        if let Some(key) = key {
            self.version(&key).live -= 1;
            let tally = self.function(key.function);
            tally.removing += 1;
            tally.memory_mib -= u64::from(class.memory_mib);
        }
        true
    }

    /// Nothing is left of one that was told to die.
    pub(super) fn removed(&mut self, slot: Slot) {
        if self
            .get(slot)
            .is_none_or(|entry| entry.stage != Stage::Removing)
        {
            return;
        }
        let Some(entry) = self.entries.remove(&slot) else {
            return;
        };
        let memory_mib = u64::from(entry.class.memory_mib);
        self.sums.removing -= 1;
        self.sums.memory_mib -= memory_mib;
        self.removing_mib -= memory_mib;
        if let Some(key) = entry.key {
            let tally = self.function(key.function);
            tally.removing -= 1;
            tally.held -= 1;
        }
    }

    /// Forgets what is known of functions and classes that have nothing.
    pub(super) fn forget(
        &mut self,
        is_wanted: impl Fn(FunctionId) -> bool,
        is_kept: impl Fn(&SandboxClass, &Stock) -> bool,
    ) {
        self.versions.retain(|_, version| version.live > 0);
        self.functions
            .retain(|function, tally| tally.held > 0 || is_wanted(*function));
        self.stocks.retain(|class, stock| {
            stock.creating > 0 || !stock.ready.is_empty() || is_kept(class, stock)
        });
    }

    pub(super) fn stock(&mut self, class: &Arc<SandboxClass>) -> &mut Stock {
        self.stocks.entry(Arc::clone(class)).or_default()
    }

    pub(super) fn function(&mut self, function: FunctionId) -> &mut Tally {
        self.functions.entry(function).or_default()
    }

    fn version(&mut self, key: &Arc<PoolKey>) -> &mut Version {
        self.versions.entry(Arc::clone(key)).or_default()
    }

    fn own(&mut self, key: &Arc<PoolKey>, memory_mib: u32) {
        self.version(key).live += 1;
        let tally = self.function(key.function);
        tally.held += 1;
        tally.memory_mib += u64::from(memory_mib);
    }

    fn creation_ended(&mut self, class: &Arc<SandboxClass>, key: Option<&Arc<PoolKey>>) {
        self.sums.creating -= 1;
        if let Some(creating) = self.creating.get_mut(&class.runtime) {
            *creating -= 1;
        }
        match key {
            Some(key) => self.version(key).creating -= 1,
            None => self.stock(class).creating -= 1,
        }
    }
}

/// A mean that follows what is new: the costs of starts change with the load.
pub(super) fn recent(before: Duration, new: Duration) -> Duration {
    if before.is_zero() {
        new
    } else {
        (before * 3 + new) / 4
    }
}
