//! `GET /pool`: the sandboxes of this process, in numbers.

use hyper::StatusCode;
use lambda_core::ErrorKind;
use lambda_core::model::{FunctionId, Language, RuntimeName};
use lambda_core::pool::{
    BreakerState, ClassStats, PoolCounters, PoolStats, ProvisionedStats, RuntimeStats,
};
use schemars::JsonSchema;
use serde::Serialize;
use warp::reply::Response;

use super::millis;
use crate::error::ApiError;
use crate::query::{self, Query};
use crate::reply;
use crate::request::Request;
use crate::schema::{Breakers, Id, Languages, Name};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Pool")]
pub(super) struct PoolView<'a> {
    sandboxes: u32,
    sandboxes_max: u32,
    creating: u32,
    prewarmed: u32,
    idle: u32,
    busy: u32,
    removing: u32,
    frozen: u32,
    memory_mib: u64,
    memory_mib_max: u64,
    waiting: u32,
    oldest_wait_ms: Option<f64>,
    classes: Vec<ClassView<'a>>,
    provisioned: Vec<ProvisionedView<'a>>,
    runtimes: Vec<RuntimeView<'a>>,
    counters: CountersView,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PoolClass")]
pub(super) struct ClassView<'a> {
    #[schemars(with = "Name")]
    runtime: &'a RuntimeName,
    #[schemars(with = "Languages")]
    language: Language,
    image: Option<&'a str>,
    /// Of one sandbox; all together have `total_memory_mib`.
    memory_mib: u32,
    tmp_mib: u32,
    cpus: f64,
    network: &'a str,
    prewarmed_target: u32,
    creating: u32,
    prewarmed: u32,
    idle: u32,
    busy: u32,
    frozen: u32,
    draining: u32,
    removing: u32,
    total_memory_mib: u64,
    waiting: u32,
}

impl<'a> ClassView<'a> {
    fn new(stats: &'a ClassStats) -> Self {
        let class = &stats.class;
        Self {
            runtime: &class.runtime,
            language: class.language,
            image: class.image.as_deref(),
            memory_mib: class.memory_mib,
            tmp_mib: class.tmp_mib,
            cpus: class.cpus(),
            network: &class.network,
            prewarmed_target: stats.prewarmed_target,
            creating: stats.creating,
            prewarmed: stats.prewarmed,
            idle: stats.idle,
            busy: stats.busy,
            frozen: stats.frozen,
            draining: stats.draining,
            removing: stats.removing,
            total_memory_mib: stats.memory_mib,
            waiting: stats.waiting,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Provisioned")]
pub(super) struct ProvisionedView<'a> {
    #[schemars(with = "Id")]
    function_id: FunctionId,
    version: u32,
    #[schemars(with = "Name")]
    runtime: &'a RuntimeName,
    min_warm: u32,
    warm: u32,
    coming: u32,
    failures: u32,
}

impl<'a> ProvisionedView<'a> {
    fn new(stats: &'a ProvisionedStats) -> Self {
        Self {
            function_id: stats.key.function,
            version: stats.key.version,
            runtime: &stats.key.runtime,
            min_warm: stats.min_warm,
            warm: stats.warm,
            coming: stats.coming,
            failures: stats.failures,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PoolRuntime")]
pub(super) struct RuntimeView<'a> {
    #[schemars(with = "Name")]
    runtime: &'a RuntimeName,
    #[schemars(with = "Breakers")]
    breaker: BreakerState,
    failures: u32,
    retry_after_ms: Option<f64>,
}

impl<'a> RuntimeView<'a> {
    fn new(stats: &'a RuntimeStats) -> Self {
        Self {
            runtime: &stats.runtime,
            breaker: stats.breaker,
            failures: stats.failures,
            retry_after_ms: stats.retry_after.map(millis::from_duration),
        }
    }
}

/// Since this process began.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PoolCounters")]
pub(super) struct CountersView {
    cold_starts: u64,
    prewarmed_starts: u64,
    warm_starts: u64,
    provisioned_starts: u64,
    creations: u64,
    create_failures: u64,
    evictions: u64,
    expirations: u64,
    deaths: u64,
    throttled_queue_full: u64,
    throttled_queue_timeout: u64,
    unavailable: u64,
}

impl CountersView {
    fn new(counters: &PoolCounters) -> Self {
        Self {
            cold_starts: counters.cold_starts,
            prewarmed_starts: counters.prewarmed_starts,
            warm_starts: counters.warm_starts,
            provisioned_starts: counters.provisioned_starts,
            creations: counters.creations,
            create_failures: counters.create_failures,
            evictions: counters.evictions,
            expirations: counters.expirations,
            deaths: counters.deaths,
            throttled_queue_full: counters.throttled_queue_full,
            throttled_queue_timeout: counters.throttled_queue_timeout,
            unavailable: counters.unavailable,
        }
    }
}

impl<'a> PoolView<'a> {
    fn new(stats: &'a PoolStats) -> Self {
        Self {
            sandboxes: stats.sandboxes(),
            sandboxes_max: stats.sandboxes_max,
            creating: stats.creating,
            prewarmed: stats.prewarmed,
            idle: stats.idle,
            busy: stats.busy,
            removing: stats.removing,
            frozen: stats.frozen,
            memory_mib: stats.memory_mib,
            memory_mib_max: stats.memory_mib_max,
            waiting: stats.waiting,
            oldest_wait_ms: stats.oldest_wait.map(millis::from_duration),
            classes: stats.classes.iter().map(ClassView::new).collect(),
            provisioned: stats.provisioned.iter().map(ProvisionedView::new).collect(),
            runtimes: stats.runtimes.iter().map(RuntimeView::new).collect(),
            counters: CountersView::new(&stats.counters),
        }
    }
}

pub(super) fn get(request: &Request) -> Result<Response, ApiError> {
    Query::read(&request.query, query::NONE)?;
    let stats = request.api.platform.pool_stats().ok_or_else(|| {
        ApiError::new(
            ErrorKind::NotFound,
            "This server keeps no sandboxes itself.",
            "Ask the server that runs the functions.",
        )
    })?;
    Ok(reply::json(StatusCode::OK, &PoolView::new(&stats)))
}
