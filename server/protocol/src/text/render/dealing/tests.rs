//! Lines of trades and parties, as both sides read them.

use serde_json::json;

use super::*;
use crate::server::tests::STATE;
use crate::text::render;

const NOW_MS: u64 = 1_000_000;

/// Alice's sword for bob's gold.
fn trade(phase: &str) -> serde_json::Value {
    json!({"ev": "trade", "trade_id": "t-1", "phase": phase, "revision": 1, "from": "alice",
        "to": "bob", "give": {"items": [{"item_id": "sword-001", "quantity": 1}]},
        "want": {"gold": 20}, "expires_ms": NOW_MS + 60_000})
}

/// What `reader` is shown of events, one after the other.
fn shown(reader: &str, events: &[serde_json::Value]) -> Vec<Option<String>> {
    let mut known = Known::default();
    let mut show = |value: &serde_json::Value| {
        let read = serde_json::from_value(value.clone()).unwrap();
        event(&read, reader, NOW_MS, &mut known)
    };
    events.iter().map(&mut show).collect()
}

fn last(reader: &str, events: &[serde_json::Value]) -> String {
    shown(reader, events).pop().flatten().unwrap_or_default()
}

fn with(mut value: serde_json::Value, field: &str, to: serde_json::Value) -> serde_json::Value {
    value[field] = to;
    value
}

#[test]
fn an_offer_says_what_can_be_done_about_it() {
    assert_eq!(
        last("bob", &[trade("offered")]),
        "* offer 1 from alice: Iron Sword x1 for 20 gold (60 s; \"accept 1\", \"counter 1 …\" or \
         \"cancel 1\")"
    );
    assert_eq!(
        last("alice", &[trade("offered")]),
        "* offer 1 to bob: Iron Sword x1 for 20 gold (60 s; \"cancel 1\")"
    );
    let mut countered = with(trade("countered"), "revision", json!(2));
    countered["from"] = json!("bob");
    countered["to"] = json!("alice");
    countered["give"] = json!({"gold": 5, "items": [{"item_id": "ring", "quantity": 2}]});
    countered["want"] = json!({});
    countered["expires_ms"] = json!(NOW_MS - 1);
    assert_eq!(
        last("alice", &[trade("offered"), countered]),
        "* counter-offer 1 from bob: ring x2 and 5 gold for nothing (0 s; \"accept 1\", \"counter 1 \
         …\" or \"cancel 1\")"
    );
}

#[test]
fn an_end_says_what_was_got_and_given_and_why() {
    let open = || trade("offered");
    assert_eq!(
        last("alice", &[open(), trade("committed")]),
        "* offer 1 is done: you got 20 gold from bob and gave Iron Sword x1"
    );
    assert_eq!(
        last("bob", &[open(), trade("committed")]),
        "* offer 1 is done: you got Iron Sword x1 from alice and gave 20 gold"
    );
    let declined = || with(trade("cancelled"), "why", json!("bob\nsaid no"));
    assert_eq!(
        last("alice", &[open(), declined()]),
        "* offer 1 to bob was cancelled (bob said no); you have Iron Sword x1 back"
    );
    assert_eq!(
        last("bob", &[open(), declined()]),
        "* offer 1 from alice was cancelled (bob said no)"
    );
    assert_eq!(last("bob", &[open(), trade("expired")]), "* offer 1 from alice expired");
    assert_eq!(last("bob", &[trade("expired")]), "* the trade from alice expired", "not told of");
    let gift = with(trade("committed"), "want", json!({}));
    assert_eq!(
        last("bob", std::slice::from_ref(&gift)),
        "* gift: you got Iron Sword x1 from alice"
    );
    assert_eq!(last("alice", &[gift]), "* gift: you gave Iron Sword x1 to bob");
}

#[test]
fn the_own_line_is_answered_shortly() {
    let mut known = Known::default();
    let mut said = |verb: serde_json::Value, body: &str| {
        let verb: Verb = serde_json::from_value(verb).unwrap();
        answer(&verb, body, &mut known).unwrap_or_default()
    };
    let body = r#"{"trade_id":"t-1"}"#;
    let offer = json!({"do": "trade_offer", "args": {"to": "bob", "give": {"gold": 5}}});
    assert_eq!(said(offer, body), "offer 1 to bob");
    let on = |verb: &str| json!({"do": verb, "args": {"trade_id": "t-1"}});
    assert_eq!(said(on("trade_accept"), body), "offer 1 accepted");
    assert_eq!(said(on("trade_counter"), body), "offer 1 countered");
    assert_eq!(said(on("trade_cancel"), body), "offer 1 cancelled");
    assert_eq!(said(on("trade_cancel"), r#"{"trade_id":"t-2"}"#), "offer cancelled");
    assert_eq!(said(on("trade_accept"), "{}"), "", "no body says no more");
    let gift = json!({"do": "gift", "args": {"to": "bob", "give": {"gold": 3}}});
    assert_eq!(said(gift, body), "gave 3 gold to bob");
    let party = r#"{"party":{"party_id":"p-1","name":"The Heroes","leader":"alice",
        "members":["alice","bob"],"on_leader_left":"end"}}"#;
    let of = |verb: &str, args: serde_json::Value| json!({"do": verb, "args": args});
    let create = of("party_create", json!({"name": "The Heroes", "on_leader_left": "end"}));
    assert_eq!(said(create, party), "party The Heroes, led by alice: alice, bob");
    assert_eq!(said(of("party_leave", json!({})), r#"{"party":null}"#), "in no party");
    assert_eq!(said(of("party_invite", json!({"player": "bob"})), party), "bob is invited");
    assert_eq!(said(of("party_kick", json!({"player": "bob"})), party), "bob is sent away");
    let join = of("party_join_room", json!({"room_id": "den"}));
    assert_eq!(said(join, party), "the party enters den");
    assert_eq!(said(of("party_say", json!({"text": "hi"})), "{}"), "");
}

#[test]
fn what_happens_to_a_party_is_told_to_those_who_did_not_do_it() {
    let heroes = json!({"party_id": "p-1", "name": "Heroes", "leader": "alice",
        "members": ["alice", "bob"], "on_leader_left": "pass_on"});
    let told = |reader: &str, what: &str, by: &str, in_it: bool| {
        let party = if in_it { heroes.clone() } else { json!(null) };
        last(reader, &[json!({"ev": "party", "party": party, "by": by, "what": what})])
    };
    assert_eq!(
        told("carol", "invited", "alice", true),
        "* alice invites you to party Heroes; \"party accept alice\" joins alice, bob"
    );
    assert_eq!(told("alice", "invited", "alice", true), "");
    assert_eq!(told("alice", "joined", "bob", true), "* bob joined party Heroes");
    assert_eq!(told("alice", "left", "bob", true), "* bob left party Heroes");
    assert_eq!(told("alice", "kicked", "bob", true), "* bob was sent away from party Heroes");
    assert_eq!(told("bob", "kicked", "bob", false), "* you were sent away from the party");
    assert_eq!(told("bob", "led", "bob", true), "* you lead party Heroes now");
    assert_eq!(told("alice", "led", "bob", true), "* bob leads party Heroes now");
    assert_eq!(told("bob", "ended", "alice", false), "* the party has ended");
    assert_eq!(told("bob", "entered", "alice", true), "* alice takes party Heroes into a room");
    let gone = "* an invitation to a party is no longer good";
    assert_eq!(told("carol", "withdrawn", "alice", false), gone);
}

#[test]
fn what_is_reserved_is_shown_with_what_is_carried() {
    let state: PlayerState = serde_json::from_str(STATE).unwrap();
    let trade = serde_json::from_value(trade("offered")).unwrap();
    let invitations = vec![
        serde_json::from_value(json!({"party_id": "p-1", "name": "Thieves", "leader": "carol",
            "members": ["carol"], "on_leader_left": "end"}))
        .unwrap(),
    ];
    let party = Some(PartyInfo { name: "He\nroes".into(), ..invitations.clone().pop().unwrap() });
    let state = PlayerState { trades: vec![trade], party, invitations, ..state };
    let said = render::state(&state);
    assert!(said.ends_with("Health Potion x5; reserved: Iron Sword x1; party He roes"), "{said}");
    let mut known = Known::default();
    known.sync(&state.trades);
    assert_eq!(reserved(&known, "alice"), "; reserved: Iron Sword x1");
    assert_eq!(reserved(&known, "bob"), "");
    let recalled = recall(&state, &known, NOW_MS);
    assert_eq!(recalled.len(), 2);
    assert!(recalled[0].starts_with("* offer 1 to bob: Iron Sword x1"), "{recalled:?}");
    assert_eq!(
        recalled[1],
        "* party He roes, led by carol: carol; it ends when its leader leaves; invited to Thieves \
         (led by carol) (\"party accept NAME\")"
    );
}
