//! One life of the platform's process: recorder and executor over the simulated machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use lambda_core::executor::{LocalExecutor, LocalExecutorParts};
use lambda_core::model::{Function, OwnerId, PackageDigest};
use lambda_core::recorder::{Recorder, RecorderOptions};
use lambda_core::simulation::{Patience, start_recorder};
use lambda_core::store::MemoryStore;
use lambda_core::{Executor as _, Result, Runtime as _, Store};

use crate::disk::Platter;
use crate::ledger::{Ledger, Witness};
use crate::machine::Machine;
use crate::mutant::Mutant;
use crate::runtime::SimRuntime;
use crate::store::SimStore;
use crate::world::World;

/// What outlives a process. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Outside {
    pub(crate) world: World,
    pub(crate) machine: Machine,
    pub(crate) disk: Platter,
    pub(crate) ledger: Ledger,
    pub(crate) kept: Arc<MemoryStore>,
    codes: Arc<Mutex<BTreeMap<PackageDigest, u64>>>,
    /// Owners of what may be left on the machine.
    dead: Arc<Mutex<Vec<OwnerId>>>,
}

impl Outside {
    pub(crate) fn new(world: World) -> Self {
        Self {
            machine: Machine::new(world.clone()),
            disk: Platter::new(world.clone()),
            ledger: Ledger::new(world.clone()),
            kept: Arc::new(MemoryStore::new()),
            codes: Arc::default(),
            dead: Arc::default(),
            world,
        }
    }
}

/// See the module's text. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) life: u32,
    pub(crate) world: World,
    pub(crate) ledger: Ledger,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) recorder: Recorder,
    pub(crate) executor: LocalExecutor,
    outside: Outside,
}

impl Process {
    /// Starts it, as a platform starts: what the dead left is removed first.
    pub(crate) async fn start(outside: &Outside, life: u32) -> Result<Self> {
        let world = &outside.world;
        let runtime = Arc::new(SimRuntime {
            machine: outside.machine.clone(),
            ledger: outside.ledger.clone(),
            life,
        });
        let owner = OwnerId::new();
        let dead = outside.dead().clone();
        outside.dead().push(owner);
        for dead in dead {
            // Where it cannot, or dies meanwhile, the next start tries again.
            if runtime.remove_owned(dead).await.is_ok() {
                outside.dead().retain(|other| *other != dead);
            }
        }
        let store: Arc<dyn Store> = Arc::new(SimStore {
            kept: Arc::clone(&outside.kept),
            world: world.clone(),
            life,
        });
        let recorder = match world.has(Mutant::RecordsNothing) {
            true => Recorder::off(),
            false => recorder(outside, life, Arc::clone(&store))?,
        };
        outside.ledger.opened(life);
        let runtimes: Vec<Arc<dyn lambda_core::Runtime>> = vec![runtime];
        let mut parts = LocalExecutorParts::new(
            owner,
            Arc::clone(&store),
            runtimes,
            recorder.clone(),
            "".into(),
        );
        parts.pool = world.plan().pool.clone();
        let executor = LocalExecutor::new(parts);
        executor.observe(Arc::new(Witness {
            ledger: outside.ledger.clone(),
            recorder: recorder.clone(),
            life,
            shed: Mutex::default(),
        }));
        Ok(Self {
            life,
            world: world.clone(),
            ledger: outside.ledger.clone(),
            store,
            recorder,
            executor,
            outside: outside.clone(),
        })
    }

    /// Code that no function has had.
    pub(crate) fn new_code(&self) -> (u64, Bytes) {
        let mut codes = self.codes();
        let number = codes.len() as u64 + 1;
        let bytes = crate::operator::code(number);
        codes.insert(PackageDigest::of(&bytes), number);
        (number, bytes)
    }

    /// What a version's code is.
    pub(crate) fn code_of(&self, function: &Function) -> Option<u64> {
        let package = function.code.first()?;
        self.codes().get(&package.digest).copied()
    }

    fn codes(&self) -> std::sync::MutexGuard<'_, BTreeMap<PackageDigest, u64>> {
        let codes = &self.outside.codes;
        codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outside {
    fn dead(&self) -> std::sync::MutexGuard<'_, Vec<OwnerId>> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn recorder(outside: &Outside, life: u32, store: Arc<dyn Store>) -> Result<Recorder> {
    let directory = match outside.world.has(Mutant::JournalForgotten) {
        true => format!("journal-{life}"),
        false => "journal".to_owned(),
    };
    let mut options = RecorderOptions::new(directory);
    // Nobody reads them, and they are no part of the simulated disk.
    options.status = "".into();
    options.rejected = "".into();
    options.journal_bytes_max = outside.world.plan().journal_bytes_max;
    let patience = Patience {
        store_timeout: Duration::from_secs(2),
        retry_min: Duration::from_millis(200),
        retry_max: Duration::from_secs(5),
    };
    start_recorder(options, patience, store, Arc::new(outside.disk.mount(life)))
}
