//! What everything in a run shares: time, chance, which process lives, and what was seen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::weather::Weather;

/// See the module's text. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct World(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plan: Plan,
    mutant: Option<Mutant>,
    state: Mutex<State>,
    killed: Notify,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    /// The process that lives.
    life: Option<u32>,
    /// When it began, by the run's time and by its own runtime's.
    began: (Duration, Instant),
    /// Steps until it is killed.
    steps_left: Option<u64>,
    weather: Weather,
    is_calm: bool,
    steps: u64,
    digest: u64,
    violation: Option<String>,
    trace: Option<Vec<String>>,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The first promise that was broken.
    pub violation: Option<String>,
    /// Of all that happened, in order.
    pub digest: u64,
    /// How much that was.
    pub steps: u64,
    /// In words, where that was asked for.
    pub trace: Vec<String>,
}

impl World {
    pub(crate) fn new(plan: Plan, rng: Rng, mutant: Option<Mutant>, is_traced: bool) -> Self {
        Self(Arc::new(Inner {
            plan,
            mutant,
            state: Mutex::new(State {
                rng,
                life: None,
                began: (Duration::ZERO, Instant::now()),
                steps_left: None,
                weather: Weather::default(),
                is_calm: false,
                steps: 0,
                digest: 0xcbf2_9ce4_8422_2325,
                violation: None,
                trace: is_traced.then(Vec::new),
            }),
            killed: Notify::new(),
        }))
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.0.plan
    }

    pub(crate) fn has(&self, mutant: Mutant) -> bool {
        self.0.mutant == Some(mutant)
    }

    /// Draws.
    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.lock().rng)
    }

    /// A time from `low` to `high` milliseconds.
    pub(crate) fn millis(&self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.draw(|rng| rng.between(low, high)))
    }

    /// Whether this fault happens at this step.
    pub(crate) fn strikes(&self, fault: Fault) -> bool {
        let rate = self.0.plan.rates.of_1000(fault);
        let mut state = self.lock();
        rate > 0 && !state.is_calm && state.rng.between(0, 999) < rate
    }

    pub(crate) fn weather(&self) -> Weather {
        self.lock().weather
    }

    pub(crate) fn set_weather(&self, change: impl FnOnce(&mut Weather)) {
        let mut state = self.lock();
        if !state.is_calm {
            change(&mut state.weather);
        }
    }

    /// Nothing fails from now on.
    pub(crate) fn calm(&self) {
        let mut state = self.lock();
        state.is_calm = true;
        state.weather = Weather::default();
    }

    /// Since the run began.
    pub(crate) fn now(&self) -> Duration {
        self.lock().now()
    }

    /// A process begins, in a tokio runtime of its own.
    pub(crate) fn begin_life(&self, number: u32) {
        let mut state = self.lock();
        state.life = Some(number);
        state.began.1 = Instant::now();
        state.steps_left = None;
    }

    pub(crate) fn kill_after(&self, steps: u64) {
        self.lock().steps_left = Some(steps);
    }

    /// The process is no more: what its tasks do from now on has no effect.
    pub(crate) fn end_life(&self) {
        let mut state = self.lock();
        state.began.0 = state.now();
        state.began.1 = Instant::now();
        state.life = None;
    }

    /// Ready once the process has been killed in the middle of a step.
    pub(crate) async fn killed(&self) {
        self.0.killed.notified().await;
    }

    /// A step of process `life` begins. False: it does not live any more, or dies in it.
    pub(crate) fn step(&self, life: u32, what: &'static str, about: u64) -> bool {
        let mut state = self.lock();
        if state.life != Some(life) {
            return false;
        }
        state.note(what, about);
        if let Some(left) = &mut state.steps_left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                state.began.0 = state.now();
                state.began.1 = Instant::now();
                state.life = None;
                self.0.killed.notify_one();
                return false;
            }
        }
        true
    }

    pub(crate) fn lives(&self, life: u32) -> bool {
        self.lock().life == Some(life)
    }

    pub(crate) fn note(&self, what: &'static str, about: u64) {
        self.lock().note(what, about);
    }

    /// A promise was broken.
    pub(crate) fn broken(&self, promise: impl Into<String>) {
        let mut state = self.lock();
        let promise = promise.into();
        state.note("BROKEN", 0);
        if let Some(trace) = &mut state.trace {
            trace.push(promise.clone());
        }
        state.violation.get_or_insert(promise);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.lock().violation.is_some()
    }

    pub(crate) fn report(&self) -> Report {
        let mut state = self.lock();
        Report {
            violation: state.violation.clone(),
            digest: state.digest,
            steps: state.steps,
            trace: state.trace.take().unwrap_or_default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn now(&self) -> Duration {
        match self.life {
            Some(_) => self.began.0 + self.began.1.elapsed(),
            None => self.began.0,
        }
    }

    fn note(&mut self, what: &'static str, about: u64) {
        let now = self.now();
        self.steps += 1;
        let time = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        for byte in what.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        for part in [time, about] {
            self.digest = (self.digest ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.digest ^= self.digest >> 29;
        }
        if let Some(trace) = &mut self.trace {
            trace.push(format!(
                "{:>10.3} ms  {what} {about}",
                now.as_secs_f64() * 1e3
            ));
        }
    }
}
