//! A bare WebSocket echo, and a client that asks one thing at a time, of it or of the server.

use std::process::Command;
use std::time::Duration;

use holdfast::clock::instant;
use holdfast_protocol::client::{ClientMessage, MoveType, Verb};
use holdfast_protocol::ids::PlayerId;
use loadtest::socket::{Handshake, Incoming, JSON, Socket};

use super::{Outcome, Process, micros};

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
    let listener = loadtest::echo::bind(([127, 0, 0, 1], 0).into())?;
    println!("echo {}", listener.local_addr()?);
    Ok(loadtest::echo::serve(listener).await?)
}

/// Starts this program again as the echo; where it listens.
pub fn start_echo() -> Outcome<(Process, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    Process::start(command.arg("echo"), |line| {
        line.strip_prefix("echo ").map(|address| format!("ws://{address}{}", loadtest::echo::PATH))
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
