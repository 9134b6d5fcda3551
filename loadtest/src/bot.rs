//! One headless player: a socket, a [`Ledger`] of what it was promised and a [`Mirror`] of what
//! it was told.
//!
//! A bot owns its socket and reads it only inside its own calls, so that a test sees one thing
//! after the other. Every message that arrives passes the ledger or the mirror first: a broken
//! promise ends the call with [`Error::Violation`], whatever the call was waiting for.

mod error;

use std::time::Duration;

use holdfast_protocol::client::{ClientMessage, Step, Verb};
use holdfast_protocol::server::{ErrorBody, Outcome, PlayerState, ServerMessage, Welcome};
use tokio::time::{Instant, sleep};

use crate::ledger::{Answer, Ledger};
use crate::mirror::Mirror;
use crate::socket::{self, Handshake, Incoming, Socket};
use crate::wire::{Wire, unpacked};
pub use error::Error;

/// How long a bot waits for what must come, unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts to connect to a server that is not there yet, unless told otherwise.
const RETRY_EVERY: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Debug)]
pub struct Bot {
    /// How long to wait for what must come.
    pub patience: Duration,
    /// How long to wait for a socket to open.
    pub open_patience: Duration,
    /// Between two attempts to connect to a server that is not there yet.
    pub retry_every: Duration,
    /// The gateways of one world; a resume that finds one gone goes to the next.
    urls: Vec<String>,
    /// Which of them is connected to.
    at: usize,
    /// How it speaks.
    wire: Wire,
    socket: Option<Socket>,
    close_code: Option<u16>,
    resume: Option<String>,
    ledger: Ledger,
    mirror: Mirror,
    next_step: u64,
    /// Errors about messages without an id, such as refused input.
    complaints: Vec<ErrorBody>,
    pongs: u64,
}

impl Bot {
    /// Opens a socket; the first thing to say is [`Bot::hello`].
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::connect_as(url, Wire::Json).await
    }

    /// The same with a subprotocol.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub async fn connect_as(url: &str, wire: Wire) -> Result<Self, Error> {
        let mut bot = Self {
            patience: PATIENCE,
            open_patience: PATIENCE,
            retry_every: RETRY_EVERY,
            urls: vec![url.to_owned()],
            at: 0,
            wire,
            socket: None,
            close_code: None,
            resume: None,
            ledger: Ledger::default(),
            mirror: Mirror::default(),
            next_step: 1,
            complaints: Vec::new(),
            pongs: 0,
        };
        bot.open().await?;
        Ok(bot)
    }

    /// Connects and says hello as a guest.
    ///
    /// # Errors
    /// As [`Bot::connect`] and [`Bot::hello`].
    pub async fn enter(url: &str, player: &str, name: Option<&str>) -> Result<Self, Error> {
        let mut bot = Self::connect(url).await?;
        bot.hello(player, name).await?;
        Ok(bot)
    }

    async fn open(&mut self) -> Result<(), Error> {
        let handshake = Handshake { subprotocol: Some(self.wire.subprotocol()), origin: None };
        self.close_code = None;
        let url = self.urls.get(self.at).ok_or(Error::NotConnected)?;
        self.socket = Some(Socket::open(url, handshake, self.open_patience).await?);
        Ok(())
    }

    /// Opens a new session as a guest. What was promised in the former one is forgotten.
    ///
    /// # Errors
    /// [`Error::Refused`] with the server's reason, or [`Error::Socket`].
    pub async fn hello(&mut self, player: &str, name: Option<&str>) -> Result<Welcome, Error> {
        let player = player.parse().map_err(|error: holdfast_protocol::ids::IdError| {
            Error::Unreadable { text: player.to_owned(), why: error.to_string() }
        })?;
        let name = name.map(str::to_owned);
        self.greet(Verb::Hello { token: None, player: Some(player), name }).await
    }

    /// Opens a new session with a token.
    ///
    /// # Errors
    /// As [`Bot::hello`].
    pub async fn hello_with(&mut self, token: &str) -> Result<Welcome, Error> {
        let token = Some(token.to_owned());
        self.greet(Verb::Hello { token, player: None, name: None }).await
    }

    async fn greet(&mut self, verb: Verb) -> Result<Welcome, Error> {
        let opens = matches!(verb, Verb::Hello { .. });
        let what = verb.name();
        self.transmit(&ClientMessage { id: None, verb }).await?;
        let deadline = Instant::now() + self.patience;
        let welcome = match self.next(deadline, what).await? {
            ServerMessage::Welcome(welcome) => *welcome,
            ServerMessage::Reply(reply) => {
                return Err(match reply.outcome {
                    Outcome::Err(error) => Error::Refused(error),
                    Outcome::Ok { body, .. } => Error::Unreadable {
                        text: body.get().to_owned(),
                        why: format!("{what} is never answered by ok"),
                    },
                });
            }
            other => {
                let text = format!("{other:?}");
                return Err(Error::Unreadable {
                    text,
                    why: format!("came before {what}'s answer"),
                });
            }
        };
        if opens {
            self.ledger.clear();
            self.next_step = 1;
        }
        self.resume = Some(welcome.resume.clone());
        self.mirror.welcome(welcome.clone())?;
        Ok(welcome)
    }

    /// Connects again, takes the session up, repeats every command without an outcome.
    ///
    /// # Errors
    /// As [`Bot::hello`].
    pub async fn resume(&mut self) -> Result<Welcome, Error> {
        let token = self.resume.clone().ok_or(Error::NotConnected)?;
        self.kill();
        self.open().await?;
        let welcome = self.greet(Verb::Resume { token, seq: self.mirror.seen() }).await?;
        for id in self.ledger.open() {
            self.resend(id).await?;
        }
        Ok(welcome)
    }

    /// Makes the other gateways of the same world known.
    pub fn know(&mut self, others: impl IntoIterator<Item = String>) {
        self.urls.extend(others);
    }

    /// The gateway that the newest connection was opened at.
    #[must_use]
    pub fn url(&self) -> &str {
        self.urls.get(self.at).map_or("", String::as_str)
    }

    /// The next connection is opened at the next gateway.
    pub fn turn(&mut self) {
        self.at = (self.at + 1) % self.urls.len().max(1);
    }

    /// Resumes as soon as a server is there: tries again, at the next gateway, while the connection
    /// is refused or lost.
    ///
    /// # Errors
    /// The last error, once `deadline` has passed or it is one that resuming can't mend.
    pub async fn resume_within(&mut self, deadline: Duration) -> Result<Welcome, Error> {
        let end = Instant::now() + deadline;
        loop {
            match self.resume().await {
                Err(error) if error.is_lost() && Instant::now() < end => {
                    self.turn();
                    if self.at == 0 {
                        sleep(self.retry_every).await;
                    }
                }
                done => return done,
            }
        }
    }

    /// Sends a command or query under the next id, and does not wait.
    ///
    /// # Errors
    /// [`Error::Socket`]. The command stays in the ledger and is repeated after resume.
    pub async fn send(&mut self, verb: Verb) -> Result<u64, Error> {
        let message = self.ledger.issue(verb);
        self.transmit(&message).await?;
        Ok(message.id.unwrap_or_default())
    }

    /// Sends an id once more; its reply has to be the same.
    ///
    /// # Errors
    /// [`Error::Socket`], or [`Error::NotConnected`] for an id that was never issued.
    pub async fn resend(&mut self, id: u64) -> Result<(), Error> {
        let message = self.ledger.repeat(id).ok_or(Error::NotConnected)?;
        self.transmit(&message).await
    }

    /// Sends an id once more and waits for the reply.
    ///
    /// # Errors
    /// As [`Bot::command`]; [`Error::Violation`] when the reply is another one than before.
    pub async fn repeat(&mut self, id: u64) -> Result<Answer, Error> {
        let before = self.ledger.entry(id).map_or(0, |entry| entry.answers);
        self.resend(id).await?;
        let answers = |bot: &Self| bot.ledger.entry(id).map_or(0, |entry| entry.answers);
        self.wait_for("the reply to a repeat", |bot| answers(bot) > before).await?;
        let newest = self.ledger.entry(id).and_then(|entry| entry.newest.clone());
        newest.ok_or(Error::NotConnected)
    }

    /// Waits for the outcome of `id`; `pending` is none.
    ///
    /// # Errors
    /// As [`Bot::wait_for`].
    pub async fn reply(&mut self, id: u64) -> Result<Answer, Error> {
        let what = format!("the reply to {id}");
        self.wait_for(&what, |bot| bot.ledger.answer(id).is_some()).await?;
        self.ledger.answer(id).cloned().ok_or(Error::NotConnected)
    }

    /// Sends a command and waits for its outcome, which may be a refusal.
    ///
    /// # Errors
    /// [`Error`] when there is no outcome in time.
    pub async fn command(&mut self, verb: Verb) -> Result<Answer, Error> {
        let id = self.send(verb).await?;
        self.reply(id).await
    }

    /// Asks, and reads the answer as `T`.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server refused, else as [`Bot::command`].
    pub async fn query<T: serde::de::DeserializeOwned>(&mut self, verb: Verb) -> Result<T, Error> {
        self.command(verb).await?.body().map_err(Error::Refused)
    }

    /// Sends steps of movement; returns the number of the last one.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub async fn input(&mut self, steps: Vec<Step>) -> Result<u64, Error> {
        let seq = self.next_step;
        self.next_step += steps.len() as u64;
        self.transmit(&ClientMessage { id: None, verb: Verb::Input { seq, steps } }).await?;
        Ok(self.next_step - 1)
    }

    /// Sends a text as it is. Its reply, if any, is an error without an id: a complaint.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub async fn say_raw(&mut self, text: &str) -> Result<(), Error> {
        let socket = self.socket.as_mut().ok_or(Error::NotConnected)?;
        Ok(socket.send_text(text).await?)
    }

    async fn transmit(&mut self, message: &ClientMessage) -> Result<(), Error> {
        let socket = self.socket.as_mut().ok_or(Error::NotConnected)?;
        Ok(socket.send(self.wire.say(message)).await?)
    }

    /// Reads until `holds`, at most for [`Bot::patience`].
    ///
    /// # Errors
    /// [`Error::Deadline`] names `what`; other errors end the wait at once.
    pub async fn wait_for(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + self.patience;
        while !holds(self) {
            let message = self.next(deadline, what).await?;
            self.take(message)?;
        }
        Ok(())
    }

    /// Reads for `span`, whatever comes.
    ///
    /// # Errors
    /// Every error but the deadline.
    pub async fn listen(&mut self, span: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + span;
        loop {
            match self.next(deadline, "").await {
                Ok(message) => self.take(message)?,
                Err(Error::Deadline { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes in what has arrived, without waiting.
    ///
    /// # Errors
    /// As [`Bot::wait_for`].
    pub fn pump(&mut self) -> Result<(), Error> {
        loop {
            let incoming = match self.socket.as_mut().ok_or(Error::NotConnected)?.ready() {
                Ok(Some(incoming)) => incoming,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.socket = None;
                    return Err(error.into());
                }
            };
            let message = self.read(incoming)?;
            self.take(message)?;
        }
    }

    /// Waits until the server closes, and says with which code.
    ///
    /// # Errors
    /// [`Error::Deadline`] when it does not.
    pub async fn closed(&mut self) -> Result<Option<u16>, Error> {
        let waited = self.wait_for("the server to close", |_| false).await;
        match waited {
            Err(Error::Closed(code)) => Ok(code),
            Err(Error::NotConnected) => Ok(self.close_code),
            Err(error) => Err(error),
            Ok(()) => Ok(None),
        }
    }

    async fn next(&mut self, deadline: Instant, what: &str) -> Result<ServerMessage, Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        let socket = self.socket.as_mut().ok_or(Error::NotConnected)?;
        let incoming = match socket.next(left).await {
            Err(socket::Error::Deadline(_)) => {
                return Err(Error::Deadline { what: what.to_owned(), after: self.patience });
            }
            Err(error) => {
                self.socket = None;
                return Err(error.into());
            }
            Ok(incoming) => incoming,
        };
        self.read(incoming)
    }

    fn read(&mut self, incoming: Incoming) -> Result<ServerMessage, Error> {
        let unreadable = |text: String, why: String| Error::Unreadable { text, why };
        match (self.wire, incoming) {
            (Wire::Json, Incoming::Text(text)) => ServerMessage::decode(&text)
                .map_err(|error| unreadable(text.clone(), error.to_string())),
            (Wire::Packed, Incoming::Binary(bytes)) => {
                unpacked(&bytes).map_err(|why| unreadable(format!("{bytes:?}"), why))
            }
            (wire, incoming @ (Incoming::Text(_) | Incoming::Binary(_))) => {
                let why = format!("not spoken under {}", wire.subprotocol());
                Err(unreadable(format!("{incoming:?}"), why))
            }
            (_, Incoming::Closed(code)) => {
                self.socket = None;
                self.close_code = code;
                Err(Error::Closed(code))
            }
        }
    }

    fn take(&mut self, message: ServerMessage) -> Result<(), Error> {
        match message {
            ServerMessage::Reply(reply) => self.take_reply(reply)?,
            ServerMessage::Events(events) => self.mirror.events(events)?,
            ServerMessage::Event(event) => self.mirror.event(event)?,
            ServerMessage::Pong(_) => self.pongs += 1,
            ServerMessage::Welcome(welcome) => {
                let text = format!("{welcome:?}");
                return Err(Error::Unreadable { text, why: "a second welcome".to_owned() });
            }
        }
        Ok(())
    }

    fn take_reply(&mut self, reply: holdfast_protocol::server::Reply) -> Result<(), Error> {
        match (reply.id, reply.outcome.clone()) {
            (None, Outcome::Err(error)) => self.complaints.push(error),
            (id, _) => {
                self.ledger.note(id, Answer::from(reply))?;
            }
        }
        Ok(())
    }

    /// Drops the TCP stream: no close frame, as when a cable is pulled.
    pub fn kill(&mut self) {
        self.socket = None;
    }

    /// The code with which the server closed the last socket.
    #[must_use]
    pub const fn close_code(&self) -> Option<u16> {
        self.close_code
    }

    /// True while there is a socket.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Every command of this session and its outcome.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The world as told.
    #[must_use]
    pub const fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// The player's state as told by welcome and `player` events.
    ///
    /// # Errors
    /// [`Error::NotConnected`] before the first welcome.
    pub fn state(&self) -> Result<&PlayerState, Error> {
        self.mirror.state.as_ref().ok_or(Error::NotConnected)
    }

    /// Errors about messages without an id.
    #[must_use]
    pub fn complaints(&self) -> &[ErrorBody] {
        &self.complaints
    }

    /// Pongs received.
    #[must_use]
    pub const fn pongs(&self) -> u64 {
        self.pongs
    }

    /// The last step that was sent.
    #[must_use]
    pub const fn steps_sent(&self) -> u64 {
        self.next_step - 1
    }
}

#[cfg(test)]
#[path = "bot/tests.rs"]
mod tests;
