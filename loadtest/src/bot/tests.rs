//! A bot against a scripted server: what it says, what it remembers, what it refuses to accept.

use super::*;
use crate::fake::{Act, Close, Fake, Hear, say, welcome};
use crate::ledger::Violation;
use holdfast_protocol::codes::ErrorCode;

const OK_1: &str = r#"{"id":1,"ok":{"room":null},"seq":8}"#;

async fn alice(script: Vec<Act>) -> (Bot, Fake) {
    alice_of(vec![script]).await
}

async fn alice_of(mut scripts: Vec<Vec<Act>>) -> (Bot, Fake) {
    let hello = r#"{"do":"hello","args":{"player":"alice","name":"Alice"}}"#;
    scripts[0].splice(0..0, [Hear(hello), welcome("welcome", 7, None)]);
    let fake = Fake::start(scripts).await;
    let mut bot = Bot::enter(&fake.url, "alice", Some("Alice")).await.unwrap();
    bot.patience = Duration::from_millis(500);
    (bot, fake)
}

#[tokio::test]
async fn a_command_ends_with_its_own_reply_and_not_with_pending() {
    let (mut bot, fake) = alice(vec![
        Hear(r#"{"id":1,"do":"leave_room","args":{}}"#),
        say(r#"{"seq":8,"evs":[{"ev":"player","set":{"score":35}}]}"#),
        say(r#"{"id":1,"err":{"code":"pending","message":"wait","retry":false}}"#),
        say(OK_1),
    ])
    .await;
    let answer = bot.command(Verb::LeaveRoom {}).await.unwrap();
    assert_eq!((answer.seq(), bot.state().unwrap().score), (Some(8), 35));
    assert!(bot.ledger().entry(1).unwrap().pending);
    bot.kill();
    fake.done().await;
}

#[tokio::test]
async fn what_is_open_is_repeated_after_resume() {
    let resume = r#"{"do":"resume","args":{"token":"r1","seq":9}}"#;
    let (mut bot, fake) = alice_of(vec![
        vec![
            Hear(r#""id":1"#),
            Hear(r#""id":2"#),
            say(r#"{"seq":9,"evs":[]}"#),
            say(OK_1),
            Act::Drop,
        ],
        vec![
            Hear(resume),
            welcome("resumed", 12, Some(1)),
            say(r#"{"seq":11,"evs":[{"ev":"notice","text":"psst"}]}"#),
            Hear(r#""id":2"#),
            say(r#"{"id":2,"ok":{"room":null},"seq":12,"dup":true}"#),
            Hear(r#""id":1"#),
            say(r#"{"id":1,"ok":{"room":null},"seq":8,"dup":true}"#),
        ],
    ])
    .await;
    bot.send(Verb::LeaveRoom {}).await.unwrap();
    let second = bot.send(Verb::LeaveRoom {}).await.unwrap();
    let lost = bot.reply(second).await.unwrap_err();
    assert!(lost.is_lost(), "{lost}");
    assert_eq!(bot.ledger().open(), [second]);
    bot.resume_within(Duration::from_secs(5)).await.unwrap();
    assert_eq!(bot.reply(second).await.unwrap().seq(), Some(12));
    assert_eq!(bot.mirror().notices().next().unwrap().1.text, "psst");
    assert!(bot.repeat(1).await.unwrap().seq() == Some(8), "the first reply once more");
    drop(bot);
    fake.done().await;
}

#[tokio::test]
async fn a_changed_reply_is_a_broken_promise() {
    let (mut bot, _fake) = alice(vec![
        Hear(r#""id":1"#),
        say(OK_1),
        Hear(r#""id":1"#),
        say(r#"{"id":1,"ok":{"room":null},"seq":9,"dup":true}"#),
    ])
    .await;
    bot.command(Verb::LeaveRoom {}).await.unwrap();
    let broken = bot.repeat(1).await.unwrap_err();
    assert!(matches!(broken, Error::Violation(Violation::Changed { .. })), "{broken}");
    assert!(!broken.is_lost());
}

#[tokio::test]
async fn input_counts_its_own_steps() {
    let (mut bot, fake) = alice(vec![
        Hear(r#"{"do":"input","args":{"seq":1,"steps":[[1,0,0],[1,0,0]]}}"#),
        Hear(r#"{"do":"input","args":{"seq":3,"steps":[[0,-1,1]]}}"#),
        say(r#"{"ev":"room","tick":1,"in":3,"e":[],"gone":[]}"#),
        say(r#"{"id":null,"err":{"code":"not_in_room","message":"no","retry":false}}"#),
    ])
    .await;
    let right = Step { dx: 1, dy: 0, buttons: 0 };
    assert_eq!(bot.input(vec![right; 2]).await.unwrap(), 2);
    assert_eq!(bot.input(vec![Step { dx: 0, dy: -1, buttons: 1 }]).await.unwrap(), 3);
    bot.wait_for("in", |bot| bot.mirror().input_seq == 3).await.unwrap();
    bot.wait_for("a complaint", |bot| !bot.complaints().is_empty()).await.unwrap();
    assert_eq!(bot.complaints()[0].code, ErrorCode::NotInRoom);
    bot.kill();
    fake.done().await;
}

#[tokio::test]
async fn close_codes_say_whether_to_come_back() {
    for (code, lost) in [(4000, true), (1012, true), (4504, false), (1000, false)] {
        let (mut bot, _fake) = alice(vec![Close(code)]).await;
        let error = bot.wait_for("nothing", |_| false).await.unwrap_err();
        assert!(matches!(error, Error::Closed(Some(found)) if found == code), "{error}");
        assert_eq!(error.is_lost(), lost, "{code}");
        assert_eq!((bot.close_code(), bot.is_connected()), (Some(code), false));
    }
}

#[tokio::test]
async fn a_refused_hello_says_why() {
    let refusal = r#"{"id":null,"err":{"code":"unauthorized","message":"no","retry":false}}"#;
    let fake = Fake::start(vec![vec![Hear("hello"), say(refusal), Close(4500)]]).await;
    let mut bot = Bot::connect(&fake.url).await.unwrap();
    let refused = bot.hello("alice", None).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Refused(error) if error.code == ErrorCode::Unauthorized),
        "{refused}"
    );
    assert_eq!(bot.closed().await.unwrap(), Some(4500));
    bot.kill();
    fake.done().await;
}

#[tokio::test]
async fn a_silent_server_ends_the_wait() {
    let (mut bot, _fake) = alice(vec![Hear("leave_room")]).await;
    bot.patience = Duration::from_millis(50);
    let error = bot.command(Verb::LeaveRoom {}).await.unwrap_err();
    assert!(matches!(error, Error::Deadline { .. }), "{error}");
}
