//! Playing on through a server that goes away.

use super::*;
use crate::fake::{Act, Fake, Hear, say, welcome};
use crate::player::World;

/// A room of one door: this player's wishes all get the same short answer.
fn restless() -> RandomPlayer {
    RandomPlayer::new(3, World::default())
}

#[tokio::test]
async fn a_lost_connection_is_taken_up_and_what_is_owed_is_asked_again() {
    let fake = Fake::start(vec![
        vec![Hear("hello"), welcome("welcome", 1, None), Hear(r#""id":1"#), Act::Drop],
        vec![
            Hear("resume"),
            welcome("resumed", 2, Some(0)),
            Hear(r#""id":1"#),
            // A command of its own says when it is served again.
            Hear(r#""id":2"#),
            say(r#"{"id":1,"ok":{"room":null},"seq":2,"dup":true}"#),
            say(r#"{"id":2,"ok":{"damage":0,"xp":0,"health":100},"seq":3}"#),
            Hear(r#""id":2"#),
            say(r#"{"id":2,"ok":{"damage":0,"xp":0,"health":100},"seq":3,"dup":true}"#),
            Hear(r#""id":1"#),
            say(r#"{"id":1,"ok":{"room":null},"seq":2,"dup":true}"#),
        ],
    ])
    .await;
    let mut bot = Bot::enter(&fake.url, "alice", None).await.unwrap();
    bot.send(Verb::LeaveRoom {}).await.unwrap();
    // Stopped at once: it only settles what it owes.
    let (_keep, stop) = watch::channel(true);
    let tally = play(&mut bot, &mut restless(), Pace::default(), stop).await.unwrap();
    assert_eq!((tally.resumes, tally.learnt_late, tally.repeated), (1, 1, 2));
    assert!(bot.ledger().open().is_empty());
    drop(bot);
    fake.done().await;
}
