//! Both function models in both languages and both runtimes: what code may look like, and
//! how it may fail.

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::server::{Server, runtimes};

/// Language, code, and what the outcome has: each field given must be so.
type Case = (&'static str, &'static str, Value);

fn handlers() -> Vec<Case> {
    let failed = |kind: &str| json!({ "status": "function_error", "error": { "type": kind } });
    let crashed = |exit_code: Value| json!({ "status": "crashed", "exit_code": exit_code, "error": { "type": "Runtime.ExitError" } });
    vec![
        (
            "python",
            "async def handler(event, context):\n    return {'got': event}\n",
            json!({ "status": "success", "output": { "got": { "a": 1 } }, "error": null, "exit_code": null }),
        ),
        (
            "python",
            "def handler(event, context):\n    c = context\n    assert c.get_remaining_time_in_millis() > 1000\n    return [c.function_version, c.memory_limit_in_mb, c.invoked_function_arn.split(':')[2], c.aws_request_id != '', c.log_group_name.startswith('/aws/lambda/')]\n",
            json!({ "output": ["1", "128", "lambda", true, true] }),
        ),
        (
            "python",
            "print('at import')\ndef handler(event, context):\n    print('before')\n    raise ValueError('no luck')\n",
            json!({ "status": "function_error", "output": null, "stdout": "at import\nbefore\n", "error": { "type": "ValueError", "message": "no luck" } }),
        ),
        (
            "python",
            "def handler(event, context:\n    pass\n",
            failed("Runtime.UserCodeSyntaxError"),
        ),
        (
            "python",
            "import a_module_that_is_not_there\n",
            failed("Runtime.ImportModuleError"),
        ),
        (
            "python",
            "def other(event, context):\n    pass\n",
            failed("Runtime.HandlerNotFound"),
        ),
        (
            "python",
            "def handler(event, context):\n    return {1, 2}\n",
            failed("Runtime.MarshalError"),
        ),
        (
            "python",
            "import sys\ndef handler(event, context):\n    print('bye')\n    sys.exit(3)\n",
            json!({ "status": "crashed", "exit_code": 3, "stdout": "bye\n", "error": { "type": "Runtime.ExitError" } }),
        ),
        (
            "python",
            "import os, signal\ndef handler(event, context):\n    print('oops', flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)\n",
            json!({ "status": "crashed", "stdout": "oops\n", "error": { "type": "Runtime.ExitError" } }),
        ),
        (
            "javascript",
            "exports.handler = (event, context, callback) => { callback(null, { got: event }); };",
            json!({ "status": "success", "output": { "got": { "a": 1 } }, "exit_code": null }),
        ),
        (
            "javascript",
            "const os = require('node:os');\nexports.handler = async (event) => typeof os.cpus;",
            json!({ "output": "function" }),
        ),
        (
            "javascript",
            "import os from 'node:os';\nexport const handler = async (event) => typeof os.cpus;",
            json!({ "output": "function" }),
        ),
        (
            "javascript",
            "export const handler = async (event, c) => [c.functionVersion, c.memoryLimitInMB, c.invokedFunctionArn.split(':')[2], c.awsRequestId !== '', c.getRemainingTimeInMillis() > 1000];",
            json!({ "output": ["1", "128", "lambda", true, true] }),
        ),
        (
            "javascript",
            "console.log('at import');\nexports.handler = async () => { console.error('before'); throw new RangeError('no luck'); };",
            json!({ "status": "function_error", "output": null, "stdout": "at import\n", "stderr": "before\n", "error": { "type": "RangeError", "message": "no luck" } }),
        ),
        (
            "javascript",
            "exports.handler = async (event => {",
            failed("Runtime.UserCodeSyntaxError"),
        ),
        (
            "javascript",
            "import x from 'a-module-that-is-not-there';\nexport const handler = () => x;",
            failed("Runtime.ImportModuleError"),
        ),
        (
            "javascript",
            "exports.other = async () => 1;",
            failed("Runtime.HandlerNotFound"),
        ),
        (
            "javascript",
            "exports.handler = async () => 10n;",
            failed("Runtime.MarshalError"),
        ),
        (
            "javascript",
            "exports.handler = async () => { process.exit(3); };",
            crashed(json!(3)),
        ),
        (
            "javascript",
            "exports.handler = async () => { console.log('oops'); process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}); };",
            json!({ "status": "crashed", "stdout": "oops\n", "error": { "type": "Runtime.ExitError" } }),
        ),
    ]
}

fn has(outcome: &Value, expected: &Value) -> bool {
    match expected {
        Value::Object(fields) => fields.iter().all(|(key, value)| match key.as_str() {
            "output" => outcome[key] == *value,
            _ => has(&outcome[key], value),
        }),
        other => outcome == other,
    }
}

#[tokio::test]
async fn handlers_work_and_fail_as_on_aws() {
    for runtime in runtimes() {
        let server = Server::start("").await;
        for (language, code, expected) in handlers() {
            let outcome = server
                .handle(runtime, language, code, json!({ "a": 1 }))
                .await;
            assert!(
                has(&outcome, &expected),
                "{runtime}:\n{code}\n{expected}\n{outcome}"
            );
            let is_error = outcome["status"] != "success";
            assert_eq!(outcome["error"].is_object(), is_error, "{outcome}");
            if is_error {
                assert!(outcome["error"]["trace"].is_array(), "{outcome}");
            }
        }
        assert!(server.stop().await.is_empty());
    }
}

#[tokio::test]
async fn a_timeout_during_init_is_one_too_and_output_is_kept() {
    for runtime in runtimes() {
        let server = Server::start("").await;
        for (language, code) in [
            ("python", "print('loading')\nwhile True: pass\n"),
            ("javascript", "console.log('loading');\nwhile (true) {}\n"),
        ] {
            let id = server
                .create(json!({
                    "name": format!("stuck-{language}"), "language": language, "runtime": runtime,
                    "code": code, "handler": "app.handler", "timeout_ms": 2_000,
                }))
                .await;
            let outcome = server
                .execute(json!({ "id": id, "timeout_ms": 1_000 }))
                .await;
            assert_eq!(outcome["status"], "timeout", "{outcome}");
            assert_eq!(outcome["error"]["type"], "Sandbox.Timedout");
            assert_eq!(outcome["stdout"], "loading\n", "{outcome}");
            assert_eq!(outcome["run_ms"], 0.0, "{outcome}");
        }
        assert!(server.stop().await.is_empty());
    }
}

#[tokio::test]
async fn scripts_end_as_processes_do() {
    for runtime in runtimes() {
        let server = Server::start("").await;
        for (language, code, expected) in [
            (
                "python",
                "import sys\nprint(sys.argv[1:], sys.stdin.read() == '')\nprint('e', file=sys.stderr)\n",
                json!({ "status": "success", "output": "['a b', ''] True", "stderr": "e\n", "exit_code": 0, "error": null }),
            ),
            (
                "python",
                "import sys\nprint('x')\nsys.exit('a reason')\n",
                json!({ "status": "function_error", "output": "x", "stderr": "a reason\n", "exit_code": 1 }),
            ),
            (
                "python",
                "import os\nos._exit(9)\n",
                json!({ "status": "function_error", "exit_code": 9 }),
            ),
            (
                "python",
                "def f(:\n",
                json!({ "status": "function_error", "exit_code": 1 }),
            ),
            (
                "python",
                "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n",
                json!({ "status": "crashed", "exit_code": null }),
            ),
            (
                "javascript",
                "console.log(process.argv.slice(2), require('fs').readFileSync(0).length === 0);\nconsole.error('e');",
                json!({ "status": "success", "output": "[ 'a b', '' ] true", "stderr": "e\n", "exit_code": 0, "error": null }),
            ),
            (
                "javascript",
                "console.log(await Promise.resolve('top-level await'));\nexport {};",
                json!({ "status": "success", "output": "top-level await" }),
            ),
            (
                "javascript",
                "process.exitCode = 9;",
                json!({ "status": "function_error", "exit_code": 9 }),
            ),
            (
                "javascript",
                "throw new Error('no luck');",
                json!({ "status": "function_error", "exit_code": 1 }),
            ),
            (
                "javascript",
                "process.kill(process.pid, 'SIGTERM');\nsetTimeout(() => {}, 60000);",
                json!({ "status": "crashed", "exit_code": null }),
            ),
        ] {
            let name = format!("s{}", uuid::Uuid::now_v7().simple());
            let id = server
                .create(json!({
                    "name": name, "language": language, "runtime": runtime, "code": code,
                    "timeout_ms": 20_000,
                }))
                .await;
            let outcome = server
                .execute(json!({ "id": id, "args": ["a b", ""] }))
                .await;
            assert!(
                has(&outcome, &expected),
                "{runtime}:\n{code}\n{expected}\n{outcome}"
            );
        }
        assert!(server.stop().await.is_empty());
    }
}

fn zip(entries: &[(&str, &[u8])]) -> String {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Bytes that do not compress, so that a package is as large as it says.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    })
    .take(len)
    .collect()
}

#[tokio::test]
async fn zips_hold_several_modules_and_may_be_large() {
    let python: &[u8] = b"from pkg.greeting import greet\n\n\ndef handler(event, context):\n    return greet(event['name'])\n";
    let greeting: &[u8] = b"def greet(name):\n    return f'Hello, {name}!'\n";
    let javascript: &[u8] = b"import { greet } from './lib/greeting.mjs';\nexport const handler = async (event) => greet(event.name);\n";
    let greet: &[u8] = b"export const greet = (name) => `Hello, ${name}!`;\n";
    let large = noise(5 * 1024 * 1024);
    let handlers = [
        (
            "python",
            vec![
                ("app.py", python),
                ("pkg/__init__.py", b""),
                ("pkg/greeting.py", greeting),
            ],
        ),
        (
            "javascript",
            vec![("app.mjs", javascript), ("lib/greeting.mjs", greet)],
        ),
    ];
    for runtime in runtimes() {
        let server = Server::start("").await;
        for (language, files) in &handlers {
            for is_large in [false, true] {
                let mut files = files.clone();
                if is_large {
                    files.push(("data.bin", &large));
                }
                let id = server
                    .create(json!({
                        "name": format!("zip-{language}-{is_large}"), "language": language,
                        "runtime": runtime, "code_zip_base64": zip(&files),
                        "handler": "app.handler", "timeout_ms": 20_000,
                    }))
                    .await;
                for is_warm in [false, true] {
                    let outcome = server
                        .execute(json!({ "id": id, "event": { "name": "Alice" } }))
                        .await;
                    assert_eq!(outcome["output"], "Hello, Alice!", "{outcome}");
                    assert_eq!(outcome["start"] == "warm", is_warm, "{outcome}");
                }
            }
        }
        for (language, main, code) in [
            (
                "python",
                "main.py",
                &b"import sys\nprint('Hello,', sys.argv[1])\n"[..],
            ),
            (
                "javascript",
                "main.mjs",
                b"console.log('Hello,', process.argv[2]);\n",
            ),
            (
                "javascript",
                "main.js",
                b"console.log('Hello,', process.argv[2]);\n",
            ),
        ] {
            let id = server
                .create(json!({
                    "name": format!("script-{}", main.replace('.', "-")), "language": language,
                    "runtime": runtime, "code_zip_base64": zip(&[(main, code)]), "timeout_ms": 20_000,
                }))
                .await;
            let outcome = server.execute(json!({ "id": id, "args": ["Alice"] })).await;
            assert_eq!(outcome["output"], "Hello, Alice", "{outcome}");
        }
        assert!(server.stop().await.is_empty());
    }
}
