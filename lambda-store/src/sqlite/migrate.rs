//! Bringing the schema up to date.

use lambda_core::{Error, Result};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool};

use super::connect::OPERATION;
use super::error::{Failure, primary_code};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// Looks at a file without changing it, and refuses one that is not ours to migrate.
///
/// # Errors
/// `InvalidParameter`; `StoreUnavailable`.
pub(super) async fn check_file(options: &SqliteConnectOptions) -> Result<()> {
    // Not opened read-only: the rollback of what a killed process left behind is a write.
    let attempt = async {
        let mut connection = options.connect().await?;
        let state = schema(&mut connection).await?;
        connection.close().await?;
        Ok(state)
    };
    match attempt.await {
        Ok(Schema::Empty) => Ok(()),
        Ok(Schema::Foreign) => Err(Error::invalid(
            OPERATION,
            "The file is a database of another program.",
        )
        .hint("Give the path of a file that does not exist yet.")),
        Ok(Schema::Version(version)) => refuse_newer(version),
        Err(sqlx::Error::Database(error)) if primary_code(error.as_ref()) == Some(26) => {
            Err(Error::invalid(OPERATION, "The file is not a database.")
                .hint("Give the path of a file that does not exist yet.")
                .source(error))
        }
        Err(error) => Err(Failure::from(error).into_error(OPERATION)),
    }
}

enum Schema {
    Empty,
    Foreign,
    Version(i64),
}

async fn schema(connection: &mut SqliteConnection) -> sqlx::Result<Schema> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .fetch_all(&mut *connection)
            .await?;
    if tables.is_empty() {
        return Ok(Schema::Empty);
    }
    if !tables.contains(&MIGRATIONS.table_name.clone().into_owned()) {
        return Ok(Schema::Foreign);
    }
    let version: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(connection)
        .await?;
    Ok(Schema::Version(version.unwrap_or(0)))
}

fn refuse_newer(version: i64) -> Result<()> {
    let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    if version <= known {
        return Ok(());
    }
    Err(Error::invalid(
        OPERATION,
        format!(
            "The database has schema version {version}; this program knows versions up to {known}."
        ),
    )
    .hint("Use a newer version of the program, or another database. This one was not changed."))
}

/// Applies the migrations that are missing, each in a transaction of its own.
///
/// # Errors
/// `InvalidParameter` where another program has migrated the database; `StoreUnavailable`.
pub(super) async fn run(writer: &SqlitePool) -> Result<()> {
    MIGRATIONS.run(writer).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            Failure::from(error).into_error(OPERATION)
        }
        other => Error::invalid(
            OPERATION,
            "The database's schema is not one that this program made.",
        )
        .hint("Give another path, or use the program that made the database.")
        .source(other),
    })
}
