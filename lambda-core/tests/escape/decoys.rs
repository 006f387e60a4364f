//! What an attacker would want of the host, put where it could be found, and watched.

use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

pub(crate) struct Decoys {
    /// In the files that can be read by anybody who sees them.
    pub(crate) secret: String,
    nonce: String,
    files: TempDir,
    before: Vec<FileState>,
    shm_file: PathBuf,
    shm_id: String,
    shm_key: i64,
    tcp: TcpListener,
    udp: UdpSocket,
    unix: UnixListener,
    abstract_unix: UnixListener,
}

#[derive(Debug, PartialEq, Eq)]
struct FileState {
    path: PathBuf,
    content: Option<Vec<u8>>,
    identity: (u64, u64, u32, u32, i64, i64),
}

impl FileState {
    fn of(path: &Path) -> Self {
        let found = std::fs::symlink_metadata(path).unwrap();
        Self {
            path: path.to_owned(),
            content: found.is_file().then(|| std::fs::read(path).unwrap()),
            identity: (
                found.dev(),
                found.ino(),
                found.mode(),
                found.uid(),
                found.mtime(),
                found.mtime_nsec(),
            ),
        }
    }
}

impl Decoys {
    pub(crate) fn set_up(data_dir: &Path) -> Self {
        let nonce = format!("{:016x}", rand::random::<u64>());
        let secret = format!("secret-of-the-host-{nonce}");
        // Not in the data directory, which nobody may enter: open to all, if only it is found.
        let files = tempfile::tempdir().unwrap();
        let make = |path: PathBuf, mode| {
            std::fs::write(&path, &secret).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            path
        };
        let directory = files.path().to_owned();
        std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o777)).unwrap();
        let shm_file = make(
            PathBuf::from(format!("/dev/shm/lambda-decoy-{nonce}")),
            0o666,
        );
        let unix_path = directory.join("decoy.sock");
        let unix = UnixListener::bind(&unix_path).unwrap();
        std::fs::set_permissions(&unix_path, PermissionsExt::from_mode(0o777)).unwrap();
        let address = SocketAddr::from_abstract_name(&nonce).unwrap();
        let (shm_id, shm_key) = make_shared_memory();
        let watched = [
            directory.clone(),
            make(directory.join("readable"), 0o644),
            make(directory.join("writable"), 0o666),
            make(data_dir.join("private"), 0o600),
            shm_file.clone(),
            PathBuf::from("/etc/passwd"),
            PathBuf::from("/etc/hosts"),
        ];
        let decoys = Self {
            before: watched.iter().map(|path| FileState::of(path)).collect(),
            secret,
            nonce,
            files,
            shm_file,
            shm_id,
            shm_key,
            tcp: TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap(),
            udp: UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap(),
            unix,
            abstract_unix: UnixListener::bind_addr(&address).unwrap(),
        };
        decoys.tcp.set_nonblocking(true).unwrap();
        decoys.udp.set_nonblocking(true).unwrap();
        decoys.unix.set_nonblocking(true).unwrap();
        decoys.abstract_unix.set_nonblocking(true).unwrap();
        decoys
    }

    /// Files that must stay as they are.
    pub(crate) fn watch(&mut self, paths: Vec<PathBuf>) {
        self.before
            .extend(paths.iter().map(|path| FileState::of(path)));
    }

    /// What the attacker is told of them: everything but the secret.
    pub(crate) fn told(&self) -> Map<String, Value> {
        let addresses = addresses();
        let (tcp, udp) = (
            self.tcp.local_addr().unwrap().port(),
            self.udp.local_addr().unwrap().port(),
        );
        let with = |port: u16| -> Vec<_> { addresses.iter().map(|it| json!([it, port])).collect() };
        let told = json!({
            "nonce": self.nonce,
            "canary_readable": self.files.path().join("readable"),
            "canary_writable": self.files.path().join("writable"),
            "unix": self.files.path().join("decoy.sock"),
            "abstract": self.nonce,
            "shm_file": self.shm_file.file_name().unwrap().to_str().unwrap(),
            "shm_key": self.shm_key,
            "tcp": with(tcp),
            "udp": with(udp),
            "host_pids": pids(),
        });
        let Value::Object(told) = told else {
            unreachable!("an object was made")
        };
        told
    }

    pub(crate) fn expect_untouched(&self) {
        for before in &self.before {
            assert_eq!(&FileState::of(&before.path), before);
        }
        let silent = |heard: std::io::Result<()>, what: &str| {
            assert_eq!(
                heard.map_err(|error| error.kind()),
                Err(ErrorKind::WouldBlock),
                "{what}"
            );
        };
        silent(self.tcp.accept().map(|_| ()), "somebody connected by TCP");
        silent(
            self.udp.recv(&mut [0; 64]).map(|_| ()),
            "somebody sent a datagram",
        );
        silent(
            self.unix.accept().map(|_| ()),
            "somebody connected to a path",
        );
        silent(
            self.abstract_unix.accept().map(|_| ()),
            "somebody connected to a name",
        );
        let attached = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
        let own = attached
            .lines()
            .find(|line| line.split_whitespace().nth(1) == Some(&self.shm_id));
        let own: Vec<_> = own.unwrap().split_whitespace().collect();
        assert_eq!(
            own[6], "0",
            "somebody has attached the host's memory: {own:?}"
        );
        assert_eq!(
            own[11], "0",
            "somebody had attached the host's memory: {own:?}"
        );
    }
}

impl Drop for Decoys {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.shm_file);
        let _ = Command::new("ipcrm").args(["-m", &self.shm_id]).status();
    }
}

/// A System V segment that all users may write: its id and key.
fn make_shared_memory() -> (String, i64) {
    let made = Command::new("ipcmk")
        .args(["-M", "4096", "-p", "0666"])
        .output();
    let made = String::from_utf8(made.expect("util-linux has ipcmk").stdout).unwrap();
    let id = made.split_whitespace().last().unwrap().to_owned();
    let mut table = String::new();
    let mut file = std::fs::File::open("/proc/sysvipc/shm").unwrap();
    file.read_to_string(&mut table).unwrap();
    let mut lines = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own = lines.find(|words| words[1] == id).unwrap();
    (id, own[0].parse().unwrap())
}

/// Every IPv4 address of this machine.
fn addresses() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/fib_trie").unwrap();
    let mut last = "";
    let mut found = std::collections::BTreeSet::new();
    for line in table.lines().map(str::trim) {
        if line.contains("host LOCAL") {
            found.insert(last.to_owned());
        }
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address;
        }
    }
    assert!(found.contains("127.0.0.1"), "{found:?}");
    found.into_iter().collect()
}

/// Processes of the host, some of them the test's own ancestors.
fn pids() -> Vec<u32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}
