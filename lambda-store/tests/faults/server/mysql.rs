//! MySQL, in a container: distributions have one of the two at most.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Program, own_user};

/// Makes the data directory at the first start. The server is the container's first process, so
/// that signals reach it. Without grant tables it would not listen: so its user is let in without
/// a password.
const START: &str = r#"
[ -d /mysql/data/mysql ] || /usr/sbin/mysqld --no-defaults --datadir=/mysql/data --initialize-insecure || exit
exec /usr/sbin/mysqld --no-defaults --datadir=/mysql/data --socket=/mysql/socket --pid-file=/mysql/pid \
    --bind-address=127.0.0.1 --port="$1" --skip-name-resolve --mysqlx=OFF --performance-schema=OFF \
    --init-file=/mysql/users.sql --secure-file-priv=NULL --innodb-buffer-pool-size=64M --innodb-redo-log-capacity=32M
"#;

const USERS: &str = "CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';\n\
     GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1';\n";

/// Who the server is where the test is root, as which it refuses to run.
const NOBODY: (u32, u32) = (65_534, 65_534);

#[derive(Debug)]
struct Container(String);

pub(super) fn start(image: &str, home: &Path, port: u16) -> Box<dyn Program> {
    let data = home.join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(home.join("users.sql"), USERS).unwrap();
    let mut user = own_user();
    if user.0 == 0 {
        user = NOBODY;
        for path in [home, &data] {
            std::os::unix::fs::chown(path, Some(user.0), Some(user.1)).unwrap();
        }
    }
    let name = home.file_name().unwrap().to_str().unwrap().to_owned();
    let container = Container(name);
    container.docker(&[
        "create",
        "--name",
        &container.0,
        "--pull=never",
        "--network=host",
        &format!("--user={}:{}", user.0, user.1),
        &format!("--volume={}:/mysql", home.display()),
        "--entrypoint=sh",
        image,
        "-c",
        START,
        "sh",
        &port.to_string(),
    ]);
    container.docker(&["start", &container.0]);
    Box::new(container)
}

impl Container {
    fn docker(&self, arguments: &[&str]) {
        let done = Command::new("docker")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}: {done:?}", self.0);
    }
}

impl Program for Container {
    fn kill(&mut self) {
        self.docker(&["kill", &self.0]);
        self.docker(&["wait", &self.0]);
    }

    fn restart(&mut self) {
        self.docker(&["start", &self.0]);
    }

    fn pause(&self, paused: bool) {
        let signal = if paused { "STOP" } else { "CONT" };
        self.docker(&["kill", "--signal", signal, &self.0]);
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let remove = ["rm", "--force", "--volumes", &self.0];
        drop(Command::new("docker").args(remove).output());
    }
}
