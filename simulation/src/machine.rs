//! The sandboxes of a machine, whichever process they belong to, and what they may be asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lambda_core::model::{FunctionId, OwnerId};

use crate::world::World;

/// What a sandbox is, seen from outside of the platform.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) life: u32,
    pub(crate) owner: OwnerId,
    pub(crate) memory_mib: u32,
    /// Whose code it has: function, version, and what the code is.
    pub(crate) code: Option<(FunctionId, u32, u64)>,
    pub(crate) is_frozen: bool,
    /// It failed: it may only be destroyed.
    pub(crate) is_spoiled: bool,
    pub(crate) is_busy: bool,
    pub(crate) dies_at: Option<Duration>,
    pub(crate) is_destroyed: bool,
    /// When nothing is left of it.
    pub(crate) gone_at: Option<Duration>,
    pub(crate) cpu: Duration,
}

/// See the module's text. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) world: World,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    bodies: BTreeMap<u64, Body>,
    next: u64,
}

impl Machine {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world,
            state: Arc::default(),
        }
    }

    /// Begins to make one, and checks the pool's bounds.
    pub(crate) fn add(&self, life: u32, owner: OwnerId, memory_mib: u32) -> u64 {
        let now = self.world.now();
        let mut state = self.lock();
        let bodies = &mut state.bodies;
        bodies.retain(|_, body| body.gone_at.is_none_or(|at| at > now));
        let own = || bodies.values().filter(|body| body.life == life);
        let count = own().count() + 1;
        let memory: u64 = own().map(|body| u64::from(body.memory_mib)).sum();
        let memory = memory + u64::from(memory_mib);
        let pool = &self.world.plan().pool;
        if count > pool.sandboxes_max as usize {
            let most = pool.sandboxes_max;
            self.world
                .broken(format!("{count} sandboxes at once, of at most {most}"));
        }
        if memory > pool.memory_mib_max {
            let most = pool.memory_mib_max;
            self.world
                .broken(format!("{memory} MiB at once, of at most {most}"));
        }
        state.next += 1;
        let serial = state.next;
        let body = Body {
            life,
            owner,
            memory_mib,
            code: None,
            is_frozen: false,
            is_spoiled: false,
            is_busy: false,
            dies_at: None,
            is_destroyed: false,
            gone_at: None,
            cpu: Duration::ZERO,
        };
        state.bodies.insert(serial, body);
        serial
    }

    pub(crate) fn with<T>(&self, serial: u64, work: impl FnOnce(&mut Body) -> T) -> Option<T> {
        self.lock().bodies.get_mut(&serial).map(work)
    }

    pub(crate) fn remove(&self, serial: u64) {
        self.lock().bodies.remove(&serial);
    }

    /// Removes what belongs to a dead process.
    pub(crate) fn remove_owned(&self, owner: OwnerId) -> usize {
        let mut state = self.lock();
        let before = state.bodies.len();
        state.bodies.retain(|_, body| body.owner != owner);
        before - state.bodies.len()
    }

    /// Power is cut.
    pub(crate) fn clear(&self) {
        self.lock().bodies.clear();
    }

    /// Another sandbox of the same process, for a defect.
    pub(crate) fn another(&self, life: u32, but: u64) -> Option<u64> {
        let state = self.lock();
        let mut others = state.bodies.iter();
        let found = others.find(|(serial, body)| body.life == life && **serial != but);
        found.map(|(serial, _)| *serial)
    }

    /// Gives it code, once, and checks the function's bound.
    pub(crate) fn load(&self, serial: u64, code: (FunctionId, u32, u64), concurrency: u32) {
        let now = self.world.now();
        let mut state = self.lock();
        let Some(body) = state.bodies.get_mut(&serial) else {
            return;
        };
        if let Some(before) = body.code.replace(code) {
            self.world.broken(format!(
                "sandbox {serial} got code of version {} after that of version {}",
                code.1, before.1
            ));
        }
        let life = body.life;
        let same = state.bodies.values().filter(|body| {
            let is_there = body.gone_at.is_none_or(|at| at > now);
            body.life == life && is_there && body.code.is_some_and(|own| own.0 == code.0)
        });
        let count = same.count();
        if count > concurrency as usize {
            self.world.broken(format!(
                "{count} sandboxes of a function at once, of at most {concurrency}"
            ));
        }
    }

    /// A sandbox begins to load or to serve.
    pub(crate) fn enter(&self, serial: u64, what: &str) {
        let broken = self.with(serial, |body| {
            let fault = if body.is_destroyed {
                "was told to die"
            } else if body.is_busy {
                "is at work"
            } else if body.is_frozen {
                "is frozen"
            } else if body.is_spoiled {
                "has failed"
            } else {
                ""
            };
            body.is_busy = true;
            // Fit to be destroyed only, until it has ended well.
            body.is_spoiled = true;
            fault
        });
        match broken {
            Some("") => {}
            Some(fault) => self
                .world
                .broken(format!("sandbox {serial} is to {what} and {fault}")),
            None => self
                .world
                .broken(format!("sandbox {serial} is to {what} and is gone")),
        }
    }

    /// How many there are, still.
    pub(crate) fn left(&self) -> usize {
        let now = self.world.now();
        let state = self.lock();
        let bodies = state.bodies.values();
        bodies
            .filter(|body| body.gone_at.is_none_or(|at| at > now))
            .count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
