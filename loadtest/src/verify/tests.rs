//! A whole verification without servers: what can't be read is said, and is no violation.

use holdfast_protocol::ids::PlayerId;

use super::*;
use crate::load::account::Ack;

fn closed(player: &str, violations: &[&str]) -> Closed {
    Closed {
        acks: vec![Ack { session: 1, id: 1, seq: 2 }],
        violations: violations.iter().map(|&what| what.to_owned()).collect(),
        ..Closed::empty(PlayerId::new(player).unwrap())
    }
}

fn nowhere() -> Vec<String> {
    vec!["http://127.0.0.1:9".to_owned()]
}

#[tokio::test(start_paused = true)]
async fn what_players_saw_counts_also_where_nothing_can_be_read() {
    let asked = Verification { origins: nowhere(), retained: true, admin: Vec::new() };
    let books = vec![closed("a", &["frame 4 came after frame 5"]), closed("b", &[])];
    let oddities = vec![("b".to_owned(), "a message that came can't be read".to_owned())];
    let mut heard = Vec::new();
    let found =
        verify(&http::Client::default(), &asked, books, oddities, |done| heard.push(done)).await;
    assert_eq!((found.players, heard), (2, vec![0, 1, 2]));
    let promises = &found.checks[PROMISES];
    assert_eq!((promises.looked_at, promises.violations), (3, 2));
    let told: Vec<_> = found.violations.iter().map(|one| (&*one.player, &*one.what)).collect();
    let expected =
        [("a", "frame 4 came after frame 5"), ("b", "a message that came can't be read")];
    assert_eq!(told, expected);
    assert_eq!(found.checks[LOST].violations, 0);
    let [unread] = &found.unchecked[..] else { panic!("{:?}", found.unchecked) };
    assert!(unread.starts_with("the journals of 2 players could not be read (a, b): "), "{unread}");
}

#[tokio::test(start_paused = true)]
async fn rooms_that_can_not_be_read_are_told() {
    let rooms = ["den".to_owned()];
    let found = verify_rooms(&http::Client::default(), &nowhere(), &rooms).await;
    assert_eq!((found.checks[CAPACITY].looked_at, found.checks[CAPACITY].violations), (0, 0));
    let [unread] = &found.unchecked[..] else { panic!("{:?}", found.unchecked) };
    assert!(unread.starts_with("the journals of 1 room could not be read (den): "), "{unread}");
    let nobody = verify_rooms(&http::Client::default(), &[], &rooms).await;
    assert!(nobody.unchecked[0].ends_with("no server is known to read at"), "{nobody:?}");
}
