//! Findings are right about this machine, and helpful about a wrong configuration
//! (threats 2 and 17).

use lambda_core::runtime::{
    ContainerOptions, DockerRuntime, Finding, GvisorRuntime, Runtime, Severity,
};

use crate::for_each_runtime;

for_each_runtime! {
    async fn limits_are_enforced(bench: &Bench) {
        let findings = bench.runtime.check(true).await;
        let name = bench.runtime.name();
        for subject in ["no network", "process limit", "CPU limit", "memory limit"] {
            let subject = format!("{name}: {subject}");
            let finding = findings.iter().find(|it| it.subject == subject);
            let finding = finding.unwrap_or_else(|| panic!("{subject}: {findings:?}"));
            assert_eq!(finding.severity, Severity::Ok, "{finding:?}");
        }
        assert!(findings.iter().all(|it| it.severity != Severity::Error), "{findings:?}");
        assert!(bench.runtime.capability().limits);
        // The canary is gone.
        assert_eq!(bench.runtime.owners().await.unwrap(), []);
    }
}

fn errors(findings: &[Finding]) -> Vec<&Finding> {
    findings
        .iter()
        .filter(|it| it.severity == Severity::Error)
        .collect()
}

#[tokio::test]
async fn a_docker_that_is_not_there_is_one_finding_with_a_mend() {
    let data_dir = tempfile::tempdir().unwrap();
    let mut options = ContainerOptions::new(data_dir.path());
    options.docker_socket = Some(data_dir.path().join("absent.sock"));
    let runtime = DockerRuntime::connect(options).unwrap();
    let findings = runtime.check(true).await;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].severity, Severity::Error);
    assert!(
        findings[0]
            .mend
            .as_ref()
            .unwrap()
            .contains("systemctl start docker")
    );
}

#[tokio::test]
async fn a_runtime_that_docker_does_not_know_is_an_error_with_a_mend() {
    if crate::support::Bench::open("docker").await.is_none() {
        return;
    }
    let data_dir = tempfile::tempdir().unwrap();
    let mut options = ContainerOptions::new(data_dir.path());
    options.runsc = "no-such-runtime".to_owned();
    let runtime = GvisorRuntime::connect(options).unwrap();
    let findings = runtime.check(false).await;
    let errors = errors(&findings);
    assert_eq!(errors.len(), 1, "{findings:?}");
    assert!(errors[0].mend.as_ref().unwrap().contains("daemon.json"));
}
