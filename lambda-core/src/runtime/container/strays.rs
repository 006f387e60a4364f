//! Processes of sandboxes beside Docker: gVisor's of failed starts, which it does not list, and
//! frozen ones, of which it cannot rid itself.

use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal};

use super::cgroup::Cgroup;

/// Kills the gVisor and shim processes of `container_id`, which Docker says is gone. Only
/// what names that very id, and only where permissions allow. Returns how many. Blocks.
pub(crate) fn kill(container_id: &str) -> usize {
    pids()
        .filter(|pid| belongs_to(*pid, container_id))
        .filter(|pid| {
            let Ok(process) = rustix::process::pidfd_open(*pid, PidfdFlags::empty()) else {
                return false;
            };
            // Looked at again after it was opened: so it was this process that was opened.
            belongs_to(*pid, container_id)
                && rustix::process::pidfd_send_signal(process, Signal::KILL).is_ok()
        })
        .count()
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
    fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero()))
        .is_ok_and(|command| is_of(&command, container_id))
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
