use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{OwnerId, RuntimeName, SandboxId};

fn request(language: Language) -> CreateSandbox {
    CreateSandbox {
        id: SandboxId::new(),
        owner: OwnerId::new(),
        language,
        image: None,
        memory_mib: 128,
        tmp_mib: 32,
        cpus: 1.0,
        network: "none".to_owned(),
        code_directory: None,
        boot_timeout: Duration::from_secs(1),
    }
}

fn build(request: &CreateSandbox, image: &str) -> ContainerCreateBody {
    build_with(request, image, Duration::ZERO)
}

fn build_with(request: &CreateSandbox, image: &str, busy_poll: Duration) -> ContainerCreateBody {
    container(&Spec {
        request,
        image,
        oci_runtime: "runc",
        processes: ProcessLimits {
            pids: 128,
            nproc: 128,
        },
        labels: &Labels {
            runtime: RuntimeName::docker(),
            data_dir: "d".to_owned(),
            owner: request.owner,
            sandbox: request.id,
        },
        uid: 2_013_265_920,
        run_dir: Path::new("/data/run/x"),
        bootstrap: Path::new("/data/bootstrap/y"),
        clears_tmp: false,
        busy_poll,
    })
}

/// Everything that a request must not change, in one comparable text: a field that is added
/// to the template without thought shows up here too.
fn fixed_part(mut body: ContainerCreateBody) -> String {
    body.image = None;
    body.labels = None;
    body.user = None;
    body.entrypoint = None;
    let host = body.host_config.as_mut().unwrap();
    for field in [&mut host.memory, &mut host.memory_swap, &mut host.nano_cpus] {
        *field = None;
    }
    host.network_mode = None;
    host.tmpfs = None;
    host.mounts = None;
    let mut value = serde_json::to_value(&body).unwrap();
    value["HostConfig"]["SecurityOpt"][1] = "seccomp".into();
    value.to_string()
}

proptest! {
    #[test]
    fn whatever_is_requested_the_rest_is_the_template(
        javascript in any::<bool>(),
        memory_mib in 64_u32..10_240,
        tmp_mib in 1_u32..5_120,
        cpus in 0.1_f64..64.0,
        network in "[ -~]{1,40}",
        image in "[ -~]{1,40}",
        code in proptest::option::of("/[ -~]{1,40}"),
    ) {
        let language = if javascript { Language::Javascript } else { Language::Python };
        let request = CreateSandbox {
            memory_mib,
            tmp_mib,
            cpus,
            network: network.clone(),
            code_directory: code.clone().map(PathBuf::from),
            ..request(language)
        };
        let body = build(&request, &image);
        prop_assert_eq!(
            fixed_part(body.clone()),
            fixed_part(build(&self::request(Language::Python), "lambda-python"))
        );
        prop_assert_eq!(body.image, Some(image));
        let host = body.host_config.unwrap();
        prop_assert_eq!(host.memory, host.memory_swap);
        prop_assert_eq!(host.memory, Some(i64::from(memory_mib) << 20));
        prop_assert_eq!(host.network_mode, Some(network));
        let mounts = host.mounts.unwrap();
        let writable: Vec<_> = mounts
            .iter()
            .filter(|mount| mount.read_only != Some(true))
            .map(|mount| mount.target.as_deref().unwrap())
            .collect();
        prop_assert_eq!(writable, ["/run/lambda"]);
        prop_assert!(mounts.iter().all(|mount| mount.typ == Some(MountType::BIND)));
        prop_assert_eq!(mounts.len(), if code.is_some() { 3 } else { 2 });
        let tmpfs = host.tmpfs.unwrap();
        prop_assert_eq!(tmpfs.contains_key("/var/task"), code.is_none());
        for options in tmpfs.values() {
            prop_assert!(options.contains(",nosuid,nodev,size="));
        }
    }
}

#[test]
fn the_template_is_the_documented_one() {
    let body = build(&request(Language::Javascript), "lambda-javascript");
    assert_eq!(body.user.as_deref(), Some("2013265920:2013265920"));
    assert_eq!(
        body.entrypoint.unwrap()[2],
        "exec node --max-old-space-size=89 /var/runtime/bootstrap.js </dev/null \
         >/run/lambda/stdout 2>/run/lambda/stderr"
    );
    let host = body.host_config.unwrap();
    assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
    assert_eq!(host.cap_add, None);
    assert_eq!(host.privileged, Some(false));
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!(host.security_opt.unwrap()[0], "no-new-privileges:true");
    assert_eq!(
        (host.pid_mode, host.userns_mode, host.uts_mode),
        (None, None, None)
    );
    assert_eq!(
        (host.devices, host.binds, host.volumes_from),
        (None, None, None)
    );
    assert_eq!((host.masked_paths, host.readonly_paths), (None, None));
    assert_eq!(host.ipc_mode.as_deref(), Some("private"));
    assert_eq!(host.shm_size, Some(8 << 20));
    assert_eq!(host.log_config.unwrap().typ.as_deref(), Some("none"));
    assert_eq!(host.nano_cpus, Some(1_000_000_000));
    assert_eq!((host.init, host.oom_score_adj), (Some(true), Some(500)));
    let limits: Vec<_> = host
        .ulimits
        .unwrap()
        .into_iter()
        .map(|limit| (limit.name.unwrap(), limit.hard.unwrap()))
        .collect();
    assert_eq!(
        limits,
        [
            ("nproc".to_owned(), 128),
            ("nofile".to_owned(), 1024),
            ("core".to_owned(), 0)
        ]
    );
}

#[test]
fn a_bootstrap_that_knows_how_is_told_for_how_long_to_look() {
    let told = |language, busy_poll_us| {
        let body = build_with(&request(language), "i", Duration::from_micros(busy_poll_us));
        let environment = body.env.unwrap();
        let own = |entry: &String| entry.starts_with("LAMBDA_BUSY_POLL_US=");
        environment.into_iter().find(own)
    };
    assert_eq!(
        told(Language::Python, 20).as_deref(),
        Some("LAMBDA_BUSY_POLL_US=20")
    );
    assert_eq!(told(Language::Python, 0), None);
    assert_eq!(told(Language::Javascript, 20), None);
}

#[test]
fn the_system_calls_that_must_be_denied_are_in_no_rule() {
    let profile: serde_json::Value = serde_json::from_str(SECCOMP).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    let rules = profile["syscalls"].as_array().unwrap();
    let rules_of = |name: &str| -> Vec<&serde_json::Value> {
        rules
            .iter()
            .filter(|rule| rule["names"].as_array().unwrap().iter().any(|n| n == name))
            .collect()
    };
    for denied in [
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "pidfd_getfd",
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "keyctl",
        "add_key",
        "request_key",
        "userfaultfd",
        "name_to_handle_at",
        "open_by_handle_at",
        "bpf",
        "perf_event_open",
        "mount",
        "umount2",
        "fsopen",
        "unshare",
        "setns",
        "pivot_root",
        "chroot",
        "kexec_load",
        "init_module",
        "finit_module",
        "modify_ldt",
        "kcmp",
        "quotactl",
        "fanotify_init",
        "socketcall",
    ] {
        assert!(rules_of(denied).is_empty(), "{denied}");
    }
    // Only under conditions.
    for name in [
        "socket",
        "socketpair",
        "clone",
        "mknod",
        "mknodat",
        "personality",
    ] {
        let rules = rules_of(name);
        assert!(!rules.is_empty(), "{name}");
        assert!(rules.iter().all(|rule| rule["args"].is_array()), "{name}");
    }
    let families: Vec<_> = rules_of("socket")
        .iter()
        .map(|rule| {
            (
                rule["args"][0]["value"].as_u64().unwrap(),
                rule["args"].as_array().unwrap().len(),
            )
        })
        .collect();
    assert_eq!(families, [(1, 1), (2, 1), (10, 1), (16, 2)]);
    assert_eq!(rules_of("clone3")[0]["errnoRet"], 38);
}
