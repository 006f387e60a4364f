//! `lambda doctor`: what is amiss on this machine, and how to mend it.

use std::process::ExitCode;

use lambda_core::runtime::{Finding, Severity};
use serde::Serialize;

use crate::cli::{Cli, DoctorArgs};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::{platform, terminal};

#[derive(Serialize)]
struct Report {
    runtime: String,
    findings: Vec<Finding>,
}

pub(crate) async fn run(cli: &Cli, args: &DoctorArgs) -> Result<ExitCode> {
    let config = Config::load(cli.data_dir.as_deref(), &args.config)?;
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
