//! A database server of the test's own, which can be killed and stopped. It asks for no password and
//! listens on loopback only.

mod mariadb;
mod mysql;

use std::fmt::Debug;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, MySqlConnection};
use tempfile::TempDir;

use crate::support::is_required;

/// How a server's program is run. It is ended when this is dropped.
trait Program: Debug {
    /// Ends it at once, whatever it does, and returns when it has ended.
    fn kill(&mut self);

    /// Starts it again after a kill.
    fn restart(&mut self);

    /// Stops it in the middle of whatever it does, or lets it go on.
    fn pause(&self, paused: bool);
}

#[derive(Debug)]
pub(crate) struct Server {
    /// As in `LAMBDA_TEST_REQUIRE`.
    pub(crate) name: &'static str,
    port: u16,
    /// Ended before its directory is removed.
    program: Box<dyn Program>,
    directory: TempDir,
}

impl Server {
    /// None where the program is not there.
    pub(crate) async fn mariadb() -> Option<Self> {
        let program = setting("mariadb", "LAMBDA_TEST_MARIADBD")?;
        let start = |directory: &Path, port| mariadb::start(program.into(), directory, port);
        Some(Self::start("mariadb", start).await)
    }

    /// None where the image is not there.
    pub(crate) async fn mysql() -> Option<Self> {
        let image = setting("mysql", "LAMBDA_TEST_MYSQL_IMAGE")?;
        let start = |directory: &Path, port| mysql::start(&image, directory, port);
        Some(Self::start("mysql", start).await)
    }

    async fn start(name: &'static str, start: impl FnOnce(&Path, u16) -> Box<dyn Program>) -> Self {
        // On a disk, unlike /tmp on many systems: a commit has to cost what it costs.
        let directory = tempfile::Builder::new()
            .prefix("lambda-fault-")
            .tempdir_in("/var/tmp")
            .unwrap();
        // Free at least for now; nobody else is given it before we listen.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Self {
            name,
            port,
            program: start(directory.path(), port),
            directory,
        };
        server.wait().await;
        server
    }

    /// The URL of one of its databases, which is made by who opens it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.program.kill();
    }

    pub(crate) async fn restart(&mut self) {
        self.program.restart();
        self.wait().await;
    }

    pub(crate) fn pause(&self, paused: bool) {
        self.program.pause(paused);
    }

    async fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let server = self.url("");
        while MySqlConnection::connect(&server).await.is_err() {
            assert!(
                Instant::now() < deadline,
                "{} does not answer; see {}",
                self.name,
                self.directory.path().display()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What the environment says of a server's program.
fn setting(name: &str, variable: &str) -> Option<String> {
    let value = std::env::var(variable);
    if value.is_err() {
        assert!(!is_required(name), "{variable} is not set");
        eprintln!("SKIPPED: {variable} is not set; scripts/databases.sh run sets it");
    }
    value.ok()
}

/// User and group of this process.
fn own_user() -> (u32, u32) {
    let own = std::fs::metadata("/proc/self").unwrap();
    let (uid, gid) = (
        std::os::unix::fs::MetadataExt::uid(&own),
        std::os::unix::fs::MetadataExt::gid(&own),
    );
    (uid, gid)
}
