//! `GET /ready`: whether functions can be read and run at the moment.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::StatusCode;
use lambda_core::Platform;
use lambda_core::model::RuntimeName;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use warp::reply::Response;

use crate::reply;
use crate::request::Request;

/// Anybody may ask, and looking costs calls to Docker and to the database.
const FRESH: Duration = Duration::from_secs(2);

/// A database or a Docker that hangs is not ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was seen last. Who asks while somebody looks waits for what that one sees.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Option<(Instant, Readiness)>>);

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Readiness {
    status: &'static str,
    store: &'static str,
    #[schemars(with = "BTreeMap<String, String>")]
    runtimes: BTreeMap<RuntimeName, &'static str>,
}

pub(super) async fn ready(request: Request) -> Response {
    let api = request.api;
    let mut seen = api.readiness.0.lock().await;
    let readiness = match &*seen {
        Some((at, readiness)) if at.elapsed() < FRESH => readiness.clone(),
        _ => {
            let readiness = look(&api.platform).await;
            *seen = Some((Instant::now(), readiness.clone()));
            readiness
        }
    };
    let status = match readiness.status {
        "ready" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    reply::json(status, &readiness)
}

async fn look(platform: &Platform) -> Readiness {
    let word = |works| if works { "ok" } else { "error" };
    let readiness = platform.readiness(PATIENCE).await;
    Readiness {
        status: match readiness.is_ready() {
            true => "ready",
            false => "not_ready",
        },
        store: word(readiness.store),
        runtimes: readiness
            .runtimes
            .iter()
            .map(|(name, works)| (name.clone(), word(*works)))
            .collect(),
    }
}
