//! What a player's messages come to in the numbers of the run.

use holdfast_protocol::codes::{CloseCode, Verdict};
use holdfast_protocol::server::{TradeEvent, TradePhase};
use tokio::time::Instant;

use super::{Left, Seat};
use crate::load::account::{Settled, since};
use crate::scenario::Kind;
use crate::stats::{Count, Measure};

impl Seat {
    /// Counts what was settled.
    pub(super) fn note(&mut self, settled: &[Settled], now: Instant) {
        for one in settled {
            match one {
                Settled::Step(due) => {
                    self.share.count(Count::InputsAcked, 1);
                    self.share.time(Measure::InputAck, since(*due, now));
                }
                Settled::Done(due) => {
                    self.share.count(Count::CommandsDone, 1);
                    self.share.time(Measure::Command, since(*due, now));
                }
                Settled::Dealt(due) => {
                    self.share.count(Count::CommandsDone, 1);
                    self.share.time(Measure::Dealing, since(*due, now));
                }
                Settled::Accepted(_, trade) => {
                    self.share.count(Count::CommandsDone, 1);
                    self.share.deal(|deals| deals.replied(trade, now));
                }
                Settled::Told(told) => self.told(told, now),
                Settled::Refused(code) => {
                    self.share.count(Count::CommandsRefused, 1);
                    self.share.refused(*code);
                }
                Settled::Complaint(code) if self.bots.kind == Kind::Abuser => {
                    self.share.count(Count::Abuses, 1);
                    self.share.refused(*code);
                }
                Settled::Complaint(code) => {
                    self.share.count(Count::InputsRefused, 1);
                    self.share.refused(*code);
                }
                Settled::Repeat => {}
            }
        }
        // A refusal too is its actor's: it goes on where the one before it ended.
        let goes_on = |one: &Settled| {
            matches!(
                one,
                Settled::Step(_)
                    | Settled::Done(_)
                    | Settled::Dealt(_)
                    | Settled::Accepted(..)
                    | Settled::Refused(_)
            )
        };
        if settled.iter().any(goes_on)
            && let Some(lost_at) = self.lost_at.take()
            && !matches!(self.bots.kind, Kind::SlowReader | Kind::Abuser)
        {
            self.share.time(Measure::Recovery, since(lost_at, now));
        }
    }

    /// A trade is in a new phase; it counts where its terms were made.
    fn told(&self, told: &TradeEvent, now: Instant) {
        if told.from != self.account.player {
            return;
        }
        let (trade, count) = (&told.trade_id, |count| self.share.count(count, 1));
        match told.phase {
            TradePhase::Offered | TradePhase::Countered => {}
            TradePhase::Committed => {
                count(Count::TradesCommitted);
                self.share.deal(|deals| deals.told(trade, now));
            }
            TradePhase::Cancelled => {
                count(Count::TradesCancelled);
                self.share.deal(|deals| deals.forget(trade));
            }
            TradePhase::Expired => {
                count(Count::TradesExpired);
                self.share.deal(|deals| deals.forget(trade));
            }
        }
    }

    pub(super) fn frame(&mut self, now: Instant) {
        if self.bots.input_hz == 0 || self.bots.kind == Kind::SlowReader {
            return;
        }
        let Some((before, last)) = self.frame_at else {
            self.frame_at = Some((now, None));
            return;
        };
        let interval = since(before, now);
        self.share.time(Measure::FrameInterval, interval);
        if let Some(last) = last {
            self.share.time(Measure::FrameJitter, interval.abs_diff(last));
        }
        self.frame_at = Some((now, Some(interval)));
    }

    pub(super) fn closed(&mut self, code: Option<u16>) -> Left {
        self.share.closed(code);
        match code.and_then(CloseCode::from_code).map(CloseCode::verdict) {
            Some(Verdict::Final) => Left::Banished,
            _ => Left::Lost,
        }
    }
}
