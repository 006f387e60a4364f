//! Rust values as a database keeps them, and back.

use jiff::Timestamp;
use lambda_core::model::FunctionId;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A value that the platform did not write.
pub(crate) fn decode_error(cause: impl Into<Cause>) -> sqlx::Error {
    sqlx::Error::Decode(cause.into())
}

/// A value that the database cannot hold.
pub(crate) fn encode_error(cause: impl Into<Cause>) -> sqlx::Error {
    sqlx::Error::Encode(cause.into())
}

/// Bytes of a fixed number: an id or a digest.
pub(crate) fn id<const N: usize>(bytes: &[u8]) -> sqlx::Result<[u8; N]> {
    bytes.try_into().map_err(decode_error)
}

/// A number that cannot be negative.
pub(crate) fn count<T>(number: i64) -> sqlx::Result<T>
where
    T: TryFrom<i64>,
    T::Error: Into<Cause>,
{
    T::try_from(number).map_err(decode_error)
}

/// Text that has its own type.
pub(super) fn parsed<T, E: Into<Cause>>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> sqlx::Result<T> {
    parse(text).map_err(decode_error)
}

/// A word out of a fixed set.
pub(super) fn word<T>(word: &str, from_word: fn(&str) -> Option<T>) -> sqlx::Result<T> {
    from_word(word).ok_or_else(|| decode_error("not a word of the set"))
}

/// A point in time.
pub(crate) fn timestamp(us: i64) -> sqlx::Result<Timestamp> {
    Timestamp::from_microsecond(us).map_err(decode_error)
}

/// A `u64` as a database's integer, which is an `i64`.
pub(crate) fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The time, as finely as it is kept.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    // What a timestamp gave as microseconds is in a timestamp's range.
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// What stands in a column of function ids for "all functions": no function has it, because it
/// is no UUID of version 7, and it can be part of a key, which NULL cannot.
pub(crate) const fn all_functions() -> [u8; 16] {
    [0; 16]
}

/// What stands in a column of function ids for a function, or for all of them.
pub(crate) fn function_bytes(function: Option<FunctionId>) -> Vec<u8> {
    function
        .map_or(all_functions(), |id| *id.as_bytes())
        .to_vec()
}
