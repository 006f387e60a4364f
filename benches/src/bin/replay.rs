//! Replays a synthetic trace through the pool's decisions, with each eviction policy and with
//! more and more memory, and prints how many calls found no warm sandbox.
//!
//! Nothing runs: days pass in seconds, and the same seed gives the same figures anywhere.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use lambda_benches::Result;
use lambda_benches::report::{Table, thousands};
use lambda_benches::trace::{Call, Trace};
use lambda_store::model::{FunctionId, Language, Namespace, RuntimeName, StartKind};
use lambda_store::pool::state::{Action, Demand, PoolState, Slot};
use lambda_store::pool::{
    EvictionPolicy, GreedyDual, LeastRecentlyUsed, PoolKey, PoolOptions, SandboxClass,
};

/// How long booting and removing a sandbox take: roughly as in Docker.
const BOOT: Duration = Duration::from_millis(180);
const REMOVAL: Duration = Duration::from_millis(50);

const TICK: Duration = Duration::from_secs(1);

/// Compare eviction policies on a synthetic trace
#[derive(Debug, Parser)]
struct Args {
    /// Functions
    #[arg(long, default_value_t = 400)]
    functions: usize,
    /// Length of the trace, in hours
    #[arg(long, default_value_t = 12)]
    hours: u32,
    /// What the trace is made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Budgets of memory, in GiB
    #[arg(long, value_delimiter = ',', default_value = "2,4,8,16,32")]
    memory_gib: Vec<u64>,
    /// How long a sandbox stays warm without work, in seconds
    #[arg(long, default_value_t = 600)]
    idle_timeout: u64,
    /// Sandboxes that are kept prewarmed of each class
    #[arg(long, default_value_t = 0)]
    prewarmed: u32,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let length = Duration::from_secs(3_600) * args.hours;
    let trace = Trace::generate(args.seed, args.functions, length);
    println!(
        "{} calls of {} functions in {} h, seed {}, idle timeout {} s, {} prewarmed:\n",
        trace.calls.len(),
        args.functions,
        args.hours,
        args.seed,
        args.idle_timeout,
        args.prewarmed
    );
    let mut table = Table::new(&[
        "memory",
        "policy",
        "not warm",
        "of these prewarmed",
        "mean wait",
        "refused",
        "evicted",
    ]);
    for &gib in &args.memory_gib {
        let policies: [Arc<dyn EvictionPolicy>; 2] =
            [Arc::new(GreedyDual), Arc::new(LeastRecentlyUsed)];
        for policy in policies {
            let name = policy.name().to_owned();
            let mut options = PoolOptions::default();
            options.eviction = policy;
            options.memory_mib_max = gib * 1_024;
            options.sandboxes_max = 100_000;
            options.idle_timeout = Duration::from_secs(args.idle_timeout);
            options.prewarmed = args.prewarmed;
            options.freeze_after = None;
            // A server's; and what the calls do is not known here.
            options.cores = 16;
            options.creating_max = 16;
            let counts = Replay::new(&trace, options).run();
            table.row(counts.cells(gib, name));
        }
    }
    println!("{table}");
    Ok(())
}

#[derive(Debug, Default)]
struct Counts {
    calls: u64,
    cold: u64,
    prewarmed: u64,
    refused: u64,
    evicted: u64,
    waited: Duration,
}

impl Counts {
    #[allow(clippy::cast_precision_loss)] // Counts of calls fit.
    fn cells(&self, gib: u64, policy: String) -> Vec<String> {
        let percent = |count: u64| format!("{:.2} %", 100.0 * count as f64 / self.calls as f64);
        let served = (self.calls - self.refused).max(1) as f64;
        vec![
            format!("{gib} GiB"),
            policy,
            percent(self.cold + self.prewarmed),
            percent(self.prewarmed),
            format!("{:.1} ms", self.waited.as_secs_f64() * 1_000.0 / served),
            percent(self.refused),
            thousands(self.evicted as f64),
        ]
    }
}

/// What is going to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Call(usize),
    Created(Slot),
    Done(Slot),
    Removed(Slot),
    Tick,
}

struct Replay<'a> {
    trace: &'a Trace,
    state: PoolState,
    began: Instant,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    sequence: u64,
    keys: Vec<(PoolKey, Demand)>,
    waiting: HashMap<u64, Call>,
    init: HashMap<Slot, Duration>,
    counts: Counts,
}

impl<'a> Replay<'a> {
    fn new(trace: &'a Trace, options: PoolOptions) -> Self {
        let began = Instant::now();
        let concurrency = options.function_concurrency;
        let keys = trace
            .functions
            .iter()
            .zip(0_u128..)
            .map(|(function, index)| {
                let runtime = RuntimeName::docker();
                let mut class = SandboxClass::new(runtime.clone(), Language::Python);
                class.memory_mib = function.memory_mib;
                let key = PoolKey {
                    namespace: Namespace::default(),
                    function: FunctionId::from_bytes(index.to_be_bytes()),
                    version: 1,
                    runtime,
                };
                (key, Demand::new(Arc::new(class), false, concurrency))
            });
        let mut replay = Self {
            trace,
            state: PoolState::new(options, began),
            began,
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            sequence: 0,
            keys: keys.collect(),
            waiting: HashMap::new(),
            init: HashMap::new(),
            counts: Counts::default(),
        };
        replay.after(TICK, Event::Tick);
        if let Some(first) = trace.calls.first() {
            replay.after(first.at, Event::Call(0));
        }
        replay
    }

    fn after(&mut self, time: Duration, event: Event) {
        self.sequence += 1;
        self.events
            .push(Reverse((self.now + time, self.sequence, event)));
    }

    fn run(mut self) -> Counts {
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            self.now = at;
            let now = self.began + at;
            let actions = match event {
                Event::Call(index) => self.call(now, index),
                Event::Created(slot) => self.state.created(now, slot, None),
                Event::Done(slot) => {
                    let init = self.init.remove(&slot);
                    self.state.released(now, slot, init)
                }
                Event::Removed(slot) => self.state.removed(now, slot),
                Event::Tick => {
                    let is_over = self.trace.calls.last().is_none_or(|last| last.at < at);
                    if !is_over || self.state.is_waited_for() {
                        self.after(TICK, Event::Tick);
                    }
                    self.state.tick(now)
                }
            };
            // What idled for too long goes in a tick; what goes otherwise makes room.
            self.obey(actions, event != Event::Tick);
        }
        self.counts
    }

    fn call(&mut self, now: Instant, index: usize) -> Vec<Action> {
        let call = self.trace.calls[index];
        if let Some(next) = self.trace.calls.get(index + 1) {
            self.after(next.at - call.at, Event::Call(index + 1));
        }
        self.counts.calls += 1;
        let waiter = self.counts.calls;
        self.waiting.insert(waiter, call);
        let (key, demand) = self.keys[call.function].clone();
        self.state.acquire(now, waiter, key, demand)
    }

    fn obey(&mut self, actions: Vec<Action>, is_eviction: bool) {
        for action in actions {
            match action {
                Action::Hand {
                    waiter,
                    slot,
                    start,
                    ..
                } => self.hand(waiter, slot, start),
                Action::Create { slot, .. } => self.after(BOOT, Event::Created(slot)),
                Action::Destroy { slot } => {
                    self.counts.evicted += u64::from(is_eviction);
                    self.after(REMOVAL, Event::Removed(slot));
                }
                Action::Refuse { waiter, .. } => {
                    self.waiting.remove(&waiter);
                    self.counts.refused += 1;
                }
                _ => {}
            }
        }
    }

    fn hand(&mut self, waiter: u64, slot: Slot, start: StartKind) {
        let Some(call) = self.waiting.remove(&waiter) else {
            return;
        };
        self.counts.waited += self.now.saturating_sub(call.at);
        let mut takes = call.run;
        if start != StartKind::Warm {
            let init = self.trace.functions[call.function].init;
            self.init.insert(slot, init);
            self.counts.waited += init;
            takes += init;
        }
        self.counts.cold += u64::from(start == StartKind::Cold);
        self.counts.prewarmed += u64::from(start == StartKind::Prewarmed);
        self.after(takes, Event::Done(slot));
    }
}
