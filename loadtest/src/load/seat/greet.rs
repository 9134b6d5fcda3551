//! How a player gets a session on a socket: connects, says hello or resume, repeats what is open.

use std::time::Duration;

use holdfast_protocol::client::{ClientMessage, MoveType, Verb};
use holdfast_protocol::movement::INPUT_STEPS_MAX;
use holdfast_protocol::server::{Outcome, ServerMessage, WelcomeKind};
use tokio::time::{Instant, timeout};

use super::Seat;
use crate::scenario::Kind;
use crate::socket::{self, Handshake, Socket};
use crate::stats::{Count, Measure};

/// How long a socket may take to open, and hello to be answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a slow reader's kernel keeps, in bytes.
const NARROW: u32 = 4 * 1024;

impl Seat {
    /// A socket with a session; `None`: not now.
    pub(super) async fn connect(&mut self) -> Option<Socket> {
        let url = self.share.url(self.at)?.to_owned();
        let handshake = Handshake { subprotocol: Some(self.wire.subprotocol()), origin: None };
        let began = Instant::now();
        let opened = if self.bots.kind == Kind::SlowReader {
            Socket::open_narrow(&url, handshake, PATIENCE, NARROW).await
        } else {
            Socket::open(&url, handshake, PATIENCE).await
        };
        let Ok(mut socket) = opened else {
            self.share.count(Count::ConnectsFailed, 1);
            self.at += 1;
            return None;
        };
        self.share.count(Count::Connects, 1);
        self.share.time(Measure::Connect, began.elapsed());
        match self.greet(&mut socket).await {
            Ok(true) => Some(socket),
            Ok(false) => None,
            Err(_) => {
                self.share.count(Count::ConnectsFailed, 1);
                self.at += 1;
                None
            }
        }
    }

    /// Says hello or resume, and repeats what is open. False: refused.
    async fn greet(&mut self, socket: &mut Socket) -> Result<bool, socket::Error> {
        let (began, resumes) = (Instant::now(), self.account.has_session());
        let dropped_at = self.drop_at;
        self.say(socket, &self.account.greeting()).await?;
        let message = timeout(PATIENCE, socket.hear()).await;
        let message = message.map_err(|_| socket::Error::Deadline(PATIENCE))??;
        match self.wire.read(&message) {
            Ok(ServerMessage::Welcome(welcome)) => {
                match welcome.kind {
                    WelcomeKind::Welcome => self.share.count(Count::Hellos, 1),
                    WelcomeKind::Resumed => self.share.count(Count::Resumes, 1),
                    WelcomeKind::Resync => self.share.count(Count::Resyncs, 1),
                }
                self.account.welcome(*welcome);
            }
            Ok(ServerMessage::Reply(reply)) => {
                if let Outcome::Err(error) = reply.outcome {
                    self.share.refused(error.code);
                    if resumes && !error.retry {
                        self.account.session_lost();
                    }
                }
                return Ok(false);
            }
            _ => return Ok(false),
        }
        if resumes {
            // A dropped connection is taken up in its own time; a lost one counts from its loss.
            if let Some(dropped_at) = dropped_at.filter(|_| self.lost_at.is_none()) {
                self.share.time(Measure::Resume, dropped_at.elapsed());
            }
        } else {
            self.share.time(Measure::Hello, began.elapsed());
        }
        self.frame_at = None;
        if let Some(sight) = &mut self.sight {
            sight.clear();
        }
        self.take_up(socket, resumes).await?;
        Ok(true)
    }

    /// After the welcome: what is open once more, or the way to the first room.
    async fn take_up(&mut self, socket: &mut Socket, resumes: bool) -> Result<(), socket::Error> {
        self.drop_at = self.mind.until_drop().map(|wait| Instant::now() + wait);
        if !resumes {
            if let Some(room_id) = self.mind.home() {
                let join = self.account.ask(Verb::JoinRoom { room_id }, Instant::now());
                self.share.count(Count::Commands, 1);
                self.say(socket, &join).await?;
            }
            return Ok(());
        }
        for message in self.account.open() {
            self.share.count(Count::Repeats, 1);
            self.say(socket, &message).await?;
        }
        if let Some((mut seq, steps)) = self.account.unacked() {
            for steps in steps.chunks(INPUT_STEPS_MAX) {
                self.share.count(Count::Repeats, 1);
                let verb = Verb::Input { seq, steps: steps.to_vec() };
                self.say(socket, &ClientMessage { id: None, verb }).await?;
                seq += steps.len() as u64;
            }
        }
        let probes = self.lost_at.is_some() && !matches!(self.bots.kind, Kind::Abuser);
        if probes && self.account.open_len() == 0 && self.stop.borrow().is_none() {
            // Nothing shows that its actor goes on like a command that is made durable.
            let (move_type, target_player_id, event_id) = (MoveType::Defend, None, None);
            let verb = Verb::ExecuteMove { move_type, target_player_id, event_id };
            let probe = self.account.ask(verb, Instant::now());
            self.share.count(Count::Commands, 1);
            self.say(socket, &probe).await?;
        }
        Ok(())
    }
}
