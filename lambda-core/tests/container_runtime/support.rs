//! Runtimes, functions and small steps that the tests share.

// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use lambda_core::model::{
    CodeFormat, Function, FunctionConfig, FunctionId, FunctionName, Language, Namespace, OwnerId,
    RequestId, Termination,
};
use lambda_core::output::{LogStream, OutputCapture};
use lambda_core::runtime::{
    ContainerOptions, CreateSandbox, DockerRuntime, GvisorRuntime, InitializeSandbox,
    InvokeSandbox, Runtime, Sandbox, SandboxReply,
};
use tempfile::TempDir;

pub(crate) const PYTHON: Language = Language::Python;
pub(crate) const JAVASCRIPT: Language = Language::Javascript;

/// A runtime on a data directory of its own.
pub(crate) struct Bench {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) owner: OwnerId,
    pub(crate) data_dir: TempDir,
}

impl Bench {
    /// The runtime `name`. None, said aloud, where this machine does not have it.
    pub(crate) async fn open(name: &str) -> Option<Self> {
        Self::open_with(name, |_| {}).await
    }

    pub(crate) async fn open_with(
        name: &str,
        change: impl FnOnce(&mut ContainerOptions),
    ) -> Option<Self> {
        let data_dir = tempfile::tempdir().unwrap();
        let mut options = ContainerOptions::new(data_dir.path());
        change(&mut options);
        let runtime: Arc<dyn Runtime> = match name {
            "docker" => Arc::new(DockerRuntime::connect(options).unwrap()),
            "gvisor" => Arc::new(GvisorRuntime::connect(options).unwrap()),
            _ => unreachable!("no such runtime: {name}"),
        };
        let findings = runtime.check(false).await;
        let missing = findings
            .iter()
            .find(|finding| finding.severity == lambda_core::runtime::Severity::Error);
        if let Some(finding) = missing {
            let required = std::env::var("LAMBDA_TEST_REQUIRE").unwrap_or_default();
            assert!(
                !required.split(',').any(|word| word.trim() == name),
                "LAMBDA_TEST_REQUIRE names {name}, but: {finding:?}"
            );
            eprintln!("skipped: {name} is not usable here: {}", finding.detail);
            return None;
        }
        Some(Self {
            runtime,
            owner: OwnerId::new(),
            data_dir,
        })
    }

    pub(crate) fn request(&self, config: &FunctionConfig) -> CreateSandbox {
        CreateSandbox::for_function(self.owner, &function(config.clone()))
    }

    /// A sandbox, initialised with `code`.
    pub(crate) async fn start(&self, config: &FunctionConfig, code: &str) -> Running {
        let sandbox = self.runtime.create(self.request(config)).await.unwrap();
        let running = Running { sandbox };
        let output = OutputCapture::new();
        let reply = running.initialize(config, code, &output).await;
        assert_eq!(reply, SandboxReply::Ready, "{}", stderr(&output));
        running
    }

    /// Names of containers of this bench's owner, and its run directories.
    pub(crate) async fn leftovers(&self) -> Vec<String> {
        let mut left = docker(&[
            "ps",
            "-a",
            "--no-trunc",
            "--format",
            "{{.Names}}",
            "--filter",
            &format!("label=lambda-platform.owner={}", self.owner),
        ])
        .await;
        for runtime in ["docker", "gvisor"] {
            let path = self
                .data_dir
                .path()
                .join("run")
                .join(runtime)
                .join(self.owner.to_string());
            for entry in std::fs::read_dir(path).into_iter().flatten() {
                left.push(entry.unwrap().path().display().to_string());
            }
        }
        left
    }

    /// Waits until nothing is left.
    pub(crate) async fn expect_clean(&self) {
        for _ in 0..200 {
            if self.leftovers().await.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("left behind: {:?}", self.leftovers().await);
    }
}

/// Runs the command line client, and returns the lines that it prints.
pub(crate) async fn docker(args: &[&str]) -> Vec<String> {
    let done = tokio::process::Command::new("docker")
        .args(args)
        .output()
        .await
        .unwrap();
    assert!(
        done.status.success(),
        "docker {args:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

pub(crate) struct Running {
    pub(crate) sandbox: Arc<dyn Sandbox>,
}

impl Running {
    pub(crate) async fn initialize(
        &self,
        config: &FunctionConfig,
        code: &str,
        output: &OutputCapture,
    ) -> SandboxReply {
        let code = (CodeFormat::Inline, code.to_owned().into());
        let request = InitializeSandbox::new(Arc::new(function(config.clone())), Some(code));
        self.sandbox.initialize(request, output).await.unwrap()
    }

    pub(crate) async fn invoke(&self, payload: &str) -> (SandboxReply, OutputCapture) {
        let output = OutputCapture::new();
        let reply = self.sandbox.invoke(event(payload), &output).await.unwrap();
        (reply, output)
    }

    /// A handler's result, as text.
    pub(crate) async fn call(&self, payload: &str) -> String {
        let (reply, output) = self.invoke(payload).await;
        let SandboxReply::Response(body) = &reply else {
            panic!("{reply:?}\n{}", stderr(&output));
        };
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// Destroys it and waits until all is removed.
    pub(crate) async fn destroy(self) {
        assert_eq!(self.sandbox.destroy().await, Termination::Confirmed);
        self.sandbox.removed().await;
    }
}

pub(crate) fn event(payload: &str) -> InvokeSandbox {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    InvokeSandbox::new(
        RequestId::new(),
        payload.to_owned().into(),
        u64::try_from(now.as_millis()).unwrap() + 10_000,
        "arn".into(),
    )
}

pub(crate) fn function(config: FunctionConfig) -> Function {
    Function::first_version(
        Namespace::default(),
        FunctionId::new(),
        FunctionName::new("f").unwrap(),
        config,
        Vec::new(),
        Timestamp::now(),
    )
}

pub(crate) fn handler(language: Language) -> FunctionConfig {
    let mut config = FunctionConfig::new(language);
    config.handler = Some("app.handler".to_owned());
    config
}

pub(crate) fn script(language: Language) -> FunctionConfig {
    FunctionConfig::new(language)
}

pub(crate) fn stdout(output: &OutputCapture) -> String {
    output.text(LogStream::Stdout).text
}

pub(crate) fn stderr(output: &OutputCapture) -> String {
    output.text(LogStream::Stderr).text
}

/// One test per runtime.
#[macro_export]
macro_rules! for_each_runtime {
    ($(async fn $name:ident($bench:ident: &Bench) $body:block)+) => {
        $(
            mod $name {
                use super::*;

                async fn run($bench: &$crate::support::Bench) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn docker() {
                    if let Some(bench) = $crate::support::Bench::open("docker").await {
                        run(&bench).await;
                        bench.expect_clean().await;
                    }
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn gvisor() {
                    if let Some(bench) = $crate::support::Bench::open("gvisor").await {
                        run(&bench).await;
                        bench.expect_clean().await;
                    }
                }
            }
        )+
    };
}
