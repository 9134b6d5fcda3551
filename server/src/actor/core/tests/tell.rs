//! Tells: once, in order, settled and forgotten.

use super::*;
use crate::actor::core::Verdict;

fn verdict(out: &[Output]) -> Option<Verdict> {
    out.iter().find_map(|output| match output {
        Output::Verdict(_, _, verdict) => Some(*verdict),
        _ => None,
    })
}

fn told(out: &[Output]) -> Vec<super::super::Tell> {
    let tells = out.iter().filter_map(|output| match output {
        Output::Tell(_, tell) => Some(tell.clone()),
        _ => None,
    });
    tells.collect()
}

fn heard(rig: &Rig) -> usize {
    rig.core.durable().ledger.heard.len()
}

/// Sends one tell to `other`.
fn send(rig: &mut Rig, id: u64) -> super::super::Tell {
    let tells = vec![("other".into(), Bytes::new())];
    let command = rig.command(1, id, &Script { tells, ..Script::default() });
    told(&rig.put(command))[0].clone()
}

#[test]
fn a_tell_takes_effect_once_and_in_order() {
    let mut rig = Rig::new();
    let hear = |rig: &mut Rig, seq, prev| {
        let text = Script::event(&format!("{seq}"));
        verdict(&rig.put(Input::Tell(id("other"), tell(seq, prev, &text)))).unwrap()
    };
    assert_eq!(hear(&mut rig, 2, Some(1)), Verdict::Gap);
    assert_eq!(hear(&mut rig, 1, None), Verdict::Received);
    assert_eq!(hear(&mut rig, 2, Some(1)), Verdict::Received);
    assert_eq!(hear(&mut rig, 1, None), Verdict::Received);
    rig.crash();
    assert_eq!(hear(&mut rig, 2, Some(1)), Verdict::Received);
    assert_eq!(hear(&mut rig, 4, Some(3)), Verdict::Gap);
    assert_eq!(rig.said(), "1,2");
}

#[test]
fn a_tell_is_sent_again_until_received_and_then_settled() {
    let mut rig = Rig::attached();
    let tell = send(&mut rig, 1);
    for wait in [500, 1_000, 2_000, 4_000, 5_000, 5_000] {
        assert!(told(&rig.wait(wait - 1)).is_empty());
        let again = told(&rig.wait(1));
        assert_eq!((again.len(), again[0].id), (1, tell.id));
    }
    rig.put(Input::Verdict(id("other"), tell.id, Verdict::Busy));
    assert_eq!(told(&rig.wait(50)).len(), 1);
    rig.put(Input::Verdict(id("other"), tell.id, Verdict::Received));
    let out = rig.wait(1_000);
    assert!(matches!(&out[..], [Output::Settled(_, through)] if *through == tell.id), "{out:?}");
    assert!(rig.core.durable().ledger.outbox.is_empty());
}

#[test]
fn a_gap_sends_the_pair_again_and_names_the_predecessor() {
    let mut rig = Rig::attached();
    let first = send(&mut rig, 1);
    let second = send(&mut rig, 2);
    assert_eq!((first.prev, second.prev), (None, Some(first.id)));
    rig.put(Input::Verdict(id("other"), second.id, Verdict::Gap));
    let again: Vec<_> = told(&rig.wait(50)).iter().map(|t| (t.id, t.prev, t.attempt)).collect();
    assert_eq!(again, [(first.id, None, 2), (second.id, Some(first.id), 2)]);
}

#[test]
fn what_reaches_no_one_is_told_to_the_rules_one_by_one() {
    let mut rig = Rig::attached();
    let first = send(&mut rig, 1);
    let second = send(&mut rig, 2);
    rig.put(Input::Verdict(id("other"), second.id, Verdict::NoSuchActor(1)));
    assert_eq!(rig.said(), "opened");
    rig.put(Input::Verdict(id("other"), first.id, Verdict::NoSuchActor(1)));
    assert_eq!(rig.said(), "opened,undelivered toy:other,undelivered toy:other");
}

#[test]
fn none_is_believed_of_the_newest_attempt_alone() {
    let mut rig = Rig::attached();
    let tell = send(&mut rig, 1);
    let again = told(&rig.wait(500));
    assert_eq!((tell.attempt, again[0].attempt), (1, 2));
    rig.put(Input::Verdict(id("other"), tell.id, Verdict::NoSuchActor(1)));
    assert_eq!(rig.said(), "opened");
    // The first may still be under way, until everyone refuses it for its age.
    rig.put(Input::Verdict(id("other"), tell.id, Verdict::NoSuchActor(2)));
    let under_way_ms = Limits::default().under_way_ms;
    assert!(told(&rig.wait(under_way_ms - 501)).is_empty());
    assert_eq!(rig.said(), "opened");
    assert_eq!(told(&rig.wait(1))[0].attempt, 3);
    rig.put(Input::Verdict(id("other"), tell.id, Verdict::NoSuchActor(3)));
    assert_eq!(rig.said(), "opened,undelivered toy:other");
}

#[test]
fn attempts_of_an_earlier_activation_count() {
    let mut rig = Rig::attached();
    let tell = send(&mut rig, 1);
    let newest = told(&rig.crash())[0].attempt;
    assert_ne!(newest, tell.attempt);
    rig.put(Input::Verdict(id("other"), tell.id, Verdict::NoSuchActor(newest)));
    let limits = Limits::default();
    let clear_ms = limits.unaware_ms + limits.under_way_ms;
    assert!(told(&rig.wait(clear_ms - 1)).is_empty());
    let newest = told(&rig.wait(1))[0].attempt;
    rig.put(Input::Verdict(id("other"), tell.id, Verdict::NoSuchActor(tell.attempt)));
    assert!(!rig.said().ends_with("undelivered toy:other"), "a late word on the former's attempt");
    rig.put(Input::Verdict(id("other"), tell.id, Verdict::NoSuchActor(newest)));
    assert!(rig.said().ends_with("undelivered toy:other"));
}

#[test]
fn a_watermark_is_forgotten_a_minute_after_it_was_settled() {
    let mut rig = Rig::new();
    let tell = tell(1, None, &Script::default());
    rig.put(Input::Tell(id("other"), tell.clone()));
    rig.put(Input::Settled(id("other"), tell.id));
    rig.wait(59_999);
    assert_eq!(heard(&rig), 1);
    rig.wait(6_000);
    rig.wait(1_000);
    assert_eq!(heard(&rig), 0);
    assert_eq!(rig.core.wake_at_ms(), None);
}

#[test]
fn a_watermark_raised_meanwhile_is_not_forgotten() {
    let mut rig = Rig::new();
    let first = tell(1, None, &Script::default());
    rig.put(Input::Tell(id("other"), first.clone()));
    rig.put(Input::Settled(id("other"), first.id));
    rig.wait(66_000);
    let second = tell(2, None, &Script::event("two"));
    for _ in 0..2 {
        rig.put(Input::Tell(id("other"), second.clone()));
        rig.wait(1_000);
    }
    assert_eq!((heard(&rig), rig.said()), (1, "two".into()));
}

#[test]
fn a_lost_settlement_is_asked_for() {
    let mut rig = Rig::new();
    let tell = tell(1, None, &Script::default());
    rig.put(Input::Tell(id("other"), tell.clone()));
    rig.put(Input::Settled(id("other"), tell.id));
    rig.crash();
    let mut asked = 0;
    for _ in 0..40 {
        let out = rig.wait(5_000);
        let asks = out.iter().any(|o| matches!(o, Output::AskSettled(_, id) if *id == tell.id));
        if asks {
            asked += 1;
            rig.put(Input::Settled(id("other"), tell.id));
        }
    }
    assert!(asked > 0);
    assert_eq!(heard(&rig), 0);
}

#[test]
fn only_what_is_journaled_is_settled() {
    let mut rig = Rig::attached();
    let tell = send(&mut rig, 1);
    let settles = |rig: &mut Rig, id: TellId| {
        matches!(rig.put(Input::SettleAsked(super::id("other"), id))[..], [Output::Settled(..)])
    };
    assert!(!settles(&mut rig, tell.id));
    rig.put(Input::Verdict(id("other"), tell.id, Verdict::Received));
    assert!(!settles(&mut rig, tell.id));
    rig.wait(1_000);
    assert!(settles(&mut rig, tell.id));
    // A tell of a successor that this activation does not know of.
    assert!(!settles(&mut rig, TellId { epoch: 2, seq: 3, index: 0 }));
    assert!(!settles(&mut rig, TellId { epoch: 1, seq: 99, index: 0 }));
}

#[test]
fn after_sixteen_hops_a_tell_is_laid_aside() {
    let mut rig = Rig::new();
    for (hops, sent) in [(14, true), (15, false)] {
        let tells = vec![("third".into(), Bytes::new())];
        let script = Script { tells, ..Script::default() };
        let mut tell = tell(u64::from(hops), None, &script);
        tell.hops = hops;
        let out = rig.put(Input::Tell(id("other"), tell));
        assert_eq!(told(&out).len(), usize::from(sent));
        assert_eq!(out.iter().any(|o| matches!(o, Output::DeadLetter(_))), !sent);
    }
    assert_eq!(rig.core.durable().ledger.dead_letters.len(), 1);
}

#[test]
fn a_refused_tell_is_received() {
    let mut rig = Rig::new();
    let script = Script { reject: true, ..Script::default() };
    let out = rig.put(Input::Tell(id("other"), tell(1, None, &script)));
    assert_eq!(verdict(&out), Some(Verdict::Received));
    assert_eq!(heard(&rig), 1);
}
