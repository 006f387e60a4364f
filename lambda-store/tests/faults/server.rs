//! The databases that the tests use, and a MariaDB that can be killed.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, MySqlConnection};
use tempfile::TempDir;

use crate::support::is_required;

/// A database of one test's own, by its URL.
pub(crate) struct Database {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    /// SQLite's file is in it.
    _directory: Option<TempDir>,
    /// The server, and the database on it.
    server: Option<(String, String)>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            name: "sqlite",
            url: format!("sqlite://{}/lambda.db", directory.path().display()),
            _directory: Some(directory),
            server: None,
        }
    }

    /// On the server that the environment names; none where it names none.
    pub(crate) fn on_server(name: &'static str) -> Option<Self> {
        let variable = format!("LAMBDA_TEST_{}_URL", name.to_uppercase());
        let Ok(server) = std::env::var(&variable) else {
            assert!(
                !is_required(name),
                "{name} is required, and {variable} is not set"
            );
            eprintln!("SKIPPED {name}: {variable} is not set; scripts/databases.sh run sets it");
            return None;
        };
        let database = format!("faults_{}", lambda_store::model::RequestId::new()).replace('-', "");
        Some(Self {
            name,
            url: format!("{server}{database}"),
            _directory: None,
            server: Some((server, database)),
        })
    }

    /// Removes it.
    pub(crate) async fn drop(self) {
        if let Some((server, database)) = self.server {
            let mut connection = MySqlConnection::connect(&server).await.unwrap();
            let drop = format!("DROP DATABASE {database}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(drop))
                .execute(&mut connection)
                .await
                .unwrap();
        }
    }
}

/// A MariaDB of the test's own. It asks for no password and listens on loopback only.
pub(crate) struct Server {
    directory: TempDir,
    program: PathBuf,
    port: u16,
    process: Child,
}

impl Server {
    /// None where the program is not there.
    pub(crate) async fn start() -> Option<Self> {
        let Some(program) = std::env::var_os("LAMBDA_TEST_MARIADBD") else {
            assert!(!is_required("mariadb"), "LAMBDA_TEST_MARIADBD is not set");
            eprintln!("SKIPPED: LAMBDA_TEST_MARIADBD is not set; scripts/databases.sh run sets it");
            return None;
        };
        let directory = tempfile::Builder::new()
            .prefix("lambda-fault-")
            .tempdir_in("/var/tmp")
            .unwrap();
        for part in ["data", "tmp"] {
            std::fs::create_dir(directory.path().join(part)).unwrap();
        }
        let installed = Command::new("mariadb-install-db")
            .args([
                "--no-defaults",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ])
            .args(own_user())
            .arg(format!("--datadir={}/data", directory.path().display()))
            .arg(format!("--tmpdir={}/tmp", directory.path().display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(installed.status.success(), "{installed:?}");
        let program = PathBuf::from(program);
        // Free at least for now; nobody else is given it before we listen.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = launch(&program, &directory, port);
        let server = Self {
            directory,
            program,
            port,
            process,
        };
        server.wait().await;
        Some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/lambda", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) async fn restart(&mut self) {
        self.process = launch(&self.program, &self.directory, self.port);
        self.wait().await;
    }

    /// Stops it in the middle of whatever it does, or lets it go on.
    pub(crate) fn pause(&self, paused: bool) {
        let signal = if paused { "-STOP" } else { "-CONT" };
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    async fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let server = format!("mysql://root@127.0.0.1:{}", self.port);
        while MySqlConnection::connect(&server).await.is_err() {
            assert!(
                Instant::now() < deadline,
                "MariaDB answers; see {}",
                self.directory.path().display()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// As root it insists on being told that this is meant.
fn own_user() -> Option<&'static str> {
    let is_root = std::fs::metadata("/proc/self")
        .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    is_root.then_some("--user=root")
}

fn launch(program: &PathBuf, directory: &TempDir, port: u16) -> Child {
    let home = directory.path().display();
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(directory.path().join("log"))
        .unwrap();
    Command::new(program)
        .args([
            "--no-defaults",
            "--skip-grant-tables",
            "--bind-address=127.0.0.1",
        ])
        .args([
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=32M",
        ])
        .args(own_user())
        .arg(format!("--datadir={home}/data"))
        .arg(format!("--tmpdir={home}/tmp"))
        .arg(format!("--socket={home}/socket"))
        .arg(format!("--pid-file={home}/pid"))
        .arg(format!("--port={port}"))
        // Ctrl-C at a terminal is for the test, which ends it then.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}
