//! What a client says, carried out: each message is admitted, paid for, and passed on.

use std::sync::Arc;

use axum::extract::ws::Message;
use holdfast_protocol::client::{self, Class, ClientMessage, DecodeError, Verb};
use holdfast_protocol::codes::{CloseCode, ErrorCode};
use holdfast_protocol::edge::{Opening, Proof, Request};
use holdfast_protocol::frame;
use holdfast_protocol::ids::ActorId;
use holdfast_protocol::movement::Step;
use holdfast_protocol::pack::{self, Packed};
use holdfast_protocol::server::{ErrorBody, Pong, RefreshBody, RoomsBody, TopBody, WhoBody};
use holdfast_protocol::text::{self, Line, render};
use serde::Serialize;
use serde_json::{Number, json};

use super::auth::AuthError;
use super::batch::{Full, Taken};
use super::beat::{Inbox, encode};
use super::board::TOP_LEN;
use super::counters::add;
use super::limit::{Limit, TooMuch};
use super::lines::Want;
use super::session::{Admission, Asked, Form, Rules};
use super::socket::{Ahead, End, Flow, Heard, Socket};
use super::standing::Patience;
use crate::actor::envelope::{Attach, Command};
use crate::msgpack;

/// After which time a client that was not served may try again, in milliseconds.
const BUSY_PAUSE_MS: u64 = 500;

impl Socket {
    /// One message: JSON, or a human line where the rules allow it.
    pub(super) async fn line(&mut self, line: &str) -> Flow {
        add(&self.edge.counters.messages_in);
        if self.session.rules() == Rules::Text && !text::is_json(line) {
            return Box::pin(self.human(line)).await;
        }
        // What was typed before is answered in words, before the form changes.
        if self.lines.as_ref().is_some_and(|lines| lines.owes()) && self.session.queue(line) {
            return Ok(());
        }
        self.reform(Form::Json);
        self.judge(line, client::decode(line)).await
    }

    /// One message as JSON that has been read.
    pub(super) async fn judge(
        &mut self,
        line: &str,
        read: Result<ClientMessage, DecodeError>,
    ) -> Flow {
        match read {
            Ok(message) => {
                self.last_id = self.last_id.max(message.id.unwrap_or_default());
                self.consider(line, message.id, message.verb, None).await
            }
            Err(error) => self.refuse(error.id, &ErrorBody::new(error.code, error.message)).await,
        }
    }

    /// Reads what came, and takes input at once: games send it many times a second.
    pub(super) fn read_ahead(&mut self, heard: &Heard) -> Ahead {
        let Some(Ok(message)) = heard else { return Ahead::Unread };
        self.session.heard(self.edge.clock.now_ms());
        let read = match message {
            Message::Text(text) if self.session.rules() == Rules::Json => {
                client::decode(text.trim_ascii())
            }
            Message::Binary(bytes) if self.packs() && pack::is_input(bytes) => {
                match pack::decode(bytes) {
                    Ok(Packed::Input(verb)) => Ok(ClientMessage { id: None, verb }),
                    _ => return Ahead::Unread,
                }
            }
            _ => return Ahead::Unread,
        };
        match &read {
            Ok(ClientMessage { verb, .. }) if self.takes_input(verb) => Ahead::Done,
            _ if self.packs() => Ahead::Unread,
            _ => Ahead::Read(read),
        }
    }

    /// Takes input that nothing speaks against. False: nothing was done.
    fn takes_input(&mut self, verb: &Verb) -> bool {
        let Verb::Input { seq, steps } = verb else { return false };
        let admitted = self.session.admit(verb) == Admission::Pass;
        if !admitted || self.gate.check(verb).is_err() || self.push_input(*seq, steps).is_err() {
            return false;
        }
        add(&self.edge.counters.messages_in);
        true
    }

    /// One message as MessagePack. What has to wait, waits as the JSON that it stands for.
    pub(super) async fn packed(&mut self, bytes: &[u8]) -> Flow {
        let verb = match pack::decode(bytes) {
            Ok(Packed::Text(text)) => return self.line(&text).await,
            Ok(Packed::Input(verb)) => verb,
            Err(error) => {
                add(&self.edge.counters.messages_in);
                let body = ErrorBody::new(error.code, error.message);
                return self.refuse(error.id, &body).await;
            }
        };
        add(&self.edge.counters.messages_in);
        let waits = self.session.admit(&verb) == Admission::Hold;
        let text = waits.then(|| ClientMessage { id: None, verb: verb.clone() }.encode());
        self.consider(&text.unwrap_or_default(), None, verb, None).await
    }

    async fn human(&mut self, line: &str) -> Flow {
        if self.session.queue(line) {
            return Ok(());
        }
        let json = self.lines.as_ref().is_some_and(|lines| lines.json);
        self.reform(if json { Form::Json } else { Form::Lines });
        let asked = match text::parse(line) {
            Ok(asked) => asked,
            Err(error) => {
                return self.refuse(None, &ErrorBody::new(error.code, error.message)).await;
            }
        };
        let input = |steps| Verb::Input { seq: 0, steps };
        match asked {
            Line::Empty => Ok(()),
            Line::Help { topic } => match text::help::help(topic.as_deref()) {
                Ok(help) => self.send(help).await,
                Err(error) => self.refuse(None, &ErrorBody::new(error.code, error.message)).await,
            },
            Line::Json { on } => {
                if let Some(lines) = &mut self.lines {
                    lines.json = on;
                }
                self.reform(if on { Form::Json } else { Form::Lines });
                self.say_ok(if on { "json on" } else { "json off" }).await
            }
            Line::Watch { on, hz } => {
                self.watch(on, hz);
                self.say_ok(if on { "watch on" } else { "watch off" }).await
            }
            Line::Quit if self.session.bound().is_none() && !self.session.is_waiting() => {
                Err(End::Close(CloseCode::Bye))
            }
            Line::Quit => self.consider_line(line, Verb::Logout {}, None).await,
            Line::Verb(verb) => self.consider_line(line, verb, None).await,
            Line::Move { steps } => self.consider_line(line, input(steps), None).await,
            Line::Ask(ask) => {
                let want = Some(Want::Ask(Box::new(ask)));
                self.consider_line(line, Verb::GetState {}, want).await
            }
            Line::Look => self.consider_line(line, Verb::GetState {}, Some(Want::Look)).await,
            Line::Gold => self.consider_line(line, Verb::GetState {}, Some(Want::Gold)).await,
            Line::Use { word } => {
                let want = Some(Want::Use(word));
                self.consider_line(line, Verb::GetInventory {}, want).await
            }
        }
    }

    async fn say_ok(&mut self, what: &str) -> Flow {
        match self.session.form() {
            Form::Json => Ok(()),
            Form::Lines => self.send(render::ok(None, false, what)).await,
        }
    }

    /// A human line's verb; the line stands for its own answer unless `want` says otherwise.
    async fn consider_line(&mut self, line: &str, verb: Verb, want: Option<Want>) -> Flow {
        let want = want.unwrap_or_else(|| Want::Verb(verb.clone()));
        self.consider(line, None, verb, Some(want)).await
    }

    /// Admits a message, or lets it wait, or refuses it.
    async fn consider(
        &mut self,
        line: &str,
        id: Option<u64>,
        verb: Verb,
        want: Option<Want>,
    ) -> Flow {
        match self.session.admit(&verb) {
            Admission::Hold => {
                self.session.hold(line);
                return Ok(());
            }
            Admission::NotHello if want.is_some() && matches!(verb, Verb::Ping { .. }) => {}
            Admission::NotHello => {
                let message = "the first message must be hello or resume (in lines: login NAME)";
                self.refuse(id, &ErrorBody::new(ErrorCode::NotHello, message)).await?;
                return Err(End::Close(CloseCode::ProtocolError));
            }
            Admission::Pass => {}
        }
        if verb.class() == Class::Session {
            match self.edge.patience() {
                Patience::Serve => {}
                Patience::Wait => {
                    self.session.postpone(line, id, self.edge.clock.now_ms());
                    self.sooner = true;
                    return Ok(());
                }
                Patience::Over(code) => return self.give_up(id, code).await,
            }
        }
        if verb.class() == Class::Command && id.is_some_and(|id| id <= self.passed_id) {
            // I4: `rate_limited` would say that it was not executed, which is not known here. The
            // actor answers a repeat from memory; too many of them are a flood.
            if !self.gate.takes_repeat() {
                self.edge.counters.count_limit(Limit::Repeats);
                return Err(End::Close(CloseCode::TooManyErrors));
            }
        } else if let Err(TooMuch { limit, wait_ms }) = self.gate.check(&verb) {
            self.edge.counters.count_limit(limit);
            let error = ErrorBody::new(ErrorCode::RateLimited, "too many messages; slow down");
            return self.refuse(id, &error.after_ms(wait_ms)).await;
        }
        let id = match want {
            Some(want) => self.number(&verb, want),
            None => id,
        };
        self.carry_out(id, verb).await
    }

    /// Gives a line an id where its verb needs one, and remembers what the answer is for.
    pub(super) fn number(&mut self, verb: &Verb, want: Want) -> Option<u64> {
        if !matches!(verb.class(), Class::Command | Class::Query) {
            return None;
        }
        self.last_id += 1;
        if matches!(want, Want::Use(_) | Want::Ask(_)) {
            self.session.pause(self.edge.clock.now_ms());
            self.sooner = true;
        }
        if let Some(lines) = &mut self.lines {
            lines.wait(self.last_id, want);
        }
        Some(self.last_id)
    }

    /// Answers a hello or resume that can't be served in time, and lets the client look elsewhere.
    pub(super) async fn give_up(&mut self, id: Option<u64>, code: CloseCode) -> Flow {
        let message = "this node can't serve now; try again, or another node";
        self.refuse(id, &ErrorBody::new(ErrorCode::Busy, message).after_ms(BUSY_PAUSE_MS)).await?;
        Err(End::Close(code))
    }

    async fn carry_out(&mut self, id: Option<u64>, verb: Verb) -> Flow {
        match verb {
            Verb::Hello { .. } => Box::pin(self.hello(id, verb)).await,
            Verb::Resume { token, seq } => Box::pin(self.resume(id, &token, seq)).await,
            Verb::Ping { t } => self.pong(t).await,
            Verb::Refresh { token } => self.refresh(id, &token).await,
            Verb::Input { seq, steps } => self.input(id, seq, &steps).await,
            Verb::Who {} => {
                let players = self.edge.hub.who();
                self.answer_here(id, &WhoBody { players }).await
            }
            Verb::Rooms {} => {
                let rooms = self.edge.rooms();
                self.answer_here(id, &RoomsBody { rooms }).await
            }
            Verb::Top {} => Box::pin(self.top(id)).await,
            Verb::Look {} => {
                self.seat.look_again();
                self.answer_here(id, &json!({})).await
            }
            verb => {
                self.pass(id, verb);
                Ok(())
            }
        }
    }

    async fn hello(&mut self, id: Option<u64>, hello: Verb) -> Flow {
        let now_ms = self.edge.clock.now_ms();
        let granted = match self.edge.auth.judge_hello(&hello, now_ms) {
            Ok(granted) => granted,
            Err(error) => return self.turn_away(id, &error).await,
        };
        let claims = granted.proof == Proof::Claim;
        let (player, expires_ms) = (granted.player, granted.expires_ms);
        let asked = Asked { id, player: player.clone(), expires_ms, claims };
        if let Err(error) = self.session.ask(asked, now_ms) {
            return self.refuse(id, &error).await;
        }
        let name = match hello {
            Verb::Hello { name, .. } => name,
            _ => None,
        };
        // Opening is plain data: encoding to memory can't fail.
        let opening = msgpack::named(&Opening { name, proof: granted.proof });
        let payload = opening.unwrap_or_default();
        let attach = Attach::Hello { payload, creates: true };
        self.attach(ActorId::player(&player), attach);
        Ok(())
    }

    async fn resume(&mut self, id: Option<u64>, token: &str, seq: u64) -> Flow {
        let (player, session) = match self.edge.auth.verify_resume(token) {
            Ok(named) => named,
            Err(error) => return self.turn_away(id, &error).await,
        };
        let actor = ActorId::player(&player);
        let asked = Asked { id, player, expires_ms: None, claims: false };
        if let Err(error) = self.session.ask(asked, self.edge.clock.now_ms()) {
            return self.refuse(id, &error).await;
        }
        self.attach(actor, Attach::Resume { session, seq });
        Ok(())
    }

    fn attach(&mut self, actor: ActorId, attach: Attach) {
        self.sooner = true;
        let (edge, inbox) = (self.edge.clone(), self.inbox.take());
        let connection = self.seat.connection.clone();
        self.dispatch(async move {
            if let Some(inbox) = inbox {
                edge.beat.flush(&inbox).await;
            }
            edge.runtime.attach(&actor, connection, attach).await;
        });
    }

    async fn turn_away(&mut self, id: Option<u64>, error: &AuthError) -> Flow {
        let error = ErrorBody::new(ErrorCode::Unauthorized, error.to_string());
        self.refuse(id, &error).await?;
        Err(End::Close(CloseCode::Unauthorized))
    }

    async fn pong(&mut self, t: Number) -> Flow {
        let now = self.edge.clock.now_ms();
        match self.session.form() {
            Form::Json => self.send(frame::pong(&t, now)).await,
            Form::Lines => self.send(render::pong(&Pong { pong: t, now })).await,
        }
    }

    async fn refresh(&mut self, id: Option<u64>, token: &str) -> Flow {
        let read = self.edge.auth.verify(token, self.edge.clock.now_ms());
        let own = self.session.bound().map(|bound| &bound.player);
        let judged = match read {
            Ok(bearer) if Some(&bearer.player) == own => Ok(bearer.expires_ms),
            Ok(_) => Err(AuthError::OtherPlayer),
            Err(error) => Err(error),
        };
        match judged {
            Ok(expires_ms) => {
                self.session.prolong(expires_ms);
                self.answer_here(id, &RefreshBody { expires_ms }).await
            }
            // A bad token is a bad token, also the second time.
            Err(error) => self.turn_away(id, &error).await,
        }
    }

    async fn input(&mut self, id: Option<u64>, seq: u64, steps: &[Step]) -> Flow {
        if self.push_input(seq, steps).is_ok() {
            return Ok(());
        }
        self.edge.counters.count_limit(Limit::Steps);
        let error = ErrorBody::new(ErrorCode::RateLimited, "too many steps wait; slow down");
        self.refuse(id, &error.after_ms(50)).await
    }

    /// Has input wait for the beat.
    fn push_input(&mut self, seq: u64, steps: &[Step]) -> Result<(), Full> {
        let Some(bound) = self.session.bound() else { return Ok(()) };
        let session = bound.session;
        let inbox = match &self.inbox {
            Some(inbox) if inbox.session() == session => inbox.clone(),
            _ => {
                let actor = ActorId::player(&bound.player);
                let inbox = Inbox::new(actor, session, self.seat.connection.id);
                self.inbox.insert(inbox).clone()
            }
        };
        let seq = self.number_steps(seq, steps.len());
        add(&self.edge.counters.input_frames);
        if self.edge.beat.push(&inbox, seq, steps)? == Taken::Edge {
            let edge = self.edge.clone();
            self.dispatch(async move { edge.beat.flush(&inbox).await });
        }
        Ok(())
    }

    /// The number of the first step; a human line's walk has none yet.
    fn number_steps(&mut self, seq: u64, len: usize) -> u64 {
        let Some(lines) = &mut self.lines else { return seq };
        if seq != 0 {
            lines.stepped(seq, len);
            return seq;
        }
        let input = self.seat.sight().input;
        self.seat.walk(true);
        self.session.walks(self.edge.clock.now_ms());
        self.sooner = true;
        lines.walk(len, input)
    }

    async fn top(&mut self, id: Option<u64>) -> Flow {
        let edge: Arc<_> = self.edge.clone();
        let top = edge.top(TOP_LEN).await;
        self.answer_here(id, &TopBody { top }).await
    }

    /// Answers a question that the edge knows the answer to.
    async fn answer_here(&mut self, id: Option<u64>, body: &impl Serialize) -> Flow {
        let body = serde_json::to_string(body).unwrap_or_default();
        self.answer(id, &body, None, false).await?;
        self.flush().await
    }

    /// Passes a command or a query on to the player's actor, after the input that came before it.
    pub(super) fn pass(&mut self, id: Option<u64>, verb: Verb) {
        let Some(bound) = self.session.bound() else { return };
        let (actor, session) = (ActorId::player(&bound.player), bound.session);
        let connection = self.seat.connection.clone();
        let reads = verb.class() == Class::Query;
        let key = verb.event_id().map(Into::into);
        let payload = encode(&Request::Verb(verb));
        if let (false, Some(id)) = (reads, id) {
            self.passed_id = self.passed_id.max(id);
        }
        // What a person types is answered in its order, reads too.
        if let (true, Some(id)) = (!reads || self.lines.is_some(), id) {
            self.session.sent(id);
        }
        let (edge, inbox) = (self.edge.clone(), self.inbox.clone());
        self.dispatch(async move {
            if let Some(inbox) = inbox {
                edge.beat.flush(&inbox).await;
            }
            match id {
                Some(id) if reads => edge.runtime.read(&actor, connection, id, payload).await,
                _ => {
                    let command = Command { session, connection: connection.id, id, key, payload };
                    edge.runtime.command(&actor, command).await;
                }
            }
        });
    }

    /// Uses the item that a word means, now that the inventory is known.
    pub(super) async fn use_item(&mut self, word: &str, inventory_json: &str) -> Flow {
        self.session.go_on();
        let body: Result<holdfast_protocol::server::InventoryBody, _> =
            serde_json::from_str(inventory_json);
        let inventory = body.map(|body| body.inventory).unwrap_or_default();
        match text::find_item(word, &inventory) {
            Err(error) => self.refuse(None, &ErrorBody::new(error.code, error.message)).await,
            Ok(item) => {
                let verb = Verb::UseItem { item_id: item.item_id.clone() };
                let id = self.number(&verb, Want::Verb(verb.clone()));
                self.pass(id, verb);
                Ok(())
            }
        }
    }
}
