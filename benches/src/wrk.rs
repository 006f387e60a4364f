//! [wrk](https://github.com/wg/wrk), a load generator in C whose own cost is small: Debian's and
//! Ubuntu's package `wrk`.

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::Result;
use crate::http::Call;

/// Its Lua script: what is asked, and the figures as JSON. An answer that is no success is counted by
/// wrk itself.
const SCRIPT: &str = r#"
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Host"] = "localhost"
wrk.body = os.getenv("WRK_BODY")
function done(summary, latency)
  local errors = summary.errors
  io.stderr:write(string.format(
    '{"requests":%d,"us":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"#;

/// What one run of it came to.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Successful answers in a second.
    pub per_second: f64,
    /// The median latency.
    pub p50: Duration,
    /// The latency that one in a hundred exceeded.
    pub p99: Duration,
}

/// Whether it is there. Where it is not, stderr says how to get it.
///
/// # Errors
/// If it is missing, and the environment variable `LAMBDA_TEST_REQUIRE` lists it.
pub fn is_there() -> Result<bool> {
    let there = Command::new("wrk")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match there {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let hint = "wrk is missing: `apt-get install wrk` (Debian, Ubuntu) installs it";
            let required = std::env::var("LAMBDA_TEST_REQUIRE").unwrap_or_default();
            if required.split(',').any(|name| name == "wrk") {
                return Err(hint.into());
            }
            eprintln!("SKIPPED wrk: {hint}");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Has `connections` repeat a call for `length`, on one thread.
///
/// # Errors
/// If it fails, or any answer is no success.
pub async fn run(call: &Call, connections: usize, length: Duration) -> Result<Run> {
    let directory = tempfile::Builder::new().prefix("lambda-bench-").tempdir()?;
    let script = directory.path().join("post.lua");
    std::fs::write(&script, SCRIPT)?;
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", &format!("{}s", length.as_secs().max(1))])
        .args(["--timeout", "30s", "--script"])
        .arg(&script)
        .arg(format!("http://{}{}", call.address, call.path))
        .env("WRK_BODY", std::str::from_utf8(&call.body)?)
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("wrk: {said}").into());
    }
    let line = said.lines().find(|line| line.starts_with('{'));
    let figures: Value = serde_json::from_str(line.ok_or("wrk told no figures")?)?;
    let figure = |name: &str| figures[name].as_u64().unwrap_or_default();
    let failed = figure("refused") + figure("broken");
    if failed > 0 || figure("requests") == 0 {
        return Err(format!("{failed} of wrk's requests failed: {figures}").into());
    }
    // Far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let per_second = figure("requests") as f64 * 1e6 / figure("us") as f64;
    Ok(Run {
        per_second,
        p50: Duration::from_micros(figure("p50")),
        p99: Duration::from_micros(figure("p99")),
    })
}
