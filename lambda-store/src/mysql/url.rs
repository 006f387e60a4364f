//! `mysql://` URLs.

use std::net::IpAddr;

use lambda_core::{Error, Result};
use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use super::connect::OPERATION;

/// The parameters of a URL, each under both of its names.
const PARAMETERS: [&str; 10] = [
    "ssl-mode",
    "sslmode",
    "ssl-ca",
    "sslca",
    "ssl-cert",
    "sslcert",
    "ssl-key",
    "sslkey",
    "socket",
    "statement-cache-capacity",
];

/// Prepared statements of a connection, unless the URL has another number: more than there are.
/// Closing one has no answer, so that the next statement would wait for an acknowledgement; see
/// `statement`.
const STATEMENTS: usize = 200;

/// What the driver would take, and what is not the user's to choose.
const FIXED: [&str; 4] = ["charset", "collation", "timezone", "time-zone"];

/// Where a database is, and how to log in. It has no `Debug`, because it holds the password.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) options: MySqlConnectOptions,
    pub(super) database: String,
}

impl Target {
    /// Reads a URL. Messages show nothing of it that could be a part of a password.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub(super) fn parse(url: &str) -> Result<Self> {
        if url.contains('#') {
            return Err(invalid("The store's URL has a `#`.")
                .hint("In a password, a name or a path write `%23` for `#`."));
        }
        if let Some((_, query)) = url.split_once('?') {
            check_query(query)?;
        }
        let options: MySqlConnectOptions = url.parse().map_err(|source: sqlx::Error| {
            // Its words are about the form, and are kept from users all the same.
            invalid("The store's URL is not well formed.")
                .hint("Give `mysql://user:password@host:port/database`, with user and password percent-encoded.")
                .source(source)
        })?;
        let Some(database) = options.get_database().map(str::to_owned) else {
            return Err(invalid("The store's URL names no database.")
                .hint("Give `mysql://user:password@host/database`."));
        };
        if database.is_empty() || database.chars().count() > 64 || database.contains(['/', '\0']) {
            return Err(
                invalid("The store's URL names no database that there can be.")
                    .hint("Give `mysql://user:password@host/database`, of up to 64 characters."),
            );
        }
        // Addresses of IPv6 stand in brackets in a URL, and nowhere else.
        let host = options.get_host();
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let options = match bare.map(str::to_owned) {
            Some(bare) => options.host(&bare),
            None => options,
        };
        let options = options
            .charset("utf8mb4")
            // The session's settings are set in one go; see `connect`.
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            // Statements are no news, and what they are bound to is not the log's business.
            .disable_statement_logging();
        let options = match url.contains("statement-cache-capacity=") {
            true => options,
            false => options.statement_cache_capacity(STATEMENTS),
        };
        Ok(Self { options, database })
    }

    /// Whether the server is on this machine.
    pub(super) fn is_local(&self) -> bool {
        let host = self.options.get_host();
        self.options.get_socket().is_some()
            || host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether the server has to prove who it is.
    pub(super) fn verifies(&self) -> bool {
        matches!(
            self.options.get_ssl_mode(),
            MySqlSslMode::VerifyCa | MySqlSslMode::VerifyIdentity
        )
    }
}

fn check_query(query: &str) -> Result<()> {
    if query.contains(['@', '?']) {
        // More likely the `?` is a part of the password, which then must not be shown.
        return Err(invalid("The store's URL has a `?` where none can be.")
            .hint("Write `%3F` for `?` and `%40` for `@` in a password, a name or a path."));
    }
    for parameter in query.split('&').filter(|text| !text.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        if FIXED.contains(&&*name) {
            return Err(invalid(format!(
                "The store's URL has the parameter `{name}`, which the platform sets itself."
            ))
            .hint("Leave it out."));
        }
        if !PARAMETERS.contains(&&*name) {
            return Err(
                invalid(format!("The store's URL has an unknown parameter, {name:?}."))
                    .hint("There are `ssl-mode`, `ssl-ca`, `ssl-cert`, `ssl-key`, `socket` and `statement-cache-capacity`."),
            );
        }
        let value = percent_decode_str(value).decode_utf8_lossy();
        if name.ends_with("mode") && value.parse::<MySqlSslMode>().is_err() {
            return Err(invalid("The store's URL has an unknown `ssl-mode`.")
                .hint("There are DISABLED, PREFERRED, REQUIRED, VERIFY_CA and VERIFY_IDENTITY."));
        }
    }
    Ok(())
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::invalid(OPERATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let target = Target::parse(
            "mysql://us%40er:p%3Fa%23ss@db.example:3307/platform?ssl-mode=VERIFY_CA&ssl-ca=/a%20b.pem",
        )
        .unwrap();
        assert_eq!(target.options.get_host(), "db.example");
        assert_eq!(target.options.get_port(), 3307);
        assert_eq!(target.options.get_username(), "us@er");
        assert_eq!(target.database, "platform");
        assert!(target.verifies() && !target.is_local());
        for local in ["localhost", "127.0.0.1", "[::1]", "LocalHost:3306"] {
            let target = Target::parse(&format!("mysql://u@{local}/d")).unwrap();
            assert!(target.is_local(), "{local}");
        }
        let socket = Target::parse("mysql://u@h/d?socket=/run/mysqld.sock").unwrap();
        assert!(socket.is_local());
    }

    #[test]
    fn other_urls_are_refused_and_not_shown() {
        for (url, expected) in [
            ("mysql://u:secret@h", "no database"),
            ("mysql://u:secret@h/", "no database"),
            ("mysql://u:secret@h/a/b", "no database that"),
            ("mysql://u:secret@h:port/d", "not well formed"),
            ("mysql://u:sec?ret@h/d", "`?` where none"),
            ("mysql://u:sec#ret@h/d", "`#`"),
            ("mysql://u:secret@h/d?sslmode=maybe", "unknown `ssl-mode`"),
            ("mysql://u:secret@h/d?ssl_mode=REQUIRED", "\"ssl_mode\""),
            ("mysql://u:secret@h/d?charset=latin1", "`charset`, which"),
            ("mysql://u:secret@h/d?pool=3", "\"pool\""),
        ] {
            let Err(error) = Target::parse(url) else {
                panic!("{url} was taken");
            };
            assert!(error.to_string().contains(expected), "{url}: {error}");
            assert!(error.hint_text().is_some());
            let mut all = format!("{error:?}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                all += &format!("{cause} {cause:?}");
                source = cause.source();
            }
            assert!(
                !all.contains("sec") && !all.contains("ret@"),
                "{url}: {all}"
            );
        }
    }
}
