//! The pool's state under a virtual clock.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used)]

mod desk;
mod frozen;
mod properties;
mod provisioned;
mod rules;
mod world;
