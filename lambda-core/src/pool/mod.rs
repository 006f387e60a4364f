//! The warm-container manager.

mod options;

pub use options::PoolOptions;
