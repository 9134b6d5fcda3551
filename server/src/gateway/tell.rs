//! What a client is told: deliveries of its actor, and what the hub marked as due.

use std::time::Duration;

use axum::extract::ws::Message;
use bytes::Bytes;
use holdfast_protocol::client::Verb;
use holdfast_protocol::codes::{CloseCode, ErrorCode};
use holdfast_protocol::frame;
use holdfast_protocol::movement::STEP_MS;
use holdfast_protocol::pack;
use holdfast_protocol::rows::Room;
use holdfast_protocol::server::{
    Activation, DrainEvent, ErrorBody, Event, PlayerState, RoomEvent, RosterEvent, RosterRow,
    Welcome, WelcomeKind,
};
use holdfast_protocol::text::render;
use serde_json::value::RawValue;

use super::counters::add;
use super::hub::Frame;
use super::lines::{self, Want};
use super::seat::{Mark, Marks};
use super::session::{Asked, Form};
use super::socket::{End, Flow, Socket};
use super::speak::{self, utf8};
use super::standing::Patience;
use super::view::shown::Rows;
use crate::actor::envelope::{
    Activated, Attached, Attachment, Closing, Delivery, Outcome, Refusal,
};
use crate::clock::instant;

/// The code of an answer that is not known yet.
const PENDING: &str = ErrorCode::Pending.as_str();

impl Socket {
    /// Writes what a delivery says; the caller flushes.
    pub(super) async fn tell(&mut self, delivery: Delivery) -> Flow {
        match delivery {
            Delivery::Attached(attached) => Box::pin(self.attached(*attached)).await,
            Delivery::Refused(refusal) => Box::pin(self.refused(&refusal)).await,
            Delivery::Reply { id, outcome } => self.reply(id, &outcome).await,
            Delivery::Events { seq, evs } => self.events(seq, &evs).await,
            Delivery::Transient(message) => self.event(message).await,
            Delivery::Close(closing) => {
                self.flush().await?;
                Err(End::Dismissed(match closing {
                    Closing::LoggedOut => CloseCode::Bye,
                    Closing::Replaced => CloseCode::Replaced,
                    Closing::Expired => CloseCode::SessionExpired,
                    Closing::Lost => CloseCode::Internal,
                    Closing::HandedOver => CloseCode::HandedOver,
                }))
            }
        }
    }

    async fn attached(&mut self, attached: Attached) -> Flow {
        let Some(asked) = self.session.attached(attached.session) else { return Ok(()) };
        self.edge.hub.attach(&self.seat, &asked.player, &attached);
        let now_ms = self.edge.clock.now_ms();
        let mut token = None;
        if asked.claims {
            let (fresh, expires_ms) = self.edge.auth.issue(&asked.player, now_ms);
            self.session.expires(expires_ms);
            token = Some(fresh);
        }
        let resumed = attached.how != Attachment::Welcome;
        // Lines have no ids of their own: they are numbered on from what the session knows.
        (self.last_id, self.passed_id) = (attached.watermark, attached.watermark);
        let input = if resumed { self.seat.sight().input } else { 0 };
        if let Some(lines) = &mut self.lines {
            lines.begin(input);
        }
        self.sooner = true;
        // In words it may be two lines: a message each, as terminals' tools show them.
        for line in self.welcome(&asked, &attached, token, now_ms).lines() {
            self.feed(line).await?;
        }
        for line in self.recall(&attached.state) {
            self.feed(line).await?;
        }
        for (seq, evs) in &attached.replay {
            self.events(*seq, evs).await?;
        }
        tracing::info!(
            connection = self.seat.connection.id,
            player = asked.player.as_str(),
            session = attached.session,
            how = ?attached.how,
            "attached"
        );
        self.reform(self.session.form());
        Ok(())
    }

    fn welcome(
        &self,
        asked: &Asked,
        attached: &Attached,
        token: Option<String>,
        now_ms: u64,
    ) -> String {
        let kind = match attached.how {
            Attachment::Welcome => WelcomeKind::Welcome,
            Attachment::Resumed => WelcomeKind::Resumed,
            Attachment::Resync => WelcomeKind::Resync,
        };
        let own = self.url.to_string();
        let peers = self.edge.peers();
        let others = peers.into_iter().filter(|url| *url != own);
        let base = Welcome {
            session: attached.session.to_string(),
            resume: self.edge.auth.issue_resume(&asked.player, attached.session),
            node: self.edge.node.clone(),
            epoch: attached.epoch,
            seq: attached.seq,
            limits: self.edge.limits.announced(),
            step_ms: STEP_MS,
            now: now_ms,
            gateways: std::iter::once(own.clone()).chain(others).collect(),
            replayed: (kind == WelcomeKind::Resumed).then_some(attached.replay.len() as u64),
            token,
            activation: attached.activated.map(activation),
            ..Welcome::new(kind, asked.player.clone(), ())
        };
        if self.session.form() == Form::Lines
            && let Ok(state) = serde_json::from_slice::<PlayerState>(&attached.state)
        {
            return render::welcome(&with_state(base, state));
        }
        match serde_json::from_slice::<&RawValue>(&attached.state) {
            Ok(state) => frame::welcome(&with_state(base, state)),
            Err(_) => frame::welcome(&base),
        }
    }

    async fn refused(&mut self, refusal: &Refusal) -> Flow {
        let Some(asked) = self.session.refused(self.edge.clock.now_ms()) else { return Ok(()) };
        self.sooner = true;
        let error = speak::refusal(refusal);
        self.refuse(asked.id, &error).await?;
        match refusal {
            Refusal::SessionEnded | Refusal::NoSuchActor => {
                Err(End::Close(CloseCode::SessionExpired))
            }
            _ if error.code == ErrorCode::Unauthorized => Err(End::Close(CloseCode::Unauthorized)),
            _ => Ok(()),
        }
    }

    async fn reply(&mut self, id: Option<u64>, outcome: &Outcome) -> Flow {
        let pends = matches!(&outcome.result, Err(reject) if reject.code == PENDING);
        match id {
            Some(id) if pends => self.session.pends(id),
            Some(id) => self.session.answered(id),
            None => {}
        }
        if let Err(reject) = &outcome.result {
            self.reject(id, outcome).await?;
            return speak::code_of(reject).map_or(Ok(()), |code| self.count_misuse(code));
        }
        match (&outcome.result, id) {
            (Ok(body), Some(_)) => self.answer(id, &utf8(body), outcome.seq, outcome.dup).await,
            _ => Ok(()),
        }
    }

    async fn reject(&mut self, id: Option<u64>, outcome: &Outcome) -> Flow {
        // `pending` is no last word: the answer still comes, under the same id.
        let last = !matches!(&outcome.result, Err(reject) if reject.code == PENDING);
        if last && matches!(self.take_want(id), Some(Want::Use(_) | Want::Ask(_))) {
            self.session.go_on();
        }
        if id.is_none() {
            self.stand_still();
        }
        let text = match (self.session.form(), &outcome.result) {
            (Form::Lines, Err(reject)) => match speak::code_of(reject) {
                Some(code) => render::error(&ErrorBody::new(code, reject.message.clone())),
                None => {
                    format!("! {}: {}", render::plain(&reject.code), render::plain(&reject.message))
                }
            },
            _ => speak::reply(id, outcome).unwrap_or_default(),
        };
        self.feed(text).await
    }

    /// Input was refused: a typed walk is answered by that.
    fn stand_still(&mut self) {
        if let Some(lines) = &mut self.lines {
            lines.stand();
            self.seat.walk(false);
            self.session.arrived();
        }
    }

    fn take_want(&mut self, id: Option<u64>) -> Option<Want> {
        self.lines.as_mut().and_then(|lines| lines.take(id?))
    }

    /// Writes the `ok` of a message.
    pub(super) async fn answer(
        &mut self,
        id: Option<u64>,
        body: &str,
        seq: Option<u64>,
        dup: bool,
    ) -> Flow {
        let want = self.take_want(id);
        if let Some(Want::Use(word)) = &want {
            return Box::pin(self.use_item(word, body)).await;
        }
        if let Some(Want::Ask(ask)) = &want {
            return Box::pin(self.understand(id, ask, body, seq)).await;
        }
        let text = match (self.session.form(), id) {
            (Form::Lines, _) => self.words(want.as_ref(), body, seq, dup),
            (Form::Json, Some(id)) => frame::reply_ok(id, body, seq, dup),
            // Only a refresh comes here without an id.
            (Form::Json, None) => format!("{{\"id\":null,\"ok\":{body}}}"),
        };
        self.feed(text).await
    }

    /// An `ok` in words.
    fn words(&mut self, want: Option<&Want>, body: &str, seq: Option<u64>, dup: bool) -> String {
        let dealt = match want {
            Some(Want::Verb(verb)) => self.dealt(verb, body),
            _ => None,
        };
        if let Some(dealt) = dealt {
            return render::ok(seq, dup, &dealt);
        }
        let own = self.session.bound().map(|bound| bound.player.as_str()).unwrap_or_default();
        let state = || serde_json::from_str::<PlayerState>(body).ok();
        match want {
            Some(Want::Verb(verb)) => {
                let members = match verb {
                    Verb::JoinRoom { room_id } => self.edge.hub.members_of(room_id.as_str()),
                    _ => Vec::new(),
                };
                let said = render::reply(verb, body, seq, dup, &lines::others(&members, own));
                match verb {
                    Verb::GetInventory {} => said + &self.reserved(),
                    _ => said,
                }
            }
            Some(Want::Gold) => {
                let gold = state().map(|state| render::gold(state.gold));
                render::ok(seq, dup, &gold.unwrap_or_default())
            }
            Some(Want::Look) => {
                let members = self.edge.hub.members(&self.seat);
                let look = state().map(|state| lines::look(&state, &members));
                render::ok(seq, dup, &look.unwrap_or_default())
            }
            Some(Want::Use(_) | Want::Ask(_)) | None => render::ok(seq, dup, ""),
        }
    }

    /// Numbered events: one frame as JSON, one message each in words.
    async fn events(&mut self, seq: u64, evs: &Bytes) -> Flow {
        if self.session.form() == Form::Json {
            self.learn(evs);
            return self.feed(speak::events(seq, evs)).await;
        }
        let list = format!("[{}]", utf8(evs));
        for event in serde_json::from_str::<Vec<Event>>(&list).unwrap_or_default() {
            self.event_words(&event).await?;
        }
        Ok(())
    }

    /// One event that is not numbered, as JSON text.
    async fn event(&mut self, message: Bytes) -> Flow {
        if self.session.form() == Form::Json {
            let text = axum::extract::ws::Utf8Bytes::try_from(message);
            return match text {
                Ok(text) => self.feed(text).await,
                Err(_) => Ok(()),
            };
        }
        match serde_json::from_slice::<Event>(&message) {
            Ok(event) => self.event_words(&event).await,
            Err(_) => Ok(()),
        }
    }

    async fn event_words(&mut self, event: &Event) -> Flow {
        if let Some(words) = self.dealing_words(event) {
            return self.feed(words).await;
        }
        let members = match event {
            Event::Room(_) => self.edge.hub.members(&self.seat),
            _ => Vec::new(),
        };
        let name_of = |entity| {
            let found = members.iter().find(|one| one.row.entity == entity);
            found.map(|one| one.name.to_string())
        };
        match render::event(event, name_of) {
            Some(words) => self.feed(words).await,
            None => Ok(()),
        }
    }

    /// Shows what the hub marked as due.
    pub(super) async fn show(&mut self, marks: Marks) -> Flow {
        if marks.has(Mark::Drain) {
            // At once where others can take over, and yet not all in the same moment; this node
            // itself needs a while until it is back.
            let (least_ms, spread_ms) =
                if self.edge.peers().is_empty() { (100, 900) } else { (0, 100) };
            let retry_after_ms = least_ms + self.seat.connection.id.wrapping_mul(7_919) % spread_ms;
            let event = frame::event(&Event::Drain(DrainEvent { retry_after_ms }));
            self.event(Bytes::from(event)).await?;
            self.flush().await?;
            return Err(End::Close(CloseCode::Restart));
        }
        if marks.has(Mark::Standing) {
            Box::pin(self.stand()).await?;
        }
        if marks.has(Mark::Room) {
            let began = instant();
            self.arrive().await?;
            self.show_room().await?;
            self.flush().await?;
            self.hold_back(began.elapsed());
            self.catch_up().await?;
        }
        if marks.has(Mark::Board) && self.seat.is_watching() {
            self.event(self.edge.hub.board()).await?;
        }
        self.flush().await
    }

    /// Gives a socket whose writes take long more time until the next room frame.
    fn hold_back(&mut self, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let pace_ms = self.strain.wrote(took_ms, self.edge.tempo.frame_ms());
        if pace_ms > 0 {
            add(&self.edge.counters.held_back);
            self.seat.hold_until(self.edge.clock.now_ms().saturating_add(pace_ms));
        }
    }

    /// The node serves again, or has not for too long.
    async fn stand(&mut self) -> Flow {
        match self.edge.patience() {
            Patience::Serve => {
                self.session.serve();
                self.catch_up().await
            }
            Patience::Wait => Ok(()),
            Patience::Over(code) => {
                if let Some(id) = self.session.unanswered() {
                    return self.give_up(id, code).await;
                }
                // A frozen node lets everybody go; a held one, those who wait for an answer.
                let stays = code == CloseCode::Internal && !self.session.has_open();
                if stays { Ok(()) } else { Err(End::Close(code)) }
            }
        }
    }

    async fn show_room(&mut self) -> Flow {
        if !self.seat.is_watching() {
            return Ok(());
        }
        let now_ms = self.edge.clock.now_ms();
        let edge = &self.edge;
        let Some(frame) = edge.hub.frame(&self.seat, now_ms, edge.full_frame_ms) else {
            return Ok(());
        };
        let Frame { input, rows, gone, full, names, room } = frame;
        let lines = self.session.form() == Form::Lines;
        if let Some(names) = names {
            if lines {
                let row =
                    |(entity, player, name): (u32, std::sync::Arc<str>, std::sync::Arc<str>)| {
                        let player = holdfast_protocol::ids::PlayerId::new(&player).ok()?;
                        Some(RosterRow { entity, player, name: name.to_string() })
                    };
                let players = names.rows.into_iter().filter_map(row).collect();
                let roster = RosterEvent { players, full: names.full };
                self.event_words(&Event::Roster(roster)).await?;
            } else {
                let rows =
                    names.rows.iter().map(|(entity, player, name)| (*entity, &**player, &**name));
                self.feed(frame::roster(rows, names.full)).await?;
            }
        }
        if !room {
            return Ok(());
        }
        add(&self.edge.counters.room_frames);
        let tick = now_ms / STEP_MS;
        if lines {
            let room = RoomEvent { tick, input_seq: input, e: rows.to_vec(), gone, full };
            return self.event_words(&Event::Room(room)).await;
        }
        let Rows { own, own_row, shown } = rows;
        let (input_seq, gone) = (input, &gone[..]);
        let message = if self.packs() {
            let rows = shown.packed();
            let room = Room { tick, input_seq, own, own_row, rows, gone, full };
            Message::Binary(pack::room(&room).into())
        } else {
            let rows = shown.json();
            let room = Room { tick, input_seq, own, own_row, rows, gone, full };
            Message::Text(frame::room(&room).into())
        };
        self.feed_message(message).await
    }

    /// Says where a walk ended.
    async fn arrive(&mut self) -> Flow {
        let Some(lines) = &mut self.lines else { return Ok(()) };
        if !lines.is_walking() {
            return Ok(());
        }
        let (input, seq, at) = {
            let sight = self.seat.sight();
            (sight.input, sight.seq, sight.at)
        };
        if !lines.arrived(input) {
            return Ok(());
        }
        let walking = lines.is_walking();
        self.seat.walk(walking);
        if !walking {
            self.session.arrived();
        }
        if self.session.form() == Form::Json {
            return Ok(());
        }
        self.feed(render::ok(Some(seq), false, &render::at(at))).await
    }
}

fn activation(activated: Activated) -> Activation {
    let tenths = u32::try_from(activated.took_micros.div_ceil(100)).unwrap_or(u32::MAX);
    Activation { records: activated.records, took_ms: f64::from(tenths) / 10.0 }
}

/// A welcome with the state in place.
fn with_state<S>(base: Welcome<()>, state: S) -> Welcome<S> {
    Welcome {
        kind: base.kind,
        player: base.player,
        session: base.session,
        resume: base.resume,
        node: base.node,
        epoch: base.epoch,
        seq: base.seq,
        state,
        limits: base.limits,
        step_ms: base.step_ms,
        now: base.now,
        gateways: base.gateways,
        replayed: base.replayed,
        token: base.token,
        activation: base.activation,
    }
}
