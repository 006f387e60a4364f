//! What stands still by our hand, and Docker's end meanwhile.
//!
//! A Docker daemon that starts anew stops the containers that its predecessor left running, and
//! waits for their end before it answers anybody. One that we froze does not end: with gVisor the
//! daemon would never be back. So whatever is frozen is thawed as soon as Docker is gone.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio_util::task::AbortOnDropHandle;

use super::body::Body;
use super::engine::Engine;

/// The frozen sandboxes of one runtime. Watches Docker while there are some.
#[derive(Debug)]
pub(crate) struct Frozen {
    engine: Engine,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bodies: Vec<Weak<Body>>,
    watch: Option<AbortOnDropHandle<()>>,
}

impl Frozen {
    pub(crate) fn new(engine: Engine) -> Arc<Self> {
        Arc::new(Self {
            engine,
            state: Mutex::default(),
        })
    }

    /// Adds a sandbox that has just been frozen.
    pub(crate) fn add(self: &Arc<Self>, body: &Arc<Body>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .bodies
            .retain(|other| other.upgrade().is_some_and(|other| other.is_frozen()));
        state.bodies.push(Arc::downgrade(body));
        if state.watch.is_none() {
            let (engine, frozen) = (self.engine.clone(), Arc::downgrade(self));
            state.watch = Some(AbortOnDropHandle::new(body.handle.spawn(async move {
                engine.gone().await;
                if let Some(frozen) = frozen.upgrade() {
                    frozen.thaw();
                }
            })));
        }
    }

    /// Thaws all; the next that is frozen begins another watch.
    fn thaw(&self) {
        let state = std::mem::take(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner));
        let bodies: Vec<_> = state.bodies.iter().filter_map(Weak::upgrade).collect();
        tracing::debug!(
            sandboxes = bodies.len(),
            "Docker is gone; thawing what is frozen"
        );
        for body in bodies {
            body.thaw_by_cgroup();
        }
    }
}
