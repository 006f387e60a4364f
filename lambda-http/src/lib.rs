//! The platform over HTTP: routes for [warp], a server to run them, and a small dashboard.
//!
//! ```no_run
//! use lambda_core::Platform;
//! use lambda_http::{HttpOptions, ServerOptions, routes, serve};
//!
//! # async fn run(platform: Platform) -> Result<(), Box<dyn std::error::Error>> {
//! let options = HttpOptions::default().operator_token("a long random secret")?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
//! serve(listener, routes(platform, options), ServerOptions::default(), stop).await;
//! # Ok(())
//! # }
//! ```
//!
//! [`routes`] is an ordinary warp filter: mount it under a path, or join it to your own
//! filters with `.or(...)`; it rejects paths that are not its own.
//!
//! # Who may do what
//! Every route stands in one table, [`ROUTES`], which says what it asks for; a route that is
//! not in the table does not exist, so none can forget its check.
//!
//! | [`Access`] | on loopback | elsewhere |
//! |---|---|---|
//! | `Public`: the page's static files, `/health` and `/ready`, which hold no data | open | open |
//! | `Local`, `LocalAll`: functions and executions | open, or with a token that has the scope | token with the scope |
//! | `Protected`: metrics, records, the pool, tokens | token with the scope | token with the scope |
//!
//! A request counts as loopback where the listener's address and the peer's both are
//! loopback addresses and no proxy says that it forwarded it. A wrong token is refused
//! everywhere, also where none is needed.
//!
//! On loopback the `Host` header has to be a name of this machine, so that a web page cannot
//! reach the server by rebinding its own name (DNS rebinding); everywhere `Origin`, if
//! there is one, has to be the server's own, `Sec-Fetch-Site` may not name another site where
//! something is changed, and bodies have to be declared, as `application/json` mostly, so that a
//! web page cannot drive the server with its visitor's rights (CSRF).

mod api;
mod auth;
mod body;
mod dashboard;
mod docs;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod options;
mod origin;
mod prometheus;
mod query;
mod reply;
mod request;
mod route;
mod schema;
mod server;
mod sse;
mod stall;
mod tls;
mod trace;

pub use api::routes;
pub use options::{HttpOptions, ServerOptions};
pub use prometheus::{PROMETHEUS_FUNCTIONS_MAX, register_metrics};
pub use request::Connection;
pub use route::{Access, ROUTES, Route};
pub use server::serve;
