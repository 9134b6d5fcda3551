//! A bare WebSocket echo: what the same sockets cost without a game. A benchmark that is started
//! with the word `echo` serves it.

use std::process::Command;

use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{Message, WebSocket};
use axum::routing::get;
use axum::serve::ListenerExt;

use super::{Outcome, Process};

/// The server's own settings of sockets.
const BACKLOG: u32 = 4_096;
const READ_BUFFER_LEN: usize = 2 * 1024;
const WRITE_BUFFER_LEN: usize = 4 * 1024;
const MESSAGE_LEN_MAX: usize = 16 * 1024;

/// Starts this program again as an echo; where to connect.
pub fn start() -> Outcome<(Process, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    Process::start(command.arg("echo"), |line| {
        line.strip_prefix("echo ").map(|address| format!("ws://{address}/ws"))
    })
}

/// Serves the bare echo, and says where.
pub async fn serve() -> Outcome<()> {
    let listener = holdfast::gateway::listen(([127, 0, 0, 1], 0).into(), BACKLOG)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    println!("echo {}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let upgrade = |asked: WebSocketUpgrade| async {
        asked
            .read_buffer_size(READ_BUFFER_LEN)
            .write_buffer_size(WRITE_BUFFER_LEN)
            .max_message_size(MESSAGE_LEN_MAX)
            .max_frame_size(MESSAGE_LEN_MAX)
            .on_upgrade(say_back)
    };
    Ok(axum::serve(listener, Router::new().route("/ws", get(upgrade))).await?)
}

async fn say_back(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_)) && socket.send(message).await.is_err() {
            return;
        }
    }
}
