//! `/functions`: list, create, read, change, delete.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderValue, LINK, LOCATION};
use lambda_core::model::{CodeFormat, CodeSource, Function, Page, limits};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use warp::reply::Response;

use super::function_types::{FunctionBody, FunctionView};
use super::upload::{self, Kind};
use crate::error::ApiError;
use crate::query::{self, Query};
use crate::request::Request;
use crate::{body, reply};

/// The largest zip in base64, with room for the other fields.
const BODY_BYTES_MAX: usize = limits::ZIP_BYTES_MAX / 3 * 4 + 512 * 1024;

/// A function as JSON, or as an upload.
async fn read<T: Send + 'static>(
    request: Request,
    finish: fn(FunctionBody) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    match upload::kind(&request.headers)? {
        Kind::Json => {
            Query::read(&request.query, query::NONE)?;
            let timeout = request.api.options.body_timeout;
            let body = body::read(&request.headers, request.body, BODY_BYTES_MAX, timeout).await?;
            body::parse_owned(body, finish).await
        }
        // An archive has its fields in the query.
        kind => finish(upload::read(kind, request).await?.into_body()?),
    }
}

/// `GET /functions`
pub(super) async fn list(request: Request) -> Result<Response, ApiError> {
    let page = Query::read(&request.query, query::PAGE)?.page()?;
    let platform = &request.api.platform;
    let found = platform.function_list(page.limit, page.cursor).await?;
    Ok(listed(&request.full_path, page.limit, &found))
}

/// A page of functions, and where the next one is.
pub(super) fn listed(path: &str, limit: u32, page: &Page<Function>) -> Response {
    let items: Vec<_> = page.items.iter().map(FunctionView::listed).collect();
    let mut response = reply::json(StatusCode::OK, &items);
    if let Some(cursor) = &page.next {
        let cursor = utf8_percent_encode(cursor, NON_ALPHANUMERIC);
        let link = format!("<{path}?limit={limit}&cursor={cursor}>; rel=\"next\"");
        if let Ok(link) = HeaderValue::try_from(link) {
            response.headers_mut().insert(LINK, link);
        }
    }
    response
}

/// `POST /functions`
pub(super) async fn create(request: Request) -> Result<Response, ApiError> {
    let api = Arc::clone(&request.api);
    let path = request.full_path.clone();
    let new = read(request, |body| body.into_new_function(None)).await?;
    let function = api.platform.function_create(new).await?;
    let mut response = reply::json(StatusCode::CREATED, &FunctionView::full(&function));
    if let Ok(location) = HeaderValue::try_from(format!("{path}/{}", function.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// `GET /functions/{function}`
pub(super) async fn get(request: Request) -> Result<Response, ApiError> {
    let reference = request.function()?;
    let query = Query::read(&request.query, query::QUALIFIER)?;
    let qualifier = query.text("qualifier").unwrap_or("current").parse()?;
    let platform = &request.api.platform;
    let function = platform.function_get_at(&reference, qualifier).await?;
    // A zip is not shown, so it need not be fetched.
    let is_inline = function
        .code
        .last()
        .is_some_and(|code| code.format == CodeFormat::Inline);
    let code = match is_inline {
        true => Some(platform.function_code(&function).await?),
        false => None,
    };
    let view = FunctionView::full(&function).with_code(match &code {
        Some(CodeSource::Inline(text)) => Some(text),
        _ => None,
    });
    Ok(reply::json(StatusCode::OK, &view))
}

/// `PUT /functions/{function}`
pub(super) async fn update(request: Request) -> Result<Response, ApiError> {
    let reference = request.function()?;
    let api = Arc::clone(&request.api);
    let patch = read(request, FunctionBody::into_patch).await?;
    let function = api.platform.function_update(&reference, patch).await?;
    Ok(reply::json(StatusCode::OK, &FunctionView::full(&function)))
}

/// `DELETE /functions/{function}`
pub(super) async fn delete(request: Request) -> Result<Response, ApiError> {
    let reference = request.function()?;
    Query::read(&request.query, query::NONE)?;
    request.api.platform.function_delete(&reference).await?;
    Ok(reply::no_content())
}
