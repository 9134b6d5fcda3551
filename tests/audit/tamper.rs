//! Takes something out of a stopped world, through the store's own port.

use std::sync::Arc;

use holdfast::actor::kind::Kind;
use holdfast::actor::record::{Fact, Formats, Record};
use holdfast::actor::replay::{Stored, replay};
use holdfast::game::event::{DealEvent, Event};
use holdfast::game::player::Player;
use holdfast::game::unpack;
use holdfast::store::{Append, Base, Claim, Claimed, Snapshot, Store};
use holdfast_protocol::ids::ActorId;

fn is_settlement(fact: &Fact) -> bool {
    let Fact::Event(bytes) = fact else { return false };
    matches!(unpack(bytes), Ok(Event::Deal { deal: DealEvent::Settled { .. }, .. }))
}

/// Keeps a snapshot of a player as it would be without its settlements.
pub async fn forget_settlement(store: &dyn Store, player: &str) {
    let actor: ActorId = player.parse().unwrap();
    let claim = Claim { actor: actor.clone(), session: 7, creates: false, replaces: None };
    let Claimed::Granted { epoch, seq, history } = store.claim(claim).await.unwrap() else {
        panic!("{player} is held");
    };
    let loaded = store.load(&actor, Base::Older).await.unwrap();
    assert!(loaded.snapshot.is_none(), "the journal of {player} is whole");
    let mut forgotten = 0;
    let mut rows = Vec::new();
    let mut now_ms = 0;
    for row in loaded.records {
        let mut record = Record::decode(&row.record).unwrap();
        let before = record.facts.len();
        record.facts.retain(|fact| !is_settlement(fact));
        forgotten += before - record.facts.len();
        now_ms = record.now_ms;
        rows.push(Stored { epoch: row.epoch, seq: row.seq, bytes: record.encode() });
    }
    assert_eq!(forgotten, 1, "settlements of {player}");
    let kind = Kind::of::<Player>(Arc::default());
    let tampered = replay((&kind, Formats::READS), &actor, None, rows).unwrap();
    // The snapshot may be no older than one that is kept.
    let record = Record { now_ms, facts: Vec::new() }.encode();
    let (seq, due_ms) = (seq + 1, None);
    let actor_ = actor.clone();
    let append = Append { actor: actor_, epoch, seq, append_id: 7, history, record, due_ms };
    store.append(vec![append]).await.pop().unwrap().unwrap();
    let bytes = tampered.save();
    let snapshot = Snapshot { actor: actor.clone(), epoch, seq, bytes, retain: 0, due_ms };
    store.snapshot(snapshot).await.unwrap();
    store.release(&actor, epoch, None).await.unwrap();
}
