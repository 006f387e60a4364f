//! Connections on loan, with bounds on how long anything takes.
//!
//! sqlx knows no bound on a statement, and a connection whose future was dropped half-way goes
//! back into its pool with an answer still to come. So connections are lent as a [`Session`]:
//! one that was not given back in a known state is closed, and the server rolls back what it did.

use std::future::Future;
use std::io;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{MySql, MySqlConnection, MySqlPool};

use super::error::{Attempt, Failure, is_contention, is_lost};

/// How long one statement may take. The longest write some thousand rows, in well under a second;
/// waiting for others' locks ends after [`LOCK_WAIT_S`]. A server that hangs keeps nobody longer.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a statement waits for another's row locks, in seconds: nobody of the platform's holds
/// any for longer than a batch takes. Below [`STATEMENT_TIMEOUT`], so that the connection survives.
pub(super) const LOCK_WAIT_S: u32 = 10;

/// From when on an attempt that failed is the last one.
const RETRY_FOR: Duration = Duration::from_secs(10);

/// The most attempts within that time.
const ATTEMPTS_MAX: u32 = 10;

/// A connection of the pool for as long as one method needs it.
pub(super) struct Session {
    /// Taken where it is given back.
    connection: Option<PoolConnection<MySql>>,
}

impl Session {
    /// A connection, outside of a transaction.
    pub(super) async fn acquire(pool: &MySqlPool) -> sqlx::Result<Self> {
        Ok(Self {
            connection: Some(pool.acquire().await?),
        })
    }

    /// A connection with a new transaction.
    pub(super) async fn begin(pool: &MySqlPool) -> sqlx::Result<Self> {
        let mut session = Self::acquire(pool).await?;
        bounded(sqlx::raw_sql("START TRANSACTION").execute(&mut *session)).await?;
        Ok(session)
    }

    /// A connection with a transaction that reads one state of the database.
    pub(super) async fn begin_snapshot(pool: &MySqlPool) -> sqlx::Result<Self> {
        let mut session = Self::acquire(pool).await?;
        let begin = sqlx::raw_sql(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
             START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        );
        bounded(begin.execute(&mut *session)).await?;
        Ok(session)
    }

    /// Gives the connection back: everything that was asked on it was answered.
    pub(super) fn release(mut self) {
        drop(self.connection.take());
    }

    /// Gives the connection back after a query.
    pub(super) fn read<T>(self, outcome: sqlx::Result<T>) -> Attempt<T> {
        // After an error of the server's the connection is in a known state, after one of the
        // network's it is not.
        if outcome.is_ok() || matches!(outcome, Err(sqlx::Error::Database(_))) {
            self.release();
        }
        outcome.map_err(Failure::from)
    }

    /// Commits what the transaction has done, if it came to an end, and rolls it back if not.
    pub(super) async fn finish<T>(mut self, outcome: Attempt<T>) -> Attempt<T> {
        match outcome {
            Ok(value) => {
                match bounded(sqlx::raw_sql("COMMIT").execute(&mut *self)).await {
                    Ok(_) => {}
                    // The server says that it did not.
                    Err(error @ sqlx::Error::Database(_)) if !is_lost(&error) => {
                        return Err(error.into());
                    }
                    Err(error) => return Err(Failure::Commit(error)),
                }
                self.release();
                Ok(value)
            }
            Err(failure @ Failure::Refused(_))
            | Err(failure @ Failure::Database(sqlx::Error::Database(_))) => {
                let rolled_back = bounded(sqlx::raw_sql("ROLLBACK").execute(&mut *self)).await;
                if rolled_back.is_ok() {
                    self.release();
                }
                Err(failure)
            }
            // Closing the connection rolls back.
            Err(failure) => Err(failure),
        }
    }
}

impl Deref for Session {
    type Target = MySqlConnection;

    #[allow(
        clippy::expect_used,
        reason = "only what consumes the session takes it"
    )]
    fn deref(&self) -> &MySqlConnection {
        self.connection.as_ref().expect("a connection on loan")
    }
}

impl DerefMut for Session {
    #[allow(
        clippy::expect_used,
        reason = "only what consumes the session takes it"
    )]
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        self.connection.as_mut().expect("a connection on loan")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

/// One statement, and its answer in time.
pub(super) async fn bounded<T>(
    statement: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    bounded_by(STATEMENT_TIMEOUT, statement).await
}

/// As [`bounded`], with another bound.
pub(super) async fn bounded_by<T>(
    limit: Duration,
    work: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(elapsed) => Err(io::Error::new(io::ErrorKind::TimedOut, elapsed).into()),
    }
}

/// What may be tried again after the connection was lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// What was not yet told to commit.
    Uncommitted,
    /// Anything: doing it twice is as good as doing it once.
    Anything,
}

/// Tries again where other transactions were in the way or the connection was lost.
pub(super) async fn retried<T, F, W>(repeat: Repeat, mut attempt: F) -> Attempt<T>
where
    F: FnMut() -> W,
    W: Future<Output = Attempt<T>>,
{
    let started = Instant::now();
    for number in 1.. {
        let failure = match attempt().await {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        let passes = match &failure {
            Failure::Database(error) => is_contention(error) || is_lost(error),
            Failure::Commit(_) => repeat == Repeat::Anything,
            Failure::Refused(_) => false,
        };
        if !passes || number >= ATTEMPTS_MAX || started.elapsed() >= RETRY_FOR {
            return Err(failure);
        }
        tracing::debug!(?failure, number, "trying a transaction again");
        // Longer each time, and not all at once: by the clock's last digits.
        let jitter = started.elapsed().subsec_nanos() % 1_000;
        let pause = Duration::from_micros(u64::from(jitter) + 500) * number;
        tokio::time::sleep(pause).await;
    }
    unreachable!("the attempts are bounded")
}
