//! One file for each command.

pub(crate) mod completions;
pub(crate) mod delete;
pub(crate) mod deploy;
pub(crate) mod doctor;
pub(crate) mod invoke;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod open;
pub(crate) mod rollback;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod versions;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The path of a function. What is no name reaches the server as one segment all the same,
/// and is refused there.
fn function_path(reference: &str) -> String {
    format!(
        "/functions/{}",
        utf8_percent_encode(reference, NON_ALPHANUMERIC)
    )
}
