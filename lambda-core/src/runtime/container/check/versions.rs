//! Versions that are known to be vulnerable, or not to work.

use crate::runtime::{Finding, Severity};

/// A hole in runc. A version is safe if it is at or above the entry of its own minor line,
/// or of a later line than all of them.
struct Hole {
    name: &'static str,
    what: &'static str,
    fixed_in: &'static [[u64; 3]],
    /// Beginnings of the package versions in which a distribution has patched it.
    patched: &'static [&'static str],
}

const RUNC_HOLES: [Hole; 3] = [
    Hole {
        name: "CVE-2019-5736",
        what: "a container can overwrite runc itself",
        fixed_in: &[[1, 0, 0]],
        patched: &[],
    },
    Hole {
        name: "CVE-2024-21626",
        what: "a container can reach the host's files through a leaked descriptor",
        fixed_in: &[[1, 1, 12]],
        patched: &["1.1.5+ds1-1+deb12u"],
    },
    Hole {
        name: "CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881",
        what: "races while a container is set up can bypass masked paths",
        fixed_in: &[[1, 2, 8], [1, 3, 3]],
        patched: &[],
    },
];

/// The first engine whose seccomp rules may name an error number: without it new C libraries
/// cannot start threads.
const ENGINE_MIN: [u64; 3] = [20, 10, 10];

/// gVisor's older releases do not start on this kernel and later ones.
const RUNSC_KERNEL_BREAK: [u64; 3] = [6, 14, 0];
/// The oldest release that was seen to start there.
const RUNSC_KERNEL_FIX: u64 = 20_240_729;
/// Releases after the publication of CVE-2025-2713 have its fix.
const RUNSC_CVE_2025_2713: u64 = 20_250_401;

const INSTALL_RUNSC: &str =
    "Install a current release of gVisor: https://gvisor.dev/docs/user_guide/install/";

/// The first three numbers of a version; what is missing is 0.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let version = version.trim_start_matches('v');
    let end = version
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(version.len());
    let mut parts = version[..end].split('.');
    let first = parts.next()?.parse().ok()?;
    let mut next = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    Some([first, next(), next()])
}

fn is_safe(version: [u64; 3], hole: &Hole) -> bool {
    let line = |it: &[u64; 3]| [it[0], it[1]];
    hole.fixed_in
        .iter()
        .any(|fix| line(fix) == line(&version) && version >= *fix)
        || hole.fixed_in.iter().all(|fix| line(&version) > line(fix))
}

pub(super) fn runc(version: &str, package: &str) -> Finding {
    const SUBJECT: &str = "runc's version";
    let Some(parsed) = numbers(version) else {
        return Finding::bad(
            Severity::Warning,
            SUBJECT,
            format!("{version:?} is not a version that can be read."),
            "Compare `runc --version` with https://github.com/opencontainers/runc/security.",
        );
    };
    let open: Vec<_> = RUNC_HOLES
        .iter()
        .filter(|hole| !is_safe(parsed, hole))
        .filter(|hole| !hole.patched.iter().any(|start| package.starts_with(start)))
        .map(|hole| format!("{} ({})", hole.name, hole.what))
        .collect();
    if open.is_empty() {
        return Finding::ok(
            SUBJECT,
            format!("runc {version} has no hole that is known here."),
        );
    }
    Finding::bad(
        Severity::Warning,
        SUBJECT,
        format!(
            "runc {version} has these holes, unless its package is patched: {}.",
            open.join("; ")
        ),
        "Update runc (or containerd.io). A distribution may have patched an old version: its security tracker knows. Run hostile code in gVisor only.",
    )
}

pub(super) fn engine(version: &str) -> Finding {
    const SUBJECT: &str = "engine's version";
    match numbers(version) {
        Some(parsed) if parsed >= ENGINE_MIN => {
            Finding::ok(SUBJECT, format!("Docker {version} is new enough."))
        }
        _ => Finding::bad(
            Severity::Warning,
            SUBJECT,
            format!(
                "{version:?} is older than 20.10.10: programs with a new C library cannot start threads."
            ),
            "Update the Docker Engine: https://docs.docker.com/engine/install/",
        ),
    }
}

/// `printed` is what `runsc --version` prints.
pub(super) fn runsc(printed: &str, kernel: &str) -> Finding {
    const SUBJECT: &str = "runsc's version";
    let released = printed
        .split(|c: char| !c.is_ascii_digit())
        .find(|digits| digits.len() == 8 && digits.starts_with("20"))
        .and_then(|digits| digits.parse::<u64>().ok());
    let Some(released) = released else {
        let detail = "Its release date cannot be read.";
        return Finding::bad(Severity::Warning, SUBJECT, detail, INSTALL_RUNSC);
    };
    let is_new_kernel = numbers(kernel).is_some_and(|kernel| kernel >= RUNSC_KERNEL_BREAK);
    if is_new_kernel && released < RUNSC_KERNEL_FIX {
        let detail = format!("Release {released} may not start on Linux {kernel}.");
        return Finding::bad(Severity::Warning, SUBJECT, detail, INSTALL_RUNSC);
    }
    if released < RUNSC_CVE_2025_2713 {
        let detail = format!(
            "Release {released} is older than the publication of CVE-2025-2713 (wrong file permissions inside of a sandbox)."
        );
        return Finding::bad(Severity::Warning, SUBJECT, detail, INSTALL_RUNSC);
    }
    Finding::ok(
        SUBJECT,
        format!("Release {released} has no hole that is known here."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vulnerable_versions_of_runc_are_warned_of() {
        for (version, package, holes) in [
            ("1.0.0-rc5", "", &["2024-21626", "2025-31133"][..]),
            ("0.1.1", "", &["2019-5736", "2024-21626", "2025-31133"]),
            ("1.1.5+ds1", "1.1.5+ds1-1+deb12u1", &["2025-31133"]),
            ("1.1.5+ds1", "1.1.5+ds1-1", &["2024-21626", "2025-31133"]),
            ("1.1.11", "", &["2024-21626", "2025-31133"]),
            ("1.1.12", "v1.1.12-0-g51d5e946", &["2025-31133"]),
            ("1.2.7", "", &["2025-31133"]),
            ("1.2.8", "", &[]),
            ("1.3.2", "", &["2025-31133"]),
            ("1.3.3", "", &[]),
            ("1.4.0", "", &[]),
            ("2.0", "", &[]),
        ] {
            let finding = runc(version, package);
            let named: Vec<_> = ["2019-5736", "2024-21626", "2025-31133"]
                .into_iter()
                .filter(|name| finding.detail.contains(name))
                .collect();
            assert_eq!(named, holes, "{version} {package}");
            assert_eq!(finding.mend.is_some(), !holes.is_empty());
        }
        assert_eq!(runc("unknown", "").severity, Severity::Warning);
    }

    #[test]
    fn old_engines_are_warned_of() {
        assert_eq!(engine("20.10.24+dfsg1").severity, Severity::Ok);
        assert_eq!(engine("28.2.2").severity, Severity::Ok);
        assert_eq!(engine("20.10.5").severity, Severity::Warning);
        assert_eq!(engine("").severity, Severity::Warning);
    }

    #[test]
    fn old_releases_of_gvisor_are_warned_of() {
        for (printed, kernel, severity, part) in [
            (
                "runsc version release-20260105.0\nspec: 1.2.0\n",
                "6.18.44",
                Severity::Ok,
                "",
            ),
            (
                "runsc version 0.0~20240729.0\n",
                "6.18.44",
                Severity::Warning,
                "CVE-2025-2713",
            ),
            (
                "runsc version 0.0~20221219.0\n",
                "6.18.44",
                Severity::Warning,
                "Linux 6.18.44",
            ),
            (
                "runsc version 0.0~20221219.0\n",
                "6.1.0-18",
                Severity::Warning,
                "CVE",
            ),
            ("nonsense", "6.1.0", Severity::Warning, "cannot be read"),
        ] {
            let finding = runsc(printed, kernel);
            assert_eq!(finding.severity, severity, "{printed}");
            assert!(finding.detail.contains(part), "{}", finding.detail);
        }
    }
}
