//! Deliberate defects, to show that the simulation sees them. They are in its doubles and in
//! how it uses the platform, never in the platform.

/// A deliberate defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mutant {
    /// The store says that it has records that it has not.
    StoreForgets,
    /// The store keeps a batch twice.
    StoreDoubles,
    /// The disk says that it has synced what it has not.
    SyncLies,
    /// What an earlier process wrote is said to be synced and is not.
    EarlierUnsynced,
    /// What a killed process wrote and did not sync is lost with it.
    KillLosesPages,
    /// A restart does not look at the journal that is there.
    JournalForgotten,
    /// Nothing is recorded.
    RecordsNothing,
    /// A frozen sandbox is said to be thawed.
    ThawLies,
    /// One sandbox is given out as two.
    SandboxTwice,
    /// A sandbox is said to be removed and is not.
    RemovalLies,
    /// Killing a sandbox never ends.
    DestroyHangs,
    /// A sandbox that failed says that it may serve on.
    ErrorHidden,
    /// A restart does not remove what a killed process left.
    DeadStay,
    /// The executor is not told of deployments and deletions.
    ChangeUntold,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::StoreForgets,
        Self::StoreDoubles,
        Self::SyncLies,
        Self::EarlierUnsynced,
        Self::KillLosesPages,
        Self::JournalForgotten,
        Self::RecordsNothing,
        Self::ThawLies,
        Self::SandboxTwice,
        Self::RemovalLies,
        Self::DestroyHangs,
        Self::ErrorHidden,
        Self::DeadStay,
        Self::ChangeUntold,
    ];
}
