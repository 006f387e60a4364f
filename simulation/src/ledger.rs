//! What the platform has promised so far: which code may answer, and what is on record.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lambda_core::executor::{InvocationObserver, InvocationTarget};
use lambda_core::model::{InvocationRecord, Outcome, RequestId, Status};
use lambda_core::recorder::Recorder;
use lambda_core::{ErrorKind, Result};

use crate::disk::Platter;
use crate::world::World;

/// What a power failure may take: records that were answered so shortly before it.
const LOST_MAX: Duration = Duration::from_millis(100);

/// How long a disk's trouble may go on to have effects: it is tried again after this.
const TROUBLE_LASTS: Duration = Duration::from_secs(6);

/// See the module's text. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    world: World,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    functions: Vec<Line>,
    started: BTreeMap<RequestId, Started>,
    answered: BTreeMap<RequestId, Answered>,
    /// When power was cut, and which process it was taken from.
    cuts: Vec<(Duration, u32)>,
    /// When each process had opened the journal, and synced what was in it.
    opened: BTreeMap<u32, Duration>,
    next: u64,
}

/// What a function has been, and may be.
#[derive(Debug, Clone, Default)]
struct Line {
    /// The code that it had, in order; none: it was not there.
    history: Vec<Option<u64>>,
    /// What is certain: whoever asks from now on sees this or what comes after it.
    certain: usize,
}

#[derive(Debug, Clone, Copy)]
struct Started {
    function: usize,
    /// What the function was for certain when it was asked for.
    certain: usize,
    life: u32,
    is_running: bool,
}

#[derive(Debug, Clone, Copy)]
struct Answered {
    at: Duration,
    life: u32,
    version: u32,
    status: Status,
    /// It could not be recorded, which was counted.
    is_shed: bool,
}

impl Ledger {
    pub(crate) fn new(world: World) -> Self {
        let line = Line {
            history: vec![None],
            certain: 0,
        };
        let state = State {
            functions: vec![line; world.plan().functions],
            ..State::default()
        };
        Self {
            world,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// A function may become this from now on.
    pub(crate) fn may_become(&self, function: usize, code: Option<u64>) -> usize {
        let line = &mut self.lock().functions[function];
        line.history.push(code);
        line.history.len() - 1
    }

    /// It is this, and was said to be.
    pub(crate) fn became(&self, function: usize, change: usize) {
        self.lock().functions[function].certain = change;
    }

    /// A call begins.
    pub(crate) fn start(&self, function: usize, life: u32) -> RequestId {
        let mut state = self.lock();
        state.next += 1;
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&state.next.to_be_bytes());
        let id = RequestId::from_bytes(bytes);
        let started = Started {
            function,
            certain: state.functions[function].certain,
            life,
            is_running: false,
        };
        state.started.insert(id, started);
        id
    }

    /// The executor has taken it.
    pub(crate) fn runs(&self, id: RequestId) {
        if let Some(started) = self.lock().started.get_mut(&id) {
            started.is_running = true;
        }
    }

    /// The executor has not.
    pub(crate) fn refused(&self, id: RequestId, kind: ErrorKind) {
        let state = self.lock();
        let started = state.started[&id];
        let line = &state.functions[started.function];
        let may_be_gone = line.history[started.certain..].contains(&None);
        drop(state);
        if kind == ErrorKind::NotFound && !may_be_gone {
            self.world.broken("a function that is there is not found");
        }
    }

    /// This code is about to answer.
    pub(crate) fn served(&self, id: RequestId, code: u64) {
        let state = self.lock();
        let Some(started) = state.started.get(&id).copied() else {
            drop(state);
            self.world.broken("a sandbox serves what nobody asked for");
            return;
        };
        let line = &state.functions[started.function];
        let is_right = line.history[started.certain..].contains(&Some(code));
        drop(state);
        if !is_right {
            self.world.broken(format!(
                "code {code} answers, which function {} is not any more",
                started.function
            ));
        }
    }

    /// How many runs of a process have not ended.
    pub(crate) fn running(&self, life: u32) -> usize {
        let state = self.lock();
        let runs = state.started.values();
        runs.filter(|run| run.life == life && run.is_running)
            .count()
    }

    pub(crate) fn opened(&self, life: u32) {
        let now = self.world.now();
        self.lock().opened.insert(life, now);
    }

    pub(crate) fn power_cut(&self, life: u32) {
        let now = self.world.now();
        self.lock().cuts.push((now, life));
    }

    /// Compares what was promised with what the store has: `total` by its figures.
    pub(crate) fn audit(&self, records: &[InvocationRecord], total: u64, disk: &Platter) {
        let state = self.lock();
        if total != records.len() as u64 {
            let count = records.len();
            self.world
                .broken(format!("the figures count {total} of {count} records"));
        }
        let mut kept = BTreeMap::new();
        for record in records {
            if !state.started.contains_key(&record.request_id) {
                self.world
                    .broken("there is a record of what nobody asked for");
            }
            if kept.insert(record.request_id, record).is_some() {
                self.world.broken("a record is there twice");
            }
        }
        for (id, answered) in &state.answered {
            match kept.get(id) {
                Some(record) => {
                    if (record.version, record.status) != (answered.version, answered.status) {
                        self.world
                            .broken("a record says something else than its answer");
                    }
                }
                None if answered.is_shed => {}
                None if state.may_be_lost(answered, disk) => {}
                None => self.world.broken(format!(
                    "the record of an answer at {:?} in life {} is lost",
                    answered.at, answered.life
                )),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_be_lost(&self, answered: &Answered, disk: &Platter) -> bool {
        self.cuts.iter().any(|(cut, life)| {
            if *life < answered.life {
                return false;
            }
            // A process syncs what the one before it had written, at its start.
            let opened = self.opened.get(life).copied().unwrap_or(*cut);
            let is_late = *cut <= answered.at.max(opened) + LOST_MAX;
            is_late || disk.had_trouble(answered.at.saturating_sub(TROUBLE_LASTS), *cut)
        })
    }
}

/// Hears of what ends, in the moment in which it counts as recorded.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) ledger: Ledger,
    pub(crate) recorder: Recorder,
    pub(crate) life: u32,
    pub(crate) shed: Mutex<u64>,
}

impl InvocationObserver for Witness {
    fn ended(&self, target: &InvocationTarget, result: &Result<Outcome>) {
        let world = &self.ledger.world;
        // Nobody hears of what a dead process says.
        if !world.lives(self.life) {
            return;
        }
        let Ok(outcome) = result else {
            return;
        };
        let mut shed = self.shed.lock().unwrap_or_else(PoisonError::into_inner);
        let shed_before = std::mem::replace(&mut *shed, self.recorder.shed());
        let is_shed = *shed > shed_before;
        world.note(
            "recorded",
            u64::from(target.version) * 2 + u64::from(is_shed),
        );
        let answered = Answered {
            at: world.now(),
            life: self.life,
            version: outcome.version,
            status: outcome.status,
            is_shed,
        };
        let mut state = self.ledger.lock();
        if state
            .answered
            .insert(outcome.request_id, answered)
            .is_some()
        {
            drop(state);
            world.broken("an invocation has ended twice");
        }
    }
}

impl Ledger {
    /// A caller has, or would have, its answer.
    pub(crate) fn ended(&self, id: RequestId) {
        if let Some(started) = self.lock().started.get_mut(&id) {
            started.is_running = false;
        }
    }
}
