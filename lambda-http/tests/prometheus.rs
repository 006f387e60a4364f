//! The metrics for Prometheus, read by a strict parser.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use support::Server;

/// Samples by name and labels. Panics at whatever the OpenMetrics text format does not allow.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut types = HashMap::new();
    let mut units = HashMap::new();
    let mut family = String::new();
    let body = text.strip_suffix("# EOF\n").expect("it ends with EOF");
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let (kind, rest) = comment.split_once(' ').expect(line);
            let (name, value) = rest.split_once(' ').expect(line);
            match kind {
                "HELP" => {
                    assert!(value.ends_with('.'), "{line}");
                    family = name.to_owned();
                }
                "TYPE" => assert!(types.insert(name.to_owned(), value).is_none(), "{line}"),
                "UNIT" => {
                    assert!(name.ends_with(&format!("_{value}")), "{line}");
                    units.insert(name.to_owned(), value);
                }
                _ => panic!("{line}"),
            }
            assert!(
                kind == "HELP" || name == family,
                "families are not mixed: {line}"
            );
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect(line);
        let value: f64 = value.parse().expect(line);
        assert!(value >= 0.0, "{line}");
        let name = series.split('{').next().unwrap();
        let legal = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(
            name.starts_with("lambda_") && name.chars().all(legal),
            "{line}"
        );
        let suffix = name.strip_prefix(family.as_str()).expect(line);
        match types[&family] {
            "counter" => assert_eq!(suffix, "_total", "{line}"),
            "gauge" => assert_eq!(suffix, "", "{line}"),
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
            other => panic!("{other}"),
        }
        if let Some(labels) = series
            .strip_prefix(name)
            .filter(|labels| !labels.is_empty())
        {
            let labels = labels
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            for pair in labels.expect(line).split(',') {
                let (label, value) = pair.split_once('=').expect(line);
                assert!(label.chars().all(legal), "{line}");
                let value = value
                    .strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'));
                assert!(!value.expect(line).contains(['"', '\\']), "{line}");
            }
        }
        assert!(
            samples.insert(series.to_owned(), value).is_none(),
            "twice: {line}"
        );
    }
    assert!(!units.is_empty());
    samples
}

#[tokio::test]
async fn what_ended_and_how_the_platform_stands() {
    let server = Server::start().await;
    server.hello().await;
    server
        .function("raise", "raise", Some("case.handler"))
        .await;
    for _ in 0..3 {
        server
            .execute(&json!({"name": "hello", "args": ["x"]}))
            .await
            .ok();
    }
    server
        .execute(&json!({"name": "raise", "use_gvisor": true}))
        .await
        .ok();
    server.docker.set_unavailable(true);
    server.function("cold", "echo", Some("case.handler")).await;
    server
        .execute(&json!({"name": "cold"}))
        .await
        .refused(503, "ResourceNotReadyException");

    let answer = server
        .call("GET", "/metrics/prometheus")
        .operator()
        .send()
        .await;
    let kind = answer.header("content-type").unwrap();
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    let samples = parse(std::str::from_utf8(&answer.body).unwrap());
    let ended = |function, runtime, start, status| {
        let labels = format!(
            "lambda_invocations_total{{function=\"{function}\",runtime=\"{runtime}\",start=\"{start}\",status=\"{status}\"}}"
        );
        samples.get(&labels).copied()
    };
    assert_eq!(
        ended("hello", "docker", "cold", "success"),
        Some(1.0),
        "{samples:?}"
    );
    assert_eq!(ended("hello", "docker", "warm", "success"), Some(2.0));
    assert_eq!(
        ended("raise", "gvisor", "cold", "function_error"),
        Some(1.0)
    );
    let expected = [
        (
            "lambda_invocations_not_run_total{code=\"ResourceNotReadyException\"}",
            1.0,
        ),
        (
            "lambda_invocation_duration_seconds_count{function=\"hello\",runtime=\"docker\"}",
            3.0,
        ),
        ("lambda_invocation_queue_duration_seconds_count", 4.0),
        ("lambda_sandboxes{state=\"busy\"}", 0.0),
        ("lambda_queue_length", 0.0),
        ("lambda_recorder_store_up", 1.0),
        ("lambda_recorder_shed_records_total", 0.0),
    ];
    for (series, value) in expected {
        assert_eq!(
            samples.get(series),
            Some(&value),
            "{series} in {samples:#?}"
        );
    }
    assert!(samples["lambda_sandboxes{state=\"idle\"}"] >= 2.0);
    assert!(samples["lambda_runtime_failures{runtime=\"docker\"}"] >= 1.0);
    assert!(samples.contains_key("lambda_runtime_breaker_open{runtime=\"docker\"}"));
    assert!(samples["lambda_sandboxes_memory_limit_bytes"] >= 256.0 * 1024.0 * 1024.0);
    assert!(samples["lambda_recorder_journal_max_bytes"] > 0.0);
    let mut last = 0.0;
    for (series, value) in &samples {
        if series.starts_with("lambda_invocation_queue_duration_seconds_bucket") {
            last = f64::max(last, *value);
        }
    }
    assert_eq!(last, 4.0, "the last bucket has all");
}
