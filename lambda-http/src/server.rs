//! Our own accept loop: warp's has no timeouts, no bound and no `TCP_NODELAY`.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::either::Either;
use warp::{Filter, Rejection, Reply};

use crate::api;
use crate::options::ServerOptions;
use crate::request::{Connection, Draining};
use crate::stall::Stall;
use crate::tls::Tls;

/// After an error of accept(2), mostly too many open files: time for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `filter` on `listener` until `shutdown` is ready, then stops accepting, lets the
/// requests that run come to their end, and returns after [`ServerOptions::drain_timeout`]
/// at the latest.
///
/// # Limitations
/// HTTP/1.1. Without [`ServerOptions::tls`] the connection is not encrypted: off loopback use that,
/// or put a proxy that ends TLS in front.
pub async fn serve<F, R>(
    listener: TcpListener,
    filter: F,
    options: ServerOptions,
    shutdown: impl Future<Output = ()>,
) where
    F: Filter<Extract = (R,), Error = Rejection> + Clone + Send + Sync + 'static,
    R: Reply + Send + 'static,
{
    let Ok(listen) = listener.local_addr() else {
        tracing::error!("the listener has no address");
        return;
    };
    let service = TowerToHyperService::new(warp::service(filter.recover(api::unknown_route)));
    let connections = Arc::new(Semaphore::new(options.connections_max));
    let graceful = GracefulShutdown::new();
    let draining = Draining::default();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(options.header_bytes_max);
    let acceptor = options.tls.as_ref().map(Tls::acceptor);
    let mut shutdown = std::pin::pin!(shutdown);

    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let connection = Connection::new(listen, peer);
        let service = service.clone();
        let draining_soon = draining.clone();
        let tagged = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(connection);
            request.extensions_mut().insert(draining_soon.clone());
            service.call(request)
        });
        let stream = Stall::new(stream, options.write_timeout);
        // Also while it shakes hands a connection is one that draining waits for.
        let (watcher, builder, acceptor) = (graceful.watcher(), builder.clone(), acceptor.clone());
        let handshake_timeout = options.handshake_timeout;
        tokio::spawn(async move {
            let ended = async {
                let stream = match acceptor {
                    None => Either::Left(stream),
                    Some(acceptor) => {
                        let shaken = acceptor.accept(stream);
                        Either::Right(tokio::time::timeout(handshake_timeout, shaken).await??)
                    }
                };
                let served = builder.serve_connection(TokioIo::new(stream), tagged);
                watcher.watch(served).await?;
                Ok::<_, Box<dyn Error + Send + Sync>>(())
            };
            // A client that resets or is too slow is no event of the server's.
            if let Err(error) = ended.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    // Streams that have no end of their own would keep their connections for ever.
    draining.0.cancel();
    if tokio::time::timeout(options.drain_timeout, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests had not ended when the time to drain was over");
    }
}

type Accepted = (TcpStream, std::net::SocketAddr, OwnedSemaphorePermit);

/// One more connection, as soon as there is room for it.
async fn accept(listener: &TcpListener, connections: &Arc<Semaphore>) -> Option<Accepted> {
    let permit = Arc::clone(connections).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are written in one piece; waiting for more to send only delays them.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set");
            }
            Some((stream, peer, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            None
        }
    }
}
