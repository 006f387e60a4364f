//! Bringing the schema up to date.
//!
//! MySQL commits every change of a schema on its own, so that a program which is killed in the
//! middle of a migration leaves a part of it behind. sqlx marks such a migration as one that has
//! not succeeded. All statements of ours may be run again, so that the next start does that.
//! Who migrates holds a lock of the server's meanwhile, which ends with the connection.

use std::sync::LazyLock;
use std::time::Duration;

use lambda_core::{Error, ErrorKind, Result};
use sqlx::MySqlConnection;
use sqlx::migrate::{MigrateError, Migrator};

use super::backfill;
use super::connect::OPERATION;
use super::error::Failure;
use super::session::{bounded, bounded_by};

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("./migrations/mysql");
    // Its lock waits for ever.
    migrations.set_locking(false);
    migrations
});

/// How long all migrations may take: rebuilding a table of tens of millions of rows takes minutes.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// How long to wait for another process that migrates, in seconds. Mostly it has nothing to do.
const TURN_TIMEOUT_S: u32 = 60;

/// Applies the migrations that are missing, and makes the figures that are. Nothing is written
/// where none is.
///
/// # Errors
/// `InvalidParameter` where the database is not one of this program's, or of a newer version of
/// it; it is left as it is. `StoreUnavailable`.
pub(super) async fn run(connection: &mut MySqlConnection) -> Result<()> {
    let migrating = async {
        lock(connection).await?;
        let outcome = match bring_up_to_date(connection).await {
            Ok(()) => backfill::run(connection)
                .await
                .map_err(|failure| failure.into_error(OPERATION)),
            Err(error) => Err(error),
        };
        unlock(connection).await;
        outcome
    };
    match tokio::time::timeout(MIGRATION_TIMEOUT, migrating).await {
        Ok(outcome) => outcome,
        Err(elapsed) => Err(Error::new(
            ErrorKind::StoreUnavailable,
            OPERATION,
            "Bringing the database's schema up to date took too long.",
        )
        .hint("Start again: what was begun is done again.")
        .source(elapsed)),
    }
}

/// The lock is the server's: it is about this database, and about nothing else in it.
async fn lock(connection: &mut MySqlConnection) -> Result<()> {
    let limit = Duration::from_secs(u64::from(TURN_TIMEOUT_S) + 10);
    let take = sqlx::query_scalar(
        "SELECT GET_LOCK(CONCAT('lambda-', LEFT(SHA2(DATABASE(), 256), 32)), ?)",
    )
    .bind(TURN_TIMEOUT_S)
    .fetch_one(connection);
    let taken: Option<i64> = bounded_by(limit, take).await.map_err(failed)?;
    if taken == Some(1) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::StoreUnavailable,
        OPERATION,
        "Another process is bringing the database's schema up to date.",
    )
    .hint("Try again later."))
}

async fn unlock(connection: &mut MySqlConnection) {
    let give = sqlx::query("DO RELEASE_LOCK(CONCAT('lambda-', LEFT(SHA2(DATABASE(), 256), 32)))");
    // It ends with the connection at the latest.
    drop(bounded(give.execute(connection)).await);
}

async fn bring_up_to_date(connection: &mut MySqlConnection) -> Result<()> {
    match state(connection).await.map_err(failed)? {
        State::Empty => {}
        State::Foreign => {
            return Err(
                Error::invalid(OPERATION, "The database holds tables of another program.")
                    .hint("Give the platform a database of its own."),
            );
        }
        State::Version { newest, begun } => {
            let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
            if newest > known {
                return Err(newer(newest, known));
            }
            if newest == known && begun.is_none() {
                // Also where the server is read-only.
                return check_applied(connection).await;
            }
            if let Some(begun) = begun {
                tracing::warn!(version = begun, "doing a migration again that was cut off");
                let forget =
                    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = ? AND NOT success")
                        .bind(begun);
                bounded(forget.execute(&mut *connection))
                    .await
                    .map_err(failed)?;
            }
        }
    }
    // As `run` does it; that one's future is not known to be `Send`.
    let run = MIGRATIONS.run_direct(None, connection, false).await;
    run.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failed(error),
        other => not_ours(other),
    })
}

enum State {
    Empty,
    Foreign,
    /// The newest version, whether done or begun, and the one that was cut off.
    Version {
        newest: i64,
        begun: Option<i64>,
    },
}

async fn state(connection: &mut MySqlConnection) -> sqlx::Result<State> {
    let tables: Vec<String> = bounded(
        sqlx::query_scalar(
            "SELECT CAST(table_name AS CHAR CHARACTER SET utf8mb4) FROM information_schema.tables \
             WHERE table_schema = DATABASE()",
        )
        .fetch_all(&mut *connection),
    )
    .await?;
    if tables.is_empty() {
        return Ok(State::Empty);
    }
    if !tables.iter().any(|table| *table == MIGRATIONS.table_name) {
        return Ok(State::Foreign);
    }
    let versions: Vec<(i64, bool)> = bounded(
        sqlx::query_as("SELECT version, success FROM _sqlx_migrations ORDER BY version")
            .fetch_all(connection),
    )
    .await?;
    Ok(State::Version {
        newest: versions.last().map_or(0, |(version, _)| *version),
        begun: versions
            .iter()
            .find(|(_, success)| !success)
            .map(|(version, _)| *version),
    })
}

/// Checks that what was applied is what this program would apply.
async fn check_applied(connection: &mut MySqlConnection) -> Result<()> {
    let applied: Vec<(i64, Vec<u8>)> = bounded(
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(connection),
    )
    .await
    .map_err(failed)?;
    let known = MIGRATIONS.iter().map(|m| (m.version, m.checksum.to_vec()));
    if applied.into_iter().eq(known) {
        return Ok(());
    }
    Err(not_ours("a migration differs"))
}

fn newer(found: i64, known: i64) -> Error {
    Error::invalid(
        OPERATION,
        format!(
            "The database has schema version {found}; this program knows versions up to {known}."
        ),
    )
    .hint("Use a newer version of the program, or another database. This one was not changed.")
}

fn not_ours(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::invalid(
        OPERATION,
        "The database's schema is not one that this program made.",
    )
    .hint("Give another database, or use the program that made this one.")
    .source(cause)
}

fn failed(error: sqlx::Error) -> Error {
    Failure::from(error).into_error(OPERATION)
}
