//! How long acceptances of trades take, of which one player knows the beginning and another one
//! the end. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_protocol::ids::TradeId;
use tokio::time::Instant;

use super::account::since;
use crate::stats::Measure;

/// Acceptances that are waited for; beyond that the oldest trades are no longer measured.
const OPEN_MAX: usize = 20_000;

/// One acceptance.
#[derive(Debug, Clone, Copy)]
struct Accepted {
    due: Instant,
    /// It was answered, or the other side was told.
    half: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Deals {
    open: BTreeMap<TradeId, Accepted>,
}

impl Deals {
    /// A player accepts, which was due then.
    pub(super) fn accepted(&mut self, trade: &TradeId, due: Instant) -> Vec<(Measure, Duration)> {
        if self.open.len() >= OPEN_MAX {
            self.open.pop_first();
        }
        self.open.insert(trade.clone(), Accepted { due, half: false });
        Vec::new()
    }

    /// The acceptance was answered by `ok`.
    pub(super) fn replied(&mut self, trade: &TradeId, now: Instant) -> Vec<(Measure, Duration)> {
        self.half(trade, Measure::Accept, now)
    }

    /// The other side was told that the trade is committed.
    pub(super) fn told(&mut self, trade: &TradeId, now: Instant) -> Vec<(Measure, Duration)> {
        self.half(trade, Measure::AcceptSeen, now)
    }

    /// The trade came to another end.
    pub(super) fn forget(&mut self, trade: &TradeId) -> Vec<(Measure, Duration)> {
        self.open.remove(trade);
        Vec::new()
    }

    fn half(
        &mut self,
        trade: &TradeId,
        measure: Measure,
        now: Instant,
    ) -> Vec<(Measure, Duration)> {
        let Some(accepted) = self.open.get_mut(trade) else { return Vec::new() };
        let took = since(accepted.due, now);
        if std::mem::replace(&mut accepted.half, true) {
            self.open.remove(trade);
            return vec![(measure, took), (Measure::Traded, took)];
        }
        vec![(measure, took)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_trade_took_as_long_as_the_later_of_its_two_sides() {
        let (began, mut deals) = (Instant::now(), Deals::default());
        let ms = Duration::from_millis;
        let trade = TradeId::new("t1").unwrap();
        assert!(deals.replied(&trade, began).is_empty(), "nobody has accepted");
        for reply_first in [true, false] {
            deals.accepted(&trade, began);
            let (one, two) = (began + ms(4), began + ms(9));
            let (first, second) = if reply_first {
                (deals.replied(&trade, one), deals.told(&trade, two))
            } else {
                (deals.told(&trade, one), deals.replied(&trade, two))
            };
            let (early, late) = if reply_first {
                (Measure::Accept, Measure::AcceptSeen)
            } else {
                (Measure::AcceptSeen, Measure::Accept)
            };
            assert_eq!(first, [(early, ms(4))]);
            assert_eq!(second, [(late, ms(9)), (Measure::Traded, ms(9))]);
            assert!(deals.told(&trade, two).is_empty(), "it is over");
        }
        deals.accepted(&trade, began);
        deals.forget(&trade);
        assert!(deals.replied(&trade, began).is_empty());
    }
}
