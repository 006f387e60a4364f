//! Code on disk, as a function is deployed from it: a source file, a directory or an archive.

mod directory;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::model::limits::{INLINE_CODE_BYTES_MAX, NAME_CHARS_MAX, ZIP_BYTES_MAX};
use crate::model::{CodeSource, FunctionName, Language};

const OPERATION: &str = "package_read";

/// Code that was read from a path, and what the path tells about it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CodePackage {
    /// The code: a zip archive where there are several files.
    pub code: CodeSource,
    /// None where the files do not tell.
    pub language: Option<Language>,
    /// None where the file's name makes no function's name.
    pub name: Option<FunctionName>,
    /// Paths below the directory that are no regular files, which are left out.
    pub skipped: Vec<String>,
}

impl CodePackage {
    /// Reads what is at `path`: a source file, a directory, or a file whose name ends in `.zip`.
    /// `handler` helps to tell the language of several files. Of a directory, `.git`,
    /// `__pycache__` and `node_modules/.cache` are left out, and links are not followed. The same
    /// files make the same archive. Blocks; messages name the path.
    ///
    /// # Errors
    /// `InvalidParameter` if it cannot be read or is no code; `PayloadTooLarge`.
    pub fn read(path: impl AsRef<Path>, handler: Option<&str>) -> Result<Self> {
        let path = path.as_ref();
        let path = fs::canonicalize(path).map_err(|error| {
            invalid(format!("{} cannot be read: {error}.", path.display()))
                .hint("Check the path and its permissions.")
        })?;
        let name = function_name(&path);
        if path.is_dir() {
            let packed = directory::pack(&path)?;
            check_size(packed.zip.len(), ZIP_BYTES_MAX, &path)?;
            return Ok(Self {
                language: language_of_files(packed.files.iter().map(String::as_str), handler),
                code: CodeSource::Zip(packed.zip.into()),
                name,
                skipped: packed.skipped,
            });
        }
        let (code, language) = read_file(&path, handler)?;
        Ok(Self {
            code,
            language,
            name,
            skipped: Vec::new(),
        })
    }
}

fn read_file(path: &Path, handler: Option<&str>) -> Result<(CodeSource, Option<Language>)> {
    let is_zip = extension(path).is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    let limit = if is_zip {
        ZIP_BYTES_MAX
    } else {
        INLINE_CODE_BYTES_MAX
    };
    let failed = |error| invalid(format!("{} cannot be read: {error}.", path.display()));
    let size = fs::metadata(path).map_err(failed)?.len();
    check_size(usize::try_from(size).unwrap_or(usize::MAX), limit, path)?;
    let bytes = fs::read(path).map_err(failed)?;
    if is_zip {
        let language = language_of_archive(&bytes, handler);
        return Ok((CodeSource::Zip(bytes.into()), language));
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        invalid(format!("{} is not UTF-8 text.", path.display()))
            .hint("Deploy a source file, a directory or an archive whose name ends in .zip.")
    })?;
    let language = extension(path).and_then(language_of_extension);
    Ok((CodeSource::Inline(text), language))
}

fn invalid(message: String) -> Error {
    Error::invalid(OPERATION, message)
}

fn too_large(message: String) -> Error {
    Error::new(ErrorKind::PayloadTooLarge, OPERATION, message)
        .hint("Leave out what the function does not need, or put it into an image.")
}

fn check_size(bytes: usize, limit: usize, path: &Path) -> Result<()> {
    if bytes <= limit {
        return Ok(());
    }
    Err(too_large(format!(
        "{} has {} MiB of code; at most {} MiB can be deployed.",
        path.display(),
        bytes.div_ceil(1024 * 1024),
        limit / 1024 / 1024,
    )))
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
            let package = CodePackage::read(&path, None).unwrap();
            assert_eq!(package.language, language, "{file}");
            assert_eq!(
                package.name.as_ref().map(FunctionName::as_str),
                name,
                "{file}"
            );
            assert_eq!(package.code, CodeSource::Inline("1".to_owned()));
        }
        fs::write(directory.path().join("bad.py"), b"\xff").unwrap();
        assert!(CodePackage::read(directory.path().join("bad.py"), None).is_err());
        assert!(CodePackage::read(directory.path().join("nowhere.py"), None).is_err());
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
