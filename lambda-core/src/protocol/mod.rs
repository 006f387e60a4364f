#![doc = include_str!("PROTOCOL.md")]

mod decode;
mod encode;
#[cfg(test)]
mod fixtures;
mod session;

#[cfg(feature = "fuzzing")]
pub(crate) use decode::{Decoder, parse_error_report, parse_script_end};
pub(crate) use encode::function_arn;
pub use session::Session;
