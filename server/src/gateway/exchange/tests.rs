//! What is said when, and who is gone when.

use super::*;

const PACE: Pace = Pace { frame_ms: 100, full_frame_ms: 1_000 };

fn seen(player: &str, seq: u64) -> Seen {
    let (player, label) = (player.into(), "Name".into());
    Seen { player, epoch: 1, seq, entity: 1, label, x: 0, y: 0, health: 100, flags: 0 }
}

fn names<'a>(list: impl IntoIterator<Item = &'a Arc<str>>) -> Vec<&'a str> {
    list.into_iter().map(|name| &**name).collect()
}

fn gone(list: &[Gone]) -> Vec<&str> {
    names(list.iter().map(|gone| &gone.player))
}

/// An exchange whose first full round is behind it, and how it counts.
fn begun() -> (Exchange, impl FnMut(&mut Exchange, u64) -> Vec<News>) {
    let mut exchange = Exchange::default();
    let mut n = 0;
    let mut take = move |exchange: &mut Exchange, now_ms: u64| {
        exchange.take(7, now_ms, PACE, || {
            n += 1;
            n
        })
    };
    exchange.begin(0, PACE);
    let first = take(&mut exchange, 0);
    assert!(first[0].want && first[0].full == Some(1) && first[0].last);
    (exchange, take)
}

#[test]
fn a_beat_is_one_message_of_what_changed() {
    let (mut exchange, mut take) = begun();
    exchange.show(seen("alice", 1));
    exchange.show(seen("alice", 2));
    exchange.show(seen("bob", 1));
    assert!(exchange.say(Bytes::from_static(b"1")) && exchange.say(Bytes::from_static(b"2")));
    let out = take(&mut exchange, 100);
    assert_eq!(out.len(), 1);
    assert_eq!((out[0].prev, out[0].full, out[0].want), (1, None, false));
    let seqs: Vec<_> = out[0].seen.iter().map(|seen| (&*seen.player, seen.seq)).collect();
    assert_eq!(seqs, [("alice", 2), ("bob", 1)]);
    assert_eq!(out[0].says, [&b"1"[..], b"2"], "in order");
    assert_eq!(take(&mut exchange, 200), [], "never twice");
    exchange.withdraw(&"alice".into(), 1, 3);
    let out = take(&mut exchange, 300);
    assert_eq!((gone(&out[0].gone), out[0].seen.len()), (vec!["alice"], 0));
}

#[test]
fn a_full_round_names_everybody_and_comes_by_itself() {
    let (mut exchange, mut take) = begun();
    exchange.show(seen("alice", 1));
    exchange.show(seen("bob", 1));
    take(&mut exchange, 100);
    assert_eq!(take(&mut exchange, 999), []);
    let out = take(&mut exchange, 1_000);
    assert_eq!(names(out[0].seen.iter().map(|seen| &seen.player)), ["alice", "bob"]);
    assert!(out[0].full == Some(out[0].n) && out[0].last && !out[0].want);
}

#[test]
fn where_nobody_listens_only_full_rounds_are_said() {
    let (mut exchange, mut take) = begun();
    take(&mut exchange, 1_000);
    take(&mut exchange, 2_000);
    take(&mut exchange, 3_000);
    exchange.show(seen("alice", 1));
    assert!(exchange.say(Bytes::from_static(b"unheard")));
    assert_eq!(take(&mut exchange, 3_100), [], "nobody was heard for three rounds");
    let heard = News { node: 9, n: 1, full: Some(1), last: true, ..News::default() };
    exchange.hear(&heard, 3_200, PACE, 0);
    let out = take(&mut exchange, 3_200);
    assert_eq!((out[0].full.is_some(), out[0].seen.len()), (true, 1), "a newcomer hears all");
    exchange.show(seen("alice", 2));
    assert_eq!(take(&mut exchange, 3_300).len(), 1);
}

#[test]
fn a_question_is_answered_within_a_beat_however_many_ask() {
    let (mut exchange, mut take) = begun();
    for node in 1..5 {
        let wants = News { node, n: 5, prev: 0, want: true, ..News::default() };
        assert_eq!(exchange.hear(&wants, 200, PACE, 1_055), Hearing::New);
    }
    assert!(!exchange.is_full_due(254) && exchange.is_full_due(255), "spread by the jitter");
    assert_eq!(take(&mut exchange, 255).len(), 1);
    assert_eq!(take(&mut exchange, 300), []);
}

#[test]
fn a_message_counts_once_and_a_gap_asks_for_everything() {
    let (mut exchange, mut take) = begun();
    let news = |n, prev| News { node: 9, n, prev, ..News::default() };
    let whole = News { full: Some(10), last: true, ..news(10, 4) };
    assert_eq!(exchange.hear(&whole, 100, PACE, 0), Hearing::New);
    assert!(!take(&mut exchange, 100)[0].want, "a full round leaves nothing to ask for");
    assert_eq!(exchange.hear(&whole, 110, PACE, 0), Hearing::Known);
    assert_eq!(exchange.hear(&news(11, 10), 120, PACE, 0), Hearing::New);
    assert_eq!(take(&mut exchange, 200), []);
    assert_eq!(exchange.hear(&news(14, 12), 210, PACE, 0), Hearing::New);
    assert_eq!(exchange.hear(&news(12, 11), 220, PACE, 0), Hearing::Known, "late");
    let out = take(&mut exchange, 300);
    assert!(out[0].want && out[0].full.is_some());
}

#[test]
fn who_is_not_named_in_a_whole_round_is_gone() {
    let (mut exchange, _) = begun();
    let part = |n, full, last| News { node: 9, n, prev: n - 1, full, last, ..News::default() };
    exchange.hear(&part(1, Some(1), true), 0, PACE, 0);
    assert!(exchange.note(&seen("alice", 1), 9, 1, 0));
    assert!(exchange.note(&seen("bob", 1), 9, 1, 0));
    assert!(exchange.note(&seen("other", 1), 8, 1, 0));
    exchange.hear(&part(2, Some(2), false), 0, PACE, 0);
    assert!(exchange.note(&seen("alice", 1), 9, 2, 0));
    assert_eq!(exchange.unnamed(&part(2, Some(2), false)), [], "the round is not over");
    exchange.hear(&part(3, Some(2), true), 0, PACE, 0);
    assert_eq!(gone(&exchange.unnamed(&part(3, Some(2), true))), ["bob"]);
    // A round of which a part is missing proves nothing.
    let late = News { prev: 5, ..part(6, Some(5), true) };
    exchange.hear(&late, 0, PACE, 0);
    assert_eq!(exchange.unnamed(&late), []);
}

#[test]
fn ghosts_go_with_time_and_with_their_node() {
    let (mut exchange, _) = begun();
    assert!(exchange.note(&seen("alice", 1), 9, 1, 0));
    assert!(exchange.note(&seen("bob", 1), 8, 1, 500));
    assert_eq!(exchange.ghosts(2_999, PACE), []);
    assert_eq!(gone(&exchange.ghosts(3_000, PACE)), ["alice"]);
    assert_eq!(gone(&exchange.bereave(8)), ["bob"]);
    assert_eq!(exchange.node_of("alice"), Some(9));
    exchange.forget("alice");
    assert_eq!(exchange.node_of("alice"), None);
}

#[test]
fn an_actor_is_of_one_node_at_a_time() {
    let (mut exchange, mut take) = begun();
    exchange.show(seen("alice", 1));
    assert!(exchange.note(&seen("alice", 2), 9, 1, 0));
    assert!(!exchange.has_local());
    assert_eq!(take(&mut exchange, 100), [], "its new node tells, and it is not gone");
    exchange.show(seen("alice", 3));
    assert_eq!((exchange.node_of("alice"), exchange.has_local()), (None, true));
}

#[test]
fn what_is_too_much_is_not_taken() {
    let (mut exchange, _) = begun();
    for at in 0..REMOTE_MAX {
        assert!(exchange.note(&seen(&format!("p{at}"), 1), 9, 1, 0));
    }
    assert!(!exchange.note(&seen("late", 1), 9, 1, 0));
    assert!(exchange.note(&seen("p0", 2), 9, 2, 0), "who is known stays");
    for _ in 0..WAITING_SAYS_MAX {
        assert!(exchange.say(Bytes::new()));
    }
    assert!(!exchange.say(Bytes::new()));
    for node in 0..=NODES_MAX as u64 {
        exchange.hear(&News { node, n: 1, ..News::default() }, node, PACE, 0);
    }
    let again = News { node: 0, n: 1, ..News::default() };
    assert_eq!(exchange.hear(&again, 999, PACE, 0), Hearing::New, "the quietest was forgotten");
}
