//! What a session is found by is offered when it is durable, once a second, and at the end.

use super::*;
use crate::actor::contract::{Attributes, Value};
use crate::actor::envelope::Closing;

/// The offers among what comes out: the record, the number of things said, whether it leaves.
fn offers(out: &[Output]) -> Vec<(u64, i64, bool)> {
    let offer = |output: &Output| match output {
        Output::Attributes { seq, attributes, leaves } => {
            let Attributes { builtin, .. } = attributes;
            let Some((_, Value::Integer(said))) = builtin.first() else { panic!("{output:?}") };
            Some((*seq, *said, *leaves))
        }
        _ => None,
    };
    out.iter().filter_map(offer).collect()
}

/// Something that makes the toy a session, and counts.
fn word(rig: &Rig, id: u64) -> Input {
    rig.command(1, id, &Script { event: Some("found".into()), ..Script::default() })
}

#[test]
fn the_first_change_is_offered_at_once_and_the_last_after_a_second() {
    let mut rig = Rig::attached();
    let first = word(&rig, 1);
    assert_eq!(offers(&rig.put(first)), [(2, 2, false)]);
    for id in 2..5 {
        let next = word(&rig, id);
        assert_eq!(offers(&rig.put(next)), [], "not twice in a second");
    }
    assert_eq!(rig.core.wake_at_ms(), Some(rig.now_ms + 1_000));
    assert_eq!(offers(&rig.wait(999)), []);
    assert_eq!(offers(&rig.wait(1)), [(5, 5, false)], "the newest of them");
    assert_eq!(offers(&rig.wait(10_000)), [], "nothing has changed");
    let next = word(&rig, 5);
    assert_eq!(offers(&rig.put(next)), [(6, 6, false)], "after a quiet time at once");
}

#[test]
fn nothing_is_offered_before_it_is_durable() {
    let mut rig = Rig::attached();
    let first = word(&rig, 1);
    rig.put(first);
    rig.auto = false;
    rig.now_ms += 2_000;
    let next = word(&rig, 2);
    assert_eq!(offers(&rig.put(next)), []);
    assert_eq!(offers(&rig.wait(2_000)), [], "I2: the append is under way");
    assert_eq!(offers(&rig.appended()), [(3, 3, false)]);
}

#[test]
fn what_was_not_taken_is_offered_again() {
    let mut rig = Rig::attached();
    let first = word(&rig, 1);
    assert_eq!(offers(&rig.put(first)).len(), 1);
    rig.core.offer_again();
    assert_eq!(offers(&rig.wait(1_000)), [(2, 2, false)]);
}

#[test]
fn an_activation_offers_when_it_begins_and_when_it_ends() {
    let mut rig = Rig::attached();
    let first = word(&rig, 1);
    rig.put(first);
    let begun = offers(&rig.crash());
    assert_eq!(begun.len(), 1, "its row names another holder, or none: {begun:?}");
    rig.core.let_go(Closing::HandedOver);
    let last = offers(&rig.drain());
    assert!(matches!(last[..], [(_, _, true)]), "{last:?}");
}

#[test]
fn who_does_not_know_what_is_durable_offers_nothing_at_the_end() {
    let mut rig = Rig::attached();
    let first = word(&rig, 1);
    rig.put(first);
    rig.auto = false;
    let next = word(&rig, 2);
    rig.put(next);
    rig.core.let_go(Closing::Lost);
    assert_eq!(offers(&rig.drain()), []);
}

#[test]
fn without_an_index_nothing_is_offered() {
    let limits = Limits { attributes_ms: None, ..Limits::default() };
    let mut rig = Rig::attached_with(limits);
    let first = word(&rig, 1);
    assert_eq!(offers(&rig.put(first)), []);
    assert_eq!(rig.core.wake_at_ms(), None);
    rig.core.let_go(Closing::HandedOver);
    assert_eq!(offers(&rig.drain()), []);
}
