//! `/invocations` and `/invocations/{invocation}`: records of invocations.

use hyper::StatusCode;
use jiff::Timestamp;
use lambda_core::Platform;
use lambda_core::model::{
    FunctionId, FunctionName, FunctionRef, InvocationRecord, Namespace, RequestId, RuntimeName,
    StartKind, Status,
};
use lambda_core::store::ListInvocations;
use schemars::JsonSchema;
use serde::Serialize;
use warp::reply::Response;

use super::millis;
use crate::error::ApiError;
use crate::query::{self, Query};
use crate::reply;
use crate::request::Request;
use crate::schema::{Id, Name, Starts, Statuses, Time};

#[derive(Serialize, JsonSchema)]
pub(super) struct InvocationPage<'a> {
    items: Vec<InvocationItem<'a>>,
    next: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Invocation")]
pub(super) struct InvocationItem<'a> {
    #[schemars(with = "Id")]
    request_id: RequestId,
    #[schemars(with = "Id")]
    function_id: FunctionId,
    #[schemars(with = "Name")]
    function_name: &'a FunctionName,
    version: u32,
    #[schemars(with = "Name")]
    runtime: &'a RuntimeName,
    #[schemars(with = "Starts")]
    start: StartKind,
    #[schemars(with = "Statuses")]
    status: Status,
    error_type: Option<&'a str>,
    #[schemars(with = "Time")]
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

/// `GET /invocations`, and `GET /metrics`, as it was called first.
pub(super) async fn list(request: Request) -> Result<Response, ApiError> {
    let query = Query::read(&request.query, query::RECORDS)?;
    let page = query.page()?;
    let platform = &request.api.platform;
    let mut wanted = ListInvocations::first(Namespace::default(), page.limit);
    wanted.cursor = page.cursor;
    wanted.function = function_id(platform, &query).await?;
    wanted.from = query.time("from")?;
    wanted.to = query.time("to")?;
    wanted.statuses = query.statuses()?;
    wanted.runtime = query.runtime()?;
    let found = platform.invocation_list(wanted).await?;
    let body = InvocationPage {
        items: found.items.iter().map(InvocationItem::new).collect(),
        next: found.next.as_deref(),
    };
    Ok(reply::json(StatusCode::OK, &body))
}

/// The id of the function that a query names. One that is deleted has no name any more, and is
/// still found by its id.
pub(super) async fn function_id(
    platform: &Platform,
    query: &Query,
) -> Result<Option<FunctionId>, ApiError> {
    let id = match query.function()? {
        None => None,
        Some(FunctionRef::Id(id)) => Some(id),
        Some(name) => Some(platform.function_get(&name).await?.id),
    };
    Ok(id)
}

#[derive(Serialize, JsonSchema)]
pub(super) struct InvocationDetail<'a> {
    #[serde(flatten)]
    item: InvocationItem<'a>,
    error_message: Option<&'a str>,
    stdout_end: &'a str,
    stderr_end: &'a str,
}

/// `GET /invocations/{invocation}`
pub(super) async fn get(request: Request) -> Result<Response, ApiError> {
    let id: RequestId = request.parameter("invocation")?;
    Query::read(&request.query, query::NONE)?;
    let found = request.api.platform.invocation_get(id).await?;
    let body = InvocationDetail {
        item: InvocationItem::new(&found.record),
        error_message: found.output.error_message.as_deref(),
        stdout_end: &found.output.stdout,
        stderr_end: &found.output.stderr,
    };
    Ok(reply::json(StatusCode::OK, &body))
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Cancelling {
    #[schemars(with = "Id")]
    request_id: RequestId,
    state: &'static str,
}

/// `POST /invocations/{invocation}/cancel`
pub(super) async fn cancel(request: Request) -> Result<Response, ApiError> {
    let request_id: RequestId = request.parameter("invocation")?;
    Query::read(&request.query, query::NONE)?;
    request.api.platform.cancel(request_id).await?;
    let body = Cancelling {
        request_id,
        // It ends once its sandbox is dead, unless it was about to end by itself.
        state: "cancelling",
    };
    Ok(reply::json(StatusCode::ACCEPTED, &body))
}
