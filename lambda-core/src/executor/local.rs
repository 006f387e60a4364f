//! Local.
/// x
#[derive(Debug)]
pub struct LocalExecutor;
/// x
#[derive(Debug)]
pub struct LocalExecutorParts;
