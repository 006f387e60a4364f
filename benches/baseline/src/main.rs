//! The baseline as a server: warp in front of [`lambda_baseline::Pool`].
//!
//! Prints its URL once it takes requests: `POST /functions/execute` with `{"event": ...}`
//! gives `{"output": ...}`. Ends, and removes its containers, on SIGINT or SIGTERM.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use clap::Parser;
use lambda_baseline::Pool;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use warp::Filter as _;
use warp::http::StatusCode;

/// The bare prototype: warp and one Unix-socket round trip per call
#[derive(Debug, Parser)]
struct Args {
    /// Docker's runtime: runc or runsc
    #[arg(long, default_value = "runc")]
    runtime: String,
    /// The containers' image; needs python3
    #[arg(long, default_value = "lambda-python")]
    image: String,
    /// Containers, each serving one call at a time
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[derive(Debug, Deserialize)]
struct Execute {
    event: Value,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = serve(args) => result,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

async fn serve(args: Args) -> io::Result<()> {
    let pool = Arc::new(Pool::start(&args.runtime, &args.image, args.workers).await?);
    let execute = warp::post()
        .and(warp::path!("functions" / "execute"))
        .and(warp::body::json())
        .then(move |request: Execute| {
            let pool = Arc::clone(&pool);
            async move {
                let (status, body) = match pool.call(&request.event).await {
                    Ok(output) => (StatusCode::OK, json!({ "output": output })),
                    Err(error) => (
                        StatusCode::BAD_GATEWAY,
                        json!({ "error": error.to_string() }),
                    ),
                };
                warp::reply::with_status(warp::reply::json(&body), status)
            }
        });
    let listener = TcpListener::bind(args.listen).await?;
    println!("http://{}", listener.local_addr()?);
    warp::serve(execute).incoming(listener).run().await;
    Ok(())
}
