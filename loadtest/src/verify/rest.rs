//! Waits until what players deal with each other has come to rest: the time of the last offer is
//! over, and the members of each party have heard of each other.
//!
//! A wait that is in vain ends too; what is not at rest then is found by the comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::server::PlayerState;
use tokio::time::{Instant, sleep};

use super::source::Source;
use super::{AT_ONCE, StatePage, json, parties};
use crate::load::account::Closed;

/// An offer is open for a minute; then its actor has to be woken, and to ask both sides.
const OFFERS: Duration = Duration::from_secs(100);
/// How long news may take from one member of a party to the others.
const NEWS: Duration = Duration::from_secs(10);
/// From one look to the next.
const AGAIN: Duration = Duration::from_millis(500);

/// See the module.
pub(super) async fn wait(source: &Source<'_>, closed: &[Closed]) {
    let began = Instant::now();
    let dealers = closed.iter().enumerate().filter(|(_, one)| one.dealings.is_used());
    let dealers: BTreeMap<PlayerId, usize> =
        dealers.map(|(nth, one)| (one.player.clone(), nth)).collect();
    let mut views = BTreeMap::new();
    let mut restless: BTreeSet<PlayerId> = dealers.keys().cloned().collect();
    while !restless.is_empty() && began.elapsed() < OFFERS {
        let reads = restless.iter().filter_map(|player| Some((player, *dealers.get(player)?)));
        let reads = reads.map(|(player, nth)| read(source, player, nth));
        let states: Vec<_> = stream::iter(reads).buffered(AT_ONCE).collect().await;
        restless.clear();
        for state in states.into_iter().flatten() {
            if !state.trades.is_empty() {
                restless.insert(state.player_id.clone());
            }
            views.insert(state.player_id, state.party);
        }
        if began.elapsed() < NEWS {
            restless.extend(parties::undecided(&views));
        }
        if !restless.is_empty() {
            sleep(AGAIN).await;
        }
    }
}

async fn read(source: &Source<'_>, player: &PlayerId, nth: usize) -> Option<PlayerState> {
    let path = format!("/v1/players/{player}?read=linearizable");
    let page: Result<StatePage, _> = json(source, nth, &path).await;
    page.ok().map(|page| page.state)
}
