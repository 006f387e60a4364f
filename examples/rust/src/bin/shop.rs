//! A shop, an ordinary warp application, whose customers write a hook that prices their orders. The
//! platform's own routes are mounted below `/lambda`, for the shop's staff.
//!
//! ```console
//! $ SHOP_TOKEN=secret cargo run --bin shop
//! $ curl -X PUT localhost:8090/hooks/alice --data 'def handler(order, context): return order["items"] * 9'
//! $ curl localhost:8090/orders/alice -H 'content-type: application/json' -d '{"items": 2}'
//! {"price":18}
//! $ curl localhost:8090/lambda/metrics/summary -H 'authorization: Bearer secret'
//! ```

use std::sync::Arc;

use lambda_http::{HttpOptions, ServerOptions};
use lambda_store::model::{RuntimeName, Status};
use lambda_store::runtime::{ContainerOptions, GvisorRuntime};
use lambda_store::{Error, ErrorKind, ExecuteRequest, NewFunction, Platform, Result};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use warp::http::StatusCode;
use warp::reply::{Response, json as reply_json, with_status};
use warp::{Filter, Rejection, Reply};

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let data_dir = std::env::var("SHOP_DATA_DIR").unwrap_or("/var/lib/shop".into());
    let platform = Platform::builder()
        .data_dir(&data_dir)
        .store(lambda_store::open("sqlite::memory:").await?)
        // The boundary for code of strangers.
        .runtime(Arc::new(GvisorRuntime::connect(ContainerOptions::new(
            &data_dir,
        ))?))
        .build()
        .await?;
    let listener = TcpListener::bind("127.0.0.1:8090").await?;
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    let token = std::env::var("SHOP_TOKEN")?;
    let shop = shop(platform.clone(), RuntimeName::gvisor(), &token)?;
    lambda_http::serve(listener, shop, ServerOptions::default(), stop).await;
    platform.close().await;
    Ok(())
}

/// The shop's routes, and the platform's.
pub(crate) fn shop(
    platform: Platform,
    runtime: RuntimeName,
    token: &str,
) -> Result<impl Filter<Extract = (Response,), Error = Rejection> + Clone + use<>> {
    // Without a token nobody gets to them, not from this machine either.
    let options = HttpOptions::default()
        .operator_token(token)?
        .anonymous_loopback(false);
    let staff = warp::path("lambda").and(lambda_http::routes(platform.clone(), options));

    let own = warp::any().map(move || platform.clone());
    let save = warp::put()
        .and(warp::path!("hooks" / String))
        .and(warp::body::content_length_limit(100_000))
        .and(warp::body::bytes())
        .and(own.clone())
        .then(
            move |customer: String, code: warp::hyper::body::Bytes, platform| {
                let runtime = runtime.clone();
                async move { answer(save_hook(platform, &customer, &code, runtime).await) }
            },
        );
    let order = warp::post()
        .and(warp::path!("orders" / String))
        .and(warp::body::json())
        .and(own)
        .then(|customer: String, order: Value, platform| async move {
            answer(price(platform, &customer, &order).await)
        });
    Ok(staff.or(save).unify().or(order).unify())
}

/// A customer's code becomes a function of the customer's name.
async fn save_hook(
    platform: Platform,
    customer: &str,
    code: &[u8],
    runtime: RuntimeName,
) -> Result<Value> {
    let mut hook =
        NewFunction::python(customer, String::from_utf8_lossy(code))?.handler("hook.handler");
    hook.config.runtime = runtime;
    hook.config.concurrency = Some(2);
    let hook = platform.deploy(hook).await?;
    Ok(json!({ "version": hook.version }))
}

/// What the customer's hook says that the order costs.
async fn price(platform: Platform, customer: &str, order: &Value) -> Result<Value> {
    let request = ExecuteRequest::named(customer)?.event(order.to_string());
    let outcome = platform.execute(request).await?;
    Ok(match (outcome.status, outcome.output) {
        (Status::Success, Some(price)) => {
            json!({ "price": serde_json::from_slice::<Value>(&price).ok() })
        }
        // The customer's own mistake, for the customer to see.
        (status, _) => {
            json!({ "status": status, "error": outcome.error.map(|error| error.message) })
        }
    })
}

fn answer(result: Result<Value>) -> Response {
    let status = |error: &Error| match error.kind() {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::InvalidParameter => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    match result {
        Ok(value) => reply_json(&value).into_response(),
        Err(error) => with_status(error.to_string(), status(&error)).into_response(),
    }
}
