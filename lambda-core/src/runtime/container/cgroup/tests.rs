use super::*;

const ID: &str = "0f3a6d1c9b2e4f5a8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b";

const V1_CGROUP: &str = include_str!("../fixtures/v1-cgroup.txt");
const V1_MOUNTINFO: &str = include_str!("../fixtures/v1-mountinfo.txt");
const V1_OOM: &str = include_str!("../fixtures/v1-memory.oom_control");
const V2_CGROUP: &str = include_str!("../fixtures/v2-cgroup.txt");
const V2_MOUNTINFO: &str = include_str!("../fixtures/v2-mountinfo.txt");
const V2_EVENTS: &str = include_str!("../fixtures/v2-memory.events");

#[test]
fn version_1_is_found_beside_an_unused_version_2() {
    let location = locate(V1_CGROUP, V1_MOUNTINFO, "memory").unwrap();
    assert_eq!(location.version, Version::V1);
    assert_eq!(
        location.path,
        Path::new("/sys/fs/cgroup/memory/docker").join(ID)
    );
}

#[test]
fn version_2_is_found_with_the_systemd_driver() {
    let location = locate(V2_CGROUP, V2_MOUNTINFO, "memory").unwrap();
    assert_eq!(location.version, Version::V2);
    assert_eq!(
        location.path,
        Path::new("/sys/fs/cgroup/system.slice").join(format!("docker-{ID}.scope"))
    );
}

#[test]
fn a_cgroup_outside_of_what_is_mounted_is_not_guessed() {
    assert_eq!(locate("0::/../other\n", V2_MOUNTINFO, "memory"), None);
    assert_eq!(locate(V1_CGROUP, "", "memory"), None);
    assert_eq!(locate("", V1_MOUNTINFO, "memory"), None);
    let part = "40 32 0:28 /docker /mnt/with\\040space rw - cgroup2 cgroup2 rw\n";
    assert_eq!(
        locate("0::/docker/x\n", part, "memory").unwrap().path,
        Path::new("/mnt/with space/x")
    );
    assert_eq!(locate("0::/elsewhere/x\n", part, "memory"), None);
}

#[test]
fn kills_are_counted_and_groups_of_them_are_not() {
    assert_eq!(parse_oom_kills(V1_OOM), Some(3));
    assert_eq!(parse_oom_kills(V2_EVENTS), Some(2));
    assert_eq!(parse_oom_kills("oom_group_kill 7\n"), None);
}

#[test]
fn cpu_time_of_version_2_is_in_microseconds() {
    let text = "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n";
    assert_eq!(parse_cpu_usage(text), Some(Duration::from_millis(1500)));
    assert_eq!(parse_cpu_usage(""), None);
}

#[test]
fn both_versions_are_read_through_files_opened_before() {
    let v1: (_, &[(&str, &str)], _) = (
        Version::V1,
        &[
            ("memory.oom_control", V1_OOM),
            ("memory.max_usage_in_bytes", "52428800\n"),
            ("cgroup.procs", ""),
        ],
        3,
    );
    let v2: (_, &[(&str, &str)], _) = (
        Version::V2,
        &[
            ("memory.events", V2_EVENTS),
            ("memory.peak", "52428800\n"),
            ("cgroup.procs", ""),
        ],
        2,
    );
    for (version, files, kills) in [v1, v2] {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let cgroup = Cgroup::open_at(&Location {
            version,
            path: directory.path().to_owned(),
        })
        .unwrap();
        assert_eq!(cgroup.oom_kills(), Some(kills));
        assert_eq!(cgroup.memory_peak_bytes(), Some(50 << 20));
        assert!(cgroup.is_empty());
        fs::write(directory.path().join("cgroup.procs"), "12\n13\n").unwrap();
        assert!(!cgroup.is_empty() && cgroup.exists());
        drop(directory);
        assert!(cgroup.is_empty() && !cgroup.exists());
    }
}
