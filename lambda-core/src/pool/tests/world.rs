//! What the world outside of a pool knows, and what must always hold in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{FunctionId, Language, Namespace, RuntimeName, StartKind};
use crate::pool::state::{Action, Demand, PoolState, Refusal, Slot, WaiterId};
use crate::pool::{ClassStats, PoolKey, PoolOptions, PoolStats, SandboxClass};

pub(super) const MEMORY_MIB_MAX: u64 = 1_024;
pub(super) const SANDBOXES_MAX: u32 = 6;
pub(super) const CREATING_MAX: u32 = 2;
pub(super) const QUEUE_MAX: u32 = 8;

fn options() -> PoolOptions {
    PoolOptions {
        sandboxes_max: SANDBOXES_MAX,
        memory_mib_max: MEMORY_MIB_MAX,
        creating_max: CREATING_MAX,
        cores: 2,
        queue_max: QUEUE_MAX,
        queue_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(30),
        freeze_after: Some(Duration::from_secs(10)),
        ..PoolOptions::default()
    }
}

/// What may happen; numbers choose among what there is at the moment.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Acquire { key: usize },
    TakeIdle { key: usize },
    Cancel { which: usize },
    Created { which: usize },
    CreateFailed { which: usize, permanent: bool },
    Release { which: usize },
    Discard { which: usize },
    Removed { which: usize },
    Died { which: usize },
    FunctionChanged { key: usize },
    Provision { key: usize, min_warm: u32 },
    Loaded { which: usize },
    LoadFailed { which: usize },
    Sample { percent: u32 },
    Wait { ms: u64 },
}

pub(super) struct World {
    pub(super) state: PoolState,
    pub(super) now: Instant,
    keys: Vec<(PoolKey, Demand)>,
    next_waiter: WaiterId,
    waiting: BTreeMap<WaiterId, usize>,
    /// Whose code is mounted, if anybody's.
    creating: BTreeMap<Slot, (Arc<SandboxClass>, Option<PoolKey>)>,
    /// Who serves whom, and since when.
    busy: BTreeMap<Slot, (usize, Instant)>,
    /// Who loads whose code, ahead of the first call.
    loading: BTreeMap<Slot, PoolKey>,
    /// What was asked for, by function.
    provisions: BTreeMap<FunctionId, (PoolKey, u32)>,
    removing: BTreeSet<Slot>,
    frozen: BTreeSet<Slot>,
    class: BTreeMap<Slot, Arc<SandboxClass>>,
    /// Which function version a sandbox ever served or is to serve.
    owner: BTreeMap<Slot, PoolKey>,
    /// Those that have come back from a call.
    served: BTreeSet<Slot>,
    /// Those that must never be handed out again.
    spoilt: BTreeSet<Slot>,
    cpu: Duration,
}

impl World {
    pub(super) fn new() -> Self {
        let key = |function, version, runtime| PoolKey {
            namespace: Namespace::default(),
            function,
            version,
            runtime,
        };
        let (docker, gvisor) = (RuntimeName::docker, RuntimeName::gvisor);
        let function = FunctionId::new();
        let keys = vec![
            (key(function, 1, docker()), 128, false, 2),
            (key(function, 2, docker()), 128, false, 2),
            (key(function, 2, gvisor()), 128, false, 2),
            (key(FunctionId::new(), 1, docker()), 512, true, 1),
            (key(FunctionId::new(), 1, docker()), 256, false, 4),
            (key(FunctionId::new(), 1, docker()), 128, false, 4),
        ];
        let with_demand =
            |(key, memory_mib, is_mounted, concurrency): (PoolKey, u32, bool, u32)| {
                let mut class = SandboxClass::new(key.runtime.clone(), Language::Python);
                class.memory_mib = memory_mib;
                (key, Demand::new(Arc::new(class), is_mounted, concurrency))
            };
        let now = Instant::now();
        Self {
            state: PoolState::new(options(), now),
            now,
            keys: keys.into_iter().map(with_demand).collect(),
            next_waiter: 0,
            waiting: BTreeMap::new(),
            creating: BTreeMap::new(),
            busy: BTreeMap::new(),
            loading: BTreeMap::new(),
            provisions: BTreeMap::new(),
            removing: BTreeSet::new(),
            frozen: BTreeSet::new(),
            class: BTreeMap::new(),
            owner: BTreeMap::new(),
            served: BTreeSet::new(),
            spoilt: BTreeSet::new(),
            cpu: Duration::ZERO,
        }
    }

    pub(super) fn happen(&mut self, event: &Event) {
        let actions = match *event {
            Event::Acquire { key } => {
                let (pool_key, demand) = self.keys[key].clone();
                let waiter = self.next_waiter;
                self.next_waiter += 1;
                self.waiting.insert(waiter, key);
                self.state.acquire(self.now, waiter, pool_key, demand)
            }
            Event::TakeIdle { key } => {
                if let Some(taken) = self.state.take_idle(self.now, &self.keys[key].0) {
                    self.handed(taken.slot, key, taken.start(), taken.is_frozen);
                }
                Vec::new()
            }
            Event::Cancel { which } => {
                if let Some(waiter) = pick(self.waiting.keys(), which) {
                    self.waiting.remove(&waiter);
                    self.state.cancel(waiter);
                }
                Vec::new()
            }
            Event::Created { which } => match pick(self.creating.keys(), which) {
                Some(slot) => self.created(slot),
                None => Vec::new(),
            },
            Event::CreateFailed { which, permanent } => match pick(self.creating.keys(), which) {
                Some(slot) => {
                    self.creating.remove(&slot);
                    self.class.remove(&slot);
                    self.owner.remove(&slot);
                    self.spoilt.insert(slot);
                    self.state.create_failed(self.now, slot, permanent)
                }
                None => Vec::new(),
            },
            Event::Release { which } => match pick(self.busy.keys(), which) {
                Some(slot) => self.release(slot),
                None => Vec::new(),
            },
            Event::Discard { which } => match pick(self.busy.keys(), which) {
                Some(slot) => {
                    self.busy.remove(&slot);
                    self.spoilt.insert(slot);
                    self.state.discarded(slot)
                }
                None => Vec::new(),
            },
            Event::Removed { which } => match pick(self.removing.iter(), which) {
                Some(slot) => self.removed(slot),
                None => Vec::new(),
            },
            Event::Died { which } => match pick(self.state.idle_sandboxes().iter(), which) {
                Some(slot) => self.state.died(slot),
                None => Vec::new(),
            },
            Event::FunctionChanged { key } => {
                let function = self.keys[key].0.function;
                if self
                    .provisions
                    .get(&function)
                    .is_some_and(|(key, _)| key.version != 2)
                {
                    self.provisions.remove(&function);
                }
                self.state.function_changed(function, Some(2))
            }
            Event::Provision { key, min_warm } => {
                let (key, demand) = self.keys[key].clone();
                self.provisions.remove(&key.function);
                if min_warm > 0 {
                    let count = min_warm.min(demand.concurrency);
                    self.provisions.insert(key.function, (key.clone(), count));
                }
                self.state.provision(self.now, key, demand, min_warm)
            }
            Event::Loaded { which } => match pick(self.loading.keys(), which) {
                Some(slot) => self.loaded(slot),
                None => Vec::new(),
            },
            Event::LoadFailed { which } => match pick(self.loading.keys(), which) {
                Some(slot) => {
                    self.loading.remove(&slot);
                    self.spoilt.insert(slot);
                    self.state.load_failed(self.now, slot)
                }
                None => Vec::new(),
            },
            Event::Sample { percent } => {
                self.now += Duration::from_millis(25);
                self.cpu += Duration::from_millis(25) * percent / 100;
                let mut samples = Vec::new();
                for slot in self.state.to_sample() {
                    samples.push((slot, (percent < 120).then_some(self.cpu)));
                }
                self.state.sampled(self.now, &samples);
                self.state.tick(self.now)
            }
            Event::Wait { ms } => {
                self.now += Duration::from_millis(ms);
                self.state.tick(self.now)
            }
        };
        let is_own_end = matches!(
            event,
            Event::Discard { .. }
                | Event::Died { .. }
                | Event::LoadFailed { .. }
                | Event::FunctionChanged { .. }
        );
        if !is_own_end {
            self.check_minimum(&actions);
        }
        self.obey(actions);
        self.check();
    }

    /// Nothing but its own end, and its own function's other versions, takes a sandbox that a
    /// function is always to have.
    fn check_minimum(&self, actions: &[Action]) {
        for (key, min_warm) in self.provisions.values() {
            let live =
                |slot: &Slot| self.owner.get(slot) == Some(key) && !self.removing.contains(slot);
            let taken = actions.iter().filter(|action| match action {
                Action::Destroy { slot } => live(slot),
                _ => false,
            });
            let taken = taken.count();
            let left = self.owner.keys().filter(|slot| live(slot)).count() - taken;
            let calls = self
                .keys
                .iter()
                .map(|(other, _)| other)
                .filter(|other| other.function == key.function && *other != key);
            let has_others = calls.count() > 0;
            assert!(
                taken == 0 || has_others || left >= *min_warm as usize,
                "{left} of {min_warm} are left of {key:?}"
            );
        }
    }

    fn loaded(&mut self, slot: Slot) -> Vec<Action> {
        self.loading.remove(&slot);
        self.served.insert(slot);
        self.state.loaded(self.now, slot, Duration::from_millis(5))
    }

    fn created(&mut self, slot: Slot) -> Vec<Action> {
        self.creating.remove(&slot);
        self.state.created(self.now, slot, Some(Duration::ZERO))
    }

    fn release(&mut self, slot: Slot) -> Vec<Action> {
        self.busy.remove(&slot);
        let init = (!self.served.contains(&slot)).then_some(Duration::from_millis(5));
        self.served.insert(slot);
        self.state.released(self.now, slot, init)
    }

    fn removed(&mut self, slot: Slot) -> Vec<Action> {
        self.removing.remove(&slot);
        self.class.remove(&slot);
        self.owner.remove(&slot);
        self.state.removed(self.now, slot)
    }

    fn handed(&mut self, slot: Slot, key: usize, start: StartKind, is_frozen: bool) {
        let (pool_key, demand) = self.keys[key].clone();
        assert!(!self.spoilt.contains(&slot), "never used after an error");
        assert!(!self.removing.contains(&slot), "not while it is removed");
        assert!(!self.creating.contains_key(&slot), "not before it is there");
        assert_eq!(
            self.class.get(&slot),
            Some(&demand.class),
            "as it was asked for"
        );
        let before = self.busy.insert(slot, (key, self.now));
        assert!(before.is_none(), "one call at a time");
        let owner = self.owner.insert(slot, pool_key.clone());
        assert!(
            owner.is_none_or(|owner| owner == pool_key),
            "one version ever"
        );
        let is_warm = start == StartKind::Warm;
        assert_eq!(is_warm, self.served.contains(&slot), "fresh is fresh");
        assert_eq!(
            is_frozen,
            self.frozen.remove(&slot),
            "what is frozen is thawed"
        );
    }

    pub(super) fn obey(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Hand {
                    waiter,
                    slot,
                    start,
                    is_frozen,
                } => {
                    let key = self.waiting.remove(&waiter);
                    let key = key.expect("handed to one who waits");
                    self.handed(slot, key, start, is_frozen);
                }
                Action::Create { slot, class, key } => {
                    let key = key.map(|key| (*key).clone());
                    if let Some(key) = &key {
                        self.owner.insert(slot, key.clone());
                    }
                    self.class.insert(slot, Arc::clone(&class));
                    let before = self.creating.insert(slot, (class, key));
                    assert!(before.is_none(), "created once");
                }
                Action::Destroy { slot } => {
                    self.spoilt.insert(slot);
                    self.frozen.remove(&slot);
                    assert!(!self.busy.contains_key(&slot), "not under a running call");
                    assert!(!self.loading.contains_key(&slot), "nor while it loads");
                    assert!(self.removing.insert(slot), "destroyed once");
                }
                Action::Load {
                    slot,
                    key,
                    is_frozen,
                } => {
                    assert_eq!(is_frozen, self.frozen.remove(&slot));
                    assert!(!self.served.contains(&slot), "loaded once");
                    assert!(!self.spoilt.contains(&slot) && !self.busy.contains_key(&slot));
                    let owner = self.owner.insert(slot, (*key).clone());
                    assert!(owner.is_none_or(|owner| owner == *key), "one version ever");
                    let provision = self.provisions.get(&key.function);
                    assert!(
                        provision.is_some_and(|(own, _)| *own == *key),
                        "as asked for"
                    );
                    let before = self.loading.insert(slot, (*key).clone());
                    assert!(before.is_none(), "once at a time");
                }
                Action::Freeze { slot } => {
                    assert!(!self.loading.contains_key(&slot), "only what idles");
                    assert!(!self.busy.contains_key(&slot), "only what idles");
                    assert!(!self.removing.contains(&slot), "only what lives");
                    assert!(self.frozen.insert(slot), "frozen once");
                }
                Action::Refuse { waiter, reason } => {
                    assert!(self.waiting.remove(&waiter).is_some(), "refused once");
                    assert_ne!(reason, Refusal::TooLarge);
                }
            }
        }
    }

    fn check(&self) {
        let stats = self.state.stats(self.now);
        let len = |len: usize| u32::try_from(len).unwrap();
        assert_eq!(stats.creating, len(self.creating.len()));
        assert_eq!(stats.busy, len(self.busy.len() + self.loading.len()));
        assert_eq!(stats.removing, len(self.removing.len()), "nothing leaks");
        assert_eq!(stats.frozen, len(self.frozen.len()));
        assert_eq!(stats.waiting, len(self.waiting.len()));
        assert_eq!(stats.sandboxes(), len(self.class.len()), "nothing leaks");
        let memory = self.class.values().map(|class| u64::from(class.memory_mib));
        assert_eq!(stats.memory_mib, memory.sum::<u64>());
        assert!(stats.creating <= CREATING_MAX);
        assert!(stats.waiting <= QUEUE_MAX);
        assert!(stats.memory_mib <= MEMORY_MIB_MAX);
        assert!(stats.sandboxes() <= SANDBOXES_MAX);
        self.check_sums(&stats);
        for (index, (key, demand)) in self.keys.iter().enumerate() {
            let own = self
                .owner
                .values()
                .filter(|own| own.function == key.function);
            assert!(len(own.count()) <= demand.concurrency, "{key:?}");
            let idles = self.owner.iter().any(|(slot, own)| {
                own == key
                    && !self.busy.contains_key(slot)
                    && !self.loading.contains_key(slot)
                    && !self.removing.contains(slot)
                    && !self.creating.contains_key(slot)
            });
            let waits = self.waiting.values().any(|waiting| *waiting == index);
            assert!(!(waits && idles), "nobody waits beside an idle sandbox");
        }
    }

    /// What is said of the classes adds up to what is said of all.
    fn check_sums(&self, stats: &PoolStats) {
        let sum = |of: fn(&ClassStats) -> u32| stats.classes.iter().map(of).sum::<u32>();
        assert_eq!(sum(|class| class.prewarmed), stats.prewarmed);
        assert_eq!(sum(|class| class.creating), stats.creating);
        assert_eq!(sum(|class| class.idle), stats.idle);
        assert_eq!(sum(|class| class.busy), stats.busy);
        assert_eq!(sum(|class| class.frozen), stats.frozen);
        assert_eq!(sum(|class| class.removing), stats.removing);
        assert_eq!(sum(|class| class.waiting), stats.waiting);
        assert_eq!(stats.oldest_wait.is_some(), stats.waiting > 0);
        let memory = stats.classes.iter().map(|class| class.memory_mib);
        assert_eq!(memory.sum::<u64>(), stats.memory_mib);
        assert_eq!(stats.provisioned.len(), self.provisions.len());
    }

    /// Whether every function has what it is always to have.
    fn is_upheld(&self) -> bool {
        self.provisions.values().all(|(key, min_warm)| {
            let own = self.owner.iter().filter(|(slot, own)| {
                *own == key && self.served.contains(slot) && !self.removing.contains(slot)
            });
            let others = self
                .owner
                .values()
                .filter(|own| own.function == key.function && *own != key);
            // What its own other versions have is within its cap.
            own.count() + others.count() >= *min_warm as usize
        })
    }

    /// Whether there is room for all that is always to be there.
    fn can_be_upheld(&self) -> bool {
        let memory = self.provisions.values().map(|(key, count)| {
            let (_, demand) = self.keys.iter().find(|(own, _)| own == key).unwrap();
            u64::from(demand.class.memory_mib) * u64::from(*count)
        });
        let count = self.provisions.values().map(|(_, count)| *count);
        memory.sum::<u64>() <= MEMORY_MIB_MAX && count.sum::<u32>() <= SANDBOXES_MAX
    }

    /// Lets everything end: whoever still waits is served or refused.
    pub(super) fn settle(&mut self) {
        for _ in 0..1_000 {
            for slot in self.creating.keys().copied().collect::<Vec<_>>() {
                let actions = self.created(slot);
                self.obey(actions);
            }
            for slot in self.busy.keys().copied().collect::<Vec<_>>() {
                let actions = self.release(slot);
                self.obey(actions);
            }
            for slot in self.loading.keys().copied().collect::<Vec<_>>() {
                let actions = self.loaded(slot);
                self.obey(actions);
            }
            for slot in self.removing.iter().copied().collect::<Vec<_>>() {
                let actions = self.removed(slot);
                self.obey(actions);
            }
            self.now += Duration::from_millis(50);
            let actions = self.state.tick(self.now);
            self.obey(actions);
            self.check();
            if self.waiting.is_empty() && (self.is_upheld() || !self.can_be_upheld()) {
                break;
            }
        }
        assert!(
            self.is_upheld() || !self.can_be_upheld(),
            "what is always to be there is: {:?}",
            self.state.stats(self.now).provisioned
        );
        assert!(
            self.waiting.is_empty(),
            "nobody is forgotten: {:?}",
            self.waiting
        );
        self.provisions.clear();
        let actions = self.state.close();
        self.obey(actions);
        for slot in self.creating.keys().copied().collect::<Vec<_>>() {
            let actions = self.created(slot);
            self.obey(actions);
        }
        for slot in self.busy.keys().copied().collect::<Vec<_>>() {
            let actions = self.release(slot);
            self.obey(actions);
        }
        for slot in self.loading.keys().copied().collect::<Vec<_>>() {
            let actions = self.loaded(slot);
            self.obey(actions);
        }
        for slot in self.removing.iter().copied().collect::<Vec<_>>() {
            let actions = self.removed(slot);
            self.obey(actions);
        }
        self.check();
        let stats = self.state.stats(self.now);
        assert_eq!(
            (stats.sandboxes(), stats.memory_mib),
            (0, 0),
            "closing leaves nothing"
        );
    }
}

/// One of `items`, which are in a fixed order.
fn pick<'a, T: Copy + 'a>(items: impl ExactSizeIterator<Item = &'a T>, which: usize) -> Option<T> {
    let mut items = items;
    let len = items.len();
    if len == 0 {
        return None;
    }
    items.nth(which % len).copied()
}
