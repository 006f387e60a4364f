//! Code as a file, on its way in and out.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::io::{Cursor, Write as _};

use hyper::header::CONTENT_TYPE;
use serde_json::json;
use support::{Answer, Call, Server};
use zip::write::{SimpleFileOptions, ZipWriter};

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn good() -> Vec<u8> {
    archive(&[("case.py", b"fake:echo")])
}

/// A form of parts: name, file name, content.
fn form<'a>(call: Call<'a>, parts: &[(&str, Option<&str>, &[u8])]) -> Call<'a> {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\""));
        let head =
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    let kind = "multipart/form-data; boundary=edge";
    call.text(body).header(CONTENT_TYPE, kind)
}

fn zip<'a>(call: Call<'a>, bytes: Vec<u8>) -> Call<'a> {
    call.text(bytes).header(CONTENT_TYPE, "application/zip")
}

async fn download(server: &Server, path: &str) -> Answer {
    let answer = server.get(path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(
        answer.header("content-length"),
        Some(&*answer.body.len().to_string())
    );
    answer
}

#[tokio::test]
async fn a_form_creates_and_updates_and_the_code_comes_back() {
    let server = Server::start().await;
    let bytes = good();
    let create = form(
        server.call("POST", "/functions"),
        &[
            ("name", None, b"echo"),
            ("language", None, b"python"),
            ("handler", None, b"case.handler"),
            ("timeout_ms", None, b"1234"),
            ("env", None, br#"{"A": "1"}"#),
            ("fresh_process", None, b"true"),
            ("file", Some("function.zip"), &bytes),
        ],
    );
    let answer = create.send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let created = answer.json();
    assert_eq!(created["code_format"], "zip");
    assert_eq!(created["timeout_ms"], 1234);
    assert_eq!(created["env"], json!({"A": "1"}));
    assert_eq!(created["fresh_process"], true);
    let code = download(&server, "/functions/echo/code").await;
    assert_eq!(code.body, bytes);
    assert_eq!(code.header("content-type"), Some("application/zip"));
    let named = code.header("content-disposition").unwrap();
    assert_eq!(named, "attachment; filename=\"echo-1.zip\"");
    let tag = code.header("etag").unwrap().trim_matches('"');
    assert_eq!(created["code_sha256"], tag);

    let update = form(
        server.call("PUT", "/functions/echo"),
        &[
            ("file", Some("case.py"), b"fake:args"),
            ("handler", None, b""),
        ],
    );
    let updated = update.send().await.ok();
    assert_eq!(updated["version"], 2);
    assert_eq!(updated["handler"], json!(null));
    assert_eq!(updated["code_format"], "inline");
    let code = download(&server, "/functions/echo/code").await;
    assert_eq!(code.body, "fake:args");
    let kind = code.header("content-type");
    assert_eq!(kind, Some("text/plain; charset=utf-8"));
    let named = code.header("content-disposition").unwrap();
    assert_eq!(named, "attachment; filename=\"echo-2.py\"");
    let old = download(&server, "/functions/echo/code?qualifier=1").await;
    assert_eq!(old.body, bytes);
    let none = server.get("/functions/echo/code?qualifier=9").await;
    none.refused(404, "ResourceNotFoundException");
}

#[tokio::test]
async fn an_archive_is_the_body_and_the_fields_are_the_query() {
    let server = Server::start().await;
    let path = "/functions?name=echo&language=python&handler=case.handler&memory_mib=256";
    let answer = zip(server.call("POST", path), good()).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["memory_mib"], 256);
    let other = archive(&[("case.py", b"fake:raise")]);
    let call = server.call("PUT", "/functions/echo");
    assert_eq!(zip(call, other).send().await.ok()["version"], 2);
    let call = server.call("POST", "/functions?language=python");
    zip(call, good())
        .send()
        .await
        .refused(400, "InvalidParameterValueException");
    let call = server.call("PUT", "/functions/echo?colour=red");
    zip(call, good())
        .send()
        .await
        .refused(400, "InvalidParameterValueException");
}

#[tokio::test]
async fn a_form_is_tested_without_being_deployed() {
    let server = Server::start().await;
    let call = form(
        server.call("POST", "/functions/test"),
        &[
            ("language", None, b"python"),
            ("handler", None, b"case.handler"),
            ("event", None, br#"{"n": 1}"#),
            ("file", Some("case.py"), b"fake:echo"),
        ],
    );
    let outcome = call.send().await.ok();
    assert_eq!(outcome["output"], json!({"n": 1}));
    let forged = form(
        server.call("POST", "/functions/test"),
        &[
            ("language", None, b"python"),
            ("event", None, br#"1,"use_gvisor":true"#),
            ("file", Some("case.py"), b"fake:echo"),
        ],
    );
    let answer = forged.send().await;
    answer.refused(400, "InvalidParameterValueException");
    assert_eq!(server.get("/functions").await.ok(), json!([]));
}

#[tokio::test]
async fn hostile_archives_are_refused_before_anything_is_kept() {
    let server = Server::start().await;
    let mut link = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    link.add_symlink("link", "/etc/passwd", options).unwrap();
    let zeros = vec![0; 64 * 1024 * 1024];
    let bomb = archive(&[("a", &zeros), ("b", &zeros), ("c", &zeros), ("d", &zeros)]);
    for (bytes, status, code) in [
        (archive(&[("../x", b"")]), 400, "InvalidZipFileException"),
        (archive(&[("/x", b"")]), 400, "InvalidZipFileException"),
        (
            link.finish().unwrap().into_inner(),
            400,
            "InvalidZipFileException",
        ),
        (b"PK\x03\x04".to_vec(), 400, "InvalidZipFileException"),
        (b"no zip".to_vec(), 400, "InvalidZipFileException"),
        (bomb, 413, "RequestTooLargeException"),
    ] {
        let path = "/functions?name=f&language=python";
        let answer = zip(server.call("POST", path), bytes.clone()).send().await;
        answer.refused(status, code);
        let parts: &[(&str, Option<&str>, &[u8])] = &[
            ("name", None, b"f"),
            ("language", None, b"python"),
            ("file", Some("function.zip"), &bytes),
        ];
        for path in ["/functions", "/functions/test"] {
            let answer = form(server.call("POST", path), parts).send().await;
            answer.refused(status, code);
        }
    }
    assert_eq!(server.get("/functions").await.ok(), json!([]));
}

#[tokio::test]
async fn forms_that_are_too_large_malformed_or_ambiguous_are_refused() {
    let server = Server::start().await;
    let invalid = "InvalidParameterValueException";
    let large = vec![b'x'; 5 * 1024 * 1024];
    let mut huge = b"PK\x03\x04".to_vec();
    huge.resize(51 * 1024 * 1024, 0);
    let over = "RequestTooLargeException";
    let name = ("name", None, &b"f"[..]);
    let language = ("language", None, &b"python"[..]);
    let file = ("file", Some("a.py"), &b"x"[..]);
    let cases: [(Vec<_>, u16, &str); 8] = [
        (vec![name, language], 400, invalid),
        (vec![name, name, language, file], 400, invalid),
        (vec![name, language, file, file], 400, invalid),
        (
            vec![name, language, file, ("code", None, b"x")],
            400,
            invalid,
        ),
        (
            vec![name, language, file, ("timeout_ms", None, b"soon")],
            400,
            invalid,
        ),
        (
            vec![name, language, ("file", Some("a.py"), b"\xff\xfe")],
            400,
            invalid,
        ),
        (
            vec![name, language, ("file", Some("a.py"), &large)],
            413,
            over,
        ),
        (vec![name, language, ("file", None, &huge)], 413, over),
    ];
    for (parts, status, code) in cases {
        let call = form(server.call("POST", "/functions"), &parts);
        call.send().await.refused(status, code);
    }
    for (kind, body, status, code) in [
        (
            "multipart/form-data",
            "x",
            400,
            "InvalidRequestContentException",
        ),
        (
            "multipart/form-data; boundary=edge",
            "--edge\r\n",
            400,
            "InvalidRequestContentException",
        ),
        (
            "application/x-www-form-urlencoded",
            "name=f",
            415,
            "UnsupportedMediaTypeException",
        ),
    ] {
        let call = server.call("POST", "/functions").text(body);
        let answer = call.header("content-type", kind).send().await;
        answer.refused(status, code);
    }
    assert_eq!(server.get("/functions").await.ok(), json!([]));
}

#[tokio::test]
async fn a_web_page_of_another_site_cannot_upload() {
    let server = Server::start().await;
    for (name, value) in [
        ("origin", "http://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let call = form(
            server.call("POST", "/functions"),
            &[
                ("name", None, b"f"),
                ("language", None, b"python"),
                ("file", Some("a.py"), b"x"),
            ],
        );
        let answer = call.header(name, value).send().await;
        answer.refused(403, "AccessDeniedException");
    }
    let call = server.call("GET", "/");
    let followed = call.header("sec-fetch-site", "cross-site").send().await;
    assert_eq!(followed.status, 200, "a link to the page works");
}
