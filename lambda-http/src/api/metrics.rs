//! `/metrics/summary`: figures over invocations.

use std::collections::BTreeMap;

use hyper::StatusCode;
use jiff::Timestamp;
use lambda_core::model::{Bucket, FunctionId, FunctionName, Namespace, RuntimeName, Summary};
use lambda_core::recorder::RecorderStatus;
use lambda_core::store::SummarizeInvocations;
use schemars::JsonSchema;
use serde::Serialize;
use warp::reply::Response;

use super::{invocations, millis};
use crate::error::ApiError;
use crate::query::{self, Query};
use crate::reply;
use crate::request::Request;
use crate::schema::{Id, Name, RecorderView, Time};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Summary")]
pub(super) struct SummaryBody<'a> {
    /// Absent: since the first invocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    to: Option<Timestamp>,
    totals: Figures,
    functions: Vec<FunctionFigures<'a>>,
    runtimes: BTreeMap<String, Figures>,
    /// How records stand on their way into the store; null where none are made.
    #[schemars(with = "Option<RecorderView>")]
    recorder: Option<RecorderStatus>,
    /// Only where a bucket was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<Vec<Point>>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Point {
    #[schemars(with = "Time")]
    start: Timestamp,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct FunctionFigures<'a> {
    #[schemars(with = "Id")]
    function_id: FunctionId,
    #[schemars(with = "Name")]
    name: &'a FunctionName,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Figures {
    calls: u64,
    errors: u64,
    function_errors: u64,
    timeouts: u64,
    out_of_memory: u64,
    crashed: u64,
    cancelled: u64,
    cold: u64,
    prewarmed: u64,
    warm: u64,
    avg_ms: f64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    avg_queue_ms: f64,
    avg_boot_ms: f64,
    avg_init_ms: f64,
    avg_run_ms: f64,
    max_memory_mib: Option<u32>,
}

impl Figures {
    fn new(summary: &Summary) -> Self {
        Self {
            calls: summary.calls,
            errors: summary.errors,
            function_errors: summary.function_errors,
            timeouts: summary.timeouts,
            out_of_memory: summary.out_of_memory,
            crashed: summary.crashed,
            cancelled: summary.cancelled,
            cold: summary.cold,
            prewarmed: summary.prewarmed,
            warm: summary.warm,
            avg_ms: millis::rounded(summary.avg_ms),
            p50_ms: millis::rounded(summary.p50_ms),
            p90_ms: millis::rounded(summary.p90_ms),
            p99_ms: millis::rounded(summary.p99_ms),
            avg_queue_ms: millis::rounded(summary.avg_queue_ms),
            avg_boot_ms: millis::rounded(summary.avg_boot_ms),
            avg_init_ms: millis::rounded(summary.avg_init_ms),
            avg_run_ms: millis::rounded(summary.avg_run_ms),
            max_memory_mib: summary.max_memory_mib,
        }
    }
}

/// `GET /metrics/summary`
pub(super) async fn summary(request: Request) -> Result<Response, ApiError> {
    let query = Query::read(&request.query, query::FIGURES)?;
    let platform = &request.api.platform;
    let mut wanted = SummarizeInvocations::all(Namespace::default());
    wanted.function = invocations::function_id(platform, &query).await?;
    wanted.runtime = query.runtime()?;
    wanted.from = query.time("from")?;
    wanted.to = query.time("to")?;
    wanted.bucket = bucket(&query)?;
    let is_series = wanted.bucket.is_some();
    let found = platform.invocation_summary(wanted).await?;
    // Both are always there, so that a reader need not ask whether one is.
    let mut runtimes: BTreeMap<String, Figures> = [RuntimeName::docker(), RuntimeName::gvisor()]
        .map(|name| (name.into(), Figures::new(&Summary::default())))
        .into();
    for (name, summary) in &found.runtimes {
        runtimes.insert(name.to_string(), Figures::new(summary));
    }
    let body = SummaryBody {
        from: found.from,
        to: found.to,
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
        recorder: platform.recorder_status(),
        series: is_series.then(|| {
            let points = found.series.iter();
            points
                .map(|point| Point {
                    start: point.start,
                    figures: Figures::new(&point.summary),
                })
                .collect()
        }),
    };
    Ok(reply::json(StatusCode::OK, &body))
}

fn bucket(query: &Query) -> Result<Option<Bucket>, ApiError> {
    let parse = |word: &str| {
        Bucket::from_word(word)
            .ok_or_else(|| ApiError::invalid("`bucket` is `minute`, `hour` or `day`."))
    };
    query.text("bucket").map(parse).transpose()
}
