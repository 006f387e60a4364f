//! What `deploy` makes of a file, a directory or an archive.

mod directory;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use lambda_core::model::limits::{INLINE_CODE_BYTES_MAX, NAME_CHARS_MAX, ZIP_BYTES_MAX};
use lambda_core::model::{FunctionName, Language};

use crate::failure::{Failure, Result};

/// Code, as the API takes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Inline(String),
    Zip(Vec<u8>),
}

/// Code, and what its path tells about it.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) code: Code,
    /// None where the files do not tell.
    pub(crate) language: Option<Language>,
    /// None where the file's name makes no function's name.
    pub(crate) name: Option<FunctionName>,
    /// What was left out, for people.
    pub(crate) skipped: Vec<String>,
}

/// Reads what is at `path`. `handler` helps to tell the language of several files.
pub(crate) fn read(path: &Path, handler: Option<&str>) -> Result<Package> {
    let path = fs::canonicalize(path)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}.", path.display())))?;
    let name = function_name(&path);
    if path.is_dir() {
        let packed = directory::pack(&path)?;
        check_size(packed.zip.len(), ZIP_BYTES_MAX, &path)?;
        return Ok(Package {
            language: language_of_files(packed.files.iter().map(String::as_str), handler),
            code: Code::Zip(packed.zip),
            name,
            skipped: packed.skipped,
        });
    }
    let is_zip = extension(&path).is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    let limit = if is_zip {
        ZIP_BYTES_MAX
    } else {
        INLINE_CODE_BYTES_MAX
    };
    let failed = |error| Failure::new(format!("{} cannot be read: {error}.", path.display()));
    let size = fs::metadata(&path).map_err(failed)?.len();
    check_size(usize::try_from(size).unwrap_or(usize::MAX), limit, &path)?;
    let bytes = fs::read(&path).map_err(failed)?;
    let (code, language) = if is_zip {
        let language = language_of_archive(&bytes, handler);
        (Code::Zip(bytes), language)
    } else {
        let text = String::from_utf8(bytes).map_err(|_| {
            Failure::usage(format!("{} is not UTF-8 text.", path.display()))
                .hint("Deploy a source file, a directory or an archive whose name ends in .zip.")
        })?;
        (
            Code::Inline(text),
            extension(&path).and_then(language_of_extension),
        )
    };
    Ok(Package {
        code,
        language,
        name,
        skipped: Vec::new(),
    })
}

fn check_size(bytes: usize, limit: usize, path: &Path) -> Result<()> {
    if bytes <= limit {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} has {} MiB of code; at most {} MiB can be deployed.",
        path.display(),
        bytes.div_ceil(1024 * 1024),
        limit / 1024 / 1024,
    ))
    .hint("Leave out what the function does not need, or put it into an image."))
}

fn extension(path: &Path) -> Option<&str> {
    path.extension()?.to_str()
}

fn language_of_extension(extension: &str) -> Option<Language> {
    match extension {
        "py" => Some(Language::Python),
        "js" | "mjs" | "cjs" => Some(Language::Javascript),
        _ => None,
    }
}

/// The language of the module that would be run: the handler's, else `main`.
fn language_of_files<'a>(
    files: impl Iterator<Item = &'a str>,
    handler: Option<&str>,
) -> Option<Language> {
    let module = match handler {
        Some(handler) => handler.rsplit_once('.')?.0,
        None => "main",
    };
    let mut found = None;
    for file in files {
        let Some((stem, extension)) = file.rsplit_once('.') else {
            continue;
        };
        // Python's handlers may have dots for directories.
        let is_it = stem == module || stem == module.replace('.', "/");
        if let (true, Some(language)) = (is_it, language_of_extension(extension)) {
            if found.is_some_and(|found| found != language) {
                return None;
            }
            found = Some(language);
        }
    }
    found
}

/// None also for a damaged archive: the server says what is wrong with it.
fn language_of_archive(bytes: &[u8], handler: Option<&str>) -> Option<Language> {
    let archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let files: Vec<_> = archive.file_names().collect::<Result<_, _>>().ok()?;
    language_of_files(files.iter().map(AsRef::as_ref), handler)
}

/// `resize image.py` becomes `resize-image`.
fn function_name(path: &Path) -> Option<FunctionName> {
    let stem = if path.is_dir() {
        path.file_name()?
    } else {
        path.file_stem()?
    };
    let name: String = stem
        .to_string_lossy()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(NAME_CHARS_MAX)
        .collect();
    FunctionName::new(name.trim_matches('-')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_tells_language_and_name() {
        let directory = tempfile::tempdir().unwrap();
        for (file, language, name) in [
            ("hello.py", Some(Language::Python), Some("hello")),
            ("a b.mjs", Some(Language::Javascript), Some("a-b")),
            ("x.cjs", Some(Language::Javascript), Some("x")),
            ("my.fn.js", Some(Language::Javascript), Some("my-fn")),
            ("notes.txt", None, Some("notes")),
            ("execute.py", Some(Language::Python), None),
            ("ü.py", Some(Language::Python), None),
        ] {
            let path = directory.path().join(file);
            fs::write(&path, "1").unwrap();
            let package = read(&path, None).unwrap();
            assert_eq!(package.language, language, "{file}");
            assert_eq!(
                package.name.as_ref().map(FunctionName::as_str),
                name,
                "{file}"
            );
            assert_eq!(package.code, Code::Inline("1".to_owned()));
        }
        fs::write(directory.path().join("bad.py"), b"\xff").unwrap();
        assert!(read(&directory.path().join("bad.py"), None).is_err());
        assert!(read(&directory.path().join("nowhere.py"), None).is_err());
    }

    #[test]
    fn several_files_tell_by_the_module_that_is_run() {
        let of =
            |files: &[&'static str], handler| language_of_files(files.iter().copied(), handler);
        assert_eq!(of(&["main.py", "x.js"], None), Some(Language::Python));
        assert_eq!(
            of(&["main.py", "x.js"], Some("x.handler")),
            Some(Language::Javascript)
        );
        assert_eq!(of(&["a/b.py"], Some("a/b.handler")), Some(Language::Python));
        assert_eq!(of(&["a/b.py"], Some("a.b.handler")), Some(Language::Python));
        assert_eq!(of(&["main.py", "main.js"], None), None);
        assert_eq!(of(&["x.py"], None), None);
    }
}
