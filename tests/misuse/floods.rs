//! Misuse by number and by time: floods, messages beyond the limit, heads and hellos that never
//! come, readers that stop. Nobody else notices, and the memory comes back.

use std::time::Duration;

use loadtest::socket::{Incoming, JSON, TEXT};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::house::{House, join};
use crate::support::raw::Raw;
use crate::support::{Options, PATIENCE, Server, eventually};

/// Sockets of one flood.
const SOCKETS: usize = 400;

/// What ends a session with a close code.
#[derive(Debug, Clone, Copy)]
enum Break {
    /// One message above the limit.
    Large,
    /// The same in pieces that are each below it.
    LargeInPieces,
    /// Text that is no UTF-8.
    NoUtf8,
    /// More than a hundred messages that are not understood.
    Nonsense,
    /// More input than a hundred refusals take.
    Inputs,
}

impl Break {
    const ALL: [(Self, u16); 5] = [
        (Self::Large, 1009),
        (Self::LargeInPieces, 1009),
        (Self::NoUtf8, 1007),
        (Self::Nonsense, 4503),
        (Self::Inputs, 4503),
    ];

    async fn commit(self, raw: &mut Raw) {
        match self {
            Self::Large => {
                let text = "x".repeat(20 * 1024);
                raw.say(&json!({"id": 9, "do": "say", "args": {"text": text}}).to_string()).await;
            }
            Self::LargeInPieces => {
                for n in 0..3 {
                    let code = if n == 0 { Data::Text } else { Data::Continue };
                    let piece = Bytes::from(vec![b' '; 8 * 1024]);
                    let frame = Frame::message(piece, OpCode::Data(code), n == 2);
                    if raw.0.send(Message::Frame(frame)).await.is_err() {
                        return;
                    }
                }
            }
            Self::NoUtf8 => raw.say_bytes(vec![b'{', 0xff, 0xfe, b'}']).await,
            Self::Nonsense => {
                for _ in 0..101 {
                    raw.say("{no").await;
                }
            }
            Self::Inputs => {
                for _ in 0..400 {
                    let frame = r#"{"do":"input","args":{"seq":1,"steps":[[0,0,0]]}}"#;
                    if raw.0.send_text(frame).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_too_far_closes_with_its_code_and_keeps_the_player() {
    let server = Server::start_with(Options::default().admin()).await;
    let mut bob = Raw::enter(&server, "bob").await;
    join(&mut bob, 1, "den").await;
    let witness = server.player("bob").await;
    for (n, (breach, code)) in Break::ALL.into_iter().enumerate() {
        for rules in [JSON, TEXT] {
            let player = format!("m-{n}-{}", rules == TEXT);
            let mut raw = Raw::enter_as(&server, Some(rules), &player).await;
            join(&mut raw, 1, "den").await;
            let before = server.player(&player).await;
            breach.commit(&mut raw).await;
            let (refused, closed) = raw.end().await;
            assert_eq!(closed, Some(code), "{breach:?} under {rules}");
            if code == 4503 {
                let counted = ["bad_message", "rate_limited"];
                assert_eq!(refused.len(), 101, "{breach:?} under {rules}: one too many");
                assert!(refused.iter().all(|one| counted.contains(&&*one.code)), "{refused:?}");
            }
            assert_eq!(server.player(&player).await, before, "{breach:?}: place and all are kept");
            assert_eq!(server.player("bob").await, witness, "{breach:?} touched bob");
        }
    }
}

/// A connection that says `head` and then nothing; true when the server ends it.
async fn is_hung_up_on(server: &Server, head: &str, drips: bool) -> bool {
    let mut tcp = TcpStream::connect(server.addr()).await.unwrap();
    tcp.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = tcp.split();
    let mut drip = interval(Duration::from_millis(50));
    let mut said = Vec::new();
    let end = read.read_to_end(&mut said);
    tokio::pin!(end);
    let waiting = async {
        loop {
            tokio::select! {
                _ = &mut end => return true,
                _ = drip.tick(), if drips => {
                    if write.write_all(b"a").await.is_err() {
                        return true;
                    }
                }
            }
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_hellos_that_never_come_are_not_waited_for() {
    let deadlines = ["--header-ms", "400", "--hello-ms", "400", "--hello-text-ms", "600"];
    let server = Server::start_with(Options::default().with(&deadlines)).await;
    for (head, drips) in [
        ("", false),
        ("GET /ws HT", false),
        ("GET /ws HTTP/1.1\r\nhost: a\r\n", false),
        ("GET /ws HTTP/1.1\r\nx-slow: ", true),
    ] {
        assert!(is_hung_up_on(&server, head, drips).await, "{head:?} was waited for");
    }
    for rules in [JSON, TEXT] {
        let mut silent = Raw::open_as(&server, Some(rules)).await;
        let (refused, code) = silent.end().await;
        assert_eq!(code, Some(4501), "no first message under {rules}");
        let codes: Vec<_> = refused.iter().map(|one| &*one.code).collect();
        assert_eq!(codes, ["not_hello"], "under {rules}");
        // Signs of life are no hello, and neither is what is not understood.
        let mut busy = Raw::open_as(&server, Some(rules)).await;
        busy.0.send(Message::Ping(Bytes::new())).await.unwrap();
        busy.say("{not json").await;
        assert_eq!(busy.closed().await, Some(4501), "no hello under {rules}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_is_closed_and_holds_nobody_up() {
    let house = House::open(&["--lane-len-max", "70"]).await;
    let mut alice = Raw::enter(&house.server, "alice").await;
    let before_kib = house.server.rss_kib();
    let witnesses = house.witnesses().await;
    let mut ask = async |n: u64| {
        let ask = format!(r#"{{"id":{n},"do":"get_state","args":{{}}}}"#);
        timeout(Duration::from_millis(500), alice.0.send_text(ask)).await
    };
    // Until the server reads no more, or has closed: then writing stops or fails.
    for n in 1..200_000 {
        if !matches!(ask(n).await, Ok(Ok(()))) {
            break;
        }
    }
    let mut bob = Raw::enter(&house.server, "lone").await;
    bob.say(r#"{"id":1,"do":"get_status","args":{}}"#).await;
    assert_eq!(bob.hear(|message| message["id"] == 1).await["ok"]["status"], "online");
    let code = loop {
        match alice.0.next(PATIENCE).await {
            Ok(Incoming::Closed(code)) => break code,
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(code, Some(4002), "a reader that stops");
    assert_eq!(house.witnesses().await, witnesses);
    let after_kib = house.server.rss_kib();
    assert!(after_kib < before_kib + 24 * 1024, "{before_kib} KiB before, {after_kib} KiB after");
    house.check_log();
}

/// Opens many sockets at once, says nonsense on each, and leaves without a word.
async fn flood(server: &Server) {
    let mut all = JoinSet::new();
    for n in 0..SOCKETS {
        let url = server.ws();
        all.spawn(async move {
            let rules = [Some(JSON), Some(TEXT), None][n % 3];
            let handshake = loadtest::socket::Handshake { subprotocol: rules, origin: None };
            let mut raw =
                Raw(loadtest::socket::Socket::open(&url, handshake, PATIENCE).await.unwrap());
            for _ in 0..20 {
                raw.say(&format!("{{\"id\":{n},\"do\":\"{}\"", "x".repeat(2_000))).await;
            }
            for _ in 0..20 {
                assert_eq!(raw.refused().await.code, "bad_message");
            }
            raw
        });
    }
    let open = all.join_all().await;
    assert_eq!(open.len(), SOCKETS);
}

/// Sockets that the server counts.
async fn sockets(server: &Server) -> u64 {
    let nodes = server.get("/v1/nodes").await.json();
    nodes["nodes"][0]["sockets"].as_u64().expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_sockets_leave_no_memory_behind() {
    let house = House::open(&[]).await;
    let (ends, witnesses) = (house.settled().await, house.witnesses().await);
    let mut held_kib = Vec::new();
    for _ in 0..5 {
        flood(&house.server).await;
        eventually("sockets to be forgotten", PATIENCE, async || {
            (sockets(&house.server).await == 3).then_some(())
        })
        .await;
        held_kib.push(house.server.rss_kib());
    }
    println!("held after each flood, in KiB: {held_kib:?}");
    // The first makes the allocator's reserve; those that follow live on it.
    assert!(held_kib[4] < held_kib[0] + 4 * 1024, "it grows: {held_kib:?} KiB");
    assert_eq!(house.ends().await, ends);
    assert_eq!(house.witnesses().await, witnesses);
    house.check_log();
}
