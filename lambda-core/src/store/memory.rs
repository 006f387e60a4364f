//! The reference store: everything in memory.
/// The reference store.
#[derive(Debug)]
pub struct MemoryStore {}
