//! The hostile function in its sandbox.

use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use lambda_core::model::{CodeFormat, FunctionConfig};
use lambda_core::output::OutputCapture;
use lambda_core::runtime::{InitializeSandbox, SandboxReply};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::report::Attempt;
use crate::support::{Bench, Running, function, stderr, stdout};

pub(crate) struct Hostile {
    running: Running,
    /// All that it has said, which must not hold the secret.
    said: Mutex<String>,
}

impl Hostile {
    pub(crate) async fn start(bench: &Bench, config: &FunctionConfig) -> Self {
        let sandbox = bench.runtime.create(bench.request(config)).await.unwrap();
        let code = (CodeFormat::Zip, package().into());
        let request = InitializeSandbox::new(Arc::new(function(config.clone())), Some(code));
        let output = OutputCapture::new();
        let reply = sandbox.initialize(request, &output).await.unwrap();
        assert_eq!(reply, SandboxReply::Ready, "{}", stderr(&output));
        let said = Mutex::default();
        let running = Running { sandbox };
        Self { running, said }
    }

    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    pub(crate) async fn call(&self, event: Value) -> Value {
        let (reply, output) = self.running.invoke(&event.to_string()).await;
        let SandboxReply::Response(body) = &reply else {
            panic!("{event}: {reply:?}\n{}", stderr(&output));
        };
        let text = std::str::from_utf8(body).unwrap();
        let mut said = self.said.lock().unwrap();
        said.extend([text, &stdout(&output), &stderr(&output)]);
        serde_json::from_str(text).unwrap()
    }

    pub(crate) async fn groups(&self) -> Vec<String> {
        serde_json::from_value(self.call(json!({"list": true})).await).unwrap()
    }

    pub(crate) async fn attempt(&self, group: &str, world: &Value) -> Vec<Attempt> {
        let tried = self.call(json!({"group": group, "world": world})).await;
        serde_json::from_value(tried).unwrap()
    }

    /// What an invocation finds.
    pub(crate) async fn see(&self) -> Value {
        self.call(json!({})).await
    }

    pub(crate) async fn user(&self) -> u32 {
        let seen = self.see().await;
        u32::try_from(seen["uid"].as_u64().unwrap()).unwrap()
    }

    pub(crate) async fn destroy(self, secret: &str) {
        let said = self.said.into_inner().unwrap();
        assert!(!said.contains(secret), "the host's secret was read: {said}");
        self.running.destroy().await;
    }
}

/// The attempts as a function's code.
fn package() -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/escape/attempts");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".py") {
            writer
                .start_file(name, SimpleFileOptions::default())
                .unwrap();
            writer
                .write_all(&std::fs::read(entry.path()).unwrap())
                .unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}
