//! TCP: the listener, and one hyper connection for each client.
//!
//! Own accept loop, because axum's has no deadline for headers.
//! I7: beyond `connections_max` sockets and [`PENDING_MAX`] requests a new TCP connection is
//! dropped at once.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::counters::add;
use super::{Edge, http};

/// Connections that are not sockets (yet).
const PENDING_MAX: usize = 4_096;
/// Largest request head and read buffer of HTTP, in bytes.
const HTTP_BUFFER_LEN: usize = 16 * 1024;
/// Most bytes that wait in the kernel unsent, so that a slow client gets fresh room frames.
const UNSENT_LEN: u32 = 16 * 1024;
/// How long to wait after accept failed, in milliseconds.
const FAILED_PAUSE_MS: u64 = 50;

/// The address of the other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Binds `address` and listens; at most `backlog` connections wait to be accepted.
///
/// # Errors
/// What the OS said, with a sentence for people that names the address and the way out.
pub fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    bind().map_err(|error: io::Error| io::Error::new(error.kind(), explain(address, &error)))
}

fn explain(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "address already in use: another server listens on {address}; stop it or choose \
             another with --listen (players) or --admin-listen (operators)"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "not allowed to listen on {address}: ports below 1024 are reserved; choose another \
             with --listen"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {}; choose another with --listen", address.ip())
        }
        _ => format!("can't listen on {address}: {error}"),
    }
}

/// Serves until it is told to stop. Requests under way get their answers.
pub(super) async fn serve(
    listener: TcpListener,
    edge: Arc<Edge>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = http::router(edge.clone());
    let pending = Arc::new(Semaphore::new(PENDING_MAX));
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                edge.clock.sleep_ms(FAILED_PAUSE_MS).await;
                continue;
            }
        };
        add(&edge.counters.accepted);
        match pending.clone().try_acquire_owned() {
            Ok(permit) => take(stream, peer, router.clone(), &edge, shutdown.clone(), permit),
            Err(_) => add(&edge.counters.dropped),
        }
    }
}

fn take(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    edge: &Edge,
    shutdown: CancellationToken,
    permit: OwnedSemaphorePermit,
) {
    if let Err(error) = prepare(&stream) {
        tracing::debug!(%error, "socket options refused");
    }
    let deadline = Duration::from_millis(edge.limits.header_deadline_ms);
    tokio::spawn(async move {
        let _permit = permit;
        let service = TowerToHyperService::new(router);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            service.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(deadline)
            .max_buf_size(HTTP_BUFFER_LEN)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "request failed");
        }
    });
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_LEN)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_explained() {
        let first = listen("127.0.0.1:0".parse().unwrap(), 16).unwrap();
        let address = first.local_addr().unwrap();
        let error = listen(address, 16).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let said = error.to_string();
        assert!(said.starts_with("address already in use: another server listens on"), "{said}");
        assert!(said.contains(&address.to_string()) && said.contains("--listen"), "{said}");
    }
}
