//! The books: whether a decision did with goods what its facts say. I9, checked as it happens.
//!
//! Each fact that mints, burns, receives or gives goods says how much. What the player holds and
//! has reserved must have changed by just that. A fold that loses or makes goods is so found in
//! the record that does it, and named.

use super::event::{DealEvent, Event};
use super::player::Player;
use super::stock::{self, Stock};

/// What is held and what is reserved.
fn all(player: &Player) -> Stock {
    let mut all = player.holdings();
    all.add(&player.escrow());
    all
}

/// Whether a fact may change goods; most don't, and are not looked at further.
fn matters(event: &Event) -> bool {
    matches!(
        event,
        Event::Created { .. }
            | Event::ItemSet { .. }
            | Event::Deal { .. }
            | Event::Coined { .. }
            | Event::Looted { .. }
            | Event::Robbed { .. }
    )
}

/// Holds the goods after these facts against those before. Some: what is wrong, for operators.
pub(super) fn check(before: &Player, after: &Player, events: &[Event]) -> Option<String> {
    let same = before.gold == after.gold && before.inventory == after.inventory;
    if same && !events.iter().any(matters) {
        return None;
    }
    let (mut expected, actual) = (all(before), all(after));
    for event in events {
        expect(&mut expected, event);
    }
    let has = |expected: &Stock, actual: &Stock| expected.part_of(actual).1.words();
    (expected != actual).then(|| {
        format!(
            "the goods of {} do not add up: {} too few, {} too many, after {}",
            after.id,
            has(&actual, &expected),
            has(&expected, &actual),
            what(events)
        )
    })
}

fn expect(all: &mut Stock, event: &Event) {
    match event {
        Event::Created { gold, items, .. } => {
            *all = Stock { gold: *gold, items: items.clone() };
        }
        Event::ItemSet { item, quantity: 0 } => {
            all.items.remove(item);
        }
        Event::ItemSet { item, quantity } => {
            all.items.insert(item.clone(), *quantity);
        }
        Event::Deal { deal: DealEvent::Settled { gave, got, .. }, .. } => {
            stock::take(&mut all.gold, &mut all.items, gave);
            all.add(got);
        }
        Event::Coined { gold, .. } | Event::Looted { gold, .. } => {
            all.gold = all.gold.saturating_add(*gold);
        }
        Event::Robbed { gold, .. } => all.gold = all.gold.saturating_sub(*gold),
        _ => {}
    }
}

/// The facts that may have done it.
fn what(events: &[Event]) -> String {
    let trade = events.iter().find_map(|event| match event {
        Event::Deal { trade, .. } => Some(format!("a record of trade {trade}")),
        _ => None,
    });
    trade.unwrap_or_else(|| "a record of no trade".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn player(gold: u64) -> Player {
        Player { gold, ..Player::default() }
    }

    #[test]
    fn what_no_fact_speaks_of_is_noticed() {
        assert_eq!(check(&player(10), &player(10), &[]), None);
        let text = check(&player(10), &player(7), &[]).unwrap();
        assert!(text.contains("3 gold too few, nothing too many"), "{text}");
        let text = check(&player(10), &player(11), &[]).unwrap();
        assert!(text.contains("nothing too few, 1 gold too many"), "{text}");
    }
}
