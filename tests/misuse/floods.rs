//! Misuse by number and by time: floods, messages beyond the limit, heads and hellos that never
//! come, readers that stop. Nobody else notices, and the memory comes back.

use std::time::Duration;

use futures::future::join_all;
use loadtest::socket::{Incoming, JSON, TEXT};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::house::{House, end, holds_no_more_than, join};
use crate::support::http::Connection;
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
    let mut admin = Connection::open(server.admin()).await.unwrap();
    let witness = (server.player("bob").await, end(&mut admin, "player:bob").await);
    let mut held_kib = Vec::new();
    for round in 0..4 {
        for (n, (breach, code)) in Break::ALL.into_iter().enumerate() {
            for rules in [JSON, TEXT] {
                // The same players in each round, so that there are not more of them.
                let player = format!("m-{n}-{}", rules == TEXT);
                let what = format!("{breach:?} under {rules}, round {round}");
                go_too_far(&server, (breach, code), rules, &player, &what).await;
                let now = (server.player("bob").await, end(&mut admin, "player:bob").await);
                assert_eq!(now, witness, "{what}: bob was touched");
            }
        }
        held_kib.push(server.rss_kib());
    }
    assert_eq!(server.get("/v1/nothing").await.status, 404);
    let metrics = admin.get("/metrics").await.unwrap().body;
    let count = |line: &str| -> f64 {
        let value = metrics.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {line}")).parse().unwrap()
    };
    // Four rounds under two rules, and all but the first messages of each are refused.
    assert!(count(r#"holdfast_limited_total{limit="inputs"}"#) >= 8.0 * 90.0);
    assert_eq!(count(r#"holdfast_limited_total{limit="address_connections"}"#), 0.0);
    assert_eq!(count(r#"holdfast_http_refused_total{status="404"}"#), 1.0);
    holds_no_more_than(&server, held_kib[1], "going too far").await;
}

/// Breaks off one session; what the player has stays, and its journal tells of no more than the
/// lost connection and one input.
async fn go_too_far(
    server: &Server,
    (breach, code): (Break, u16),
    rules: &str,
    player: &str,
    what: &str,
) {
    let mut admin = Connection::open(server.admin()).await.unwrap();
    let actor = format!("player:{player}");
    let mut raw = Raw::enter_as(server, Some(rules), player).await;
    join(&mut raw, 1, "den").await;
    let before = (server.player(player).await, end(&mut admin, &actor).await);
    breach.commit(&mut raw).await;
    let (refused, closed) = raw.end().await;
    assert_eq!(closed, Some(code), "{what}");
    if code == 4503 {
        let counted = ["bad_message", "rate_limited"];
        assert_eq!(refused.len(), 101, "{what}: one too many");
        assert!(refused.iter().all(|one| counted.contains(&&*one.code)), "{refused:?}");
    }
    assert_eq!(server.player(player).await, before.0, "{what}: place and all are kept");
    let grown = end(&mut admin, &actor).await.unwrap() - before.1.unwrap();
    assert!(grown <= 3, "{what}: {grown} records");
}

/// A connection that says `head` and then nothing, or drips; what the server said until it ended
/// the connection, `None` where it did not.
async fn hung_up_on(server: &Server, head: &str, drips: bool) -> Option<String> {
    let mut tcp = TcpStream::connect(server.addr()).await.unwrap();
    tcp.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = tcp.split();
    let mut drip = interval(Duration::from_millis(50));
    let mut said = Vec::new();
    let waiting = async {
        loop {
            let mut some = [0; 1024];
            tokio::select! {
                read = read.read(&mut some) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(len) => said.extend_from_slice(&some[..len]),
                },
                _ = drip.tick(), if drips => {
                    if write.write_all(b"a").await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    timeout(PATIENCE, waiting).await.ok()?;
    Some(String::from_utf8(said).unwrap())
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
        assert!(hung_up_on(&server, head, drips).await.is_some(), "{head:?} was waited for");
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

/// A request whose body does not come whole; it must be told so, and the connection ended.
async fn half_a_body(house: &House, request: &str, drips: bool, status: u16) {
    let said = hung_up_on(&house.server, request, drips).await;
    let said = said.unwrap_or_else(|| panic!("{request:?} was waited for"));
    let right = said.starts_with(&format!("HTTP/1.1 {status} ")) && said.contains("\"error\"");
    // Whoever goes on writing to an end that has closed may lose what it said.
    assert!(right || said.is_empty() && drips, "{request:?}: {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_come_are_not_waited_for() {
    let house = House::open(&["--header-ms", "400"]).await;
    let (ends, witnesses) = (house.settled().await, house.witnesses().await);
    let head = |path: &str, length: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{length}\r\n\r\n"
        )
    };
    let (sessions, commands) = ("/v1/sessions", "/v1/players/bob/commands");
    let half = r#"{"player":"new","name":"#;
    let list = [
        (head(sessions, "content-length: 100") + half, false, 408),
        (head(sessions, "content-length: 9000") + half, true, 408),
        (head(sessions, "transfer-encoding: chunked") + "17\r\n{\"player\":\"new\",", false, 408),
        // Whoever has no token hears just that.
        (head(commands, "content-length: 30"), false, 401),
    ];
    let mut held_kib = Vec::new();
    for _ in 0..10 {
        let all = (0..10).flat_map(|_| &list);
        let all = all.map(|(said, drips, status)| half_a_body(&house, said, *drips, *status));
        join_all(all).await;
        held_kib.push(house.server.rss_kib());
    }
    // What is announced as too long is not even waited for.
    let long = head(sessions, "content-length: 99999999999");
    let said = hung_up_on(&house.server, &long, false).await.expect("an end");
    assert!(said.starts_with("HTTP/1.1 413 ") && said.contains("\"too_large\""), "{said}");
    assert_eq!(house.ends().await, ends);
    assert_eq!(house.witnesses().await, witnesses);
    assert_eq!(house.state("new").await, json!(null), "nobody was made of half a body");
    house.holds_no_more_than(held_kib[1], "half bodies").await;
    house.check_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_is_closed_and_holds_nobody_up() {
    let house = House::open(&["--lane-len-max", "70"]).await;
    let witnesses = house.witnesses().await;
    let mut bob = Raw::enter(&house.server, "lone").await;
    let mut held_kib = Vec::new();
    for round in 1..=4 {
        let mut alice = Raw::enter(&house.server, "alice").await;
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
        bob.say(&format!(r#"{{"id":{round},"do":"get_status","args":{{}}}}"#)).await;
        assert_eq!(bob.hear(|message| message["id"] == round).await["ok"]["status"], "online");
        let code = loop {
            match alice.0.next(PATIENCE).await {
                Ok(Incoming::Closed(code)) => break code,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(code, Some(4002), "a reader that stops");
        held_kib.push(house.server.rss_kib());
    }
    assert_eq!(house.witnesses().await, witnesses);
    house.holds_no_more_than(held_kib[0], "readers that stop").await;
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
    for _ in 0..16 {
        flood(&house.server).await;
        eventually("sockets to be forgotten", PATIENCE, async || {
            (sockets(&house.server).await == 3).then_some(())
        })
        .await;
        held_kib.push(house.server.rss_kib());
    }
    println!("held after each flood, in KiB: {held_kib:?}");
    // Threads meet differently each time: it takes some floods until the allocator's reserve of
    // each is made.
    house.holds_no_more_than(held_kib[7], "floods of sockets").await;
    assert_eq!(house.ends().await, ends);
    assert_eq!(house.witnesses().await, witnesses);
    house.check_log();
}
