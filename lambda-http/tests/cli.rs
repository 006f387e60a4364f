//! The `lambda` command as its users run it: output, exit codes, files. No Docker is used:
//! the environment names one on another machine, which is refused.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const LAMBDA: &str = env!("CARGO_BIN_EXE_lambda");

/// A command that should end: one that does not is a failure, not a test that never ends.
fn lambda(data_dir: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", LAMBDA]);
    prepared(command, data_dir)
}

fn prepared(mut command: Command, data_dir: &Path) -> Command {
    for variable in std::env::vars()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("LAMBDA_"))
    {
        command.env_remove(variable);
    }
    command.env("DOCKER_HOST", "tcp://192.0.2.1:2375");
    // Where nothing else could be found: no settings, no token.
    command
        .current_dir(data_dir)
        .arg("--data-dir")
        .arg(data_dir);
    command
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn data_dir() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let settings = "store = 'sqlite::memory:'\nlisten = '127.0.0.1:0'\n";
    std::fs::write(directory.path().join("lambda.toml"), settings).unwrap();
    directory
}

struct Serving {
    data_dir: TempDir,
    process: Child,
    url: String,
    started: Value,
}

impl Serving {
    fn start(data_dir: TempDir) -> Self {
        let mut process = prepared(Command::new(LAMBDA), data_dir.path())
            .args(["--json", "serve"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let started: Value = serde_json::from_str(&line).unwrap();
        let url = started["url"].as_str().unwrap().to_owned();
        Self {
            data_dir,
            process,
            url,
            started,
        }
    }

    fn run(&self, args: &[&str]) -> Output {
        lambda(self.data_dir.path())
            .env("LAMBDA_URL", &self.url)
            .args(args)
            .output()
            .unwrap()
    }

    fn write(&self, file: &str, content: &str) -> String {
        let path = self.data_dir.path().join(file);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// As a service manager stops it.
    fn stop(mut self) -> (TempDir, i32) {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let status = self.process.wait().unwrap();
        let data_dir = std::mem::replace(&mut self.data_dir, tempfile::tempdir().unwrap());
        (data_dir, status.code().unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn functions_from_the_command_line() {
    let server = Serving::start(data_dir());
    let listed = server.run(&["list"]);
    assert!(text(&listed.stdout).contains("lambda deploy"), "{listed:?}");

    let hello = server.write("hello.py", "print('hello')\n");
    let created = server.run(&[
        "deploy",
        &hello,
        "--env",
        "A=1",
        "--env",
        "B=x=y",
        "--timeout-ms",
        "5000",
    ]);
    assert_eq!(code(&created), 0, "{created:?}");
    assert!(
        text(&created.stdout).starts_with("Created hello, version 1."),
        "{created:?}"
    );
    let updated = server.run(&["--json", "deploy", &hello, "--memory-mib", "256"]);
    let updated: Value = serde_json::from_slice(&updated.stdout).unwrap();
    assert_eq!(
        (&updated["version"], &updated["memory_mib"]),
        (&2.into(), &256.into())
    );
    assert_eq!(updated["timeout_ms"], 5000, "what is not said stays");
    assert_eq!(updated["env"], serde_json::json!({"A": "1", "B": "x=y"}));

    let app = server.data_dir.path().join("my app");
    std::fs::create_dir(&app).unwrap();
    std::fs::write(app.join("app.mjs"), "export const handler = () => 1;\n").unwrap();
    let packed = server.run(&[
        "--json",
        "deploy",
        app.to_str().unwrap(),
        "--handler",
        "app.handler",
    ]);
    let packed: Value = serde_json::from_slice(&packed.stdout).unwrap();
    assert_eq!(
        (&packed["name"], &packed["language"]),
        (&"my-app".into(), &"javascript".into())
    );
    assert_eq!(packed["code_format"], "zip");

    let listed = server.run(&["list"]);
    let names: Vec<_> = text(&listed.stdout)
        .lines()
        .map(|line| line[..6].to_owned())
        .collect();
    assert_eq!(names, ["NAME  ", "my-app", "hello "]);
    let listed: Value = serde_json::from_slice(&server.run(&["list", "--json"]).stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);

    // There is no Docker here: the server runs all the same, and says what is wrong.
    let invoked = server.run(&["invoke", "hello", "Alice"]);
    assert_eq!(code(&invoked), 1);
    assert!(text(&invoked.stderr).starts_with("error: "), "{invoked:?}");
    assert_eq!(invoked.stdout, b"");

    assert_eq!(code(&server.run(&["delete", "hello", "my-app"])), 0);
    let gone = server.run(&["--json", "delete", "hello"]);
    assert_eq!(code(&gone), 1);
    let error: Value = serde_json::from_slice(&gone.stderr).unwrap();
    assert_eq!(error["error"]["code"], "ResourceNotFoundException");
    assert_eq!(server.stop().1, 0);
}

#[test]
fn the_token_is_made_once_and_found_by_the_local_client() {
    let server = Serving::start(data_dir());
    let path = server.data_dir.path().join("token");
    assert_eq!(server.started["token_file"], path.to_str().unwrap());
    assert_eq!(server.started["usable"], serde_json::json!([]));
    let token = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let (directory, _) = server.stop();
    let mut settings = std::fs::read_to_string(directory.path().join("lambda.toml")).unwrap();
    settings.insert_str(0, "require_token = true\n");
    std::fs::write(directory.path().join("lambda.toml"), settings).unwrap();
    let server = Serving::start(directory);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), token);
    assert_eq!(
        code(&server.run(&["list"])),
        0,
        "it is read from the data directory"
    );
    let mut wrong = lambda(server.data_dir.path());
    let wrong = wrong
        .env("LAMBDA_URL", &server.url)
        .env("LAMBDA_TOKEN", "wrong")
        .arg("list");
    let wrong = wrong.output().unwrap();
    assert_eq!(code(&wrong), 1);
    assert!(text(&wrong.stderr).contains("token is wrong"), "{wrong:?}");
}

/// A data directory whose store is a file, so that two processes can share it.
fn shared_data_dir(settings: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let settings = format!("listen = '127.0.0.1:0'\n{settings}");
    std::fs::write(directory.path().join("lambda.toml"), settings).unwrap();
    directory
}

/// `lambda list` with a token, on a server that asks for one.
fn list_with(server: &Serving, token: &str) -> Output {
    let mut command = lambda(server.data_dir.path());
    let command = command.env("LAMBDA_URL", &server.url);
    command
        .env("LAMBDA_TOKEN", token)
        .arg("list")
        .output()
        .unwrap()
}

#[test]
fn tokens_are_made_listed_and_revoked_in_the_store_and_over_http() {
    let empty = tempfile::tempdir().unwrap();
    let refused = lambda(empty.path())
        .args(["token", "list"])
        .output()
        .unwrap();
    assert_eq!(code(&refused), 1, "nobody makes a database by looking");
    let server = Serving::start(shared_data_dir("require_token = true\n"));
    let local = |args: &[&str]| {
        let mut command = lambda(server.data_dir.path());
        command.arg("token").args(args).output().unwrap()
    };
    let remote = |args: &[&str]| {
        let mut command = lambda(server.data_dir.path());
        let command = command.env("LAMBDA_URL", &server.url);
        command.arg("token").args(args).output().unwrap()
    };
    for is_remote in [false, true] {
        let place = |args: &[&str]| match is_remote {
            true => remote(args),
            false => local(args),
        };
        let made = place(&["create", "ci", "--scope", "functions:read"]);
        assert_eq!(code(&made), 0, "{made:?}");
        let secret = text(&made.stdout).trim_end().to_owned();
        assert_eq!(secret.len(), "lambda_".len() + 64, "it alone: {made:?}");
        assert_eq!(code(&list_with(&server, &secret)), 0);
        let listed = place(&["list"]);
        assert!(
            text(&listed.stdout).contains("functions:read"),
            "{listed:?}"
        );
        assert!(!text(&listed.stdout).contains(&secret));
        let listed: Value = serde_json::from_slice(&place(&["list", "--json"]).stdout).unwrap();
        let id = listed[0]["id"].as_str().unwrap();
        assert_eq!(code(&place(&["revoke", id])), 0);
        // The bound that is promised where another process revokes it.
        std::thread::sleep(std::time::Duration::from_secs(1));
        assert_eq!(code(&list_with(&server, &secret)), 1);
        assert_eq!(code(&place(&["revoke", id])), 1, "there is none any more");
    }
    for wrong in [
        &["create", "ci"][..],
        &["create", "ci", "--scope", "everything"],
        &["revoke", "ci"],
    ] {
        assert_eq!(code(&local(wrong)), 2);
    }
}

#[test]
fn a_server_with_a_certificate_is_reached_by_who_trusts_it() {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let own = rcgen::generate_simple_self_signed(names).unwrap();
    let directory = shared_data_dir("tls = { cert = 'cert.pem', key = 'key.pem' }\n");
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("cert.pem"), own.cert.pem()).unwrap();
    let half = lambda(directory.path()).arg("serve").output().unwrap();
    assert_eq!(code(&half), 2);
    assert!(text(&half.stderr).contains("key.pem"), "{half:?}");
    std::fs::write(path("key.pem"), own.signing_key.serialize_pem()).unwrap();
    let server = Serving::start(directory);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let distrusted = server.run(&["list"]);
    assert_eq!(code(&distrusted), 1);
    assert!(
        text(&distrusted.stderr).contains("--ca-file"),
        "{distrusted:?}"
    );
    let trusted = server.run(&["list", "--ca-file", "cert.pem"]);
    assert_eq!(code(&trusted), 0, "{trusted:?}");
    assert_eq!(server.stop().1, 0);
}

#[test]
fn what_keeps_a_server_from_starting_is_told() {
    let directory = data_dir();
    for (value, status) in [("", 2), ("  ", 2)] {
        let refused = lambda(directory.path())
            .arg("serve")
            .env("LAMBDA_METRICS_TOKEN", value)
            .output()
            .unwrap();
        assert_eq!(code(&refused), status);
        assert!(
            text(&refused.stderr).contains("LAMBDA_METRICS_TOKEN is set, but empty"),
            "{refused:?}"
        );
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = lambda(directory.path())
        .args(["serve", "--listen", &address])
        .output()
        .unwrap();
    assert_eq!(code(&refused), 1);
    assert!(text(&refused.stderr).contains("--listen"), "{refused:?}");
    let refused = lambda(directory.path())
        .args(["serve", "--listen", "example.com"])
        .output()
        .unwrap();
    assert_eq!(code(&refused), 2);
    let refused = lambda(directory.path())
        .args(["serve", "--store", "oracle://x"])
        .output()
        .unwrap();
    assert_eq!(code(&refused), 1);
    std::fs::write(directory.path().join("lambda.toml"), "lissten = 'x'\n").unwrap();
    let refused = lambda(directory.path()).arg("serve").output().unwrap();
    assert_eq!(code(&refused), 2);
    assert!(text(&refused.stderr).contains("lissten"), "{refused:?}");
}

#[test]
fn without_a_server_commands_say_how_to_start_one() {
    let directory = tempfile::tempdir().unwrap();
    for args in [&["list"][..], &["invoke", "x"], &["delete", "x"]] {
        let output = lambda(directory.path())
            .args(args)
            .args(["--url", "http://127.0.0.1:1"])
            .output()
            .unwrap();
        assert_eq!(code(&output), 1);
        assert!(text(&output.stderr).contains("lambda serve"), "{output:?}");
    }
    for wrong in [
        &["deploy", "nowhere.py"][..],
        &["invoke", "x", "--event", "{a}"],
        &["frobnicate"],
        &["invoke"],
        &["list", "--url", "ftp://x"],
    ] {
        let output = lambda(directory.path()).args(wrong).output().unwrap();
        assert_eq!(code(&output), 2, "{output:?}");
    }
}

/// All but running functions, which takes Docker and is in the end-to-end tests.
#[test]
fn without_a_server_commands_work_on_the_local_store() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("f.py"), "print(1)\n").unwrap();
    let nowhere = ["--url", "http://127.0.0.1:1"];
    let done = |args: &[&str]| {
        let output = lambda(directory.path()).args(args).args(nowhere).output();
        let output = output.unwrap();
        assert_eq!(code(&output), 0, "{args:?}: {output:?}");
        assert!(text(&output.stderr).contains("local store"), "{output:?}");
        text(&output.stdout)
    };
    assert!(done(&["deploy", "f.py"]).contains("version 1"));
    assert!(done(&["deploy", "f.py", "--memory-mib", "256"]).contains("version 2"));
    assert!(done(&["list"]).contains("256 MiB"));
    assert_eq!(done(&["versions", "f"]).lines().count(), 3);
    assert!(done(&["rollback", "f"]).contains("version 1 now"));
    assert!(done(&["list"]).contains("128 MiB"));
    done(&["delete", "f"]);
    assert!(done(&["list"]).contains("no functions"));
    // It fails for want of Docker, and not for want of a server.
    done(&["deploy", "f.py"]);
    let failed = lambda(directory.path())
        .args(["invoke", "f"])
        .args(nowhere)
        .output()
        .unwrap();
    assert_eq!(code(&failed), 1);
    assert!(!text(&failed.stderr).contains("lambda serve"), "{failed:?}");
}

#[test]
fn doctor_names_what_is_amiss_and_its_mend() {
    let directory = data_dir();
    let output = lambda(directory.path())
        .args(["doctor", "--json"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 1, "{output:?}");
    let reports: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (report, runtime) in reports.as_array().unwrap().iter().zip(["docker", "gvisor"]) {
        assert_eq!(report["runtime"], runtime);
        let findings = report["findings"].as_array().unwrap();
        let error = findings
            .iter()
            .find(|finding| finding["severity"] == "error")
            .unwrap();
        assert!(!error["mend"].as_str().unwrap().is_empty());
    }
    let output = lambda(directory.path()).arg("doctor").output().unwrap();
    assert!(text(&output.stdout).contains("mend: "), "{output:?}");
}
