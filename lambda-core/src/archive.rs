//! Zip archives from strangers: checked before they are stored, and unpacked for sandboxes.

use std::io::{Read, Seek, SeekFrom, Write as _};
use std::path::{Component, Path, PathBuf};

use zip::ZipArchive;

use crate::error::{Error, ErrorKind, Result};
use crate::model::limits::{UNZIPPED_BYTES_MAX, ZIP_BYTES_MAX, ZIP_ENTRIES_MAX};

/// Checks that an archive holds regular files and directories only, none of them outside of
/// its root, within the bounds on bytes and entries. Bytes are counted while they are
/// inflated; what the archive says of itself is not believed.
///
/// # Errors
/// `InvalidZipFile`, naming the entry; `PayloadTooLarge`.
pub(crate) fn check(archive: impl Read + Seek) -> Result<()> {
    walk(archive, |_, entry| {
        std::io::copy(entry, &mut std::io::sink()).map_err(|error| damaged().source(error))
    })
}

/// Unpacks an archive that [`check`] accepted into `root`, which is empty.
///
/// # Errors
/// As [`check`]; `Internal` if `root` cannot be written to.
pub(crate) fn unpack(archive: impl Read + Seek, root: &Path) -> Result<()> {
    let unwritable = |error: std::io::Error| {
        Error::internal("archive_unpack", "A code package cannot be unpacked.").source(error)
    };
    walk(archive, |path, entry| {
        let target = root.join(path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(unwritable)?;
        }
        let mut file = std::fs::File::create_new(&target).map_err(unwritable)?;
        let mut buffer = vec![0; 64 * 1024];
        let mut written = 0;
        loop {
            let read = entry
                .read(&mut buffer)
                .map_err(|error| damaged().source(error))?;
            if read == 0 {
                return Ok(written);
            }
            file.write_all(&buffer[..read]).map_err(unwritable)?;
            written += read as u64;
        }
    })
}

/// How large the files of an archive that [`check`] accepted are together. Reads the
/// directory only: `check` refuses archives whose directory is wrong.
///
/// # Errors
/// `InvalidZipFile` if it is none.
pub(crate) fn unpacked_bytes(archive: impl Read + Seek) -> Result<u64> {
    let mut archive = ZipArchive::new(archive).map_err(|error| damaged().source(error))?;
    (0..archive.len()).try_fold(0_u64, |sum, index| {
        let entry = archive
            .by_index_raw(index)
            .map_err(|error| damaged().source(error))?;
        Ok(sum.saturating_add(entry.size()))
    })
}

/// Calls `visit` for each file; it reads the entry to its end and returns its size.
fn walk(
    mut archive: impl Read + Seek,
    mut visit: impl FnMut(&Path, &mut dyn Read) -> Result<u64>,
) -> Result<()> {
    let size = archive
        .seek(SeekFrom::End(0))
        .map_err(|error| damaged().source(error))?;
    if size > ZIP_BYTES_MAX as u64 {
        return Err(too_large("The zip archive is over 50 MiB."));
    }
    if headers(&mut archive)? > HEADERS_MAX {
        return Err(too_large("The zip archive has more than 10,000 entries."));
    }
    let mut archive = ZipArchive::new(archive).map_err(|error| damaged().source(error))?;
    if archive.is_empty() {
        return Err(invalid("The zip archive is empty.".to_owned()));
    }
    if archive.len() > ZIP_ENTRIES_MAX {
        return Err(too_large("The zip archive has more than 10,000 entries."));
    }
    let files = files(&mut archive)?;
    let mut left = UNZIPPED_BYTES_MAX;
    for (path, index) in files {
        let mut entry = archive
            .by_index(index)
            .map_err(|error| damaged().source(error))?;
        // One byte more than is left, so that a bomb is noticed and not just cut.
        let declared = entry.size();
        let size = visit(Path::new(&path), &mut (&mut entry).take(left + 1))?;
        if size <= left && size != declared {
            return Err(damaged());
        }
        left = left
            .checked_sub(size)
            .ok_or_else(|| too_large("The zip archive's files have more than 250 MiB."))?;
    }
    Ok(())
}

/// How many directory entries there may be, wherever an archive has them. Reading the directory
/// takes some hundred bytes of memory for each, before anybody can count them, and it is not known
/// which of several directories will be read. More than there may be files: an archive may hold
/// archives.
const HEADERS_MAX: usize = 8 * ZIP_ENTRIES_MAX;

/// How many signatures of directory entries `archive` has, up to a few more than there may be.
fn headers(archive: &mut (impl Read + Seek)) -> Result<usize> {
    const SIGNATURE: &[u8] = b"PK\x01\x02";
    let unreadable = |error| damaged().source(error);
    archive.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut buffer = vec![0; 64 * 1024];
    let (mut kept, mut found) = (0, 0);
    loop {
        let read = archive.read(&mut buffer[kept..]).map_err(unreadable)?;
        if read == 0 || found > HEADERS_MAX {
            return Ok(found);
        }
        let seen = kept + read;
        found += buffer[..seen]
            .windows(SIGNATURE.len())
            .filter(|window| *window == SIGNATURE)
            .count();
        // The beginning of one may be at the end.
        kept = seen.min(SIGNATURE.len() - 1);
        buffer.copy_within(seen - kept..seen, 0);
    }
}

/// The regular files, sorted by their paths, each with its index. No file is below another.
fn files(archive: &mut ZipArchive<impl Read + Seek>) -> Result<Vec<(PathBuf, usize)>> {
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let entry = archive
            .by_index_raw(index)
            .map_err(|error| damaged().source(error))?;
        let name = entry.name().map_err(|error| damaged().source(error))?;
        let path = Path::new(&*name);
        let inside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !inside || name.contains(['\\', '\0']) || name.len() > 1_024 {
            return Err(invalid(format!(
                "The zip archive has an entry named {:?}, outside of its root.",
                shortened(&name)
            )));
        }
        // The upper 4 bits are the file's type; 0 where the archive was not made on Unix.
        let file_type = entry.unix_mode().map_or(0, |mode| mode & 0o170_000);
        if entry.is_dir() {
            continue;
        }
        if !matches!(file_type, 0 | 0o100_000) {
            return Err(invalid(format!(
                "The zip archive has the entry {name:?}, which is neither a file nor a directory."
            )));
        }
        if entry.encrypted() {
            return Err(invalid(format!(
                "The zip archive's entry {name:?} is encrypted."
            )));
        }
        files.push((path.to_owned(), index));
    }
    // Part by part, so that what is below a path follows it at once. A set of all directories
    // would need, for ten thousand deep paths, a hundred times the memory of their names.
    files.sort_unstable();
    if let Some(pair) = files
        .windows(2)
        .find(|pair| pair[1].0.starts_with(&pair[0].0))
    {
        return Err(invalid(format!(
            "The zip archive has two entries for {:?}.",
            pair[0].0
        )));
    }
    Ok(files)
}

/// What is quoted of a name.
fn shortened(name: &str) -> String {
    name.chars().take(200).collect()
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidZipFile, "archive_check", message)
        .hint("Pack regular files only, with paths relative to the archive's root.")
}

fn damaged() -> Error {
    Error::new(
        ErrorKind::InvalidZipFile,
        "archive_check",
        "The zip archive is damaged, or none, or packed in a way other than stored or deflate.",
    )
    .hint("Pack it again, for instance with `zip -r function.zip .`.")
}

fn too_large(message: &'static str) -> Error {
    Error::new(ErrorKind::PayloadTooLarge, "archive_check", message)
        .hint("Leave out what the function does not need.")
}

#[cfg(test)]
mod tests {
    use zip::write::{SimpleFileOptions, ZipWriter};

    use std::io::Cursor;

    use super::*;

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn kind(bytes: &[u8]) -> Option<ErrorKind> {
        check(Cursor::new(bytes)).err().map(|error| error.kind())
    }

    #[test]
    fn what_leaves_the_root_or_is_no_file_is_refused() {
        for name in ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "a/../b"] {
            assert_eq!(
                kind(&archive(&[(name, b"x")])),
                Some(ErrorKind::InvalidZipFile),
                "{name}"
            );
        }
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer
            .add_symlink("link", "/etc/passwd", SimpleFileOptions::default())
            .unwrap();
        assert_eq!(
            kind(&writer.finish().unwrap().into_inner()),
            Some(ErrorKind::InvalidZipFile)
        );
        assert_eq!(
            kind(b"PK\x03\x04 not a zip"),
            Some(ErrorKind::InvalidZipFile)
        );
        assert_eq!(kind(&archive(&[])), Some(ErrorKind::InvalidZipFile));
    }

    #[test]
    fn a_bomb_is_noticed_while_it_is_inflated() {
        let zeros = vec![0; 64 * 1024 * 1024];
        let bomb = archive(&[("a", &zeros), ("b", &zeros), ("c", &zeros), ("d", &zeros)]);
        assert!(bomb.len() < 1024 * 1024);
        assert_eq!(kind(&bomb), Some(ErrorKind::PayloadTooLarge));
    }

    #[test]
    fn files_are_unpacked_where_they_belong() {
        let bytes = archive(&[("main.py", b"import m"), ("pkg/m.py", b"")]);
        check(Cursor::new(&bytes)).unwrap();
        let root = tempfile::tempdir().unwrap();
        assert_eq!(unpacked_bytes(Cursor::new(&bytes)).unwrap(), 8);
        unpack(Cursor::new(&bytes), root.path()).unwrap();
        assert_eq!(
            std::fs::read(root.path().join("main.py")).unwrap(),
            b"import m"
        );
        assert!(root.path().join("pkg/m.py").exists());
    }
}
