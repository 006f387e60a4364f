//! A directory as a zip archive: the same files make the same bytes, so deploying twice
//! without a change stores the code once.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{invalid, too_large};
use crate::error::Result;
use crate::model::limits::{UNZIPPED_BYTES_MAX, ZIP_ENTRIES_MAX};

/// Never needed to run, and often large.
const SKIPPED: [&str; 3] = [".git", "__pycache__", "node_modules/.cache"];

pub(super) struct Packed {
    pub(super) zip: Vec<u8>,
    /// Paths in the archive.
    pub(super) files: Vec<String>,
    /// What was left out because it is no regular file.
    pub(super) skipped: Vec<String>,
}

pub(super) fn pack(root: &Path) -> Result<Packed> {
    let mut found = Found::default();
    walk(root, "", &mut found)?;
    if found.files.is_empty() {
        return Err(invalid(format!("{} has no files.", root.display()))
            .hint("Name the directory that the function's files are in."));
    }
    found.files.sort_unstable();
    let zip = archive(root, &found.files)
        .map_err(|error| invalid(format!("{} cannot be packed: {error}.", root.display())))?;
    Ok(Packed {
        zip,
        files: found.files,
        skipped: found.skipped,
    })
}

#[derive(Default)]
struct Found {
    files: Vec<String>,
    skipped: Vec<String>,
    bytes: u64,
}

fn walk(directory: &Path, prefix: &str, found: &mut Found) -> Result<()> {
    let failed = |error: std::io::Error| {
        invalid(format!("{} cannot be read: {error}.", directory.display()))
            .hint("Check its permissions.")
    };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().into_string().map_err(|name| {
            invalid(format!("The name of {} is not UTF-8.", name.display())).hint("Rename it.")
        })?;
        let path = format!("{prefix}{name}");
        if SKIPPED
            .iter()
            .any(|skipped| path == *skipped || path.ends_with(&format!("/{skipped}")))
        {
            continue;
        }
        // Of the entry itself: a link is not followed, it could lead anywhere.
        let metadata = entry.metadata().map_err(failed)?;
        if metadata.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else if metadata.is_file() {
            found.bytes += metadata.len();
            found.files.push(path);
        } else {
            found.skipped.push(path);
        }
        if found.bytes > UNZIPPED_BYTES_MAX || found.files.len() > ZIP_ENTRIES_MAX {
            return Err(too_large(format!(
                "There are more than {ZIP_ENTRIES_MAX} files or {} MiB to deploy.",
                UNZIPPED_BYTES_MAX / 1024 / 1024
            )));
        }
    }
    Ok(())
}

fn archive(root: &Path, files: &[String]) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        writer.start_file(file, options)?;
        writer.write_all(&fs::read(root.join(file))?)?;
    }
    Ok(writer.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn only_regular_files_are_packed_and_always_alike() {
        let first = tempfile::tempdir().unwrap();
        for file in [
            "main.py",
            "lib/b.py",
            "lib/a.py",
            "node_modules/x/i.js",
            ".env",
        ] {
            write(first.path(), file, file);
        }
        for file in [
            ".git/config",
            "lib/__pycache__/a.pyc",
            "node_modules/.cache/x",
        ] {
            write(first.path(), file, file);
        }
        std::os::unix::fs::symlink("/etc/passwd", first.path().join("link")).unwrap();
        let packed = pack(first.path()).unwrap();
        let files = [
            ".env",
            "lib/a.py",
            "lib/b.py",
            "main.py",
            "node_modules/x/i.js",
        ];
        assert_eq!(packed.files, files);
        assert_eq!(packed.skipped, ["link"]);

        let second = tempfile::tempdir().unwrap();
        for file in files.iter().rev() {
            write(second.path(), file, file);
        }
        assert_eq!(pack(second.path()).unwrap().zip, packed.zip);
        assert!(pack(&first.path().join("lib/__pycache__/none")).is_err());
        assert!(pack(tempfile::tempdir().unwrap().path()).is_err());
    }
}
