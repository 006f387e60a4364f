//! Whole lives of a pool under a virtual clock: random events, and what must always hold.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::options::PoolOptions;
use super::state::{Action, Demand, PoolKey, PoolState, Refusal, WaiterId};
use crate::model::{FunctionId, Namespace, RuntimeName, SandboxId};

const MEMORY_MIB_MAX: u64 = 1_024;
const SANDBOXES_MAX: u32 = 6;
const CREATING_MAX: u32 = 2;
const QUEUE_MAX: u32 = 8;

fn options() -> PoolOptions {
    PoolOptions {
        sandboxes_max: SANDBOXES_MAX,
        memory_mib_max: MEMORY_MIB_MAX,
        creating_max: CREATING_MAX,
        queue_max: QUEUE_MAX,
        queue_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(30),
        ..PoolOptions::default()
    }
}

/// What may happen; numbers choose among what there is at the moment.
#[derive(Debug, Clone)]
enum Event {
    Acquire { key: usize },
    Cancel { which: usize },
    Created { which: usize },
    CreateFailed { which: usize, permanent: bool },
    Release { which: usize },
    Discard { which: usize },
    Removed { which: usize },
    Died { which: usize },
    FunctionChanged { key: usize },
    Wait { ms: u64 },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => (0_usize..5).prop_map(|key| Event::Acquire { key }),
        1 => any::<usize>().prop_map(|which| Event::Cancel { which }),
        5 => any::<usize>().prop_map(|which| Event::Created { which }),
        1 => (any::<usize>(), any::<bool>())
            .prop_map(|(which, permanent)| Event::CreateFailed { which, permanent }),
        5 => any::<usize>().prop_map(|which| Event::Release { which }),
        2 => any::<usize>().prop_map(|which| Event::Discard { which }),
        4 => any::<usize>().prop_map(|which| Event::Removed { which }),
        1 => any::<usize>().prop_map(|which| Event::Died { which }),
        1 => (0_usize..5).prop_map(|key| Event::FunctionChanged { key }),
        2 => (1_u64..20_000).prop_map(|ms| Event::Wait { ms }),
    ];
    prop::collection::vec(event, 1..400)
}

/// What the world outside of the pool knows.
struct World {
    state: PoolState,
    now: Instant,
    keys: Vec<(PoolKey, Demand)>,
    next_waiter: WaiterId,
    waiting: HashMap<WaiterId, usize>,
    creating: HashMap<SandboxId, usize>,
    busy: HashMap<SandboxId, usize>,
    removing: HashSet<SandboxId>,
    /// Which function version a sandbox ever served.
    served: HashMap<SandboxId, PoolKey>,
    /// Those that must never be handed out again.
    spoilt: HashSet<SandboxId>,
}

impl World {
    fn new() -> Self {
        let function = FunctionId::new();
        let key = |function, version, runtime| PoolKey {
            namespace: Namespace::default(),
            function,
            version,
            runtime,
        };
        let keys = vec![
            (key(function, 1, RuntimeName::docker()), 128, 2),
            (key(function, 2, RuntimeName::docker()), 128, 2),
            (key(function, 2, RuntimeName::gvisor()), 128, 2),
            (key(FunctionId::new(), 1, RuntimeName::docker()), 512, 1),
            (key(FunctionId::new(), 1, RuntimeName::docker()), 256, 4),
        ];
        let demand = |(key, memory_mib, concurrency)| {
            let demand = Demand {
                memory_mib,
                concurrency,
            };
            (key, demand)
        };
        Self {
            state: PoolState::new(options()),
            now: Instant::now(),
            keys: keys.into_iter().map(demand).collect(),
            next_waiter: 0,
            waiting: HashMap::new(),
            creating: HashMap::new(),
            busy: HashMap::new(),
            removing: HashSet::new(),
            served: HashMap::new(),
            spoilt: HashSet::new(),
        }
    }

    fn happen(&mut self, event: &Event) {
        let actions = match *event {
            Event::Acquire { key } => {
                let (pool_key, demand) = self.keys[key].clone();
                let waiter = self.next_waiter;
                self.next_waiter += 1;
                self.waiting.insert(waiter, key);
                self.state.acquire(self.now, waiter, pool_key, demand)
            }
            Event::Cancel { which } => {
                if let Some(waiter) = pick(self.waiting.keys(), which) {
                    self.waiting.remove(&waiter);
                    self.state.cancel(waiter);
                }
                Vec::new()
            }
            Event::Created { which } => match pick(self.creating.keys(), which) {
                Some(sandbox) => {
                    self.creating.remove(&sandbox);
                    self.state.created(self.now, sandbox)
                }
                None => Vec::new(),
            },
            Event::CreateFailed { which, permanent } => match pick(self.creating.keys(), which) {
                Some(sandbox) => {
                    self.creating.remove(&sandbox);
                    self.spoilt.insert(sandbox);
                    self.state.create_failed(sandbox, permanent)
                }
                None => Vec::new(),
            },
            Event::Release { which } => match pick(self.busy.keys(), which) {
                Some(sandbox) => {
                    self.busy.remove(&sandbox);
                    self.state.released(self.now, sandbox)
                }
                None => Vec::new(),
            },
            Event::Discard { which } => match pick(self.busy.keys(), which) {
                Some(sandbox) => {
                    self.busy.remove(&sandbox);
                    self.spoilt.insert(sandbox);
                    self.state.discarded(sandbox)
                }
                None => Vec::new(),
            },
            Event::Removed { which } => match pick(self.removing.iter(), which) {
                Some(sandbox) => {
                    self.removing.remove(&sandbox);
                    self.state.removed(sandbox)
                }
                None => Vec::new(),
            },
            Event::Died { which } => match pick(self.state.idle_sandboxes().iter(), which) {
                Some(sandbox) => self.state.died(sandbox),
                None => Vec::new(),
            },
            Event::FunctionChanged { key } => {
                let function = self.keys[key].0.function;
                self.state.function_changed(function, Some(2))
            }
            Event::Wait { ms } => {
                self.now += Duration::from_millis(ms);
                self.state.tick(self.now)
            }
        };
        self.obey(actions);
        self.check();
    }

    fn obey(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Hand {
                    waiter,
                    sandbox,
                    used,
                } => {
                    let key = self
                        .waiting
                        .remove(&waiter)
                        .expect("handed to one who waits");
                    let key_of = self.keys[key].0.clone();
                    assert!(!self.spoilt.contains(&sandbox), "never used after an error");
                    assert!(!self.removing.contains(&sandbox), "not while it is removed");
                    assert!(
                        self.busy.insert(sandbox, key).is_none(),
                        "one call at a time"
                    );
                    let before = self.served.insert(sandbox, key_of.clone());
                    assert_eq!(used, before.is_some(), "fresh is fresh");
                    assert!(
                        before.is_none_or(|before| before == key_of),
                        "one version ever"
                    );
                }
                Action::Create { sandbox, key } => {
                    let key = self.keys.iter().position(|(own, _)| *own == key);
                    let key = key.expect("a known key");
                    assert!(self.creating.insert(sandbox, key).is_none());
                }
                Action::Destroy { sandbox } => {
                    self.spoilt.insert(sandbox);
                    assert!(
                        !self.busy.contains_key(&sandbox),
                        "not under a running call"
                    );
                    assert!(self.removing.insert(sandbox), "destroyed once");
                }
                Action::Refuse { waiter, reason } => {
                    assert!(self.waiting.remove(&waiter).is_some(), "refused once");
                    assert_ne!(reason, Refusal::TooLarge);
                }
            }
        }
    }

    fn check(&self) {
        let stats = self.state.stats();
        let len = |len: usize| u32::try_from(len).unwrap();
        assert_eq!(stats.creating, len(self.creating.len()));
        assert_eq!(stats.busy, len(self.busy.len()));
        assert_eq!(stats.removing, len(self.removing.len()), "nothing leaks");
        assert_eq!(stats.waiting, len(self.waiting.len()));
        assert!(stats.creating <= CREATING_MAX);
        assert!(stats.waiting <= QUEUE_MAX);
        assert!(stats.memory_mib <= MEMORY_MIB_MAX);
        let all = stats.creating + stats.idle + stats.busy + stats.removing;
        assert!(all <= SANDBOXES_MAX);
        for (index, (key, demand)) in self.keys.iter().enumerate() {
            let busy = self.busy.values().filter(|busy| **busy == index).count();
            assert!(len(busy) <= demand.concurrency, "{key:?}");
            let idle = self.state.idle_of(key);
            let waits = self.waiting.values().any(|waiting| *waiting == index);
            assert!(!(waits && idle > 0), "nobody waits beside an idle sandbox");
        }
    }

    /// Lets everything end: whoever still waits is served or refused.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let ids: Vec<_> = self.creating.keys().copied().collect();
            for sandbox in ids {
                self.creating.remove(&sandbox);
                let actions = self.state.created(self.now, sandbox);
                self.obey(actions);
            }
            let ids: Vec<_> = self.busy.keys().copied().collect();
            for sandbox in ids {
                self.busy.remove(&sandbox);
                let actions = self.state.released(self.now, sandbox);
                self.obey(actions);
            }
            let ids: Vec<_> = self.removing.iter().copied().collect();
            for sandbox in ids {
                self.removing.remove(&sandbox);
                let actions = self.state.removed(sandbox);
                self.obey(actions);
            }
            self.check();
            let moving =
                !self.creating.is_empty() || !self.busy.is_empty() || !self.removing.is_empty();
            if !moving {
                break;
            }
        }
        assert!(
            self.waiting.is_empty(),
            "nobody is forgotten: {:?}",
            self.waiting
        );
        let actions = self.state.close();
        self.obey(actions);
        let ids: Vec<_> = self.removing.drain().collect();
        for sandbox in ids {
            self.state.removed(sandbox);
        }
        let stats = self.state.stats();
        assert_eq!(
            (stats.idle, stats.memory_mib),
            (0, 0),
            "closing leaves nothing"
        );
    }
}

/// One of `items`, in an order that does not depend on hashing.
fn pick<'a, T: Copy + Ord + 'a>(items: impl Iterator<Item = &'a T>, which: usize) -> Option<T> {
    let mut items: Vec<_> = items.copied().collect();
    items.sort_unstable();
    (!items.is_empty()).then(|| items[which % items.len()])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    // 500 lives of 200 events on average: 100,000 events.
    #[test]
    fn the_invariants_hold_through_any_life(events in events()) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        world.settle();
    }
}
