//! What a player does when it is due: a step, a command, nonsense.

use holdfast_protocol::client::{ClientMessage, Verb};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::{Left, Seat};
use crate::load::mind::NONSENSE;
use crate::load::pulse::Turn;
use crate::scenario::Kind;
use crate::socket::{self, Socket};
use crate::stats::Count;
use crate::wire::Wire;

impl Seat {
    /// Sends what is due.
    pub(super) async fn act(&mut self, socket: &mut Socket, stopping: bool) -> Option<Left> {
        let now = Instant::now();
        if stopping {
            return None;
        }
        if self.drop_at.is_some_and(|at| at <= now) {
            // Resume counts from here.
            self.drop_at = Some(now);
            return Some(Left::Dropped);
        }
        let sent = match self.pulse.turn(now) {
            Turn::Rest => Ok(()),
            Turn::Step(due) => self.step(socket, due).await,
            Turn::Wish(due) => self.wish(socket, due).await,
        };
        self.pulse.sent(now, Instant::now());
        sent.is_err().then_some(Left::Lost)
    }

    async fn step(&mut self, socket: &mut Socket, due: Instant) -> Result<(), socket::Error> {
        self.punctual(due);
        let step = self.mind.step(self.pulse.steps(), &self.account.knows());
        let seq = self.account.walk(step, due);
        // Who walks to coins comes to a place again and again.
        let is_told = self.bots.kind != Kind::Collector;
        if let Some(at) = self.account.ahead().filter(|_| is_told) {
            self.share.track(self.nth, at, due);
        }
        self.share.count(Count::Inputs, 1);
        let message = self.wire.input(seq, step);
        self.share.sent(message.len());
        socket.send(message).await
    }

    async fn wish(&mut self, socket: &mut Socket, due: Instant) -> Result<(), socket::Error> {
        if self.bots.kind == Kind::Abuser {
            return self.abuse(socket, due).await;
        }
        if self.account.open_len() >= self.bots.in_flight as usize {
            self.share.count(Count::CommandsHeld, 1);
            self.pulse.hold(due, Instant::now());
            return Ok(());
        }
        self.pulse.wished(due, &mut self.mind);
        self.punctual(due);
        let verb = self.mind.wish(&self.account.knows());
        if let Verb::TradeAccept { trade_id, .. } = &verb {
            self.share.deal(|deals| deals.accepted(trade_id, due));
        }
        self.share.count(Count::Commands, 1);
        let message = self.account.ask(verb, due);
        self.say(socket, &message).await
    }

    /// As many commands as may be under way.
    pub(super) async fn grind(&mut self, socket: &mut Socket) -> Result<(), socket::Error> {
        while self.account.open_len() < self.bots.in_flight as usize {
            if self.bots.commands > 0 && self.pulse.wishes() >= self.bots.commands {
                if !std::mem::replace(&mut self.finished, true) {
                    self.share.finish();
                }
                break;
            }
            let now = Instant::now();
            self.pulse.wished(now, &mut self.mind);
            self.punctual(now);
            let verb = self.mind.wish(&self.account.knows());
            let message = self.account.ask(verb, now);
            let message = self.wire.say(&message);
            self.share.count(Count::Commands, 1);
            self.share.sent(message.len());
            socket.feed(message).await?;
        }
        socket.flush().await
    }

    async fn abuse(&mut self, socket: &mut Socket, due: Instant) -> Result<(), socket::Error> {
        self.pulse.wished(due, &mut self.mind);
        for _ in 0..NONSENSE.len() {
            self.abuses += 1;
            let Some(nonsense) = NONSENSE.get(self.abuses % NONSENSE.len()) else { continue };
            let message = match self.wire {
                Wire::Json => Message::text(*nonsense),
                Wire::Packed => Message::binary(nonsense.as_bytes().to_vec()),
            };
            self.share.sent(message.len());
            socket.send(message).await?;
        }
        Ok(())
    }

    /// Counts a send, and whether the harness made it late.
    fn punctual(&self, due: Instant) {
        self.share.count(Count::Sends, 1);
        if self.pulse.is_late(due, Instant::now()) {
            self.share.count(Count::LateSends, 1);
        }
    }

    pub(super) async fn say(
        &self,
        socket: &mut Socket,
        message: &ClientMessage,
    ) -> Result<(), socket::Error> {
        let message = self.wire.say(message);
        self.share.sent(message.len());
        socket.send(message).await
    }
}
