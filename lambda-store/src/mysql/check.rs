//! Looking whether the database works, and what should be mended.

use lambda_core::runtime::{Finding, Severity};
use sqlx::{MySqlConnection, MySqlPool};

use super::error::{Attempt, Failure};
use super::session::{Session, bounded};
use super::url::Target;

/// See [`Store::check`](lambda_core::Store::check).
pub(super) async fn check(pool: &MySqlPool, target: &Target) -> Attempt<Vec<Finding>> {
    let mut session = Session::begin(pool).await?;
    let outcome = look(&mut session, target).await;
    session.finish(outcome).await
}

async fn look(connection: &mut MySqlConnection, target: &Target) -> Attempt<Vec<Finding>> {
    // Changes no row; a server that takes no writes refuses it all the same.
    let write = sqlx::query("DELETE FROM token WHERE id = ?").bind(&[0_u8; 16][..]);
    bounded(write.execute(&mut *connection)).await?;
    let mut findings = vec![Finding::ok("database", "The database can be written to.")];
    durability(connection, &mut findings).await?;
    encryption(connection, target, &mut findings).await?;
    Ok(findings)
}

async fn durability(connection: &mut MySqlConnection, findings: &mut Vec<Finding>) -> Attempt<()> {
    let variables: Vec<(String, String)> = bounded(
        sqlx::query_as(
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
             ('innodb_flush_log_at_trx_commit', 'sync_binlog', 'log_bin')",
        )
        .fetch_all(connection),
    )
    .await?;
    findings.extend(durability_of(|name| {
        let found = variables.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value)
    }));
    Ok(())
}

fn durability_of<'a>(value_of: impl Fn(&str) -> &'a str) -> Vec<Finding> {
    let warning = |detail: &str, mend: &str| {
        Finding::bad(Severity::Warning, "database durability", detail, mend)
    };
    let mut findings = Vec::new();
    if value_of("innodb_flush_log_at_trx_commit") != "1" {
        findings.push(warning(
            "A power failure may lose what the platform was told is kept: the server does not flush its log with each commit.",
            "Set `innodb_flush_log_at_trx_commit = 1` at the database server.",
        ));
    }
    if value_of("log_bin") == "ON" && value_of("sync_binlog") != "1" {
        findings.push(warning(
            "After a power failure replicas may differ from the primary: the server does not flush its binary log with each commit.",
            "Set `sync_binlog = 1` at the database server.",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            "database durability",
            "Each commit is flushed.",
        ));
    }
    findings
}

async fn encryption(
    connection: &mut MySqlConnection,
    target: &Target,
    findings: &mut Vec<Finding>,
) -> Attempt<()> {
    let status: Option<(String, String)> =
        bounded(sqlx::query_as("SHOW SESSION STATUS LIKE 'Ssl_cipher'").fetch_optional(connection))
            .await
            .map_err(Failure::from)?;
    let is_encrypted = status.is_some_and(|(_, cipher)| !cipher.is_empty());
    findings.push(encryption_of(target, is_encrypted));
    Ok(())
}

fn encryption_of(target: &Target, is_encrypted: bool) -> Finding {
    const SUBJECT: &str = "connection to the database";
    match (target.is_local(), is_encrypted) {
        (true, _) => Finding::ok(SUBJECT, "The database server is on this machine."),
        (false, true) if target.verifies() => {
            Finding::ok(SUBJECT, "It is encrypted, and the server proves who it is.")
        }
        (false, true) => Finding::bad(
            Severity::Warning,
            SUBJECT,
            "It is encrypted, but the server does not have to prove who it is.",
            "Add `ssl-mode=VERIFY_IDENTITY` to the store's URL, and `ssl-ca` with the certificate of who signed the server's.",
        ),
        (false, false) => Finding::bad(
            Severity::Warning,
            SUBJECT,
            "It is not encrypted, and the server is on another machine.",
            "Add `ssl-mode=VERIFY_IDENTITY` to the store's URL, and switch TLS on at the database server.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ok(finding: &Finding) -> bool {
        finding.severity == Severity::Ok
    }

    #[test]
    fn commits_that_are_not_durable_are_warned_of() {
        let ok = |flush: &'static str, binlog: &'static str, sync: &'static str| {
            let findings = durability_of(|name| match name {
                "innodb_flush_log_at_trx_commit" => flush,
                "log_bin" => binlog,
                _ => sync,
            });
            findings.iter().all(is_ok)
        };
        assert!(ok("1", "OFF", "0"));
        assert!(ok("1", "ON", "1"));
        assert!(!ok("2", "OFF", "0"));
        assert!(!ok("1", "ON", "0"));
    }

    #[test]
    fn plain_connections_to_elsewhere_are_warned_of() {
        let ok = |url: &str, is_encrypted| {
            let Ok(target) = Target::parse(url) else {
                panic!("{url} is no URL");
            };
            is_ok(&encryption_of(&target, is_encrypted))
        };
        assert!(ok("mysql://u@localhost/d", false));
        assert!(!ok("mysql://u@elsewhere/d", false));
        assert!(!ok("mysql://u@elsewhere/d", true));
        assert!(ok("mysql://u@elsewhere/d?ssl-mode=VERIFY_CA", true));
    }
}
