//! One task a connection: everything that one client says and is told, in order.
//!
//! Two lanes lead out. The reliable one (a bounded queue) carries replies and events; when it is
//! full the connection is cut and the socket closes with 4002. The other is a set of marks: room
//! frames and the leaderboard are made here, when the socket can take one. All that the task
//! waits for is such a mark, the client and the clock too, so that it looks only at what rang.
//! A send never waits longer than a heartbeat, and not at all once the connection is cut. Nor does
//! the task wait for the runtime: where its queue is full the message is sent on beside all other
//! duties, and what the client says next waits behind it (I7: then the socket is not read), but
//! for pings.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, SinkExt, StreamExt};
use holdfast_protocol::client::{ClientMessage, DecodeError};
use holdfast_protocol::codes::{CloseCode, ErrorCode};
use holdfast_protocol::frame;
use holdfast_protocol::ids::{ActorId, PlayerId};
use holdfast_protocol::pack;
use holdfast_protocol::server::ErrorBody;
use holdfast_protocol::text::render;

use super::Edge;
use super::beat::Inbox;
use super::counters::add;
use super::limit::{Gate, Place};
use super::lines::{Lines, WATCH_HZ_DEFAULT};
use super::seat::{Alarm, Mark, Seat};
use super::session::{self, Bounds, Due, Form, Rules, Session};
use super::standing::Patience;
use super::strain::Strain;
use crate::actor::connection::Connection;

/// Deliveries that are written before one flush.
const BURST_LEN: usize = 64;

/// A slow client has what was written before to read, until it finds our close; in milliseconds.
const SLOW_CLOSE_MS: u64 = 5_000;

/// Why a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client is gone.
    Gone,
    /// The edge closes the socket.
    Close(CloseCode),
    /// The runtime is done with the connection: no detach.
    Dismissed(CloseCode),
}

/// Goes on, or ends.
pub(super) type Flow = Result<(), End>;

/// What came from the client; `None`: it is gone.
pub(super) type Heard = Option<Result<Message, axum::Error>>;

/// What a message is found to be before it gets a future of its own.
pub(super) enum Ahead {
    /// It is done with.
    Done,
    /// It has been read.
    Read(Result<ClientMessage, DecodeError>),
    /// It has still to be read.
    Unread,
}

/// One client's connection.
pub(super) struct Socket {
    pub(super) edge: Arc<Edge>,
    websocket: WebSocket,
    pub(super) seat: Arc<Seat>,
    pub(super) session: Session,
    pub(super) gate: Gate,
    /// Made with the first input.
    pub(super) inbox: Option<Arc<Inbox>>,
    /// Only under text rules.
    pub(super) lines: Option<Box<Lines>>,
    /// The newest id of this session that the socket knows of.
    pub(super) last_id: u64,
    /// The highest id that the actor has seen: up to it, a command is a repeat.
    pub(super) passed_id: u64,
    /// Under which URL the client came here.
    pub(super) url: Box<str>,
    /// The timer is set too late by now.
    pub(super) sooner: bool,
    /// Room frames are held back because writes take long.
    pub(super) strain: Strain,
    /// What the runtime had no room for yet.
    sending: Option<BoxFuture<'static, ()>>,
}

/// Talks with one client until either side ends it. Without a place the client is turned away.
pub(super) fn serve(
    edge: Arc<Edge>,
    websocket: WebSocket,
    rules: Rules,
    place: Option<Place>,
    url: Box<str>,
) -> impl Future<Output = ()> + Send + 'static {
    add(&edge.counters.opened);
    // Made before the future, which would keep room for its arguments for good.
    let socket = Box::new(Socket::new(edge, websocket, rules, url));
    converse(socket, place)
}

async fn converse(mut socket: Box<Socket>, place: Option<Place>) {
    let end = match place {
        Some(_) => {
            socket.edge.hub.open(&socket.seat);
            tracing::debug!(connection = socket.seat.connection.id, "socket opened");
            match socket.live().await {
                Err(end) => end,
            }
        }
        None => End::Close(CloseCode::TooManyConnections),
    };
    Box::pin(socket.finish(end)).await;
    drop(place);
}

fn bounds(edge: &Edge, rules: Rules) -> Bounds {
    let limits = &edge.limits;
    Bounds {
        hello_deadline_ms: match rules {
            Rules::Json | Rules::Packed => limits.hello_deadline_ms,
            Rules::Text => limits.hello_deadline_text_ms,
        },
        ping_ms: limits.ping_ms,
        dead_ms: limits.dead_ms,
        answer_deadline_ms: edge.hold_ms,
        held_len_max: limits.held_len_max,
        misuse_max: limits.misuse_max,
    }
}

impl Socket {
    fn new(edge: Arc<Edge>, websocket: WebSocket, rules: Rules, url: Box<str>) -> Self {
        let id = edge.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let seat = Seat::new(Connection::new(id, edge.limits.lane_len_max));
        let session = Session::new(rules, bounds(&edge, rules), edge.clock.now_ms());
        let gate = Gate::new(&edge.limits);
        let lines = (rules == Rules::Text).then(Box::default);
        let (inbox, last_id, passed_id, sooner) = (None, 0, 0, false);
        Self {
            edge,
            websocket,
            seat,
            session,
            gate,
            inbox,
            lines,
            last_id,
            passed_id,
            url,
            sooner,
            strain: Strain::default(),
            sending: None,
        }
    }

    async fn live(&mut self) -> Result<Infallible, End> {
        if self.session.form() == Form::Lines {
            Box::pin(self.send(render::greeting(&self.edge.node))).await?;
        }
        let clock = self.edge.clock.clone();
        let mut timer = pin!(clock.sleep_until(self.session.next_due_ms()));
        let client = Waker::from(self.seat.clone());
        let alarm = Waker::from(Arc::new(Alarm(self.seat.clone())));
        // Neither has been asked to ring yet.
        let mut readable = true;
        self.sooner = true;
        // What is done is boxed, so that an idle connection keeps only the waiting in memory.
        loop {
            let marks = self.seat.due(!(readable && self.session.can_hold())).await;
            if marks.has(Mark::Cut) {
                return Err(End::Close(CloseCode::SlowConsumer));
            }
            // The reliable lane first: what it owes is older than what the client says now.
            if marks.has(Mark::Delivery) {
                Box::pin(self.tell_all()).await?;
            }
            if marks.shows() {
                Box::pin(self.show(marks)).await?;
            }
            if marks.has(Mark::Socket) {
                readable = true;
                if self.has_sent(&client) {
                    Box::pin(self.catch_up()).await?;
                }
            }
            if readable && self.session.can_hold() {
                match self.poll_client(&client) {
                    Poll::Pending => readable = false,
                    Poll::Ready(heard) => match self.read_ahead(&heard) {
                        Ahead::Done => {}
                        ahead => Box::pin(self.hear(heard, ahead)).await?,
                    },
                }
            }
            let mut rang = marks.has(Mark::Timer);
            while rang || self.sooner {
                if std::mem::take(&mut self.sooner) {
                    timer.set(clock.sleep_until(self.session.next_due_ms()));
                }
                rang = timer.as_mut().poll(&mut Context::from_waker(&alarm)).is_ready();
                if rang {
                    Box::pin(self.look_at_clock()).await?;
                    self.sooner = true;
                }
            }
        }
    }

    /// Looks whether the runtime has taken what it had no room for. True when it has just now.
    fn has_sent(&mut self, waker: &Waker) -> bool {
        let Some(sending) = &mut self.sending else { return false };
        if sending.as_mut().poll(&mut Context::from_waker(waker)).is_pending() {
            return false;
        }
        self.sending = None;
        self.session.stuck(false);
        true
    }

    /// What the client has said since the last look.
    fn poll_client(&mut self, waker: &Waker) -> Poll<Heard> {
        self.websocket.poll_next_unpin(&mut Context::from_waker(waker))
    }

    async fn look_at_clock(&mut self) -> Flow {
        match self.session.due(self.edge.clock.now_ms()) {
            Due::Nothing => Ok(()),
            Due::GoOn => self.catch_up().await,
            Due::Ping => {
                let ping = self.websocket.send(Message::Ping(Bytes::new()));
                within(&self.edge, &self.seat, ping).await
            }
            Due::Unanswered => {
                let code = match self.edge.patience() {
                    Patience::Over(code) => code,
                    Patience::Serve | Patience::Wait => CloseCode::Internal,
                };
                self.give_up(self.session.unanswered().flatten(), code).await
            }
            Due::Close(code) => {
                if code == CloseCode::ProtocolError {
                    let error = ErrorBody::new(ErrorCode::NotHello, "no hello came in time");
                    self.refuse(None, &error).await?;
                }
                Err(End::Close(code))
            }
        }
    }

    /// Passes something on to the runtime, without waiting for it.
    pub(super) fn dispatch(&mut self, sending: impl Future<Output = ()> + Send + 'static) {
        let before = self.sending.take();
        let mut sending = async move {
            if let Some(before) = before {
                before.await;
            }
            sending.await;
        }
        .boxed();
        if (&mut sending).now_or_never().is_none() {
            self.sending = Some(sending);
            self.session.stuck(true);
            // It was polled without a waker.
            self.seat.mark(Mark::Socket);
        }
    }

    async fn tell_all(&mut self) -> Flow {
        let mut told = 0;
        while let Some(next) = self.seat.connection.take() {
            self.tell(next).await?;
            told += 1;
            if told == BURST_LEN {
                // The rest after what else is due.
                self.seat.mark(Mark::Delivery);
                break;
            }
        }
        self.flush().await?;
        self.catch_up().await
    }

    /// Looks at messages that waited for an answer.
    pub(super) async fn catch_up(&mut self) -> Flow {
        while let Some(line) = self.session.release() {
            Box::pin(self.line(&line)).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, heard: Heard, ahead: Ahead) -> Flow {
        let message = match heard {
            None => return Err(End::Gone),
            Some(Err(error)) => return Err(fault(&error)),
            Some(Ok(message)) => message,
        };
        if let (Message::Text(text), Ahead::Read(read)) = (&message, ahead) {
            add(&self.edge.counters.messages_in);
            return self.judge(text.trim_ascii(), read).await;
        }
        match message {
            Message::Binary(bytes) if self.packs() => self.packed(&bytes).await,
            Message::Text(text) if !self.packs() => self.read(&text).await,
            Message::Binary(_) | Message::Text(_) => {
                let what = if self.packs() { "text" } else { "binary" };
                let error = ErrorBody::new(
                    ErrorCode::BadMessage,
                    format!("{what} is not spoken here; the subprotocol decides"),
                );
                self.refuse(None, &error).await
            }
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(End::Gone),
        }
    }

    /// Whether both sides speak MessagePack.
    pub(super) fn packs(&self) -> bool {
        self.session.rules() == Rules::Packed
    }

    async fn read(&mut self, text: &Utf8Bytes) -> Flow {
        for line in session::lines(text) {
            self.line(line).await?;
        }
        Ok(())
    }

    /// Speaks to the client in `form` from now on, and shows it what that form is shown.
    pub(super) fn reform(&mut self, form: Form) {
        self.session.speak(form);
        let watch_hz = self.lines.as_ref().and_then(|lines| lines.watch_hz);
        let json = self.session.form() == Form::Json;
        let pace_ms = match watch_hz {
            Some(hz) if !json => 1_000 / u64::from(hz.max(1)),
            _ => 0,
        };
        self.seat.pace_ms.store(pace_ms, Ordering::Release);
        self.seat.watch(self.session.bound().is_some() && (json || watch_hz.is_some()));
    }

    /// Watches the room in lines, or no more.
    pub(super) fn watch(&mut self, on: bool, hz: Option<u8>) {
        if let Some(lines) = &mut self.lines {
            lines.watch_hz = on.then(|| hz.unwrap_or(WATCH_HZ_DEFAULT));
        }
        self.reform(self.session.form());
    }

    /// Refuses a message, and ends the conversation when that was one too many.
    pub(super) async fn refuse(&mut self, id: Option<u64>, error: &ErrorBody) -> Flow {
        self.edge.counters.count_refusal(error.code);
        let text = match self.session.form() {
            Form::Json => frame::reply_err(id, error),
            Form::Lines => render::error(error),
        };
        self.send(text).await?;
        self.count_misuse(error.code)
    }

    pub(super) fn count_misuse(&mut self, code: ErrorCode) -> Flow {
        if self.session.misused(code, self.edge.clock.now_ms()) {
            return Err(End::Close(CloseCode::TooManyErrors));
        }
        Ok(())
    }

    /// Writes one message, in the encoding of the subprotocol; it leaves with the next flush at
    /// the latest.
    pub(super) async fn feed(&mut self, text: impl Into<Utf8Bytes>) -> Flow {
        let text = text.into();
        let packed = self.packs().then(|| Message::Binary(pack::message(&text).into()));
        self.feed_message(packed.unwrap_or(Message::Text(text))).await
    }

    /// Writes one message as it is.
    pub(super) async fn feed_message(&mut self, message: Message) -> Flow {
        add(&self.edge.counters.messages_out);
        within(&self.edge, &self.seat, self.websocket.feed(message)).await
    }

    pub(super) async fn flush(&mut self) -> Flow {
        within(&self.edge, &self.seat, self.websocket.flush()).await
    }

    /// Writes one message at once.
    pub(super) async fn send(&mut self, text: impl Into<Utf8Bytes>) -> Flow {
        self.feed(text).await?;
        self.flush().await
    }

    /// Lets the runtime and the hub go, then closes as the protocol asks.
    async fn finish(mut self: Box<Self>, end: End) {
        self.seat.connection.close();
        self.edge.hub.close(&self.seat);
        let bound = self.session.bound().map(|bound| &bound.player);
        let player = bound.or_else(|| self.session.asked().map(|asked| &asked.player));
        let player = player.cloned();
        let leaver = player.as_ref().filter(|_| !matches!(end, End::Dismissed(_)));
        let letting_go =
            let_go(&self.edge, leaver, self.sending.take(), self.inbox.take(), &self.seat);
        let (connection, player) = (self.seat.connection.id, player.as_ref().map(|id| id.as_str()));
        match end {
            End::Gone => {
                add(&self.edge.counters.lost);
                tracing::info!(connection, player, "socket lost");
            }
            End::Close(code) | End::Dismissed(code) => {
                self.edge.counters.count_close(code);
                tracing::info!(
                    connection,
                    player,
                    code = code.code(),
                    name = code.name(),
                    "socket closed"
                );
            }
        }
        tokio::join!(letting_go, self.say_goodbye(end));
    }

    /// The closing handshake, with a deadline: the client's close is waited for, so that ours
    /// arrives before the connection is reset.
    async fn say_goodbye(&mut self, end: End) {
        let slow = end == End::Close(CloseCode::SlowConsumer);
        let least_ms = if slow { SLOW_CLOSE_MS } else { 0 };
        let deadline_ms = self.edge.limits.close_deadline_ms.max(least_ms);
        let websocket = &mut self.websocket;
        let handshake = async {
            match end {
                End::Gone => {
                    let _ = websocket.flush().await;
                }
                End::Close(code) | End::Dismissed(code) => {
                    let reason = Utf8Bytes::from_static(code.reason());
                    let close = CloseFrame { code: code.code(), reason };
                    if websocket.send(Message::Close(Some(close))).await.is_err() {
                        return;
                    }
                    while let Some(Ok(_)) = websocket.recv().await {}
                    if matches!(code, CloseCode::MessageTooBig | CloseCode::InvalidUtf8) {
                        // What is left unread would reset the connection under our close.
                        std::future::pending::<()>().await;
                    }
                }
            }
        };
        tokio::select! {
            () = handshake => {}
            () = self.edge.clock.sleep_ms(deadline_ms) => {}
        }
    }
}

/// Says to the runtime that a socket is gone, after all that came by it.
fn let_go(
    edge: &Arc<Edge>,
    player: Option<&PlayerId>,
    sending: Option<BoxFuture<'static, ()>>,
    inbox: Option<Arc<Inbox>>,
    seat: &Seat,
) -> impl Future<Output = ()> + use<> {
    let (edge, connection, actor) = (edge.clone(), seat.connection.id, player.map(ActorId::player));
    async move {
        let Some(actor) = actor else { return };
        if let Some(sending) = sending {
            sending.await;
        }
        if let Some(inbox) = inbox {
            edge.beat.flush(&inbox).await;
        }
        edge.runtime.detach(&actor, connection).await;
    }
}

/// Waits for a send: not once the connection is cut, and never longer than a heartbeat.
async fn within(
    edge: &Edge,
    seat: &Seat,
    send: impl Future<Output = Result<(), axum::Error>>,
) -> Flow {
    tokio::select! {
        biased;
        sent = send => sent.map_err(|_| End::Gone),
        () = seat.connection.until_cut() => Err(End::Close(CloseCode::SlowConsumer)),
        () = edge.clock.sleep_ms(edge.limits.dead_ms) => {
            Err(End::Close(CloseCode::HeartbeatTimeout))
        }
    }
}

/// What a read error means. The library's error type is not among our dependencies, so that its
/// sentence has to tell; `tests/` guards both cases.
fn fault(error: &axum::Error) -> End {
    let said = error.to_string();
    if said.starts_with("Space limit exceeded") {
        End::Close(CloseCode::MessageTooBig)
    } else if said.starts_with("UTF-8 encoding error") {
        End::Close(CloseCode::InvalidUtf8)
    } else {
        End::Gone
    }
}
