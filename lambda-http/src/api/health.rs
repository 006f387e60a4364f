//! `GET /health`: the process lives and answers. It says nothing about back ends.

use hyper::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use warp::reply::Response;

use crate::reply;

#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    status: &'static str,
}

pub(super) fn health() -> Response {
    reply::json(StatusCode::OK, &Health { status: "ok" })
}
