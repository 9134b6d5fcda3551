//! Doubt, reassertion, quiet, freeze and thaw.

use super::*;
use crate::actor::core::Verdict;

/// One whose command 1 is being appended as record 2.
fn in_flight() -> Rig {
    let mut rig = Rig::attached();
    rig.auto = false;
    let command = rig.command(1, 1, &Script::event("a"));
    assert!(rig.put(command).is_empty());
    rig
}

fn in_doubt() -> Rig {
    let mut rig = in_flight();
    assert!(matches!(rig.doubt()[..], [Output::ReadTip(_)]));
    assert!(rig.appended().is_empty(), "a late answer is void");
    rig
}

fn id_of(rig: &Rig) -> u64 {
    rig.append.as_ref().unwrap().append_id
}

fn moved(tip: Tip) -> Option<Tip> {
    Some(Tip { history: 2, ..tip })
}

const GRANTED: Result<Reasserted, ()> = Ok(Reasserted::Granted { epoch: 9, history: 2 });

/// The quiet time passes, and the confirmation is granted.
fn confirm(rig: &mut Rig) -> Vec<Output> {
    assert!(matches!(rig.wait(300)[..], [Output::Reassert(_)]));
    let out = rig.reassert.take().unwrap();
    let epoch = rig.core.epoch();
    assert_eq!((out.continues, out.observed.epoch, out.snapshot), (epoch, epoch, None));
    let history = out.observed.history;
    rig.reasserted(Ok(Reasserted::Granted { epoch: epoch + 1, history }))
}

#[test]
fn doubt_is_settled_by_the_tip() {
    let mut rig = in_doubt();
    assert!(reply(&rig.tip(Some(tip(1, 2, id_of(&rig)))), 1).is_some());
    let mut rig = in_doubt();
    let first = rig.append.take();
    assert!(rig.tip(Some(tip(1, 1, 0))).is_empty());
    assert_eq!(rig.append, first, "the same bytes again");
    assert!(reply(&rig.appended(), 1).is_some());
    let mut rig = in_doubt();
    assert!(matches!(rig.tip(Some(tip(2, 1, 0)))[..], [Output::Fenced { lost: None }]));
    for odd in [tip(1, 2, 0), tip(1, 3, 0)] {
        let out = in_doubt().tip(Some(odd));
        assert!(matches!(out[..], [Output::Quarantine(_)]), "{odd:?}");
    }
    assert!(matches!(in_doubt().tip(None)[..], [Output::Halted(_)]));
}

#[test]
fn only_the_newest_question_is_answered() {
    let mut rig = in_doubt();
    let first = rig.ask;
    assert!(matches!(rig.put(Input::Suspect)[..], [Output::ReadTip(_)]));
    assert!(rig.put(Input::Tip(first, None)).is_empty());
    assert!(rig.reasserted(GRANTED).is_empty());
    assert!(reply(&rig.tip(Some(tip(1, 2, id_of(&rig)))), 1).is_some());
    assert!(rig.tip(None).is_empty(), "answered already");
}

#[test]
fn a_late_answer_does_not_acknowledge_the_next_append() {
    let mut rig = in_doubt();
    let first = id_of(&rig);
    rig.tip(Some(tip(1, 2, first)));
    let command = rig.command(1, 2, &Script::event("b"));
    rig.put(command);
    assert!(rig.put(Input::Appended(first)).is_empty());
    assert!(rig.put(Input::AppendDoubt(first)).is_empty());
    assert!(reply(&rig.appended(), 2).is_some());
}

#[test]
fn a_suspicion_that_is_unfounded_changes_nothing() {
    let mut rig = Rig::attached();
    rig.put(Input::Suspect);
    assert!(!rig.core.can_passivate(rig.now_ms, 0));
    let read = Input::Read(1, 5, Bytes::new());
    assert!(rig.put(read).is_empty(), "held");
    assert!(reply(&rig.tip(Some(tip(1, 1, 0))), 5).is_some());
}

#[test]
fn memory_with_its_doubt_is_written_back_and_confirmed() {
    let mut rig = in_doubt();
    let doubt = rig.append.take().unwrap();
    assert!(matches!(rig.tip(moved(tip(1, 0, 0)))[..], [Output::Reassert(_)]));
    let out = rig.reassert.clone().unwrap();
    assert_eq!((out.continues, out.seq, out.observed.seq), (1, doubt.seq, 0));
    assert_eq!(out.snapshot, Some(rig.core.durable().save()));
    let read = Input::Read(1, 5, Bytes::new());
    assert!(rig.put(read).is_empty());
    assert!(rig.reasserted(GRANTED).is_empty());
    assert_eq!((rig.core.epoch(), rig.core.seq()), (9, 2));
    assert_eq!(rig.core.wake_at_ms(), Some(rig.now_ms + 300));
    assert!(rig.wait(299).is_empty());
    let released = confirm(&mut rig);
    assert_eq!(reply(&released, 1).unwrap().seq, Some(2));
    assert!(reply(&released, 5).is_some());
    assert!(rig.append.is_none(), "not sent again");
    let command = rig.command(1, 2, &Script::event("b"));
    rig.put(command);
    let next = rig.append.as_ref().unwrap();
    assert_eq!((next.epoch, next.seq, next.history), (10, 3, 2));
}

#[test]
fn nothing_leaves_if_another_writes_over_it_in_the_quiet_time() {
    let mut rig = in_doubt();
    rig.tip(moved(tip(1, 0, 0)));
    rig.reasserted(GRANTED);
    rig.wait(300);
    assert!(matches!(rig.reasserted(Ok(Reasserted::Changed))[..], [Output::ReadTip(_)]));
    let over = Tip { continues: Some(8), ..tip(12, 1, 5) };
    let out = rig.tip(moved(over));
    let [Output::Fenced { lost: Some(lost) }] = &out[..] else { panic!("{out:?}") };
    assert_eq!((lost.acked, lost.epoch, lost.tip.epoch), (2, 9, 12));
    assert_eq!(lost.snapshot, rig.core.durable().save());
}

#[test]
fn who_continues_less_is_written_over() {
    let mut rig = Rig::attached();
    rig.put(Input::Suspect);
    let rival = Tip { continues: Some(0), ..tip(7, 1, 5) };
    assert!(matches!(rig.tip(moved(rival))[..], [Output::Reassert(_)]));
    assert!(rig.reassert.unwrap().snapshot.is_some());
}

#[test]
fn a_lost_answer_is_found_in_the_tip() {
    let mut rig = in_doubt();
    rig.tip(moved(tip(1, 1, 0)));
    let first = rig.reassert.take().unwrap();
    assert!(matches!(rig.reasserted(Err(()))[..], [Output::ReadTip(_)]));
    // Not there yet: the same again, under the same id.
    rig.tip(moved(tip(1, 1, 0)));
    let again = rig.reassert.take().unwrap();
    assert_eq!((again.append_id, &again.snapshot), (first.append_id, &first.snapshot));
    assert!(matches!(rig.reasserted(Ok(Reasserted::Changed))[..], [Output::ReadTip(_)]));
    let mine = Tip { continues: Some(1), ..tip(9, 2, first.append_id) };
    assert!(rig.tip(moved(mine)).is_empty(), "quiet");
    assert_eq!((rig.core.epoch(), rig.core.seq()), (9, 2));
    assert!(reply(&confirm(&mut rig), 1).is_some());
}

#[test]
fn a_confirmation_whose_answer_was_lost_is_confirmed_in_its_turn() {
    let mut rig = in_doubt();
    rig.tip(moved(tip(1, 1, 0)));
    rig.reasserted(GRANTED);
    rig.wait(300);
    let lost = rig.reassert.take().unwrap();
    rig.reasserted(Err(()));
    let mine = Tip { continues: Some(9), ..tip(10, 2, lost.append_id) };
    assert!(rig.tip(moved(mine)).is_empty(), "quiet again");
    assert!(reply(&confirm(&mut rig), 1).is_some());
}

#[test]
fn a_grant_of_an_older_history_is_followed_by_another() {
    let mut rig = Rig::attached();
    rig.put(Input::Suspect);
    rig.tip(moved(tip(1, 1, 0)));
    let first = rig.reassert.take().unwrap();
    rig.put(Input::Suspect);
    let mine = Tip { continues: Some(1), history: 3, ..tip(9, 1, first.append_id) };
    assert!(matches!(rig.tip(Some(mine))[..], [Output::Reassert(_)]));
    let again = rig.reassert.unwrap();
    assert_eq!((again.continues, again.snapshot), (1, None), "it stands for what it continued");
    assert_ne!(again.append_id, first.append_id);
}

#[test]
fn a_suspicion_in_the_quiet_time_does_not_end_it() {
    let mut rig = Rig::attached();
    rig.put(Input::Suspect);
    rig.tip(moved(tip(1, 1, 0)));
    rig.reasserted(GRANTED);
    rig.put(Input::Suspect);
    let read = Input::Read(1, 5, Bytes::new());
    rig.put(read);
    assert!(rig.tip(moved(tip(9, 1, 0))).is_empty());
    assert!(reply(&confirm(&mut rig), 5).is_some());
}

#[test]
fn a_frozen_one_says_nothing_and_thaws_by_the_tip() {
    let mut rig = in_flight();
    rig.put(Input::Freeze);
    assert!(rig.appended().is_empty());
    assert!(rig.put(Input::Suspect).is_empty());
    let command = rig.command(1, 2, &Script::event("b"));
    assert!(rig.put(command).is_empty());
    assert!(rig.wait(60_000).is_empty());
    assert_eq!(rig.core.wake_at_ms(), None);
    assert!(matches!(rig.put(Input::Thaw { reclaim: false })[..], [Output::ReadTip(_)]));
    assert!(reply(&rig.tip(Some(tip(1, 2, id_of(&rig)))), 1).is_some());
    assert!(reply(&rig.appended(), 2).is_some());
}

#[test]
fn a_frozen_one_whose_mailbox_is_full_is_busy() {
    let limits = Limits { mailbox_len_max: 1, ..Limits::default() };
    let mut rig = Rig::attached_with(limits);
    rig.put(Input::Freeze);
    for id in 1..=2 {
        let command = rig.command(1, id, &Script::event("x"));
        let out = rig.put(command);
        assert_eq!(reply(&out, id).map(|r| code(&r).to_owned()), (id == 2).then(|| "busy".into()));
    }
}

#[test]
fn another_node_session_takes_a_new_term() {
    let mut rig = Rig::attached();
    rig.put(Input::Freeze);
    rig.put(Input::Thaw { reclaim: true });
    let out = rig.tip(Some(tip(1, 1, 0)));
    assert!(matches!(out[..], [Output::Reassert(_)]), "{out:?}");
    let first = rig.reassert.take().unwrap();
    // Granted or not, it was asked for a node session that is gone too.
    rig.put(Input::Freeze);
    rig.put(Input::Thaw { reclaim: true });
    let mine = Tip { continues: Some(1), ..tip(9, 1, first.append_id) };
    assert!(matches!(rig.tip(Some(mine))[..], [Output::Reassert(_)]));
    assert_eq!(rig.reassert.as_ref().unwrap().continues, 1);
    rig.reasserted(Ok(Reasserted::Granted { epoch: 11, history: 1 }));
    assert!(confirm(&mut rig).is_empty());
    assert_eq!(rig.said(), "opened");
}

#[test]
fn a_tell_keeps_its_id_through_a_reassertion() {
    let mut rig = Rig::attached();
    rig.auto = false;
    let tells = vec![("other".into(), Bytes::new())];
    let command = rig.command(1, 1, &Script { tells, ..Script::default() });
    rig.put(command);
    rig.doubt();
    rig.tip(moved(tip(1, 1, 0)));
    rig.reasserted(GRANTED);
    let out = confirm(&mut rig);
    let told = out.iter().find_map(|output| match output {
        Output::Tell(_, tell) => Some(tell.id),
        _ => None,
    });
    assert_eq!(told, Some(TellId { epoch: 1, seq: 2, index: 0 }));
}

#[test]
fn what_runs_goes_on_through_a_reassertion() {
    let mut rig = Rig::attached();
    let command = rig.command(1, 1, &Script { activity: Some(3), ..Script::default() });
    let out = rig.put(command);
    let run = out.iter().find_map(|output| match output {
        Output::Run(run) => Some(run.activity),
        _ => None,
    });
    rig.put(Input::Suspect);
    rig.tip(moved(tip(1, 2, 0)));
    rig.reasserted(GRANTED);
    // It ends while the core holds.
    assert!(rig.put(Input::ActivityEnded(run.unwrap(), Ok(Bytes::new()))).is_empty());
    let out = confirm(&mut rig);
    assert!(!out.iter().any(|output| matches!(output, Output::Run(_))), "{out:?}");
    rig.wait(Limits::default().ride_ms);
    assert_eq!(rig.said(), "opened,worked");
    assert!(rig.core.running.is_empty() && rig.core.durable.ledger.activities.is_empty());
}

#[test]
fn attempts_of_another_whose_claim_was_lost_count() {
    let mut rig = Rig::attached();
    let tells = vec![("other".into(), Bytes::new())];
    let command = rig.command(1, 1, &Script { tells, ..Script::default() });
    let out = rig.put(command);
    let told = |out: &[Output]| {
        out.iter().find_map(|output| match output {
            Output::Tell(_, tell) => Some((tell.id, tell.attempt)),
            _ => None,
        })
    };
    let (id_of_tell, first) = told(&out).unwrap();
    // Its receiver is not there; before the rules hear of it, the store goes back.
    rig.auto = false;
    let nobody = |attempt| Input::Verdict(id("other"), id_of_tell, Verdict::NoSuchActor(attempt));
    rig.put(Input::Suspect);
    rig.put(nobody(first));
    rig.tip(moved(tip(1, 2, 0)));
    rig.reasserted(GRANTED);
    rig.auto = true;
    confirm(&mut rig);
    let begun_ms = rig.now_ms;
    let limits = Limits::default();
    let clear_ms = limits.unaware_ms + limits.under_way_ms;
    while rig.now_ms < begun_ms + clear_ms {
        assert_eq!(rig.said(), "opened");
        if let Some((_, attempt)) = told(&rig.wait(500)) {
            rig.put(nobody(attempt));
        }
    }
    assert_eq!(rig.said(), "opened,undelivered toy:other");
}

/// One that was fenced with record 2 in doubt, and lingers.
fn lingering() -> Rig {
    let mut rig = in_doubt();
    assert!(matches!(rig.tip(Some(tip(2, 1, 0)))[..], [Output::Fenced { lost: None }]));
    rig.core.linger();
    assert!(rig.core.rests() && rig.core.wake_at_ms().is_none());
    rig
}

#[test]
fn one_that_lingers_writes_back_what_it_knew_and_rests() {
    let mut rig = lingering();
    assert!(matches!(rig.put(Input::Suspect)[..], [Output::ReadTip(_)]));
    assert!(!rig.core.rests());
    assert!(matches!(rig.tip(moved(tip(1, 0, 0)))[..], [Output::Reassert(_)]));
    let out = rig.reassert.clone().unwrap();
    assert_eq!((out.continues, out.seq, out.snapshot), (1, 2, Some(rig.core.durable().save())));
    assert!(rig.reasserted(GRANTED).is_empty());
    rig.append = None;
    assert!(confirm(&mut rig).is_empty(), "it answers");
    assert!(rig.core.rests() && rig.append.is_none());
    assert_eq!((rig.core.epoch(), rig.core.seq()), (10, 2));
    assert!(rig.wait(60_000).is_empty());
}

#[test]
fn one_that_lingers_and_is_missed_by_no_one_says_nothing() {
    let mut rig = lingering();
    rig.put(Input::Suspect);
    assert!(rig.tip(moved(tip(2, 1, 0))).is_empty());
    assert!(rig.core.rests());
    rig.put(Input::Suspect);
    let out = rig.tip(moved(tip(2, 0, 0)));
    let [Output::Fenced { lost: Some(lost) }] = &out[..] else { panic!("{out:?}") };
    assert_eq!((lost.acked, lost.tip.seq), (1, 0));
}

#[test]
fn one_whose_actor_was_given_up_does_not_serve_again() {
    let mut rig = Rig::attached();
    rig.core.let_go(Closing::Replaced);
    while rig.core.poll().is_some() {}
    rig.core.linger();
    rig.put(Input::Suspect);
    assert!(rig.tip(Some(tip(1, 1, 0))).is_empty());
    assert!(rig.core.rests());
    // In another history it takes a new term, so that no one who knows less does.
    rig.put(Input::Suspect);
    assert!(matches!(rig.tip(moved(tip(1, 1, 0)))[..], [Output::Reassert(_)]));
    rig.reasserted(GRANTED);
    assert!(confirm(&mut rig).is_empty() && rig.core.rests());
}
