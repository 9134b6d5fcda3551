//! Slots of a cluster that move from one primary to another under load, as `redis-cli --cluster
//! reshard` moves them: for a while some keys of a player are here and others there.

use super::faults::storm;
use super::pair;
use crate::storm::name;
use crate::support::gateways::Gateway;
use crate::support::redis::Aof;
use crate::support::redis::deploy::Cluster;
use crate::support::{PATIENCE, eventually, state_of};

/// Players whose partitions move, one after the other.
const PLAYERS: [usize; 5] = [0, 7, 19, 23, 41];
/// Rooms of theirs, which move as well.
const ROOMS: [&str; 2] = ["room:den-0-a", "room:den-1-b"];

#[tokio::test(flavor = "multi_thread")]
async fn slots_that_move_from_one_primary_to_another() {
    let cluster = Cluster::start(Aof::EverySecond).await;
    let mut gateways = pair(&cluster.url()).await;
    storm("slot migration, five players' and two rooms'", &mut gateways, async |gateways| {
        for player in PLAYERS.map(name) {
            move_under(&cluster, &gateways.all[0], &format!("player:{player}"), &player).await;
        }
        for room in ROOMS {
            move_under(&cluster, &gateways.all[0], room, &name(0)).await;
        }
        // TRYAGAIN is a matter of luck: a script has to come upon some of its keys moved.
        println!("{} times TRYAGAIN", refusals(&cluster, "TRYAGAIN").await);
        for refusal in ["ASK", "MOVED"] {
            let heard = refusals(&cluster, refusal).await;
            println!("{heard} times {refusal}");
            assert!(heard > 0, "no gateway came upon a slot on its way: {refusal} was never said");
        }
    })
    .await;
}

/// Moves the slot of an actor while a player is seen to play on, at each step of the way.
async fn move_under(cluster: &Cluster, gateway: &Gateway, actor: &str, player: &str) {
    let journal = journal(cluster, actor).await;
    let from = cluster.primary_of(&journal).await.port();
    let slot = cluster.begin_move(&journal).await;
    assert_eq!(slot.carry(2).await, 2, "{actor} has but few keys");
    plays_on(gateway, player, "with some keys here and some there").await;
    while slot.carry(10).await > 0 {}
    plays_on(gateway, player, "with all keys there").await;
    slot.end().await;
    plays_on(gateway, player, "at the other primary").await;
    assert_ne!(cluster.primary_of(&journal).await.port(), from, "{actor} has not moved");
}

/// The key of an actor's journal.
async fn journal(cluster: &Cluster, actor: &str) -> String {
    let pattern = format!("hf:*:j:{actor}");
    eventually("an actor's journal", PATIENCE, async || {
        for primary in cluster.primaries() {
            let found: Vec<String> = primary.ask(&["KEYS", &pattern]).await;
            if let Some(key) = found.into_iter().next() {
                return Some(key);
            }
        }
        None
    })
    .await
}

/// Waits until a player has done more than now.
async fn plays_on(gateway: &Gateway, player: &str, when: &str) {
    let actions = async || {
        let page = gateway.get(&format!("/v1/players/{player}")).await;
        (page.status == 200).then(|| state_of(&page)["total_actions_count"].as_u64())?
    };
    let what = format!("{player} to play on {when}");
    let before = eventually(&what, PATIENCE, actions).await;
    eventually(&what, PATIENCE, async || (actions().await? > before).then_some(())).await;
}

/// How often a primary refused so.
async fn refusals(cluster: &Cluster, code: &str) -> u64 {
    let mut sum = 0;
    for primary in cluster.primaries() {
        sum += primary.refusals(code).await;
    }
    sum
}
