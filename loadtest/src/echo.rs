//! A bare WebSocket echo with the server's own settings of sockets: what one frame in and one
//! frame out cost when nothing is decided or kept in between.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{Message, WebSocket};
use axum::routing::get;
use axum::serve::ListenerExt;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// As the server's, in connections and in bytes.
const BACKLOG: i32 = 4_096;
const UNSENT_LEN: u32 = 16 * 1024;
const READ_BUFFER_LEN: usize = 512;
const WRITE_BUFFER_LEN: usize = 4 * 1024;
const WRITE_BUFFER_LEN_MAX: usize = 1024 * 1024;
const MESSAGE_LEN_MAX: usize = 16 * 1024;

/// Where the socket is, below the address.
pub const PATH: &str = "/ws";

/// Binds `address` and listens.
///
/// # Errors
/// What the OS said.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Says every text and binary message back, at [`PATH`], for ever.
///
/// # Errors
/// axum's, which are none so far.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Without them the echo is slower, and not wrong.
        let _ = prepare(stream);
    });
    axum::serve(listener, Router::new().route(PATH, get(upgrade))).await
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_LEN)?;
    Ok(())
}

async fn upgrade(asked: WebSocketUpgrade) -> axum::response::Response {
    asked
        .read_buffer_size(READ_BUFFER_LEN)
        .write_buffer_size(WRITE_BUFFER_LEN)
        .max_write_buffer_size(WRITE_BUFFER_LEN_MAX)
        .max_message_size(MESSAGE_LEN_MAX)
        .max_frame_size(MESSAGE_LEN_MAX)
        .on_upgrade(say_back)
}

async fn say_back(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let is_said = matches!(message, Message::Text(_) | Message::Binary(_));
        if is_said && socket.send(message).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_tungstenite::tungstenite;

    use super::*;
    use crate::socket::{Handshake, Incoming, Socket};

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn texts_and_bytes_come_back() {
        let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let url = format!("ws://{}{PATH}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener));
        let mut socket = Socket::open(&url, Handshake::default(), PATIENCE).await.unwrap();
        socket.send_text("hold").await.unwrap();
        socket.send(tungstenite::Message::binary(vec![7])).await.unwrap();
        assert_eq!(socket.next(PATIENCE).await.unwrap(), Incoming::Text("hold".into()));
        assert_eq!(socket.next(PATIENCE).await.unwrap(), Incoming::Binary(vec![7]));
    }
}
