//! Archives that grow without end cost bounded memory (threat 5). By itself in a binary, because
//! the memory of the whole process is measured.

#![cfg(feature = "conformance")]
// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write as _};
use std::sync::Arc;

use lambda_core::model::{CodeSource, RuntimeName};
use lambda_core::runtime::fake::FakeRuntime;
use lambda_core::{ErrorKind, NewFunction, Platform};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Beyond what the platform and the archive itself take.
const GROWTH_KIB_MAX: u64 = 96 * 1024;

/// A directory of `count` entries, with names of four bytes, for which there are no files.
fn many_headers(count: u32) -> Vec<u8> {
    let mut archive = Vec::new();
    for number in 0..count {
        let mut header = [0; 46];
        header[..4].copy_from_slice(b"PK\x01\x02");
        header[28] = 4;
        archive.extend_from_slice(&header);
        archive.extend_from_slice(&number.to_be_bytes());
    }
    let size = u32::try_from(archive.len()).unwrap();
    // The record of 64 bits, where the number of entries has room.
    let (start, total) = (u64::from(size), u64::from(count));
    archive.extend_from_slice(b"PK\x06\x06");
    archive.extend_from_slice(&44_u64.to_le_bytes());
    archive.extend_from_slice(&[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    archive.extend_from_slice(&total.to_le_bytes());
    archive.extend_from_slice(&total.to_le_bytes());
    archive.extend_from_slice(&u64::from(size).to_le_bytes());
    archive.extend_from_slice(&0_u64.to_le_bytes());
    archive.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    archive.extend_from_slice(&start.to_le_bytes());
    archive.extend_from_slice(&[1, 0, 0, 0]);
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff");
    archive.extend_from_slice(&size.to_le_bytes());
    archive.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
    archive
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_of_any_kind_costs_bounded_memory() {
    let root = tempfile::tempdir().unwrap();
    let platform = Platform::builder()
        .data_dir(root.path())
        .runtime(Arc::new(FakeRuntime::new(RuntimeName::docker())))
        .build()
        .await
        .unwrap();
    let zeros = vec![0; 50 << 20];
    let empty = || ZipWriter::new(Cursor::new(Vec::new()));
    let finish = |writer: ZipWriter<Cursor<Vec<u8>>>| writer.finish().unwrap().into_inner();
    let mut inflating = empty();
    for number in 0..6 {
        let packed = SimpleFileOptions::default();
        inflating.start_file(format!("{number}"), packed).unwrap();
        inflating.write_all(&zeros).unwrap();
    }
    drop(zeros);
    // Ten thousand paths of five hundred directories each: a set of all of them had gigabytes.
    let mut deep = empty();
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for number in 0..10_000 {
        deep.start_file(format!("{number:05}/{}x", "a/".repeat(500)), stored)
            .unwrap();
    }
    let mut many = empty();
    for number in 0..10_001 {
        many.start_file(format!("{number}"), stored).unwrap();
    }
    let bombs = [
        (
            "inflating",
            finish(inflating),
            Some(ErrorKind::PayloadTooLarge),
        ),
        ("deep", finish(deep), None),
        ("many", finish(many), Some(ErrorKind::PayloadTooLarge)),
        (
            "headers",
            many_headers(1_000_000),
            Some(ErrorKind::PayloadTooLarge),
        ),
    ];
    for (name, archive, expected) in bombs {
        let size = archive.len() as u64 / 1024;
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = peak_kib();
        let mut new = NewFunction::python(name, "").unwrap();
        new.code = CodeSource::Zip(archive.into());
        let result = platform.deploy(new).await.map_err(|error| error.kind());
        let grown = peak_kib().saturating_sub(before);
        println!("{name}: {size} KiB, {grown} KiB of memory");
        assert_eq!(result.err(), expected, "{name}");
        assert!(grown < GROWTH_KIB_MAX, "{name}: {grown} KiB of memory");
    }
    platform.close().await;
}
