//! MariaDB, as a child of the test's.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Program, own_user};

#[derive(Debug)]
struct Process {
    program: PathBuf,
    home: PathBuf,
    port: u16,
    child: Child,
}

pub(super) fn start(program: PathBuf, home: &Path, port: u16) -> Box<dyn Program> {
    for part in ["data", "tmp"] {
        std::fs::create_dir(home.join(part)).unwrap();
    }
    let installed = Command::new("mariadb-install-db")
        .args([
            "--no-defaults",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        ])
        .args(as_root())
        .arg(format!("--datadir={}/data", home.display()))
        .arg(format!("--tmpdir={}/tmp", home.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(installed.status.success(), "{installed:?}");
    let child = launch(&program, home, port);
    Box::new(Process {
        program,
        home: home.to_owned(),
        port,
        child,
    })
}

impl Program for Process {
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = launch(&self.program, &self.home, self.port);
    }

    fn pause(&self, paused: bool) {
        let signal = if paused { "-STOP" } else { "-CONT" };
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As root it insists on being told that this is meant.
fn as_root() -> Option<&'static str> {
    (own_user().0 == 0).then_some("--user=root")
}

fn launch(program: &Path, home: &Path, port: u16) -> Child {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(home.join("log"))
        .unwrap();
    let home = home.display();
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
        .args(as_root())
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
