//! Lost connections, logouts, second connections, and what a resume brings back.

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::server::{
    FLAG_LINKDEAD, PlayerState, ServerMessage, Status, Welcome, WelcomeKind, WhoBody,
};
use loadtest::bot::{Bot, Error};
use loadtest::socket::{Handshake, Incoming, JSON, Socket};

use crate::scenario::{attack, join, strike};
use crate::support::{Options, PATIENCE, Server, eventually};

async fn in_den(server: &Server, player: &str) -> Bot {
    let mut bot = Bot::enter(&server.ws(), player, None).await.unwrap();
    assert!(bot.command(join("den")).await.unwrap().result.is_ok());
    bot
}

/// Waits until `bot` sees `player` with or without the lost-connection flag.
async fn sees_lost(bot: &mut Bot, player: &str, lost: bool) {
    let what = format!("{player} to be seen with lost connection: {lost}");
    let flag = |bot: &Bot| bot.mirror().room.row_of(player).map(|row| row.flags & FLAG_LINKDEAD);
    bot.wait_for(&what, |bot| flag(bot).is_some_and(|flag| (flag != 0) == lost)).await.unwrap();
}

/// Resumes on a socket of its own, beside whatever the bot holds.
async fn resume_beside(server: &Server, token: &str, seq: u64) -> (Socket, Welcome) {
    let handshake = Handshake { subprotocol: Some(JSON), origin: None };
    let mut socket = Socket::open(&server.ws(), handshake, PATIENCE).await.unwrap();
    let args = serde_json::json!({"token": token, "seq": seq});
    let resume = serde_json::json!({"do": "resume", "args": args});
    socket.send_text(resume.to_string()).await.unwrap();
    let first = socket.next(PATIENCE).await.unwrap();
    let Incoming::Text(text) = first else { panic!("{first:?}") };
    match ServerMessage::decode(&text).unwrap() {
        ServerMessage::Welcome(welcome) => (socket, *welcome),
        other => panic!("resume was answered by {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_seen_keeps_its_place_and_can_be_hit() {
    let mut server = Server::start().await;
    let (mut alice, mut bob) = (in_den(&server, "alice").await, in_den(&server, "bob").await);
    sees_lost(&mut alice, "bob", false).await;
    bob.kill();
    sees_lost(&mut alice, "bob", true).await;
    let page = server.player("bob").await;
    assert_eq!(
        (&page["status"], &page["current_room"]["room_id"]),
        (&"in_room".into(), &"den".into())
    );

    assert!(alice.command(attack("bob")).await.unwrap().result.is_ok());
    let welcome = bob.resume().await.unwrap();
    assert_eq!((welcome.kind, welcome.state.health), (WelcomeKind::Resumed, 75));
    assert!(welcome.replayed.is_some_and(|frames| frames >= 1), "{:?}", welcome.replayed);
    let notices = |bob: &Bot| {
        bob.mirror().notices().filter(|(_, n)| n.from.as_deref() == Some("alice")).count()
    };
    bob.wait_for("the missed notice", |bob| notices(bob) == 1).await.unwrap();
    sees_lost(&mut alice, "bob", false).await;

    // A crash cuts everybody off; whoever does not come back keeps the place meanwhile.
    server.crash().await;
    alice.resume_within(PATIENCE).await.unwrap();
    sees_lost(&mut alice, "bob", true).await;
    assert!(alice.command(attack("bob")).await.unwrap().result.is_ok());
    bob.kill();
    let welcome = bob.resume().await.unwrap();
    assert_eq!((welcome.kind, welcome.state.health), (WelcomeKind::Resumed, 50));
    bob.wait_for("the second notice", |bob| notices(bob) == 2).await.unwrap();
    sees_lost(&mut alice, "bob", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_leaves_at_once_and_ends_the_session() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (in_den(&server, "alice").await, in_den(&server, "bob").await);
    let here = |bot: &Bot| bot.mirror().room.row_of("alice").is_some();
    bob.wait_for("alice in the room", here).await.unwrap();
    let at = alice.query::<PlayerState>(Verb::GetState {}).await.unwrap();
    assert!(alice.command(Verb::Logout {}).await.unwrap().result.is_ok());
    assert_eq!(alice.closed().await.unwrap(), Some(1000));
    bob.wait_for("alice gone from the room", |bob| !here(bob)).await.unwrap();
    let page = server.player("alice").await;
    assert_eq!((&page["status"], &page["current_room"]), (&"offline".into(), &().into()));
    eventually("alice gone from who", PATIENCE, async || {
        let who: WhoBody = bob.query(Verb::Who {}).await.unwrap();
        who.players.iter().all(|row| row.player.as_str() != "alice").then_some(())
    })
    .await;
    let over = alice.resume().await.unwrap_err();
    assert!(matches!(&over, Error::Refused(error) if !error.retry), "{over}");
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    let back: PlayerState = alice.query(Verb::GetState {}).await.unwrap();
    assert_eq!((back.x, back.y), (at.x, at.y), "the place is remembered");
    assert_ne!(back.status, Status::Offline);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_connection_wins() {
    let server = Server::start().await;
    let mut first = in_den(&server, "alice").await;
    let ended = first.mirror().welcome.clone().unwrap();
    let mut second = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    assert_eq!(first.closed().await.unwrap(), Some(4504));
    let over = first.resume().await.unwrap_err();
    assert!(matches!(over, Error::Refused(_)), "the new hello ended the session: {over}");

    let session = second.mirror().welcome.clone().unwrap();
    assert_ne!(session.session, ended.session);
    let (mut third, welcome) = resume_beside(&server, &session.resume, session.seq).await;
    assert_eq!(second.closed().await.unwrap(), Some(4504));
    assert_eq!(welcome.session, session.session, "a resume goes on with the session");
    third.send_text(r#"{"id":1,"do":"leave_room","args":{}}"#).await.unwrap();
    let answer = async {
        loop {
            match third.next(PATIENCE).await.unwrap() {
                Incoming::Text(text) if text.contains(r#""id":1"#) => break text,
                Incoming::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    assert!(answer.await.contains(r#""ok""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_is_complete_or_a_resync() {
    let options = Options::default().with(&["--commands-per-s", "10000"]);
    let server = Server::start_with(options).await;
    let mut bob = Bot::enter(&server.ws(), "bob", None).await.unwrap();
    let token = bob.mirror().welcome.clone().unwrap().resume;
    let old = bob.mirror().seen();
    for _ in 0..80 {
        let defence = bob.command(strike(MoveType::Defend, None, None)).await.unwrap();
        assert!(defence.result.is_ok(), "{defence:?}");
    }
    bob.wait_for("the last defence's frame", |bob| bob.state().is_ok_and(|s| s.xp == 800))
        .await
        .unwrap();
    let frames = &bob.mirror().frames;
    assert!(frames.len() > 64, "only {} numbered frames", frames.len());
    let near = frames[frames.len() - 4].seq;
    let missed = frames.iter().filter(|frame| frame.seq > near).count() as u64;
    assert_eq!(missed, 3);

    let (_, welcome) = resume_beside(&server, &token, old).await;
    assert_eq!((welcome.kind, welcome.replayed.unwrap_or(0)), (WelcomeKind::Resync, 0));
    assert_eq!(welcome.state.xp, bob.state().unwrap().xp, "the state replaces what is gone");
    let (mut socket, welcome) = resume_beside(&server, &token, near).await;
    assert_eq!(welcome.kind, WelcomeKind::Resumed);
    // The defence may have ended meanwhile, which is one more frame.
    let replayed = welcome.replayed.unwrap();
    assert!((missed..=missed + 1).contains(&replayed), "{replayed} frames");
    for _ in 0..replayed {
        let next = socket.next(PATIENCE).await.unwrap();
        let Incoming::Text(text) = &next else { panic!("{next:?}") };
        let message = ServerMessage::decode(text).unwrap();
        assert!(matches!(&message, ServerMessage::Events(e) if e.seq > near), "{text}");
    }
}

/// What comes until a message says `what`, that one included.
async fn until(socket: &mut Socket, what: &str) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        match socket.next(PATIENCE).await.unwrap() {
            Incoming::Text(text) => heard.push(text.to_string()),
            other => panic!("{other:?} before {what}, after {heard:?}"),
        }
        if heard.last().is_some_and(|text| text.contains(what)) {
            return heard;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_is_shown_the_whole_room_again() {
    let server = Server::start().await;
    let (alice, mut bob) = (in_den(&server, "alice").await, in_den(&server, "bob").await);
    let here = |bot: &Bot| bot.mirror().room.row_of("alice").is_some();
    bob.wait_for("alice in the room", here).await.unwrap();
    let session = alice.mirror().welcome.clone().unwrap();
    let (mut socket, _) = resume_beside(&server, &session.resume, session.seq).await;
    until(&mut socket, r#""ev":"room""#).await;
    // Nobody moves, and yet there is a frame.
    for id in 1..=2 {
        socket.send_text(format!(r#"{{"id":{id},"do":"look"}}"#)).await.unwrap();
        let heard = until(&mut socket, r#""ev":"room""#).await;
        assert!(heard.contains(&format!(r#"{{"id":{id},"ok":{{}}}}"#)), "{heard:?}");
        let full = |ev: &str| {
            let is = |text: &&String| text.contains(ev) && text.ends_with(r#""full":true}"#);
            heard.iter().find(is).cloned().unwrap_or_else(|| panic!("no {ev} in {heard:?}"))
        };
        let roster = full(r#""ev":"roster""#);
        assert!(roster.contains("alice") && roster.contains("bob"), "{roster}");
        full(r#""ev":"room""#);
    }
    socket.send_text(r#"{"id":3,"do":"leave_room"}"#).await.unwrap();
    until(&mut socket, r#""id":3"#).await;
    socket.send_text(r#"{"id":4,"do":"look"}"#).await.unwrap();
    until(&mut socket, r#""id":4"#).await;
    let nowhere = until(&mut socket, r#""ev":"room""#).await;
    assert!(nowhere.last().is_some_and(|text| text.contains(r#""e":[],"#)), "{nowhere:?}");
}
