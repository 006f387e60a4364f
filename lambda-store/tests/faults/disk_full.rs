//! The disk of the data directory and of SQLite's file, small and full.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use lambda_store::{ErrorKind, NewFunction};
use tempfile::TempDir;

use crate::support::{Kept, Load, call, is_required, platform, wait_until_kept};

/// A disk of 40 MB, in a file: room for the records that the journal takes while it is full, which
/// are a segment at most, beside the database that they go into.
struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// None where this user may not mount one.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image");
        let file = std::fs::File::create(&image).unwrap();
        file.set_len(40_000_000).unwrap();
        let point = directory.path().join("disk");
        std::fs::create_dir(&point).unwrap();
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "0"])
            .arg(&image)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let mounted = Command::new("mount")
            .args(["-o", "loop"])
            .args([&image, &point])
            .output()
            .unwrap();
        if mounted.status.success() {
            return Some(Self { directory });
        }
        // Only root may; every other part of the run works without.
        assert!(!is_required("root"), "{mounted:?}");
        eprintln!("SKIPPED: a disk image cannot be mounted here: {mounted:?}");
        None
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("disk")
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.path().join("filler")).unwrap();
        let chunk = vec![0x5a; 4096];
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
    }
}

fn database(disk: &Path) -> String {
    format!("sqlite://{}/lambda.db", disk.display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_sheds_records_and_nothing_else() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let path = disk.path();
    let store = lambda_store::open(&database(&path)).await.unwrap();
    let platform = platform(&path.join("data"), store.clone()).await;
    let before = Load::start(&platform, 4);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (mut answered, _) = before.stop().await;
    wait_until_kept(&*store, &answered).await;

    disk.fill();
    // Deploying fails with an error that says why, and changes nothing.
    let new = |name: &str| NewFunction::python(name, "x".repeat(300_000)).unwrap();
    let refused = platform.function_create(new("refused")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StoreUnavailable, "{refused:?}");
    assert!(refused.to_string().contains("full"), "{refused}");
    let by_name = lambda_store::model::FunctionRef::Name("refused".parse().unwrap());
    assert!(platform.function_get(&by_name).await.is_err());
    // Invocations go on, until the journal has no room left and beyond.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut during = std::collections::HashSet::new();
    while platform.recorder_status().unwrap().shed == 0 {
        assert!(
            Instant::now() < deadline,
            "the journal finds room on a full disk"
        );
        during.insert(call(&platform).await.unwrap());
    }
    let findings = platform.check(false).await;
    assert!(
        findings
            .iter()
            .any(|f| f.subject == "records" && f.mend.is_some()),
        "{findings:?}"
    );

    disk.free();
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = platform.function_create(new("accepted")).await {
        assert!(Instant::now() < deadline, "{error:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let after = Load::start(&platform, 4);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (after, _) = after.stop().await;
    // What came after the disk was freed is all there, once the recorder has noticed it.
    let shed = usize::try_from(platform.recorder_status().unwrap().shed).unwrap();
    answered.extend(&after);
    answered.extend(&during);
    let deadline = Instant::now() + Duration::from_secs(30);
    let kept = loop {
        let kept = crate::support::count(&*store, &answered).await;
        if kept.lost <= shed || Instant::now() > deadline {
            break kept;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    println!(
        "full disk: {} calls answered; {} records there, {} missing of which {shed} were counted as shed, {} doubled",
        answered.len(),
        kept.records,
        kept.lost,
        kept.doubled
    );
    let (records, lost) = (answered.len() - shed, shed);
    assert_eq!(
        kept,
        Kept {
            records,
            lost,
            doubled: 0
        }
    );
    platform.close().await;
}
