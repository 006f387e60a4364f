//! `/functions/{function}/versions` and `/functions/{function}/aliases`.

use hyper::StatusCode;
use lambda_core::model::{AliasName, RevisionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::function_types::FunctionView;
use super::functions;
use crate::error::ApiError;
use crate::query::{self, Query};
use crate::request::Request;
use crate::schema::{Id, Name};
use crate::{body, reply};

const BODY_BYTES_MAX: usize = 16 * 1024;

/// `GET /functions/{function}/versions`
pub(super) async fn versions(request: Request) -> Result<Response, ApiError> {
    let reference = request.function()?;
    let page = Query::read(&request.query, query::PAGE)?.page()?;
    let platform = &request.api.platform;
    let found = platform
        .version_list(&reference, page.limit, page.cursor)
        .await?;
    Ok(functions::listed(&request.full_path, page.limit, &found))
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Alias")]
pub(super) struct AliasView {
    #[schemars(with = "Name")]
    name: AliasName,
    version: u32,
}

/// `GET /functions/{function}/aliases`
pub(super) async fn aliases(request: Request) -> Result<Response, ApiError> {
    let reference = request.function()?;
    Query::read(&request.query, query::NONE)?;
    let found = request.api.platform.alias_list(&reference).await?;
    let aliases: Vec<_> = found
        .into_iter()
        .map(|alias| AliasView {
            name: alias.name,
            version: alias.version,
        })
        .collect();
    Ok(reply::json(StatusCode::OK, &aliases))
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "AliasTarget")]
#[serde(deny_unknown_fields)]
pub(super) struct AliasBody {
    #[schemars(range(min = 0))]
    version: u32,
    #[serde(default)]
    #[schemars(with = "Option<Id>")]
    revision_id: Option<RevisionId>,
}

/// `PUT /functions/{function}/aliases/{alias}`: for `current` a rollback.
pub(super) async fn set_alias(request: Request) -> Result<Response, ApiError> {
    let reference = request.function()?;
    let alias: AliasName = request.parameter("alias")?;
    Query::read(&request.query, query::NONE)?;
    let api = request.api;
    let timeout = api.options.body_timeout;
    let body = body::read(&request.headers, request.body, BODY_BYTES_MAX, timeout).await?;
    let body: AliasBody = body::parse(&body)?;
    let function = api
        .platform
        .alias_set(&reference, alias, body.version, body.revision_id)
        .await?;
    Ok(reply::json(StatusCode::OK, &FunctionView::full(&function)))
}

/// `DELETE /functions/{function}/aliases/{alias}`
pub(super) async fn delete_alias(request: Request) -> Result<Response, ApiError> {
    let reference = request.function()?;
    let alias: AliasName = request.parameter("alias")?;
    Query::read(&request.query, query::NONE)?;
    request.api.platform.alias_delete(&reference, alias).await?;
    Ok(reply::no_content())
}
