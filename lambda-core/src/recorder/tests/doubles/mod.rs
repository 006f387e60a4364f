//! A store and a disk that fail on demand.

mod disk;
mod store;

pub(super) use disk::FaultyDisk;
pub(super) use store::{FaultyStore, Mood};
