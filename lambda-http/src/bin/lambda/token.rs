//! The operator's token: from the environment, or made once and kept in the data directory.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use lambda_core::model::Token;

use crate::failure::{Failure, Result};

/// The variable that sets the token.
pub(crate) const VARIABLE: &str = "LAMBDA_METRICS_TOKEN";

/// Where the server's token comes from.
pub(crate) enum OperatorToken {
    /// Set by the operator.
    Given(String),
    /// Kept from an earlier start.
    Kept(String),
    /// Made by this start, to be shown once.
    Made(String),
}

impl OperatorToken {
    /// The token of the server whose data is in `data_dir`, made if need be.
    pub(crate) fn load(data_dir: &Path) -> Result<Self> {
        if let Some(value) = std::env::var_os(VARIABLE) {
            let secret = value.into_string().unwrap_or_default();
            if secret.trim().is_empty() {
                return Err(
                    Failure::usage(format!("{VARIABLE} is set, but empty or not text."))
                        .hint("Set it to a long random secret, or unset it to have one made."),
                );
            }
            return Ok(Self::Given(secret.trim().to_owned()));
        }
        match read(data_dir)? {
            Some(secret) => Ok(Self::Kept(secret)),
            None => make(data_dir),
        }
    }

    pub(crate) fn secret(&self) -> &str {
        match self {
            Self::Given(secret) | Self::Kept(secret) | Self::Made(secret) => secret,
        }
    }
}

/// The file that keeps it.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("token")
}

/// The token that is kept in `data_dir`, if there is one.
pub(crate) fn read(data_dir: &Path) -> Result<Option<String>> {
    let path = path(data_dir);
    let failed = |error: io::Error| {
        Failure::new(format!(
            "The token cannot be read from {}: {error}.",
            path.display()
        ))
        .hint("Run the command as the user who runs the server, or set LAMBDA_TOKEN.")
    };
    let secret = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        secret => secret.map_err(failed)?.trim().to_owned(),
    };
    if secret.is_empty() {
        return Err(Failure::new(format!("{} is empty.", path.display()))
            .hint("Delete the file; the next `lambda serve` makes a new token."));
    }
    Ok(Some(secret))
}

/// Makes one. Where two servers start at once, both get the one that was there first.
fn make(data_dir: &Path) -> Result<OperatorToken> {
    let failed = |error: io::Error| {
        Failure::new(format!(
            "The token cannot be kept in {}: {error}.",
            data_dir.display()
        ))
        .hint("Make the directory writable, or name another with --data-dir.")
    };
    let secret = Token::new_secret();
    let unfinished = data_dir.join(format!("token.{}", std::process::id()));
    let written = write_private(&unfinished, &secret)
        // A link, unlike a rename, replaces nothing; and who sees the file sees all of it.
        .and_then(|()| fs::hard_link(&unfinished, path(data_dir)));
    let _ = fs::remove_file(&unfinished);
    match written {
        Ok(()) => Ok(OperatorToken::Made(secret)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(data_dir)?
            .map(OperatorToken::Kept)
            .ok_or_else(|| failed(error)),
        Err(error) => Err(failed(error)),
    }
}

fn write_private(path: &Path, secret: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    // One that was left by a process of the same number has the mode that it had.
    file.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        assert!(read(directory.path()).unwrap().is_none());
        let OperatorToken::Made(made) = make(directory.path()).unwrap() else {
            panic!("none was made")
        };
        assert_eq!(made.len(), "lambda_".len() + 64);
        let mode = fs::metadata(path(directory.path()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(read(directory.path()).unwrap().as_deref(), Some(&*made));
        let again = make(directory.path()).unwrap();
        assert!(matches!(&again, OperatorToken::Kept(kept) if *kept == made));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        fs::write(path(directory.path()), "\n").unwrap();
        assert!(read(directory.path()).is_err());
    }
}
