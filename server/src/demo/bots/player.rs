//! One bot on its socket: connects, plays, and takes its session up again wherever a gateway is
//! when its own is gone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use holdfast_protocol::client::{ClientMessage, Verb};
use holdfast_protocol::codes::{CloseCode, ErrorCode, Verdict};
use holdfast_protocol::ids::{PlayerId, RoomId};
use holdfast_protocol::movement::{self, Position, STEP_MS, Step};
use holdfast_protocol::server::{
    ErrorBody, Event, FLAG_DEFEATED, Outcome, PlayerState, Reply, ServerMessage, WelcomeKind,
};
use loadtest::mirror::Mirror;
use loadtest::socket::{self, Handshake, Socket};
use loadtest::wire::Wire;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use super::cast::Role;
use super::mind::{Mind, Other, POTION, Sight};
use crate::clock::Clock;

const WIRE: Wire = Wire::Packed;
const ROOM: &str = "arena";
/// How long a socket may take to open, and hello to be answered.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts to connect: a random part of a span that doubles.
const RETRY_MS: (u64, u64) = (100, 2_000);
/// Between two attempts to get into the room.
const JOIN_MS: u64 = 4_000;
/// Commands without an answer; nothing new is said meanwhile.
const OPEN_MAX: usize = 4;
/// I7: blows that the mind has not heard of yet.
const BLOWS_MAX: usize = 8;

/// Why a bot left its socket.
enum Left {
    /// It is gone: resume.
    Lost,
    /// The session is over: say hello.
    Over,
    /// Somebody else plays under its name, or the server wants it no more.
    Banished,
    /// The server has broken a promise.
    Broken(String),
}

impl From<socket::Error> for Left {
    fn from(_: socket::Error) -> Self {
        Self::Lost
    }
}

/// See the module.
pub(super) struct Player {
    role: Role,
    cast: Arc<[Role]>,
    urls: Arc<[String]>,
    /// Which gateway it is at, or tries next.
    at: usize,
    clock: Clock,
    mind: Mind,
    mirror: Mirror,
    resume: Option<String>,
    next_id: u64,
    next_step: u64,
    open: BTreeMap<u64, Verb>,
    struck_by: VecDeque<PlayerId>,
    /// Where it is after all the steps that it has sent.
    place: Position,
    join_at_ms: u64,
}

impl Player {
    /// The `nth` of a cast; `None`: there are fewer.
    pub(super) fn new(
        nth: u32,
        cast: &Arc<[Role]>,
        urls: &Arc<[String]>,
        seed: u64,
        clock: &Clock,
    ) -> Option<Self> {
        let role = cast.get(nth as usize)?.clone();
        let len = u32::try_from(cast.len()).unwrap_or(u32::MAX);
        Some(Self {
            place: movement::spawn(role.player.as_str()),
            role,
            cast: Arc::clone(cast),
            urls: Arc::clone(urls),
            at: nth as usize,
            clock: clock.clone(),
            mind: Mind::new(seed, nth, len),
            mirror: Mirror::default(),
            resume: None,
            next_id: 1,
            next_step: 1,
            open: BTreeMap::new(),
            struck_by: VecDeque::new(),
            join_at_ms: 0,
        })
    }

    /// Plays until it is dropped, or wanted no more. What people should know goes to `news`.
    pub(super) async fn live(mut self, news: &mpsc::Sender<String>) {
        let mut failures = 0;
        loop {
            let left = match self.connect().await {
                Ok(socket) => {
                    failures = 0;
                    self.play(socket).await
                }
                Err(left) => left,
            };
            match left {
                Left::Lost => self.at += 1,
                Left::Over => self.resume = None,
                Left::Banished => {
                    let name = self.role.name;
                    let _ = news.try_send(format!("{name} left: it is wanted no more there"));
                    return;
                }
                Left::Broken(why) => {
                    let _ =
                        news.try_send(format!("{} saw a broken promise: {why}", self.role.name));
                    self.resume = None;
                }
            }
            failures += 1;
            let span = RETRY_MS.0.saturating_mul(1 << failures.min(8)).min(RETRY_MS.1);
            self.clock.sleep_ms(rand::random_range(0..=span)).await;
        }
    }

    /// A socket with a session.
    async fn connect(&mut self) -> Result<Socket, Left> {
        let url = self.urls.get(self.at % self.urls.len().max(1)).ok_or(Left::Banished)?;
        let handshake = Handshake { subprotocol: Some(WIRE.subprotocol()), origin: None };
        let mut socket = Socket::open(url, handshake, PATIENCE).await?;
        self.say(&mut socket, None, self.greeting()).await?;
        let patience_ms = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let heard = self.clock.within_ms(patience_ms, socket.hear()).await.ok_or(Left::Lost)??;
        if let Message::Close(frame) = heard {
            return Err(closed(frame.map(|frame| frame.code.into())));
        }
        match WIRE.read(&heard).map_err(Left::Broken)? {
            ServerMessage::Welcome(welcome) => {
                if welcome.kind == WelcomeKind::Welcome {
                    (self.next_id, self.next_step) = (1, 1);
                    self.open.clear();
                }
                self.resume = Some(welcome.resume.clone());
                self.place = Position { x: welcome.state.x, y: welcome.state.y };
                self.mirror.welcome(*welcome).map_err(|broken| Left::Broken(broken.to_string()))?;
            }
            ServerMessage::Reply(Reply { outcome: Outcome::Err(error), .. }) if !error.retry => {
                return Err(Left::Over);
            }
            _ => return Err(Left::Lost),
        }
        for (id, verb) in self.open.clone() {
            self.say(&mut socket, Some(id), verb).await?;
        }
        Ok(socket)
    }

    fn greeting(&self) -> Verb {
        match &self.resume {
            Some(token) => Verb::Resume { token: token.clone(), seq: self.mirror.seen() },
            None => Verb::Hello {
                token: None,
                player: Some(self.role.player.clone()),
                name: Some(self.role.name.to_owned()),
            },
        }
    }

    async fn play(&mut self, mut socket: Socket) -> Left {
        let mut beat_ms = self.clock.uptime_ms();
        loop {
            let clock = self.clock.clone();
            let done = tokio::select! {
                heard = socket.hear() => match heard {
                    Ok(message) => self.take(&message),
                    Err(error) => Err(error.into()),
                },
                () = clock.sleep_until_uptime(beat_ms) => {
                    // Steps that were missed are not made up for.
                    beat_ms = clock.uptime_ms().max(beat_ms.saturating_add(STEP_MS));
                    self.beat(&mut socket).await
                }
            };
            if let Err(left) = done {
                return left;
            }
        }
    }

    fn take(&mut self, message: &Message) -> Result<(), Left> {
        if let Message::Close(frame) = message {
            return Err(closed(frame.as_ref().map(|frame| frame.code.into())));
        }
        let broken = |broken: loadtest::ledger::Violation| Left::Broken(broken.to_string());
        match WIRE.read(message).map_err(Left::Broken)? {
            ServerMessage::Events(events) => {
                self.mirror.events(events).map_err(broken)?;
                self.note_blows();
            }
            ServerMessage::Event(event) => self.mirror.event(event).map_err(broken)?,
            ServerMessage::Reply(Reply { id: Some(id), outcome }) => {
                let pending = |error: &ErrorBody| error.code == ErrorCode::Pending;
                if !matches!(&outcome, Outcome::Err(error) if pending(error)) {
                    self.open.remove(&id);
                }
            }
            ServerMessage::Reply(_) | ServerMessage::Pong(_) | ServerMessage::Welcome(_) => {}
        }
        // What is only remembered would grow for as long as the show goes on.
        self.mirror.says.clear();
        self.mirror.unknown.clear();
        Ok(())
    }

    /// Tells the mind who has struck; frames are not kept.
    fn note_blows(&mut self) {
        for event in self.mirror.frames.drain(..).flat_map(|frame| frame.evs) {
            let Event::Combat(blow) = event else { continue };
            if blow.target.as_ref() == Some(&self.role.player) && self.struck_by.len() < BLOWS_MAX {
                self.struck_by.push_back(blow.by);
            }
        }
    }

    /// One step of its life.
    async fn beat(&mut self, socket: &mut Socket) -> Result<(), Left> {
        let now_ms = self.clock.now_ms();
        let outside = self.mirror.state.as_ref().is_none_or(|state| state.current_room.is_none());
        if outside {
            return self.join(socket, now_ms).await;
        }
        let Some(sight) = self.look(now_ms) else { return Ok(()) };
        let wish = self.mind.think(&sight);
        if let Some(step) = wish.step {
            self.walk(socket, step).await?;
        }
        match wish.verb.filter(|_| self.open.len() < OPEN_MAX) {
            Some(verb) => self.ask(socket, verb).await,
            None => Ok(()),
        }
    }

    async fn join(&mut self, socket: &mut Socket, now_ms: u64) -> Result<(), Left> {
        if now_ms < self.join_at_ms || self.open.len() >= OPEN_MAX {
            return Ok(());
        }
        self.join_at_ms = now_ms + JOIN_MS;
        let Ok(room_id) = RoomId::new(ROOM) else { return Ok(()) };
        self.ask(socket, Verb::JoinRoom { room_id }).await
    }

    /// What it sees; `None`: nothing yet.
    fn look(&mut self, now_ms: u64) -> Option<Sight> {
        let room = &self.mirror.room;
        let own = room.row_of(self.role.player.as_str())?;
        if self.mirror.input_seq + 1 >= self.next_step {
            self.place = Position { x: own.x, y: own.y };
        }
        let other = |(entity, (player, _)): (&u32, &(PlayerId, String))| {
            let row = room.entities.get(entity)?;
            (*player != self.role.player).then(|| Other {
                player: player.clone(),
                at: Position { x: row.x, y: row.y },
                health: row.health,
                is_down: row.flags & FLAG_DEFEATED != 0,
                is_visitor: !self.cast.iter().any(|role| role.player == *player),
            })
        };
        Some(Sight {
            now_ms,
            at: self.place,
            health: own.health,
            is_down: own.flags & FLAG_DEFEATED != 0,
            potions: self.mirror.state.as_ref().map_or(0, potions),
            others: room.roster.iter().filter_map(other).collect(),
            struck_by: self.struck_by.drain(..).collect(),
        })
    }

    async fn walk(&mut self, socket: &mut Socket, step: Step) -> Result<(), Left> {
        self.place = movement::step(self.place, step);
        let seq = self.next_step;
        self.next_step += 1;
        Ok(socket.send(WIRE.input(seq, step)).await?)
    }

    async fn ask(&mut self, socket: &mut Socket, verb: Verb) -> Result<(), Left> {
        let id = self.next_id;
        self.next_id += 1;
        self.open.insert(id, verb.clone());
        self.say(socket, Some(id), verb).await
    }

    async fn say(&self, socket: &mut Socket, id: Option<u64>, verb: Verb) -> Result<(), Left> {
        Ok(socket.send(WIRE.say(&ClientMessage { id, verb })).await?)
    }
}

fn potions(state: &PlayerState) -> u64 {
    let potions = state.inventory.iter().filter(|item| item.item_id == POTION);
    potions.map(|item| item.quantity).sum()
}

fn closed(code: Option<u16>) -> Left {
    let code = code.and_then(CloseCode::from_code);
    match code.map(CloseCode::verdict) {
        _ if code == Some(CloseCode::SessionExpired) => Left::Over,
        Some(Verdict::Final) => Left::Banished,
        _ => Left::Lost,
    }
}
