//! A bare WebSocket echo, and a client that asks one thing at a time, of it or of the server.

use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{Message, WebSocket};
use axum::routing::get;
use axum::serve::ListenerExt;
use holdfast::clock::instant;
use holdfast_protocol::client::{ClientMessage, MoveType, Verb};
use holdfast_protocol::ids::PlayerId;
use loadtest::socket::{Handshake, Incoming, JSON, Socket};

use super::{Outcome, Process, micros};

/// The server's own settings of sockets.
const BACKLOG: u32 = 4_096;
const READ_BUFFER_LEN: usize = 2 * 1024;
const WRITE_BUFFER_LEN: usize = 4 * 1024;
const MESSAGE_LEN_MAX: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// For a server whose clients ask as fast as they are answered, beyond the default of 20 commands
/// a second, and do not read, nor answer pings, while others have their turn.
pub const UNLIMITED: [&str; 6] =
    ["--commands-per-s", "1000000", "--ping-every-ms", "600000", "--dead-after-ms", "1200000"];

/// Whether this program was started to be the echo.
pub fn is_echo() -> bool {
    std::env::args().any(|arg| arg == "echo")
}

/// Serves the bare echo, and says where.
pub async fn echo() -> Outcome<()> {
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

/// Starts this program again as the echo; where it listens.
pub fn start_echo() -> Outcome<(Process, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    Process::start(command.arg("echo"), |line| {
        line.strip_prefix("echo ").map(|address| format!("ws://{address}/ws"))
    })
}

/// One client that asks one thing at a time.
pub struct Client {
    socket: Socket,
    next_id: u64,
}

impl Client {
    /// A client of the echo.
    pub async fn bare(url: &str) -> Outcome<Self> {
        Self::open(url, None).await
    }

    async fn open(url: &str, subprotocol: Option<&str>) -> Outcome<Self> {
        let handshake = Handshake { subprotocol, origin: None };
        Ok(Self { socket: Socket::open(url, handshake, PATIENCE).await?, next_id: 1 })
    }

    /// A player of the server.
    pub async fn player(url: &str, name: &str) -> Outcome<Self> {
        let mut client = Self::open(url, Some(JSON)).await?;
        let player = Some(PlayerId::new(name)?);
        let hello = Verb::Hello { token: None, player, name: None };
        client.socket.send_text(ClientMessage { id: None, verb: hello }.encode()).await?;
        match client.socket.next(PATIENCE).await? {
            Incoming::Text(text) if text.contains("welcome") => Ok(client),
            other => Err(format!("no welcome but {other:?}").into()),
        }
    }

    /// One command and its acknowledgement; the echo sends the same text back.
    pub async fn trip(&mut self) -> Outcome<()> {
        let verb =
            Verb::ExecuteMove { move_type: MoveType::Heal, target_player_id: None, event_id: None };
        let text = ClientMessage { id: Some(self.next_id), verb }.encode();
        self.socket.send_text(text).await?;
        self.answer().await?;
        self.next_id += 1;
        Ok(())
    }

    /// So many round trips, each in microseconds.
    pub async fn trips(&mut self, count: u64) -> Outcome<Vec<f64>> {
        let mut took = Vec::new();
        for _ in 0..count {
            let began = instant();
            self.trip().await?;
            took.push(micros(began.elapsed()));
        }
        Ok(took)
    }

    /// Waits for what names the id of the last question, past events.
    async fn answer(&mut self) -> Outcome<()> {
        let id = format!("\"id\":{},", self.next_id);
        loop {
            match self.socket.next(PATIENCE).await? {
                Incoming::Text(text) if text.contains("\"err\":") => return Err(text.into()),
                Incoming::Text(text) if text.contains(&id) => return Ok(()),
                Incoming::Text(_) => {}
                other => return Err(format!("no answer but {other:?}").into()),
            }
        }
    }
}
