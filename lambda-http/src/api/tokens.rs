//! `/tokens`: who may do what.

use hyper::StatusCode;
use jiff::Timestamp;
use lambda_core::model::{Scope, Token, TokenId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use crate::error::ApiError;
use crate::query::{self, Query};
use crate::request::Request;
use crate::schema::{Id, Scopes, Time};
use crate::{body, reply};

const BODY_BYTES_MAX: usize = 16 * 1024;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Token")]
pub(super) struct TokenView<'a> {
    #[schemars(with = "Id")]
    id: TokenId,
    name: &'a str,
    #[schemars(with = "Vec<Scopes>")]
    scopes: &'a [Scope],
    #[schemars(with = "Time")]
    created_at: Timestamp,
    /// Only where it has just been made: it is kept nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

impl<'a> TokenView<'a> {
    fn new(token: &'a Token) -> Self {
        Self {
            id: token.id,
            name: &token.name,
            scopes: &token.scopes,
            created_at: token.created_at,
            secret: None,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewToken")]
#[serde(deny_unknown_fields)]
pub(super) struct TokenBody {
    #[schemars(length(min = 1, max = 100))]
    name: String,
    #[schemars(with = "Vec<Scopes>", length(min = 1))]
    scopes: Vec<Scope>,
}

/// `GET /tokens`
pub(super) async fn list(request: Request) -> Result<Response, ApiError> {
    Query::read(&request.query, query::NONE)?;
    let tokens = request.api.platform.token_list().await?;
    let views: Vec<_> = tokens.iter().map(TokenView::new).collect();
    Ok(reply::json(StatusCode::OK, &views))
}

/// `POST /tokens`
pub(super) async fn create(request: Request) -> Result<Response, ApiError> {
    Query::read(&request.query, query::NONE)?;
    let api = request.api;
    let timeout = api.options.body_timeout;
    let body = body::read(&request.headers, request.body, BODY_BYTES_MAX, timeout).await?;
    let body: TokenBody = body::parse(&body)?;
    let (token, secret) = api.platform.token_create(&body.name, body.scopes).await?;
    let mut view = TokenView::new(&token);
    view.secret = Some(&secret);
    Ok(reply::json(StatusCode::CREATED, &view))
}

/// `DELETE /tokens/{token}`
pub(super) async fn delete(request: Request) -> Result<Response, ApiError> {
    let id: TokenId = request.parameter("token")?;
    Query::read(&request.query, query::NONE)?;
    let api = &request.api;
    let deleted = api.platform.token_delete(id).await;
    // Also where another process was faster.
    api.tokens.clear();
    deleted?;
    Ok(reply::no_content())
}
