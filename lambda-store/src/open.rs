//! Which store a URL names.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use lambda_core::{Error, Result, Store};
use percent_encoding::percent_decode_str;

use crate::SqliteStore;

const OPERATION: &str = "store_open";
const SUPPORTED: &str =
    "Give `sqlite:///absolute/path`, `sqlite://relative/path` or `sqlite::memory:`.";

/// Opens the store that `url` names, and brings its schema up to date.
///
/// `sqlite://path` is a file, made if missing; its directory has to be there. A relative
/// path counts from the current directory. What stands for itself in a URL is
/// percent-encoded in the path: `%3F` for `?`, `%23` for `#`, `%25` for `%`.
/// `sqlite::memory:` is a database in memory.
///
/// # Errors
/// `InvalidParameter` if no store has such a URL, or if what is there is no database of
/// this platform or one of a newer version of it, which is left untouched;
/// `StoreUnavailable` (retryable) if the database cannot be used.
///
/// # Cancellation
/// What was begun is rolled back; opening again is safe.
pub async fn open(url: &str) -> Result<Arc<dyn Store>> {
    Ok(match Target::parse(url)? {
        Target::SqliteFile(path) => Arc::new(SqliteStore::open(path).await?),
        Target::SqliteMemory => Arc::new(SqliteStore::open_in_memory().await?),
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Target {
    SqliteFile(PathBuf),
    SqliteMemory,
}

impl Target {
    /// Messages name the scheme only: the rest of a URL may hold a password.
    fn parse(url: &str) -> Result<Self> {
        if url == "sqlite::memory:" {
            return Ok(Self::SqliteMemory);
        }
        if let Some(path) = url.strip_prefix("sqlite://") {
            return sqlite_path(path).map(Self::SqliteFile);
        }
        let scheme = url.split_once(':').map(|(scheme, _)| scheme).filter(|s| {
            s.len() <= 20 && !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        Err(match scheme {
            Some("sqlite") => {
                Error::invalid(OPERATION, "The store's URL lacks the `//` after `sqlite:`.")
            }
            Some(scheme) => Error::invalid(
                OPERATION,
                format!(
                    "There is no store for the scheme `{scheme}`; the only one so far is `sqlite`."
                ),
            ),
            None => Error::invalid(
                OPERATION,
                "The store's URL has no scheme; the only one so far is `sqlite`.",
            ),
        }
        .hint(SUPPORTED))
    }
}

fn sqlite_path(encoded: &str) -> Result<PathBuf> {
    let invalid = |message: &'static str| Err(Error::invalid(OPERATION, message).hint(SUPPORTED));
    if encoded.contains(['?', '#']) {
        return invalid(
            "The store's URL has parameters or a fragment, which `sqlite` does not take. In a path write `%3F` for `?` and `%23` for `#`.",
        );
    }
    if encoded == ":memory:" {
        // A file of this name is what nobody means.
        return invalid("A database in memory has the URL `sqlite::memory:`.");
    }
    let path: Vec<u8> = percent_decode_str(encoded).collect();
    if path.is_empty() || path.ends_with(b"/") {
        return invalid("The store's URL names no file.");
    }
    if path.contains(&0) {
        return invalid("The store's URL has a NUL character in its path.");
    }
    Ok(PathBuf::from(OsString::from_vec(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_files() {
        for (url, path) in [
            ("sqlite:///var/lib/a.db", "/var/lib/a.db"),
            ("sqlite://a.db", "a.db"),
            ("sqlite://./data/a.db", "./data/a.db"),
            ("sqlite:///with%20space%3F%23%25.db", "/with space?#%.db"),
            ("sqlite:///ümlaut/%C3%BC.db", "/ümlaut/ü.db"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(target, Target::SqliteFile(path.into()), "{url}");
        }
        assert_eq!(
            Target::parse("sqlite::memory:").unwrap(),
            Target::SqliteMemory
        );
    }

    #[test]
    fn other_urls_are_refused_with_the_supported_ones() {
        for url in [
            "",
            "a.db",
            "sqlite",
            "sqlite:",
            "sqlite://",
            "sqlite:a.db",
            "sqlite:///",
            "sqlite:///dir/",
            "sqlite://:memory:",
            "sqlite:///a.db?mode=ro",
            "sqlite:///a%00.db",
            "postgres://user:secret@host/db",
            "user:secret@host",
        ] {
            let error = Target::parse(url).unwrap_err();
            assert_eq!(
                error.kind(),
                lambda_core::ErrorKind::InvalidParameter,
                "{url}"
            );
            assert!(error.hint_text().unwrap().contains("sqlite://"), "{url}");
            assert!(!format!("{error:?}").contains("secret"), "{url}");
        }
    }
}
