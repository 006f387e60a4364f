//! Processes of sandboxes beside Docker: those of starts that failed, or that a Docker daemon did
//! not live through, which it does not list; and frozen ones, of which it cannot rid itself.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};

use super::cgroup::Cgroup;

/// How often, how far apart, the cgroups of what was killed are looked at until they are empty.
const EMPTYING_LOOKS: u32 = 20;
const EMPTYING_PAUSE: Duration = Duration::from_millis(10);

/// Kills the processes of `container_id`, which Docker says is gone: those in its cgroups, gVisor's
/// and the shim. Removes its cgroups. Only what names that very id, and only where permissions allow. Returns how many
/// were killed. Blocks.
pub(crate) fn kill(container_id: &str) -> usize {
    let killed = pids()
        .filter(|pid| belongs_to(*pid, container_id))
        .filter(|pid| {
            let Ok(process) = rustix::process::pidfd_open(*pid, PidfdFlags::empty()) else {
                return false;
            };
            // Looked at again after it was opened: so it was this process that was opened.
            belongs_to(*pid, container_id)
                && rustix::process::pidfd_send_signal(process, Signal::KILL).is_ok()
        })
        .count();
    let mut looks = if killed > 0 { EMPTYING_LOOKS } else { 1 };
    while !remove_cgroups(container_id) && looks > 1 {
        looks -= 1;
        std::thread::sleep(EMPTYING_PAUSE);
    }
    killed
}

/// Below the parent that Docker was told, in each hierarchy. False: there is one with processes in
/// it, which stays, because the kernel refuses.
fn remove_cgroups(container_id: &str) -> bool {
    let mut all = true;
    let mut remove = |cgroup: PathBuf| match fs::remove_dir(cgroup) {
        Err(error) if error.kind() == ErrorKind::ResourceBusy => all = false,
        _ => {}
    };
    let children = |directory: PathBuf| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    };
    for hierarchy in children(PathBuf::from("/sys/fs/cgroup")) {
        // As Docker names it by itself, and by systemd. In version 2 there is one hierarchy.
        for name in [
            container_id.to_owned(),
            format!("docker-{container_id}.scope"),
        ] {
            remove(hierarchy.join(&name));
            for parent in children(hierarchy.clone()) {
                remove(parent.join(&name));
            }
        }
    }
    all
}

/// Thaws the containers `ids`, whoever froze them, without asking Docker: one that starts anew
/// does not answer before what its predecessor left has ended, which the frozen cannot. Only
/// where permissions allow. Returns how many processes it found. Blocks.
pub(crate) fn thaw(ids: &[String]) -> usize {
    let found = pids().filter_map(|pid| {
        let cgroups = fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero())).ok()?;
        let id = ids.iter().find(|id| cgroups.contains(id.as_str()))?;
        Cgroup::freezer_of(pid, id)
    });
    found.filter(|freezer| freezer.thaw().is_ok()).count()
}

fn pids() -> impl Iterator<Item = Pid> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

fn belongs_to(pid: Pid, container_id: &str) -> bool {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let is_in = |cgroups: String| cgroups.contains(container_id);
    fs::read_to_string(process.join("cgroup")).is_ok_and(is_in)
        || fs::read(process.join("cmdline")).is_ok_and(|command| is_of(&command, container_id))
}

/// Whether a command line (each argument ends with a NUL) is one of gVisor's processes, or a
/// shim, for this container.
fn is_of(command: &[u8], container_id: &str) -> bool {
    let mut arguments = command.split(|byte| *byte == 0);
    let program = arguments.next().unwrap_or_default();
    let program = program
        .rsplit(|byte| *byte == b'/')
        .next()
        .unwrap_or_default();
    (program.starts_with(b"runsc") || program.starts_with(b"containerd-shim"))
        && arguments.any(|argument| {
            argument
                .split(|byte| b"/=".contains(byte))
                .any(|part| part == container_id.as_bytes())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_processes_of_that_very_container_are_taken() {
        let id = "ab".repeat(32);
        let sentry = format!("runsc-sandbox\0--root=/x\0boot\0--bundle=/run/{id}\0{id}\0");
        let shim = format!("/usr/bin/containerd-shim-runc-v2\0-namespace\0moby\0-id\0{id}\0");
        assert!(is_of(sentry.as_bytes(), &id));
        assert!(is_of(shim.as_bytes(), &id));
        assert!(!is_of(sentry.as_bytes(), &"cd".repeat(32)));
        assert!(!is_of(format!("vim\0{id}\0").as_bytes(), &id));
        assert!(!is_of(format!("runsc\0x{id}\0").as_bytes(), &id));
        assert!(!is_of(b"", &id));
    }
}
