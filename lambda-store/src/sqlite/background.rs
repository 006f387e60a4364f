//! A connection whose thread gives way to all others.
//!
//! Records come while functions run, and those who wait for a function's answer would wait for a
//! core, too, while records are written: with a core for each of the two that a call takes turns
//! on, that made calls a sixth slower. So batches are written on a connection with a thread of low
//! priority, unless so many records wait that they have to be written whatever the machine does.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, io};

use lambda_core::Result;
use rustix::process::{Pid, setpriority_process};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::connect::OPERATION;
use super::error::Failure;

/// Records in a batch from which on it does not give way: that many wait only where they come
/// faster than they are written.
pub(super) const MANY: usize = 4_000;

/// The thread's nice value: where all cores are busy it gets a tenth of one.
const NICE: i32 = 10;

/// Opens a pool of connections whose threads give way.
///
/// # Errors
/// `StoreUnavailable`.
pub(super) async fn connect(
    pool: SqlitePoolOptions,
    options: SqliteConnectOptions,
) -> Result<SqlitePool> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    // Linux keeps 15 bytes of it.
    let name = format!(
        "lambda-sql-{:x}",
        MADE.fetch_add(1, Ordering::Relaxed) & 0xfff
    );
    let thread = name.clone();
    let pool = pool.after_connect(move |_, _| {
        if let Err(error) = give_way(&name) {
            tracing::debug!(%error, "the thread that writes records keeps its priority");
        }
        Box::pin(async { Ok(()) })
    });
    let connected = pool.connect_with(options.thread_name(move |_| thread.clone()));
    let connected = connected.await;
    connected.map_err(|error| Failure::from(error).into_error(OPERATION))
}

/// Lowers the priority of this process' threads of a name. On Linux priorities are a thread's.
fn give_way(name: &str) -> io::Result<()> {
    for thread in threads(name)? {
        setpriority_process(Some(thread), NICE)?;
    }
    Ok(())
}

fn threads(name: &str) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let path: PathBuf = entry?.path();
        // One that has ended meanwhile has no name.
        let own = fs::read_to_string(path.join("comm")).unwrap_or_default();
        let id = path.file_name().and_then(|id| id.to_str()?.parse().ok());
        if let (true, Some(id)) = (own.trim_end() == name, id.and_then(Pid::from_raw)) {
            found.push(id);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[tokio::test]
    async fn its_thread_has_a_low_priority_and_others_keep_theirs() {
        let before = getpriority_process(None).unwrap();
        let options = SqliteConnectOptions::new().in_memory(true);
        let pool = connect(SqlitePoolOptions::new().max_connections(1), options);
        let pool = pool.await.unwrap();
        let mut lowered = Vec::new();
        for entry in fs::read_dir("/proc/self/task").unwrap() {
            let path = entry.unwrap().path();
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            if name.starts_with("lambda-sql-") {
                let id = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
                lowered.push(getpriority_process(Pid::from_raw(id)).unwrap());
            }
        }
        assert!(lowered.contains(&NICE), "{lowered:?}");
        assert_eq!(getpriority_process(None).unwrap(), before);
        pool.close().await;
    }
}
