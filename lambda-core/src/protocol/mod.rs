#![doc = include_str!("PROTOCOL.md")]

mod decode;
mod encode;
#[cfg(test)]
mod fixtures;
mod session;

pub(crate) use encode::function_arn;
pub use session::Session;
