//! Which store a URL names.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use lambda_core::{Error, Result, Store};
use percent_encoding::percent_decode_str;

use crate::{MySqlStore, SqliteStore};

const OPERATION: &str = "store_open";
const SUPPORTED: &str = "Give `sqlite:///absolute/path`, `sqlite://relative/path`, `sqlite::memory:` or `mysql://user:password@host/database`.";

/// Opens the store that `url` names, and brings its schema up to date.
///
/// `sqlite://path` is a file, made if missing; its directory has to be there. A relative
/// path counts from the current directory. What stands for itself in a URL is
/// percent-encoded in the path: `%3F` for `?`, `%23` for `#`, `%25` for `%`.
/// `sqlite::memory:` is a database in memory. `mysql://user:password@host/database` is one in a
/// MySQL or MariaDB server; [`MySqlStore`] says more. Its password is in no message and no log.
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
        Target::MySql => Arc::new(MySqlStore::open(url).await?),
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Target {
    SqliteFile(PathBuf),
    SqliteMemory,
    /// The URL is read where it is used.
    MySql,
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
        if url.starts_with("mysql://") {
            return Ok(Self::MySql);
        }
        let scheme = url.split_once(':').map(|(scheme, _)| scheme).filter(|s| {
            s.len() <= 20 && !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        Err(match scheme {
            Some(scheme @ ("sqlite" | "mysql")) => Error::invalid(
                OPERATION,
                format!("The store's URL lacks the `//` after `{scheme}:`."),
            ),
            Some("mariadb") => {
                Error::invalid(OPERATION, "MariaDB's URLs have the scheme `mysql`, too.")
            }
            Some(scheme) => Error::invalid(
                OPERATION,
                format!(
                    "There is no store for the scheme `{scheme}`; there are `sqlite` and `mysql`."
                ),
            ),
            None => Error::invalid(
                OPERATION,
                "The store's URL has no scheme; there are `sqlite` and `mysql`.",
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
    fn urls_of_servers() {
        for url in [
            "mysql://u:p@host/db",
            "mysql://host:3307/db?ssl-mode=REQUIRED",
        ] {
            assert_eq!(Target::parse(url).unwrap(), Target::MySql, "{url}");
        }
    }

    #[tokio::test]
    async fn urls_of_servers_are_checked_before_anything_is_reached() {
        for url in [
            "mysql://u:secret@host.invalid",
            "mysql://u:secret@host.invalid/d?x=y",
        ] {
            let error = crate::open(url).await.unwrap_err();
            assert_eq!(error.kind(), lambda_core::ErrorKind::InvalidParameter);
            assert!(!format!("{error:?}").contains("secret"));
        }
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
            "mysql:user:secret@host/db",
            "mariadb://user:secret@host/db",
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
