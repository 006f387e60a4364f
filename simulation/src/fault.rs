//! What may go wrong at any single step, and how often it does in a run.

use crate::rng::Rng;

/// A fault of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Creating a sandbox fails for now.
    CreateFails,
    /// It fails for good.
    CreateRefused,
    /// It takes until its timeout.
    CreateHangs,
    /// A sandbox dies at some time, whatever it does then.
    Dies,
    /// The code does not load.
    LoadFails,
    /// The sandbox dies while it loads or serves.
    DiesInCall,
    /// The kernel kills it for want of memory.
    OutOfMemory,
    /// It sends what the protocol does not know.
    Breach,
    /// It never answers.
    NeverAnswers,
    /// The function fails; its sandbox may serve on.
    FunctionFails,
    /// The back end cannot freeze it.
    FreezeFails,
    /// The back end cannot thaw it.
    ThawFails,
    /// Its death is not confirmed in time.
    DeathPends,
    /// Its removal takes long.
    RemovalSlow,
    /// The store fails once.
    StoreFails,
    /// The store's answer takes long.
    StoreSlow,
    /// The store commits, and its answer is lost.
    AnswerLost,
    /// A write to the disk is done in part.
    WriteTorn,
    /// One sync fails, and what it should have written is dropped.
    SyncFails,
    /// One sync takes long.
    SyncSlow,
}

const COUNT: usize = Fault::SyncSlow as usize + 1;

/// How often each strikes, of 1,000 steps.
#[derive(Debug, Clone)]
pub(crate) struct Rates([u16; COUNT]);

impl Rates {
    /// Most faults are absent from most runs: what happens among few is easier to reach.
    #[must_use]
    pub(crate) fn of(rng: &mut Rng) -> Self {
        let is_calm = rng.percent(10);
        Self(std::array::from_fn(|_| {
            let rate = match rng.between(0, 99) {
                _ if is_calm => 0,
                0..60 => 0,
                60..90 => rng.between(5, 50),
                _ => rng.between(100, 500),
            };
            u16::try_from(rate).unwrap_or(0)
        }))
    }

    /// Of 1,000 steps.
    #[must_use]
    pub(crate) fn of_1000(&self, fault: Fault) -> u64 {
        self.0[fault as usize].into()
    }
}
