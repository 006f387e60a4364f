//! What a failure of MySQL means for callers.

use lambda_core::store::refusal;
use lambda_core::{Error, ErrorKind};
use sqlx::mysql::MySqlDatabaseError;

/// The result of a query function.
pub(super) type Attempt<T> = Result<T, Failure>;

/// Why a query function failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database failed, or holds what the platform did not write. Nothing was changed.
    Database(sqlx::Error),
    /// The connection was lost while a change was committed: it is made in full, or not at all.
    Commit(sqlx::Error),
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
        let (error, (kind, message, hint)) = match self {
            Self::Refused(error) => return error,
            Self::Commit(error) => (error, COMMIT_LOST),
            Self::Database(sqlx::Error::PoolClosed) => return refusal::closed(operation),
            Self::Database(error) => {
                let meaning = meaning(&error);
                (error, meaning)
            }
        };
        Error::new(kind, operation, message)
            .hint(hint)
            .source(error)
    }
}

type Meaning = (ErrorKind, &'static str, &'static str);

const UNAVAILABLE: ErrorKind = ErrorKind::StoreUnavailable;

const COMMIT_LOST: Meaning = (
    UNAVAILABLE,
    "The connection to the database was lost while the change was being committed.",
    "The change is made in full or not at all: look, then repeat it if it is not there.",
);
const GONE: Meaning = (
    UNAVAILABLE,
    "The connection to the database was lost.",
    "Try again; if it stays so, check that the database server runs.",
);
const SILENT: Meaning = (
    UNAVAILABLE,
    "The database does not answer in time.",
    "Try again; if it stays so, check the database server's load, and the network to it.",
);
const BUSY: Meaning = (
    UNAVAILABLE,
    "The database is busy.",
    "Try again; if it stays so, look for long transactions at the database server.",
);
const DEFECT: Meaning = (
    ErrorKind::Internal,
    "The database refused a statement.",
    "This is a defect of the platform; its log says more.",
);

fn meaning(error: &sqlx::Error) -> Meaning {
    match error {
        sqlx::Error::PoolTimedOut => (
            UNAVAILABLE,
            "The database cannot be reached, or all connections to it are busy.",
            "Try again; if it stays so, check that the database server runs.",
        ),
        sqlx::Error::Io(error) => match error.kind() {
            std::io::ErrorKind::TimedOut => SILENT,
            std::io::ErrorKind::ConnectionRefused => (
                UNAVAILABLE,
                "Nothing listens at the database's host and port.",
                "Check the host and the port in the URL, and that the database server runs.",
            ),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => (
                UNAVAILABLE,
                "The database server's socket, or a certificate file, cannot be opened.",
                "Check the paths in the URL, and who may read them.",
            ),
            // rustls reports a certificate that does not verify this way.
            std::io::ErrorKind::InvalidData => UNVERIFIED,
            _ if is_lookup(error) => (
                UNAVAILABLE,
                "The database's host name cannot be resolved.",
                "Check the host in the URL, and the name service.",
            ),
            _ => GONE,
        },
        sqlx::Error::Tls(_) => UNVERIFIED,
        // What sqlx says without its RSA feature; all else was checked with the URL.
        sqlx::Error::Configuration(_) => (
            UNAVAILABLE,
            "The database server wants the password over an encrypted connection.",
            "Add `ssl-mode=REQUIRED` to the URL, or VERIFY_IDENTITY with `ssl-ca`; the server needs TLS for it.",
        ),
        sqlx::Error::Database(_) => number(error).map_or(DEFECT, meaning_of_number),
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => GONE,
        _ => (
            ErrorKind::Internal,
            "The database holds something that this version of the platform cannot read.",
            "This is a defect of the platform; its log says more.",
        ),
    }
}

const UNVERIFIED: Meaning = (
    UNAVAILABLE,
    "No encrypted connection to the database could be made, or its certificate is not one to trust.",
    "Check `ssl-mode` and `ssl-ca` in the URL; VERIFY_IDENTITY also wants the host to be one that the certificate names.",
);

/// By number; see <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>
/// and <https://mariadb.com/kb/en/mariadb-error-code-reference/>.
fn meaning_of_number(number: u16) -> Meaning {
    let (message, hint) = match number {
        1290 | 1792 | 1836 | 3100 => (
            "The database server is read-only.",
            "Connect to the primary server, or switch `read_only` off; what only reads goes on.",
        ),
        1044 | 1142 | 1143 | 1227 | 1370 => (
            "The database's user is not allowed to do this.",
            "Grant the user all privileges on the platform's database.",
        ),
        1045 | 1130 | 1524 | 1698 | 2054 | 3118 | 3159 | 4151 => (
            "The database server refuses the user or the password.",
            "Check user and password in the URL (percent-encoded), and from which hosts the user may connect.",
        ),
        1049 => (
            "The database does not exist.",
            "Create it, or give the user the right to create it.",
        ),
        1040 | 1203 | 1226 => (
            "The database server has no connection left.",
            "Try again; if it stays so, raise `max_connections`, or run fewer processes.",
        ),
        3 | 1021 | 1026 | 1114 | 28 => (
            "The database server's disk is full.",
            "Free some space at the database server, then try again.",
        ),
        1153 | 3968 => (
            "The database server does not take packets of this size.",
            "Set `max_allowed_packet` to 16 MiB or more at the database server.",
        ),
        1665 => (
            "The database server's binary log cannot hold the platform's transactions.",
            "Set `binlog_format` to ROW, or MIXED, at the database server.",
        ),
        1146 | 1054 => (
            "The database lacks a table or a column of the platform.",
            "Open the store again, which brings the schema up to date; the log says more.",
        ),
        1317 | 1969 | 3024 => return SILENT,
        _ if is_busy(number) => return BUSY,
        _ if is_gone(number) => return GONE,
        _ => return DEFECT,
    };
    (UNAVAILABLE, message, hint)
}

const fn is_busy(number: u16) -> bool {
    matches!(number, 1020 | 1205 | 1213 | 1637)
}

/// The server ends the connection, or is ending itself.
const fn is_gone(number: u16) -> bool {
    matches!(
        number,
        1053 | 1077 | 1152 | 1158..=1161 | 1184 | 1927 | 1950 | 3169 | 4031
    )
}

fn is_lookup(error: &std::io::Error) -> bool {
    // The standard library gives failures of getaddrinfo no kind of their own.
    error
        .to_string()
        .starts_with("failed to lookup address information")
}

/// The server's number of an error.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    let error = error
        .as_database_error()?
        .try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

/// Whether a unique column has this value already.
pub(super) fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|database| database.is_unique_violation())
}

/// Whether other transactions were in the way: the same one may succeed now.
pub(super) fn is_contention(error: &sqlx::Error) -> bool {
    number(error).is_some_and(is_busy)
}

/// Whether the connection, and with it the transaction, is gone. A server that did not answer in
/// time is not asked again at once: the caller has waited long enough.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => !matches!(
            error.kind(),
            std::io::ErrorKind::TimedOut
                | std::io::ErrorKind::ConnectionRefused
                | std::io::ErrorKind::NotFound
                | std::io::ErrorKind::PermissionDenied
                | std::io::ErrorKind::InvalidData
        ),
        sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => true,
        _ => number(error).is_some_and(is_gone),
    }
}
