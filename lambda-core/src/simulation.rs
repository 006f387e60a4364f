//! What simulation/ reaches that is no part of the public surface: a recorder without threads.

pub use crate::recorder::simulation::{Disk, Patience, ReadFile, SegmentFile, start_recorder};
