//! Archives from strangers: what leads elsewhere is refused, before anything of it is kept
//! (threat 4).

#![cfg(feature = "conformance")]
// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::Arc;

use lambda_core::model::{CodeSource, RuntimeName};
use lambda_core::runtime::fake::FakeRuntime;
use lambda_core::{ErrorKind, NewFunction, Platform};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use zip::write::{SimpleFileOptions, ZipWriter};

const HOSTILE: u64 = 500;

struct World {
    platform: Platform,
    root: tempfile::TempDir,
}

impl World {
    async fn open() -> Self {
        let root = tempfile::tempdir().unwrap();
        let platform = Platform::builder()
            .data_dir(root.path().join("data"))
            .runtime(Arc::new(FakeRuntime::new(RuntimeName::docker())))
            .build()
            .await
            .unwrap();
        Self { platform, root }
    }

    async fn deploy(&self, name: &str, archive: Vec<u8>) -> Result<(), ErrorKind> {
        let mut new = NewFunction::python(name, "").unwrap();
        new.code = CodeSource::Zip(archive.into());
        let deployed = self.platform.deploy(new).await;
        deployed.map(|_| ()).map_err(|error| error.kind())
    }
}

fn file(writer: &mut ZipWriter<Cursor<Vec<u8>>>, name: &str, mode: u32, content: &[u8]) {
    let options = SimpleFileOptions::default().unix_permissions(mode);
    writer.start_file(name, options).unwrap();
    writer.write_all(content).unwrap();
}

fn finish(writer: ZipWriter<Cursor<Vec<u8>>>) -> Vec<u8> {
    writer.finish().unwrap().into_inner()
}

fn empty() -> ZipWriter<Cursor<Vec<u8>>> {
    ZipWriter::new(Cursor::new(Vec::new()))
}

/// Sets the Unix mode of every entry in the directory, also to what the writer refuses to write.
fn set_mode(archive: &mut [u8], mode: u32) {
    let starts: Vec<_> = archive
        .windows(4)
        .enumerate()
        .filter(|(_, four)| *four == b"PK\x01\x02")
        .map(|(at, _)| at)
        .collect();
    for at in starts {
        archive[at + 5] = 3;
        archive[at + 38..at + 42].copy_from_slice(&(mode << 16).to_le_bytes());
    }
}

/// One that must be refused: a name that leads elsewhere, or an entry that is no file.
fn hostile(dice: &mut StdRng) -> Vec<u8> {
    let parts = [
        "..", ".", "", "/", "a", "etc", "\\..", "..\\", "C:", "~", "\0", "con", "....",
    ];
    let mut writer = empty();
    file(&mut writer, "main.py", 0o644, b"print(1)");
    match dice.random_range(0..4) {
        0 => {
            // Climbs, starts at the top, or hides either behind another separator.
            let mut name: Vec<_> = (0..dice.random_range(1..6))
                .map(|_| parts[dice.random_range(0..parts.len())])
                .collect();
            name.insert(dice.random_range(0..=name.len()), "..");
            name.push("escape");
            file(&mut writer, &name.join("/"), 0o644, b"escape");
        }
        1 => {
            let name = [
                "/etc/cron.d/escape",
                "/tmp/escape",
                "//escape",
                "a\\..\\..\\escape",
                "a\0b",
            ];
            file(
                &mut writer,
                name[dice.random_range(0..name.len())],
                0o644,
                b"escape",
            );
        }
        2 => {
            let target = ["/etc/passwd", "../../..", "main.py", "/proc/self/environ"];
            let target = target[dice.random_range(0..target.len())];
            let options = SimpleFileOptions::default();
            writer
                .add_symlink(format!("link{}", dice.random_range(0..9)), target, options)
                .unwrap();
        }
        _ => {
            let mut archive = finish(writer);
            // Devices, FIFOs, sockets, links, and types that there are none.
            let kinds = [
                0o020_666, 0o060_666, 0o010_666, 0o140_777, 0o120_777, 0o110_644, 0o170_644,
            ];
            set_mode(&mut archive, kinds[dice.random_range(0..kinds.len())]);
            return archive;
        }
    }
    finish(writer)
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_hostile_archives_are_refused() {
    let world = World::open().await;
    for seed in 0..HOSTILE {
        let archive = hostile(&mut StdRng::seed_from_u64(seed));
        let refused = world.deploy("f", archive).await;
        assert_eq!(refused, Err(ErrorKind::InvalidZipFile), "seed {seed}");
    }
    let unpacked = listing(world.root.path());
    let names = ["main.py", "escape", "link"];
    let found = |path: &&String| names.iter().any(|name| path.contains(name));
    assert_eq!(unpacked.iter().find(found), None, "something was unpacked");
    assert!(!Path::new("/tmp/escape").exists() && !Path::new("/escape").exists());
    world.platform.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_archives_are_refused_or_whole() {
    let world = World::open().await;
    let mut writer = empty();
    file(
        &mut writer,
        "main.py",
        0o644,
        b"print(1)".repeat(50).as_slice(),
    );
    file(&mut writer, "pkg/module.py", 0o644, b"");
    let good = finish(writer);
    let mut refused = 0;
    for seed in 0..HOSTILE {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut archive = good.clone();
        for _ in 0..dice.random_range(1..4) {
            let at = dice.random_range(0..archive.len());
            archive[at] = dice.random();
        }
        archive.truncate(dice.random_range(archive.len() * 3 / 4..=archive.len()));
        match world.deploy(&format!("f{seed}"), archive).await {
            Ok(()) => {}
            Err(ErrorKind::InvalidZipFile | ErrorKind::PayloadTooLarge) => refused += 1,
            Err(other) => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(refused > HOSTILE / 2, "{refused}");
    world.platform.close().await;
}

/// Every path below a directory.
fn listing(directory: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            paths.extend(listing(&path));
        }
        paths.push(path.display().to_string());
    }
    paths.sort();
    paths
}
