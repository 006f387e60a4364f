//! Archives: what is accepted unpacks below its root, and is of the size that was counted.
#![no_main]

use std::path::Path;

use lambda_core::fuzzing::{archive_check, archive_unpack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|archive: &[u8]| {
    if archive_check(archive).is_err() {
        return;
    }
    let outer = tempfile::tempdir().expect("a directory");
    let root = outer.path().join("root");
    std::fs::create_dir(&root).expect("a directory");
    // It may fail: a name can be too long for the file system.
    let _ = archive_unpack(archive, &root);
    let beside = std::fs::read_dir(outer.path()).expect("a directory");
    assert_eq!(beside.count(), 1, "something is beside the root");
    expect_files(&root);
});

fn expect_files(directory: &Path) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let kind = std::fs::symlink_metadata(&path)
            .expect("it is there")
            .file_type();
        assert!(kind.is_file() || kind.is_dir(), "{path:?}");
        if kind.is_dir() {
            expect_files(&path);
        }
    }
}
