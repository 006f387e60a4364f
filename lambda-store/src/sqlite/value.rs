//! Rust values as SQLite's, and back.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

type DecodeError = Box<dyn std::error::Error + Send + Sync>;

/// A value that the platform did not write.
pub(super) fn decode_error(cause: impl Into<DecodeError>) -> sqlx::Error {
    sqlx::Error::Decode(cause.into())
}

/// A blob of a fixed size: an id or a digest.
pub(super) fn bytes<const N: usize>(row: &SqliteRow, column: &str) -> sqlx::Result<[u8; N]> {
    let blob: &[u8] = row.try_get(column)?;
    blob.try_into().map_err(decode_error)
}

/// A number that cannot be negative.
pub(super) fn unsigned<T>(row: &SqliteRow, column: &str) -> sqlx::Result<T>
where
    T: TryFrom<i64>,
    T::Error: Into<DecodeError>,
{
    let number: i64 = row.try_get(column)?;
    T::try_from(number).map_err(decode_error)
}

/// Text that has its own type.
pub(super) fn parsed<T, E: Into<DecodeError>>(
    row: &SqliteRow,
    column: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> sqlx::Result<T> {
    parse(row.try_get(column)?).map_err(decode_error)
}

/// A word out of a fixed set.
pub(super) fn word<T>(
    row: &SqliteRow,
    column: &str,
    from_word: fn(&str) -> Option<T>,
) -> sqlx::Result<T> {
    parsed(row, column, |word| {
        from_word(word).ok_or("not a word of the set")
    })
}

/// A point in time.
pub(super) fn timestamp(row: &SqliteRow, column: &str) -> sqlx::Result<Timestamp> {
    Timestamp::from_microsecond(row.try_get(column)?).map_err(decode_error)
}

/// A `u64` as SQLite's integer, which is an `i64`.
pub(super) fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The time, as finely as it is kept.
pub(super) fn now() -> Timestamp {
    let now = Timestamp::now();
    // What a timestamp gave as microseconds is in a timestamp's range.
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// A value that the database cannot hold.
pub(super) fn encode_error(cause: impl Into<DecodeError>) -> sqlx::Error {
    sqlx::Error::Encode(cause.into())
}
