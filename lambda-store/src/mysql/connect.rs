//! Opening a database: reach the server, make the database, bring its schema up to date.

use std::time::Duration;

use lambda_core::{Error, ErrorKind, Result};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, MySqlPool};

use super::error::{Failure, number};
use super::session::{LOCK_WAIT_S, STATEMENT_TIMEOUT, bounded, bounded_by};
use super::url::Target;
use super::{MySqlStore, migrate};

pub(super) const OPERATION: &str = "store_open";

/// How long reaching the server and logging in may take: name service, TLS and password are a
/// few round trips.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a method waits for a connection, new or given back by another. Methods take
/// milliseconds, so that whoever waits longer waits for a server that is gone; the pool tries
/// to reach it all this while.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections of one store: more than a machine's cores hardly make a database faster, and a
/// server has 151 for everybody unless told.
const CONNECTIONS_MAX: u32 = 10;

/// An idle connection that has not been used for this long is tried before it is used: the server
/// may have restarted. One that was used just now need not be.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// How long trying an idle connection may take.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// How long saying goodbye may take. A server that does not hear it notices all the same.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections that nobody needs are closed: bursts are over by then.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Connections are renewed, so that a name that moves to another server is followed, and below
/// any limit that proxies in between have.
const LIFETIME_MAX: Duration = Duration::from_secs(30 * 60);

/// Opens the database that `url` names.
pub(super) async fn open(url: &str) -> Result<MySqlStore> {
    open_with(url, CONNECTIONS_MAX).await
}

/// As [`open`], with another number of connections at most.
pub(super) async fn open_with(url: &str, connections: u32) -> Result<MySqlStore> {
    let target = Target::parse(url)?;
    let mut connection = reach(&target).await?;
    let flavor = check_version(&mut connection).await?;
    migrate::run(&mut connection).await?;
    // The server closes it as well; nothing depends on it.
    drop(bounded_by(CLOSE_TIMEOUT, connection.close()).await);
    Ok(MySqlStore {
        pool: pool(target.options.clone(), flavor, connections),
        target,
    })
}

/// A connection to the database, which is made if it is missing.
async fn reach(target: &Target) -> Result<MySqlConnection> {
    match connect(&target.options).await {
        Err(error) if number(&error) == Some(1049) => {}
        other => return other.map_err(|error| Failure::from(error).into_error(OPERATION)),
    }
    // The driver wants a database where it had one; this one everybody may use.
    let server = target.options.clone().database("information_schema");
    let create = async {
        let mut connection = connect(&server).await?;
        // An identifier cannot be bound. One that is made at this moment by another is as good.
        let name = target.database.replace('`', "``");
        let create = format!(
            "CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        );
        bounded(sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection)).await?;
        connection.close().await?;
        connect(&target.options).await
    };
    create.await.map_err(|error| match number(&error) {
        Some(1044 | 1045 | 1227) => Error::new(
            ErrorKind::StoreUnavailable,
            OPERATION,
            "The database does not exist, and the user may not create it.",
        )
        .hint("Create it with `CREATE DATABASE`, and grant the user all privileges on it.")
        .source(error),
        _ => Failure::from(error).into_error(OPERATION),
    })
}

async fn connect(options: &MySqlConnectOptions) -> sqlx::Result<MySqlConnection> {
    bounded_by(CONNECT_TIMEOUT, MySqlConnection::connect_with(options)).await
}

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavor {
    MySql,
    MariaDb,
}

async fn check_version(connection: &mut MySqlConnection) -> Result<Flavor> {
    let version: String = bounded(sqlx::query_scalar("SELECT VERSION()").fetch_one(connection))
        .await
        .map_err(|error| Failure::from(error).into_error(OPERATION))?;
    read_version(&version)
}

fn read_version(version: &str) -> Result<Flavor> {
    let (flavor, oldest) = match version.to_ascii_lowercase().contains("mariadb") {
        true => (Flavor::MariaDb, (10, 6)),
        false => (Flavor::MySql, (8, 0)),
    };
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|text| text.parse::<u32>().ok());
    if next().zip(next()).is_some_and(|found| found >= oldest) {
        return Ok(flavor);
    }
    Err(Error::invalid(OPERATION, "The database server is too old.")
        .hint("Use MySQL 8.0 or later, or MariaDB 10.6 or later."))
}

/// What the platform's statements count on, whatever the server's defaults are.
///
/// `READ COMMITTED` locks no gaps between rows, and every statement sees what is committed by
/// then. Figures that are strung together have some kilobytes, and 1 KiB is not enough, which is what
/// MySQL allows unless told. The last setting ends what nobody waits for any more.
fn session_settings(flavor: Flavor) -> String {
    let limit_s = STATEMENT_TIMEOUT.as_secs() + 5;
    let limit = match flavor {
        Flavor::MySql => format!("max_execution_time = {}", limit_s * 1_000),
        Flavor::MariaDb => format!("max_statement_time = {limit_s}"),
    };
    format!(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', \
         autocommit = 1, innodb_lock_wait_timeout = {LOCK_WAIT_S}, \
         group_concat_max_len = 8388608, {limit}; \
         SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
    )
}

fn pool(options: MySqlConnectOptions, flavor: Flavor, connections: u32) -> MySqlPool {
    let settings: std::sync::Arc<str> = session_settings(flavor).into();
    MySqlPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .max_lifetime(LIFETIME_MAX)
        .after_connect(move |connection, _| {
            let settings = AssertSqlSafe(std::sync::Arc::clone(&settings));
            Box::pin(async move {
                let set = sqlx::raw_sql(settings).execute(connection);
                bounded_by(CONNECT_TIMEOUT, set).await.map(drop)
            })
        })
        // See `TRUSTED_IDLE`.
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| {
            Box::pin(async move {
                if metadata.idle_for >= TRUSTED_IDLE {
                    bounded_by(PING_TIMEOUT, connection.ping()).await?;
                }
                Ok(true)
            })
        })
        // The pool tries a connection that is given back, without a bound: a server that went
        // silent just then would keep its place in the pool. This comes first.
        .after_release(|connection, _| {
            Box::pin(async move {
                bounded_by(PING_TIMEOUT, connection.ping()).await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_are_too_old_are_refused() {
        for (version, flavor) in [
            ("8.0.40", Flavor::MySql),
            ("9.7.4-2", Flavor::MySql),
            ("8.4.3-commercial", Flavor::MySql),
            ("10.11.19-MariaDB-0+deb12u1", Flavor::MariaDb),
            ("10.6.0-MariaDB", Flavor::MariaDb),
            ("12.1.2-MariaDB-log", Flavor::MariaDb),
        ] {
            assert_eq!(read_version(version).unwrap(), flavor, "{version}");
        }
        for version in ["5.7.44", "10.5.27-MariaDB", "", "latest", "8"] {
            assert!(read_version(version).is_err(), "{version}");
        }
    }
}
