//! What code inside can see and do (threats 1, 7, 8 and 9).

use serde_json::Value;

use crate::for_each_runtime;
use crate::support::{JAVASCRIPT, PYTHON, handler};

const PROBE: &str = r#"
import ctypes, errno, os, resource, socket

CLONE = 56

def attempt(action):
    try:
        action()
        return "done"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))

def syscall(number, *args):
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(number, *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    if result == 0 and number == CLONE:
        os._exit(0)

def connect(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)

def open_new(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))

def handler(event, context):
    status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    return {
        "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
        "caps": [status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd") if name in status],
        "no_new_privs": status.get("NoNewPrivs", "1").strip(),
        "seccomp": status.get("Seccomp", "").strip(),
        "root": attempt(lambda: open_new("/escape")),
        "etc": attempt(lambda: open_new("/etc/escape")),
        "runtime": attempt(lambda: open_new("/var/runtime/escape")),
        "run_create": attempt(lambda: open_new("/run/lambda/escape")),
        "run_unlink": attempt(lambda: os.unlink("/run/lambda/stdout")),
        "run_rename": attempt(lambda: os.rename("/run/lambda/stdout", "/run/lambda/x")),
        "run_chmod": attempt(lambda: os.chmod("/run/lambda/stdout", 0o777)),
        "run_read": attempt(lambda: os.open("/run/lambda/stdout", os.O_RDONLY | os.O_NONBLOCK)),
        "run_list": sorted(os.listdir("/run/lambda")),
        "docker": [attempt(lambda: connect(path)) for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")],
        "api_again": attempt(lambda: connect("/run/lambda/api.sock")),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "network": attempt(lambda: socket.create_connection(("169.254.169.254", 80), 1)),
        "vsock": attempt(lambda: socket.socket(40, socket.SOCK_STREAM)),
        "netlink_route": attempt(lambda: socket.socket(16, socket.SOCK_RAW, 0)),
        "netlink_audit": attempt(lambda: socket.socket(16, socket.SOCK_RAW, 9)),
        "packet": attempt(lambda: socket.socket(17, socket.SOCK_RAW)),
        "clone_user": attempt(lambda: syscall(CLONE, 0x10000000 | 17, 0, 0, 0, 0)),
        "io_uring": attempt(lambda: syscall(425, 1, None)),
        "bpf": attempt(lambda: syscall(321, 0, None, 0)),
        "keyctl": attempt(lambda: syscall(250, 0, 0, 0)),
        "userfaultfd": attempt(lambda: syscall(323, 0)),
        "mount": attempt(lambda: syscall(165, b"none", b"/tmp", b"tmpfs", 0, None)),
        "ptrace_1": attempt(lambda: syscall(101, 16, 1, 0, 0)),
        "mknod": attempt(lambda: os.mknod("/tmp/dev", 0o20666, os.makedev(1, 1))),
        "mkfifo": attempt(lambda: os.mkfifo("/tmp/fifo")),
        "setuid": attempt(lambda: os.setuid(0)),
        "tmp": attempt(lambda: open_new("/tmp/file")),
        "task": attempt(lambda: open_new("/var/task/file")),
        "shm": attempt(lambda: open_new("/dev/shm/file")),
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        # Last: in gVisor both succeed, within the sandbox, and change what is seen.
        "unshare_user": attempt(lambda: syscall(272, 0x10000000)),
        "chroot": attempt(lambda: os.chroot("/tmp")),
    }
"#;

for_each_runtime! {
    async fn a_program_of_escape_attempts(bench: &Bench) {
        let is_runc = bench.runtime.name().as_str() == "docker";
        let running = bench.start(&handler(PYTHON), PROBE).await;
        let seen: Value = serde_json::from_str(&running.call("{}").await).unwrap();
        let text = |name: &str| seen[name].as_str().unwrap_or_default().to_owned();

        let uid = seen["uid"].as_u64().unwrap();
        assert!((0x7800_0000..0x7fff_fff0).contains(&uid), "{uid}");
        assert_eq!(seen["gid"], uid);
        assert!(seen["groups"].as_array().unwrap().iter().all(|gid| gid == uid), "{}", seen["groups"]);
        for caps in seen["caps"].as_array().unwrap() {
            assert_eq!(caps.as_str().unwrap().trim_start_matches('0'), "");
        }
        assert_eq!(text("no_new_privs"), "1");
        if is_runc {
            assert_eq!(text("seccomp"), "2");
        }
        for path in ["root", "etc", "runtime", "run_create", "run_unlink", "run_rename", "run_chmod", "run_read"] {
            let answer = text(path);
            assert!(["EROFS", "EACCES", "EPERM"].contains(&answer.as_str()), "{path}: {answer}");
        }
        // The socket was removed once the bootstrap was connected.
        assert_eq!(seen["run_list"], serde_json::json!(["stderr", "stdout"]));
        assert_eq!(text("api_again"), "ENOENT");
        for answer in seen["docker"].as_array().unwrap() {
            assert_eq!(answer, "ENOENT");
        }
        assert_eq!(seen["interfaces"], serde_json::json!(["lo"]));
        assert_ne!(text("network"), "done");
        for denied in [
            "vsock", "netlink_audit", "packet", "unshare_user", "clone_user", "io_uring", "bpf",
            "keyctl", "userfaultfd", "mount", "ptrace_1", "mknod", "chroot", "setuid",
        ] {
            // In gVisor's own kernel a user may make namespaces and be root in them.
            if is_runc || !["unshare_user", "clone_user", "keyctl", "mknod", "chroot"].contains(&denied) {
                assert_ne!(text(denied), "done", "{denied}");
            }
        }
        for allowed in ["netlink_route", "mkfifo", "tmp", "task", "shm"] {
            assert_eq!(text(allowed), "done", "{allowed}");
        }
        assert_eq!((&seen["nofile"], &seen["core"]), (&1024.into(), &0.into()));
        running.destroy().await;
    }

    async fn each_sandbox_has_its_own_user(bench: &Bench) {
        let code = "import os\ndef handler(event, context): return os.getuid()\n";
        let one = bench.start(&handler(PYTHON), code).await;
        let two = bench.start(&handler(PYTHON), code).await;
        assert_ne!(one.call("{}").await, two.call("{}").await);
        one.destroy().await;
        two.destroy().await;
    }

    async fn what_programs_need_works(bench: &Bench) {
        let mut config = handler(PYTHON);
        config.memory_mib = 256;
        let running = bench.start(&config, r#"
import asyncio, concurrent.futures, multiprocessing.shared_memory, sqlite3, ssl, subprocess, sys, tempfile, threading
def square(n): return n * n
def handler(event, context):
    threads = [threading.Thread(target=square, args=(n,)) for n in range(16)]
    [t.start() for t in threads]; [t.join() for t in threads]
    with concurrent.futures.ProcessPoolExecutor(4) as pool:
        squares = list(pool.map(square, range(4)))
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=100)
    memory.close(); memory.unlink()
    ssl.create_default_context()
    db = sqlite3.connect(tempfile.mktemp()); db.execute('create table t(x)'); db.commit()
    asyncio.run(asyncio.sleep(0.01))
    return [squares, subprocess.check_output([sys.executable, '-c', 'print(1)'], text=True)]
"#).await;
        assert_eq!(running.call("{}").await.replace(' ', ""), r#"[[0,1,4,9],"1\n"]"#);
        running.destroy().await;

        let mut config = handler(JAVASCRIPT);
        config.memory_mib = 256;
        let running = bench.start(&config, r#"
const { Worker } = require('worker_threads');
const { execFileSync } = require('child_process');
const os = require('os');
const fs = require('fs');
exports.handler = async () => {
  const workers = await Promise.all([1, 2, 3].map((n) => new Promise((resolve, reject) => {
    const worker = new Worker(`require('worker_threads').parentPort.postMessage(${n})`, { eval: true });
    worker.on('message', resolve).on('error', reject);
  })));
  const watcher = fs.watch('/tmp');
  watcher.close();
  return [workers, Object.keys(os.networkInterfaces()).length >= 0, execFileSync(process.execPath, ['-p', '1'], { encoding: 'utf8' })];
};
"#).await;
        assert_eq!(running.call("{}").await, r#"[[1,2,3],true,"1\n"]"#);
        running.destroy().await;
    }
}
