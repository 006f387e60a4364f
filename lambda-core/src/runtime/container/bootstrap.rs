//! Our bootstraps, put where containers can mount them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::model::{Language, SandboxId};

type Files = &'static [(&'static str, &'static str)];

// The files are links to images/, so that a published crate carries them.
macro_rules! embed {
    ($directory:literal: $($file:literal),+) => {
        &[$(($file, include_str!(concat!("../../../bootstrap/", $directory, "/", $file)))),+]
    };
}

const PYTHON: Files = embed!("python": "bootstrap.py", "lambda_births.py", "lambda_errors.py", "lambda_fresh.py", "lambda_linger.py", "lambda_loader.py", "lambda_script.py", "lambda_tidy.py");
const JAVASCRIPT: Files = embed!("javascript": "bootstrap.js", "errors.js", "fresh.js", "fresh_child.js", "invoker.js", "loader.js", "script.js", "spare.js", "streams.js", "tidy.js");

fn files(language: Language) -> Files {
    match language {
        Language::Python => PYTHON,
        Language::Javascript => JAVASCRIPT,
    }
}

/// Writes the bootstrap of `language` under `data_dir`, in a directory that is named after
/// its content, unless it is there. Returns that directory. Blocks.
pub(crate) fn install(data_dir: &Path, language: Language) -> io::Result<PathBuf> {
    let files = files(language);
    let parent = data_dir.join("bootstrap");
    let target = parent.join(format!("{language}-{}", digest(files)));
    if is_whole(&target, files) {
        return Ok(target);
    }
    fs::create_dir_all(&parent)?;
    // A power failure can leave files that are there and empty.
    let _ = fs::remove_dir_all(&target);
    let fresh = parent.join(format!(".new-{}", SandboxId::new()));
    fs::create_dir(&fresh)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
    for (name, text) in files {
        let path = fresh.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444))?;
    }
    if let Err(error) = fs::rename(&fresh, &target) {
        let _ = fs::remove_dir_all(&fresh);
        // Another platform on this directory was faster.
        if !is_whole(&target, files) {
            return Err(error);
        }
    }
    Ok(target)
}

fn is_whole(directory: &Path, files: Files) -> bool {
    files.iter().all(|(name, text)| {
        fs::read(directory.join(name)).is_ok_and(|read| read == text.as_bytes())
    })
}

fn digest(files: Files) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        for part in [name, text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.finalize()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_bootstraps_is_carried() {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../images");
        for (language, suffix) in [(Language::Python, "py"), (Language::Javascript, "js")] {
            let Ok(entries) = fs::read_dir(images.join(language.as_str())) else {
                eprintln!("skipped: this is not the repository");
                return;
            };
            let mut there: Vec<_> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.ends_with(&format!(".{suffix}")))
                .collect();
            there.sort();
            let carried: Vec<_> = files(language).iter().map(|(name, _)| *name).collect();
            assert_eq!(carried, there);
        }
    }

    #[test]
    fn a_damaged_installation_is_mended() {
        let data = tempfile::tempdir().unwrap();
        let first = install(data.path(), Language::Python).unwrap();
        let file = first.join("bootstrap.py");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o444
        );
        fs::remove_file(&file).unwrap();
        fs::write(&file, "").unwrap();
        assert_eq!(install(data.path(), Language::Python).unwrap(), first);
        assert_eq!(fs::read_to_string(&file).unwrap(), PYTHON[0].1);
        let left: Vec<_> = fs::read_dir(first.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }
}
