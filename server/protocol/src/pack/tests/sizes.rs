//! What each kind of message weighs as JSON and as MessagePack, kept beside the protocol.
//!
//! `HOLDFAST_WRITE_FIXTURES=1 cargo test -p holdfast-protocol sizes` writes the table anew.

use std::fmt::Write as _;
use std::fs;

use serde_json::Number;
use serde_json::value::RawValue;

use super::*;
use crate::codes::ErrorCode;
use crate::goods::{Goods, GoodsItem};
use crate::ids::{PartyId, PlayerId, RoomId, TradeId};
use crate::server::{
    CoinRow, CoinsEvent, CombatEvent, DrainEvent, ErrorBody, NoticeEvent, OnLeaderLeft,
    PartyChange, PartyEvent, PartyInfo, PlayerEvent, SayEvent, TradeEvent, TradePhase, Welcome,
    WelcomeKind,
};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sizes.txt");
const HEAD: &str = "Bytes of one message of each kind in both encodings, without the WebSocket's \
    own; made and checked by server/protocol/src/pack/tests/sizes.rs";
const NOW_MS: u64 = 1_795_345_219_097;
const TICK: u64 = NOW_MS / crate::movement::STEP_MS;

/// A kind of message and its lengths as JSON and as MessagePack.
type Size = (&'static str, usize, usize);

fn told(kind: &'static str, json: &str) -> Size {
    (kind, json.len(), message(json).len())
}

fn said(kind: &'static str, id: Option<u64>, verb: Verb) -> Size {
    let message = ClientMessage { id, verb };
    (kind, message.encode().len(), encode(&message).len())
}

fn player(id: &str) -> PlayerId {
    PlayerId::new(id).unwrap()
}

fn gold(gold: u64) -> Goods {
    Goods { gold: Some(gold), items: vec![] }
}

fn sword() -> Goods {
    let item = GoodsItem { item_id: "sword-001".into(), quantity: 1 };
    Goods { gold: None, items: vec![item] }
}

fn greeting(kind: WelcomeKind) -> String {
    let state = RawValue::from_string(crate::server::tests::STATE.into()).unwrap();
    let mut sent = Welcome::new(kind, player("alice"), state);
    sent.session = "s-0123456789abcdef".into();
    sent.resume = "r".repeat(180);
    sent.node = "gw-1".into();
    (sent.epoch, sent.seq, sent.now) = (NOW_MS, 9912, NOW_MS);
    sent.gateways = vec!["ws://127.0.0.1:8080/ws".into(), "ws://127.0.0.1:8081/ws".into()];
    sent.replayed = (kind == WelcomeKind::Resumed).then_some(3);
    frame::welcome(&sent)
}

fn numbered(event: &Event) -> String {
    frame::events(9912, [frame::event(event).as_str()])
}

fn replies() -> Vec<Size> {
    let wait = ErrorBody::new(ErrorCode::RateLimited, "at most 20 commands a second");
    vec![
        told("welcome", &greeting(WelcomeKind::Welcome)),
        told("resumed", &greeting(WelcomeKind::Resumed)),
        told(
            "reply ok",
            &frame::reply_ok(41, r#"{"damage":25,"xp":10,"health":75}"#, Some(9912), false),
        ),
        told("reply err", &frame::reply_err(Some(41), &wait.after_ms(250))),
        told("pong", &frame::pong(&Number::from(NOW_MS), NOW_MS)),
    ]
}

fn events() -> Vec<Size> {
    let Value::Object(set) = json!({"health": 75, "xp": 10, "score": 35}) else { panic!() };
    let text = "Alice attacked you for 25 damage (attack executed against bob)";
    let combat = CombatEvent {
        move_type: MoveType::Attack,
        by: player("alice"),
        target: Some(player("bob")),
        damage: 25,
        xp: 10,
        gold: 0,
    };
    let notice = NoticeEvent { text: text.into(), from: Some("alice".into()) };
    let say = SayEvent { from: player("alice"), text: "hello, dungeon".into(), party: None };
    let trade = TradeEvent {
        trade_id: TradeId::new("19a1b2c3d4e-9f8e7d6c").unwrap(),
        phase: TradePhase::Offered,
        revision: 1,
        from: player("alice"),
        to: player("bob"),
        give: sword(),
        want: gold(20),
        expires_ms: NOW_MS,
        why: None,
    };
    let party = PartyInfo {
        party_id: PartyId::new("19a1b2c3d4e-9f8e7d6c").unwrap(),
        name: "The Heroes".into(),
        leader: player("alice"),
        members: vec![player("alice"), player("bob")],
        on_leader_left: OnLeaderLeft::PassOn,
    };
    let (party, by) = (Some(party), Some(player("bob")));
    let party = PartyEvent { party, by, what: PartyChange::Joined };
    let at = vec![CoinRow { coin: 1_234, x: 2_048, y: 2_012 }];
    let coins = CoinsEvent { at, taken: vec![], full: false };
    vec![
        told("events, player", &numbered(&Event::Player(PlayerEvent { set }))),
        told("events, notice", &numbered(&Event::Notice(notice))),
        told("events, combat", &numbered(&Event::Combat(combat))),
        told("events, trade", &numbered(&Event::Trade(trade))),
        told("events, party", &numbered(&Event::Party(party))),
        told("coins, 1 new", &frame::event(&Event::Coins(coins))),
        told("say", &frame::event(&Event::Say(say))),
        told("drain", &frame::event(&Event::Drain(DrainEvent { retry_after_ms: 500 }))),
    ]
}

fn lists() -> Vec<Size> {
    let ids: Vec<String> = (1..=20).map(|number| format!("player-{number}")).collect();
    let members = ids.iter().zip(1..).map(|(id, entity)| (entity, id.as_str(), id.as_str()));
    let top = ids.iter().zip(1..).map(|(id, rank)| (id.as_str(), id.as_str(), 3500, rank));
    vec![
        told("roster of 20", &frame::roster(members, true)),
        told("leaderboard of 10", &frame::leaderboard(top.take(10))),
    ]
}

fn rooms() -> Vec<Size> {
    let size = |kind, count: u32, full| {
        let row = |entity: u32| {
            let at = entity as i32 * 37;
            row(entity, 1800 + at, 2400 - at, 100, 0)
        };
        let all: Vec<_> = (1..=count).map(row).collect();
        let (tick, input_seq, own, own_row, gone) = (TICK, 40_123, 0, None, &[][..]);
        let (text, packed) = (frame::rows(&all), rows(&all));
        let json = Room { tick, input_seq, own, own_row, rows: &text, gone, full };
        let packed = Room { tick, input_seq, own, own_row, rows: &packed, gone, full };
        (kind, frame::room(&json).len(), room(&packed).len())
    };
    vec![
        size("room, full, of 20", 20, true),
        size("room, delta, of 20", 20, false),
        size("room, delta, of 1", 1, false),
        size("room, only a new in", 0, false),
    ]
}

fn verbs() -> Vec<Size> {
    let input =
        |len| Verb::Input { seq: 40_123, steps: vec![Step { dx: 1, dy: -1, buttons: 0 }; len] };
    let blow = Verb::ExecuteMove {
        move_type: MoveType::Attack,
        target_player_id: Some(player("bob")),
        event_id: None,
    };
    let offer = Verb::TradeOffer { to: player("bob"), give: sword(), want: gold(20) };
    let trade_id = TradeId::new("19a1b2c3d4e-9f8e7d6c").unwrap();
    vec![
        said("input of 1 step", None, input(1)),
        said("input of 3 steps", None, input(3)),
        said("join_room", Some(41), Verb::JoinRoom { room_id: RoomId::new("dungeon-7").unwrap() }),
        said("execute_move", Some(41), blow),
        said("trade_offer", Some(41), offer),
        said("trade_accept", Some(41), Verb::TradeAccept { trade_id, revision: Some(1) }),
    ]
}

fn table() -> String {
    let mut out =
        format!("{HEAD}\n\n{:20}{:>6}{:>13}{:>8}\n", "kind", "JSON", "MessagePack", "share");
    for (kind, json, packed) in [replies(), events(), lists(), rooms(), verbs()].concat() {
        writeln!(out, "{kind:20}{json:>6}{packed:>13}{:>7}%", packed * 100 / json).unwrap();
    }
    out
}

#[test]
fn sizes_are_those_that_are_kept() {
    let today = table();
    if std::env::var("HOLDFAST_WRITE_FIXTURES").is_ok_and(|on| on == "1") {
        fs::write(TABLE, &today).unwrap();
    }
    let kept = fs::read_to_string(TABLE).unwrap_or_default();
    assert!(kept == today, "sizes have changed, see the head of pack/tests/sizes.rs:\n{today}");
}

/// The arithmetic of the module's head: what rows cost that are arrays of their own.
#[test]
fn a_row_of_its_own_costs_a_byte() {
    let all = |count: u32| (1..=count).map(|entity| row(entity, 2048, 2048, 100, 0));
    for count in [1, 20] {
        let flat: Vec<u32> = all(count).flat_map(|r| [r.entity, 2048, 2048, 100, 0]).collect();
        let flat = bytes(&json!([TICK, 40_123, flat, [], true])).len();
        let nested = plain_room(TICK, 40_123, &all(count).collect::<Vec<_>>(), &[], true).len();
        assert_eq!(nested - flat, count as usize, "{nested} bytes nested, {flat} flat");
    }
}
