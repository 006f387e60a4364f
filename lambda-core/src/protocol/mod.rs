#![doc = include_str!("PROTOCOL.md")]

mod decode;
mod encode;
mod session;

pub use session::Session;
