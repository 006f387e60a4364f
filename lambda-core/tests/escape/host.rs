//! The host as a whole: what is mounted, set, loaded and running.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// What every attempt to change the machine would change. Sandboxes of others may come and go
/// meanwhile, so theirs is left out.
#[derive(Debug)]
pub(crate) struct Snapshot {
    settings: BTreeMap<&'static str, String>,
    /// Since when: the clock that can be set, and the one that cannot.
    clocks: (SystemTime, Instant),
}

/// Whose content an attempt would change.
const SETTINGS: [&str; 34] = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/domainname",
    "/proc/sys/kernel/sysrq",
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/poweroff_cmd",
    "/proc/sys/kernel/randomize_va_space",
    "/proc/sys/kernel/perf_event_paranoid",
    "/proc/sys/kernel/unprivileged_bpf_disabled",
    "/proc/sys/kernel/yama/ptrace_scope",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/panic_on_oom",
    "/proc/sys/fs/file-max",
    "/proc/sys/fs/suid_dumpable",
    "/proc/sys/fs/protected_symlinks",
    "/proc/sys/net/ipv4/ip_unprivileged_port_start",
    "/proc/sys/user/max_user_namespaces",
    "/proc/modules",
    "/proc/swaps",
    "/proc/mtrr",
    "/proc/irq/default_smp_affinity",
    "/sys/kernel/uevent_helper",
    "/sys/kernel/mm/ksm/run",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/power/disk",
    "/sys/devices/system/cpu/online",
    "/sys/class/net/lo/mtu",
    "/sys/fs/cgroup/memory/release_agent",
    "/sys/fs/cgroup/memory/notify_on_release",
    "/sys/fs/cgroup/pids/release_agent",
    "/sys/fs/cgroup/devices/release_agent",
    "/sys/fs/cgroup/systemd/notify_on_release",
];

/// The name that every attempt gives to what it makes.
const MARK: &str = "lambda-escape";

/// Where an attempt would leave what it makes.
const PLACES: [&str; 16] = [
    "/",
    "/tmp",
    "/run",
    "/etc",
    "/usr/bin",
    "/usr/lib",
    "/var",
    "/home",
    "/root",
    "/opt",
    "/boot",
    "/dev",
    "/dev/shm",
    "/dev/mqueue",
    "/sys/fs/cgroup/memory",
    "/sys/fs/cgroup",
];

/// How long what others do at the same time may take to settle.
const PATIENCE: Duration = Duration::from_secs(10);

impl Snapshot {
    pub(crate) fn take() -> Self {
        Self {
            settings: settings(),
            clocks: (SystemTime::now(), Instant::now()),
        }
    }

    pub(crate) async fn expect_unchanged(&self) {
        assert_eq!(
            settings(),
            self.settings,
            "a setting of the host was changed"
        );
        let (wall, monotonic) = (self.clocks.0.elapsed(), self.clocks.1.elapsed());
        let drift = wall.expect("the clock went back").abs_diff(monotonic);
        assert!(
            drift < Duration::from_secs(2),
            "the clock was set: {drift:?}"
        );
        let deadline = Instant::now() + PATIENCE;
        loop {
            let traces = traces();
            if traces.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "traces on the host: {traces:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn settings() -> BTreeMap<&'static str, String> {
    SETTINGS
        .into_iter()
        .filter_map(|path| Some((path, std::fs::read_to_string(path).ok()?)))
        .collect()
}

/// What carries the mark: files, mounts, processes, keys, IPC objects.
fn traces() -> BTreeSet<String> {
    let mut traces = BTreeSet::new();
    for place in PLACES {
        for entry in std::fs::read_dir(place).into_iter().flatten() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            if name.contains(MARK) {
                traces.insert(format!("{place}/{name}"));
            }
        }
    }
    for table in [
        "/proc/self/mountinfo",
        "/proc/keys",
        "/proc/net/unix",
        "/proc/cgroups",
    ] {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        traces.extend(
            text.lines()
                .filter(|line| line.contains(MARK))
                .map(str::to_owned),
        );
    }
    for pid in pids() {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if name.trim() == MARK {
            traces.insert(format!("process {pid}"));
        }
    }
    // The keys of the System V objects that an attempt makes.
    for kind in ["shm", "msg", "sem"] {
        let table = std::fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default();
        for key in [0x1A3B, 0x1A3C, 0x1A3D].map(|key: i64| key.to_string()) {
            if table
                .lines()
                .any(|line| line.split_whitespace().next() == Some(&key))
            {
                traces.insert(format!("{kind} {key}"));
            }
        }
    }
    traces
}

fn pids() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// No process of the host has the user of a sandbox that is gone.
pub(crate) async fn expect_no_process_of(user: u32) {
    use std::os::unix::fs::MetadataExt as _;

    assert!(user >= 10_000, "{user} is no sandbox's user");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let own: Vec<_> = pids()
            .filter(|pid| {
                let path = format!("/proc/{pid}");
                Path::new(&path)
                    .metadata()
                    .is_ok_and(|found| found.uid() == user)
            })
            .collect();
        if own.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "processes of user {user} are left: {own:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
