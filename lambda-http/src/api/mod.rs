//! From a request to its operation: match, check, run.

mod code;
mod execute;
mod function_types;
mod functions;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod health;
mod history;
mod invocations;
mod invoke;
mod logs;
mod metrics;
mod millis;
mod openapi;
mod pool;
mod ready;
mod test;
mod tokens;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use hyper::{HeaderMap, Method};
use lambda_core::Platform;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use tracing::{Instrument as _, Span};
use warp::path::{FullPath, Tail};
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::auth::{self, TokenCache};
use crate::body;
use crate::dashboard;
use crate::docs;
use crate::error::ApiError;
use crate::options::HttpOptions;
use crate::origin;
use crate::prometheus;
use crate::request::{Connection, Draining, Request};
use crate::route::{self, Matched, Operation};
use crate::trace;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) platform: Platform,
    pub(crate) options: HttpOptions,
    pub(crate) tokens: TokenCache,
    readiness: ready::Cache,
    metrics: Registry,
    /// One permit for each stream without an end of its own.
    pub(crate) streams: Arc<Semaphore>,
}

/// The routes of `platform`, as one warp filter: see [`ROUTES`](crate::ROUTES).
///
/// It rejects paths that are not in the table, so that other filters can follow; what is in
/// the table it answers in full, errors included.
///
/// # Examples
/// ```no_run
/// # async fn run(platform: lambda_core::Platform) {
/// use warp::Filter as _;
///
/// let options = lambda_http::HttpOptions::default();
/// let app = warp::path("hello").map(|| "hello");
/// let all = app.or(warp::path("lambda").and(lambda_http::routes(platform, options)));
/// warp::serve(all).run(([127, 0, 0, 1], 8080)).await;
/// # }
/// ```
pub fn routes(
    platform: Platform,
    options: HttpOptions,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let mut metrics = Registry::default();
    prometheus::register_metrics(&platform, &mut metrics);
    let api = Arc::new(Api {
        metrics,
        streams: Arc::new(Semaphore::new(options.log_streams_max)),
        platform,
        options,
        tokens: TokenCache::default(),
        readiness: ready::Cache::default(),
    });
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::any()
        .and(matched())
        .map(move |matched| (Arc::clone(&api), matched))
        .and(warp::method())
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Connection>())
        .and(warp::ext::optional::<Draining>())
        .and(warp::addr::remote())
        .and(warp::body::stream())
        .then(answer)
}

/// Rejects what is not in the table before anything, the body above all, is taken.
fn matched() -> impl Filter<Extract = (Matched,), Error = Rejection> + Clone + Send + Sync {
    warp::path::tail().and_then(async |tail: Tail| {
        route::match_path(tail.as_str()).ok_or_else(warp::reject::not_found)
    })
}

#[allow(clippy::too_many_arguments)] // One per filter: warp hands them over like this.
async fn answer<S, B>(
    (api, matched): (Arc<Api>, Matched),
    method: Method,
    path: FullPath,
    query: String,
    headers: HeaderMap,
    connection: Option<Connection>,
    draining: Option<Draining>,
    peer: Option<SocketAddr>,
    body: S,
) -> Response
where
    S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
    B: Buf,
{
    let connection = connection.or_else(|| Some(Connection::new(api.options.listen?, peer?)));
    let is_loopback = connection.is_some_and(|connection| connection.is_loopback());
    let request = Request {
        draining: draining.unwrap_or_default(),
        is_local: is_loopback && !origin::is_forwarded(&headers),
        parameters: Vec::new(),
        full_path: path.as_str().to_owned(),
        api,
        headers,
        query,
        body: body::boxed(body),
    };
    let span = trace::request_span(&method, &request.headers);
    async {
        let response = run(request, matched, &method).await;
        let response = response.unwrap_or_else(ApiError::into_response);
        Span::current().record("status", response.status().as_u16());
        response
    }
    .instrument(span)
    .await
}

async fn run(
    mut request: Request,
    matched: Matched,
    method: &Method,
) -> Result<Response, ApiError> {
    let api = &request.api;
    if request.is_local {
        origin::check_host(&request.headers, &api.options.hosts)?;
    }
    origin::check_origin(&request.headers)?;
    origin::check_site(&request.headers, method)?;
    let (route, parameters) = matched
        .route(method)
        .map_err(ApiError::method_not_allowed)?;
    trace::record_route(route);
    auth::authorize(
        &api.platform,
        &api.options,
        &api.tokens,
        &request.headers,
        request.is_local,
        route.access,
    )
    .await?;
    request.parameters = parameters;
    match route.operation {
        Operation::Execute => execute::execute(request).await,
        Operation::Test => test::test(request).await,
        Operation::Invoke => invoke::invoke(request).await,
        Operation::CodeGet => code::get(request).await,
        Operation::FunctionList => functions::list(request).await,
        Operation::FunctionCreate => functions::create(request).await,
        Operation::FunctionGet => functions::get(request).await,
        Operation::FunctionUpdate => functions::update(request).await,
        Operation::FunctionDelete => functions::delete(request).await,
        Operation::VersionList => history::versions(request).await,
        Operation::AliasList => history::aliases(request).await,
        Operation::AliasSet => history::set_alias(request).await,
        Operation::AliasDelete => history::delete_alias(request).await,
        Operation::InvocationLogs => logs::of_invocation(request).await,
        Operation::FunctionLogs => logs::of_function(request).await,
        Operation::InvocationGet => invocations::get(request).await,
        Operation::InvocationCancel => invocations::cancel(request).await,
        Operation::MetricsList => invocations::list(request).await,
        Operation::MetricsSummary => metrics::summary(request).await,
        Operation::Pool => pool::get(&request),
        Operation::TokenList => tokens::list(request).await,
        Operation::TokenCreate => tokens::create(request).await,
        Operation::TokenDelete => tokens::delete(request).await,
        Operation::Ready => Ok(ready::ready(request).await),
        Operation::OpenApi => Ok(openapi::get()),
        Operation::Docs(file) => Ok(docs::serve(file)),
        Operation::MetricsPrometheus => prometheus::scrape(&request.api.metrics),
        Operation::Health => Ok(health::health()),
        Operation::Page => Ok(dashboard::serve(&dashboard::PAGE, &request.headers)),
        Operation::Asset => {
            let asset = request.parameters.iter().find(|(name, _)| *name == "asset");
            let asset = asset.and_then(|(_, path)| dashboard::find(path));
            let asset = asset.ok_or_else(ApiError::unknown_route)?;
            Ok(dashboard::serve(asset, &request.headers))
        }
    }
}

/// What is said where no filter wanted a request.
pub(crate) async fn unknown_route(rejection: Rejection) -> Result<Response, Rejection> {
    if rejection.is_not_found() {
        Ok(ApiError::unknown_route().into_response())
    } else {
        Err(rejection)
    }
}
