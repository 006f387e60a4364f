//! `lambda doctor`: what is amiss on this machine, and how to mend it.

use std::process::ExitCode;
use std::time::Duration;

use lambda_core::runtime::{Finding, Severity};
use lambda_core::{pool, recorder};
use serde::Serialize;

use crate::cli::{Cli, DoctorArgs};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::{platform, terminal};

/// A database that hangs must not keep everything else from being looked at.
const STORE_TIMEOUT: Duration = Duration::from_secs(20);

/// What was found of one runtime, of the `pool`, or of the `store`.
#[derive(Serialize)]
struct Report {
    runtime: String,
    findings: Vec<Finding>,
}

pub(crate) async fn run(cli: &Cli, args: &DoctorArgs) -> Result<ExitCode> {
    let config = Config::load(cli.data_dir.as_deref(), &args.config)?;
    let store = Report {
        runtime: "store".to_owned(),
        findings: store_findings(&config).await,
    };
    if !cli.json {
        terminal::print(&show(&store.runtime, &store.findings))?;
    }
    let mut reports = Vec::new();
    for runtime in platform::runtimes(&config) {
        let name = runtime.name().to_string();
        if !cli.json {
            terminal::note(&format!("Checking {name}; this starts a sandbox ..."))?;
        }
        let findings = runtime.check(true).await;
        if !cli.json {
            terminal::print(&show(&name, &findings))?;
        }
        reports.push(Report {
            runtime: name,
            findings,
        });
    }
    if config.data_dir.is_dir() {
        let findings = pool::survey(&config.data_dir)
            .unwrap_or_else(|error| vec![of_error("sandboxes", &error)]);
        if !cli.json {
            terminal::print(&show("pool", &findings))?;
        }
        reports.push(Report {
            runtime: "pool".to_owned(),
            findings,
        });
    }
    reports.push(store);
    if cli.json {
        let text = serde_json::to_string(&reports)
            .map_err(|error| Failure::new(format!("The report cannot be printed: {error}.")))?;
        terminal::print(&text)?;
    }
    let count = |severity| {
        let findings = reports.iter().flat_map(|report| &report.findings);
        findings.filter(|f| f.severity == severity).count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if !cli.json {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        terminal::print(&match (errors, warnings) {
            (0, 0) => "All is well.".to_owned(),
            (0, n) => format!("It works; {n} warning{} to look at.", plural(n)),
            (n, _) => format!("{n} error{} to mend.", plural(n)),
        })?;
    }
    Ok(if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How the store stands, and the records on their way into it.
async fn store_findings(config: &Config) -> Vec<Finding> {
    let checked = tokio::time::timeout(STORE_TIMEOUT, check_store(config)).await;
    let mut findings = checked.unwrap_or_else(|_| {
        vec![Finding::bad(
            Severity::Error,
            "database",
            "it does not answer",
            "Look whether it runs, and whether its address in --store is right.",
        )]
    });
    if config.data_dir.is_dir() {
        findings.extend(match recorder::survey(&config.data_dir) {
            Ok(survey) => survey.findings(),
            Err(error) => vec![of_error("records", &error)],
        });
    }
    findings
}

async fn check_store(config: &Config) -> Vec<Finding> {
    if config.is_database_still_to_be_made() {
        return vec![Finding::ok("database", "is made at the first start")];
    }
    let checked = async {
        let store = lambda_store::open(&config.store_url).await?;
        let found = store.check().await;
        store.close().await;
        found
    };
    match checked.await {
        Ok(mut found) => {
            found.insert(0, Finding::ok("database", "answers and can be written to"));
            found
        }
        Err(error) => vec![of_error("database", &error)],
    }
}

fn of_error(subject: &str, error: &lambda_core::Error) -> Finding {
    let mend = error
        .hint_text()
        .unwrap_or("See the log of `lambda serve`.");
    Finding::bad(Severity::Error, subject, error.to_string(), mend.to_owned())
}

/// One runtime's findings.
fn show(runtime: &str, findings: &[Finding]) -> String {
    let mut text = runtime.to_owned();
    for finding in findings {
        let mark = match finding.severity {
            Severity::Ok => "ok     ",
            Severity::Warning => "warning",
            Severity::Error => "ERROR  ",
        };
        // Which runtime is meant stands above.
        let subject = &finding.subject;
        let subject = subject
            .strip_prefix(&format!("{runtime}: "))
            .unwrap_or(subject);
        text.push_str(&format!("\n  {mark}  {subject}: {}", finding.detail));
        if let Some(mend) = &finding.mend {
            text.push_str(&format!("\n           mend: {mend}"));
        }
    }
    text
}
