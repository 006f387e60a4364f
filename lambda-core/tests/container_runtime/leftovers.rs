//! Nothing is left behind: by failed starts, by callers that go away, by dead owners
//! (threats 25 and 26).

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use lambda_core::ErrorKind;
use lambda_core::model::OwnerId;
use lambda_core::runtime::CreateSandbox;

use crate::support::{Bench, PYTHON, docker, handler};

/// An image with nothing in it, made by the test.
const EMPTY_IMAGE: &str = "lambda-test-empty:latest";

/// How many starts fail in a row.
const BROKEN_STARTS: usize = 50;

async fn make_empty_image() {
    static MADE: tokio::sync::Mutex<bool> = tokio::sync::Mutex::const_new(false);
    let mut made = MADE.lock().await;
    if std::mem::replace(&mut *made, true)
        || !docker(&["images", "-q", EMPTY_IMAGE]).await.is_empty()
    {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("empty.tar");
    // Two blocks of zeros: an archive without files.
    std::fs::write(&archive, [0; 1024]).unwrap();
    docker(&["import", archive.to_str().unwrap(), EMPTY_IMAGE]).await;
}

fn request(bench: &Bench) -> CreateSandbox {
    bench.request(&handler(PYTHON))
}

async fn failed_starts(runtime: &str) {
    let allow = |options: &mut lambda_core::runtime::ContainerOptions| {
        options.allowed_images.insert(EMPTY_IMAGE.to_owned());
        options
            .allowed_images
            .insert("lambda-test-absent".to_owned());
        options
            .allowed_networks
            .insert("lambda-test-absent".to_owned());
    };
    let Some(bench) = Bench::open_with(runtime, allow).await else {
        return;
    };
    make_empty_image().await;
    let since = now();
    let stale = stale_layers().await;
    for _ in 0..BROKEN_STARTS {
        let mut request = request(&bench);
        request.image = Some(EMPTY_IMAGE.to_owned());
        let error = bench.runtime.create(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidParameter, "{error:?}");
    }
    for (image, network) in [
        (Some("lambda-test-absent"), "none"),
        (Some("not-listed"), "none"),
        (None, "not-listed"),
        (None, "lambda-test-absent"),
    ] {
        let mut request = request(&bench);
        request.image = image.map(str::to_owned);
        request.network = network.to_owned();
        let error = bench.runtime.create(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidParameter, "{error:?}");
        assert!(error.hint_text().is_some());
    }
    // The language is not in the image.
    let mut request = request(&bench);
    request.language = lambda_core::model::Language::Javascript;
    request.image = Some(EMPTY_IMAGE.to_owned());
    bench.runtime.create(request).await.unwrap_err();
    bench.expect_clean().await;
    // Nor processes, mounts or cgroups that Docker does not list.
    let ids = ids_of(&bench, &since).await;
    // The last of them may take a moment; another test's containers come and go.
    let mut left = Vec::new();
    for _ in 0..100 {
        let layers = stale_layers().await;
        left = left_of(&ids, bench.data_dir.path());
        left.extend(layers.difference(&stale).cloned());
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(left, Vec::<String>::new());
}

/// Mounted file systems of containers that do not exist.
async fn stale_layers() -> BTreeSet<String> {
    let root = docker(&["info", "--format", "{{.DockerRootDir}}"]).await;
    let root = format!("{}/overlay2/", root[0]);
    let ids = docker(&["ps", "-aq", "--no-trunc"]).await;
    let mut layers = BTreeSet::new();
    for id in ids {
        // It may be gone by now.
        let format = "{{index .GraphDriver.Data \"MergedDir\"}}";
        let found = tokio::process::Command::new("docker")
            .args(["inspect", "--format", format, &id])
            .output()
            .await
            .unwrap();
        let path = String::from_utf8(found.stdout).unwrap();
        layers.insert(path.trim().to_owned());
    }
    mount_points()
        .filter(|point| point.starts_with(&root) && point.ends_with("/merged"))
        .filter(|point| !point.ends_with("-init/merged") && !layers.contains(point))
        .collect()
}

fn mount_points() -> impl Iterator<Item = String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points: Vec<_> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(str::to_owned)
        .collect();
    points.into_iter()
}

/// Ids of the containers that this bench has made.
async fn ids_of(bench: &Bench, since: &str) -> Vec<String> {
    let owner = format!("label=lambda-platform.owner={}", bench.owner);
    let ids = docker(&[
        "events",
        "--since",
        since,
        "--until",
        &now(),
        "--format",
        "{{.Actor.ID}}",
        "--filter",
        "event=create",
        "--filter",
        &owner,
    ])
    .await;
    // Docker remembers the last 256 events only, of all that it runs.
    assert!(ids.len() >= 10, "{ids:?}");
    ids
}

/// What names one of these containers, or the data directory: command lines of processes, mount
/// points, and cgroups.
fn left_of(ids: &[String], data_dir: &Path) -> Vec<String> {
    let data_dir = data_dir.to_str().unwrap();
    let commands = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("cmdline")).ok());
    let names = |text: &String| ids.iter().any(|id| text.contains(id));
    let mut left: Vec<_> = commands.filter(names).collect();
    left.extend(mount_points().filter(|point| names(point) || point.contains(data_dir)));
    left.extend(
        cgroups(Path::new("/sys/fs/cgroup"))
            .into_iter()
            .filter(names),
    );
    left
}

/// The control groups that there are.
fn cgroups(below: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path().display().to_string());
            found.extend(cgroups(&entry.path()));
        }
    }
    found
}

/// In Unix seconds, as Docker's client reads it.
fn now() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_starts_leave_nothing_docker() {
    failed_starts("docker").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_starts_leave_nothing_gvisor() {
    failed_starts("gvisor").await;
}

async fn callers_that_go_away(runtime: &str) {
    let Some(bench) = Bench::open(runtime).await else {
        return;
    };
    for step in 0..12 {
        let create = bench.runtime.create(request(&bench));
        let patience = Duration::from_millis(step * 40);
        drop(tokio::time::timeout(patience, create).await);
    }
    let mut hurried = request(&bench);
    hurried.boot_timeout = Duration::from_millis(30);
    let error = bench.runtime.create(hurried).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RuntimeUnavailable, "{error:?}");
    bench.expect_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_go_away_leave_nothing_docker() {
    callers_that_go_away("docker").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_go_away_leave_nothing_gvisor() {
    callers_that_go_away("gvisor").await;
}

async fn dead_owners(runtime: &str) {
    let Some(bench) = Bench::open(runtime).await else {
        return;
    };
    let other = OwnerId::new();
    let mut sandboxes = Vec::new();
    for owner in [bench.owner, bench.owner, other] {
        let mut request = request(&bench);
        request.owner = owner;
        sandboxes.push(bench.runtime.create(request).await.unwrap());
    }
    // Foreign: without our labels, and of another platform with the same owner even.
    let foreign = format!("foreign-{}", bench.owner);
    docker(&[
        "run",
        "-d",
        "--name",
        &foreign,
        "--network",
        "none",
        "--label",
        &format!("lambda-platform.owner={}", bench.owner),
        "lambda-python",
        "sh",
        "-c",
        "sleep 60",
    ])
    .await;

    let mut owners = bench.runtime.owners().await.unwrap();
    owners.sort();
    assert_eq!(owners, [bench.owner, other]);
    assert_eq!(bench.runtime.remove_owned(bench.owner).await.unwrap(), 2);
    assert_eq!(bench.runtime.owners().await.unwrap(), [other]);
    assert!(!sandboxes[0].is_alive() && !sandboxes[1].is_alive() && sandboxes[2].is_alive());
    let names = docker(&["ps", "--format", "{{.Names}}"]).await;
    assert!(names.contains(&foreign), "{names:?}");
    docker(&["rm", "-f", &foreign]).await;

    assert_eq!(bench.runtime.remove_owned(other).await.unwrap(), 1);
    assert_eq!(bench.runtime.remove_owned(other).await.unwrap(), 0);
    drop(sandboxes);
    bench.expect_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_owners_are_cleaned_up_docker() {
    dead_owners("docker").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_owners_are_cleaned_up_gvisor() {
    dead_owners("gvisor").await;
}
