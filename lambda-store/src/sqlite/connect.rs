//! Opening the file: lock, permissions, schema, then the connections.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lambda_core::{Error, ErrorKind, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqlitePool};

use super::error::Failure;
use super::{SqliteStore, backfill, migrate};

pub(super) const OPERATION: &str = "store_open";

/// Connections that read. Queries take microseconds to milliseconds, so that a few serve many
/// tasks; each is a thread and a page cache.
const READERS: u32 = 4;

/// How long a statement waits for another process' lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Rows that a connection's thread works ahead of whoever reads them: a page of a listing, so that
/// the two do not wake each other for every few rows.
const ROWS_AHEAD: usize = 1_024;

/// Page cache of the connection that writes, in KiB (SQLite takes these as negative numbers). A
/// batch of records touches a page or two of every function that was called; where those do not
/// fit, each is read again and again: with 2 MiB, SQLite's default, writing took twice as long.
const WRITER_CACHE: &str = "-65536";

/// Page cache of each connection that reads, in KiB: about what a summary of a month reads.
const READER_CACHE: &str = "-32768";

/// Pages in the log (of 4 KiB: 64 MiB) from which on it is copied into the file. A page that was
/// written many times since is copied once; with 1,000, SQLite's default, that was at every batch.
const LOG_PAGES: &str = "16384";

/// How long a method waits for its turn on a connection.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);

/// The log is cut back to this size when it starts over; a long read may have let it grow.
const WAL_BYTES_KEPT: &str = "67108864";

/// Opens the database in the file at `path`.
pub(super) async fn open_file(path: PathBuf) -> Result<SqliteStore> {
    // SQLite's own locks do not cover what follows: two openers that both make the file,
    // switch it to write-ahead mode and migrate it would fail each other. So they take turns.
    let (path, turn) = run_blocking(move || {
        let path = resolve(&path)?;
        let turn = lock(&path)?;
        create(&path)?;
        Ok((path, turn))
    })
    .await?;

    migrate::check_file(&options().filename(&path)).await?;
    let writing = options()
        .filename(&path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", WAL_BYTES_KEPT)
        .pragma("wal_autocheckpoint", LOG_PAGES)
        .pragma("cache_size", WRITER_CACHE);
    let reading = writing
        .clone()
        .pragma("query_only", "ON")
        .pragma("cache_size", READER_CACHE);
    let writer = connect(1, writing).await?;
    migrate::run(&writer).await?;
    backfill::run(&writer).await?;
    let reader = connect(READERS, reading).await?;
    let file = OpenFile::at(path)?;
    drop(turn);
    Ok(SqliteStore {
        writer,
        reader,
        file: Some(file),
    })
}

/// A new database in memory.
pub(super) async fn open_memory() -> Result<SqliteStore> {
    // Every connection would have a database of its own.
    let writer = connect(1, options().in_memory(true)).await?;
    migrate::run(&writer).await?;
    Ok(SqliteStore {
        reader: writer.clone(),
        writer,
        file: None,
    })
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROWS_AHEAD)
        // Statements are no news, and what they are bound to is not the log's business.
        .disable_statement_logging()
}

async fn connect(connections: u32, options: SqliteConnectOptions) -> Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(TURN_TIMEOUT)
        // A connection to a file does not go stale, and one to memory is the database.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|error| Failure::from(error).into_error(OPERATION))
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(source) => Err(Error::internal(OPERATION, "Opening the store failed.").source(source)),
    }
}

/// The path without links, so that all openers of a file take turns on one lock, and
/// absolute, so that a later change of the current directory changes nothing.
fn resolve(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).map_err(unusable)?;
    let (Some(directory), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(Error::invalid(OPERATION, "The store's path names no file."));
    };
    let directory = match directory.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::invalid(
                OPERATION,
                "The directory of the database file does not exist.",
            )
            .hint("Create the directory, or give another path.")
            .source(error));
        }
        other => other.map_err(unusable)?,
    };
    let path = directory.join(name);
    let path = match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path,
        other => other.map_err(unusable)?,
    };
    if path.to_str().is_none() {
        return Err(
            Error::invalid(OPERATION, "The path of the database file is not UTF-8.")
                .hint("SQLite needs a path in UTF-8; give another one."),
        );
    }
    Ok(path)
}

/// Waits for the lock file beside the database. The file stays: removing it would let two
/// openers each hold a lock on a file of this name.
fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(name)
        .map_err(unusable)?;
    file.lock().map_err(unusable)?;
    Ok(file)
}

/// Makes the file if there is none, for its owner only; SQLite gives its log the same mode.
///
/// A file that is there is never opened here: closing it would drop the locks that SQLite
/// holds on it in this process (POSIX locks belong to the process, not to the descriptor).
fn create(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if std::fs::metadata(path).map_err(unusable)?.is_file() {
                return Ok(());
            }
            Err(
                Error::invalid(OPERATION, "The store's path is there and is not a file.")
                    .hint("Give the path of a file."),
            )
        }
        Err(error) => Err(unusable(error)),
    }
}

fn unusable(source: io::Error) -> Error {
    Error::new(
        ErrorKind::StoreUnavailable,
        OPERATION,
        "The database file cannot be used.",
    )
    .hint("Check the permissions of the file and its directory, and the disk.")
    .source(source)
}

/// Which file the connections have open.
pub(super) struct OpenFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl OpenFile {
    fn at(path: PathBuf) -> Result<Self> {
        let identity = identity(&path).map_err(unusable)?;
        Ok(Self { path, identity })
    }

    /// Whether the path still names that file. SQLite goes on writing into a file that has
    /// been deleted, and all of it is lost.
    pub(super) fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|now| now == self.identity)
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
