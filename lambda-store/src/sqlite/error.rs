//! What a failure of SQLite means for callers.

use lambda_core::store::refusal;
use lambda_core::{Error, ErrorKind};

/// The result of a query function.
pub(super) type Attempt<T> = Result<T, Failure>;

/// Why a query function failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database failed, or holds what the platform did not write.
    Database(sqlx::Error),
    /// The request was refused; the error names its operation already.
    Refused(Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Failure {
    /// The error for callers. The database's own words stay in its source.
    pub(super) fn into_error(self, operation: &'static str) -> Error {
        let error = match self {
            Self::Refused(error) => return error,
            Self::Database(error) => error,
        };
        let (message, hint) = match &error {
            sqlx::Error::PoolClosed => return refusal::closed(operation),
            sqlx::Error::PoolTimedOut => (BUSY, BUSY_HINT),
            sqlx::Error::Database(database) => match primary_code(database.as_ref()) {
                Some(5 | 6) => (BUSY, BUSY_HINT),
                Some(8) => (
                    "The database cannot be written to.",
                    "Check the owner and the permissions of the database file and its directory.",
                ),
                Some(11 | 26) => (
                    "The database file is damaged.",
                    "Restore it from a backup; the log says more.",
                ),
                Some(13) => (
                    "The disk that the database is on is full.",
                    "Free some space, then try again.",
                ),
                Some(10 | 14) => (
                    "The database file cannot be read or written.",
                    "Check the disk, and the permissions of the file and its directory; the log says more.",
                ),
                // Constraints, types, syntax: what the queries rule out.
                _ => {
                    return Error::internal(operation, "The database refused a statement.")
                        .source(error);
                }
            },
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => (
                "The database stopped working.",
                "Try again; the log says more.",
            ),
            _ => {
                return Error::internal(
                    operation,
                    "The database holds something that this version of the platform cannot read.",
                )
                .source(error);
            }
        };
        Error::new(ErrorKind::StoreUnavailable, operation, message)
            .hint(hint)
            .source(error)
    }
}

const BUSY: &str = "The database is busy.";
const BUSY_HINT: &str = "Try again; if it stays so, another program holds the file.";

/// The result code without its extension; see <https://sqlite.org/rescode.html>.
pub(super) fn primary_code(error: &dyn sqlx::error::DatabaseError) -> Option<u32> {
    let extended: u32 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// Whether a unique column has this value already.
pub(super) fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|database| database.is_unique_violation())
}
