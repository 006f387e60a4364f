//! `/metrics`: records of invocations and their summary.

use std::collections::BTreeMap;

use hyper::StatusCode;
use jiff::Timestamp;
use lambda_core::model::{
    FunctionId, FunctionName, InvocationRecord, RequestId, RuntimeName, StartKind, Status, Summary,
};
use serde::Serialize;
use warp::reply::Response;

use super::millis;
use crate::error::ApiError;
use crate::request::Request;
use crate::{query, reply};

#[derive(Serialize)]
struct InvocationPage<'a> {
    items: Vec<InvocationItem<'a>>,
    next: Option<&'a str>,
}

#[derive(Serialize)]
struct InvocationItem<'a> {
    request_id: RequestId,
    function_id: FunctionId,
    function_name: &'a FunctionName,
    version: u32,
    runtime: &'a RuntimeName,
    start: StartKind,
    status: Status,
    error_type: Option<&'a str>,
    started_at: Timestamp,
    queue_ms: f64,
    boot_ms: f64,
    init_ms: f64,
    run_ms: f64,
    total_ms: f64,
    max_memory_mib: Option<u32>,
}

impl<'a> InvocationItem<'a> {
    fn new(record: &'a InvocationRecord) -> Self {
        Self {
            request_id: record.request_id,
            function_id: record.function_id,
            function_name: &record.function_name,
            version: record.version,
            runtime: &record.runtime,
            start: record.start,
            status: record.status,
            error_type: record.error_type.as_deref(),
            started_at: record.started_at,
            queue_ms: millis::from_micros(record.queue_us),
            boot_ms: millis::from_micros(record.boot_us),
            init_ms: millis::from_micros(record.init_us),
            run_ms: millis::from_micros(record.run_us),
            total_ms: millis::from_micros(record.total_us),
            max_memory_mib: record.max_memory_mib,
        }
    }
}

/// `GET /metrics`
pub(super) async fn list(request: Request) -> Result<Response, ApiError> {
    let page = query::page(&request.query)?;
    let found = request
        .api
        .platform
        .invocation_list(page.limit, page.cursor)
        .await?;
    let body = InvocationPage {
        items: found.items.iter().map(InvocationItem::new).collect(),
        next: found.next.as_deref(),
    };
    Ok(reply::json(StatusCode::OK, &body))
}

#[derive(Serialize)]
struct SummaryBody<'a> {
    totals: Figures,
    functions: Vec<FunctionFigures<'a>>,
    runtimes: BTreeMap<String, Figures>,
}

#[derive(Serialize)]
struct FunctionFigures<'a> {
    function_id: FunctionId,
    name: &'a FunctionName,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize)]
struct Figures {
    calls: u64,
    errors: u64,
    timeouts: u64,
    cold: u64,
    prewarmed: u64,
    warm: u64,
    avg_ms: f64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
}

impl Figures {
    fn new(summary: &Summary) -> Self {
        Self {
            calls: summary.calls,
            errors: summary.errors,
            timeouts: summary.timeouts,
            cold: summary.cold,
            prewarmed: summary.prewarmed,
            warm: summary.warm,
            avg_ms: millis::rounded(summary.avg_ms),
            p50_ms: millis::rounded(summary.p50_ms),
            p90_ms: millis::rounded(summary.p90_ms),
            p99_ms: millis::rounded(summary.p99_ms),
        }
    }
}

/// `GET /metrics/summary`
pub(super) async fn summary(request: Request) -> Result<Response, ApiError> {
    let found = request.api.platform.invocation_summary().await?;
    // Both are always there, so that a reader need not ask whether one is.
    let mut runtimes: BTreeMap<String, Figures> = [RuntimeName::docker(), RuntimeName::gvisor()]
        .map(|name| (name.into(), Figures::new(&Summary::default())))
        .into();
    for (name, summary) in &found.runtimes {
        runtimes.insert(name.to_string(), Figures::new(summary));
    }
    let body = SummaryBody {
        totals: Figures::new(&found.totals),
        functions: found
            .functions
            .iter()
            .map(|function| FunctionFigures {
                function_id: function.function_id,
                name: &function.name,
                figures: Figures::new(&function.summary),
            })
            .collect(),
        runtimes,
    };
    Ok(reply::json(StatusCode::OK, &body))
}
