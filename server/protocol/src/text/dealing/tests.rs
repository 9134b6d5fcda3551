//! Which lines of trades and parties mean what.

use super::*;
use crate::ids::TradeId;
use crate::server::tests::STATE;
use crate::server::{TradeEvent, TradePhase};
use crate::text::{help, parse};

fn ask(line: &str) -> Ask {
    match parse(line).unwrap() {
        Line::Ask(ask) => ask,
        other => panic!("{line}: {other:?}"),
    }
}

fn verb(line: &str) -> Verb {
    match parse(line).unwrap() {
        Line::Verb(verb) => verb,
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(line: &str) -> String {
    parse(line).expect_err(line).to_string()
}

fn part(word: &str, quantity: u64) -> Part {
    Part { word: word.into(), quantity }
}

fn party(id: &str, name: &str, leader: &str) -> PartyInfo {
    PartyInfo {
        party_id: id.parse().unwrap(),
        name: name.into(),
        leader: leader.parse().unwrap(),
        members: vec![leader.parse().unwrap()],
        on_leader_left: OnLeaderLeft::End,
    }
}

fn state() -> PlayerState {
    serde_json::from_str(STATE).unwrap()
}

/// What a line does, as JSON of its arguments.
fn done(line: &str, known: &mut Known) -> String {
    match ask(line).answer(&state(), known, 0).unwrap() {
        Answer::Do(verb) => {
            assert_eq!(verb.check(), Ok(()));
            serde_json::to_string(&verb).unwrap()
        }
        Answer::Show(words) => words,
    }
}

fn cant(line: &str) -> String {
    ask(line).answer(&state(), &mut Known::default(), 0).expect_err(line).to_string()
}

#[test]
fn goods_are_named_in_many_ways() {
    let (sword, gold) = (part("sword", 1), part("gold", 20));
    let to = "bob".parse().unwrap();
    let offer = Ask::Offer { to, give: vec![sword.clone()], want: vec![gold.clone()] };
    for line in [
        "trade bob sword 1 for gold 20",
        "Trade BOB Sword 1 FOR Gold 20",
        "trade bob 1 sword for 20 gold",
        "trade bob sword for gold x20",
        "trade bob sword x1 for gold 20\r\n",
    ] {
        assert_eq!(ask(line), offer, "{line}");
    }
    let both = vec![part("iron sword", 1), gold];
    for goods in ["Iron Sword x1 and 20 gold", "iron sword, gold 20", "iron sword 1 ,20 gold"] {
        let to = "bob".parse().unwrap();
        assert_eq!(ask(&format!("gift bob {goods}")), Ask::Gift { to, give: both.clone() });
        let offer = "1".to_owned();
        let counter = Ask::Counter { offer, give: both.clone(), want: vec![] };
        for nothing in ["", " for nothing"] {
            assert_eq!(ask(&format!("counter 1 {goods}{nothing}")), counter);
        }
    }
    let want = vec![part("gold", 5)];
    let to = "bob".parse().unwrap();
    assert_eq!(ask("trade bob nothing for gold 5"), Ask::Offer { to, give: vec![], want });
    assert_eq!(ask("trade"), Ask::Offers);
    assert_eq!(ask("accept 1"), Ask::Accept { offer: "1".into() });
    assert_eq!(ask("cancel t-1"), Ask::Cancel { offer: "t-1".into() });
}

#[test]
fn goods_that_nobody_understands_are_explained() {
    for line in [
        "trade bob",
        "trade bob for",
        "trade bob sword for",
        "trade bob sword for gold 1 for gold 2",
        "trade bob sword and for gold 1",
        "gift",
        "gift bob",
        "gift bob nothing",
        "gift bob sword for gold 1",
        "counter",
        "counter 1",
        "accept",
        "accept 1 2",
        "cancel",
    ] {
        assert!(refused(line).starts_with("bad_args: usage: "), "{line}: {}", refused(line));
    }
    for line in
        ["trade bob gold", "trade bob sword 1 potion 2", "gift bob 1 2", "gift bob sword 1 1"]
    {
        assert!(refused(line).ends_with("a quantity each: sword 1 and gold 20"), "{line}");
    }
    for count in ["0", "-1", "1.5", "1000000001", "99999999999999999999"] {
        let said = refused(&format!("gift bob sword {count}"));
        assert_eq!(said, "bad_args: a quantity is a whole number from 1 to 1000000000");
    }
    assert!(refused(&format!("gift bob {} 1", "x".repeat(65))).ends_with("up to 64 characters"));
    assert!(refused("trade b.b sword 1").contains("a player id may only have"));
}

#[test]
fn offers_name_items_by_what_the_player_carries() {
    let mut known = Known::default();
    assert_eq!(
        done("trade bob sword 1 for gold 20", &mut known),
        r#"{"do":"trade_offer","args":{"to":"bob","give":{"items":[{"item_id":"sword-001","quantity":1}]},"want":{"gold":20}}}"#
    );
    assert_eq!(
        done("gift bob potion 1 and gold 3 and health potion 2", &mut known),
        r#"{"do":"gift","args":{"to":"bob","give":{"gold":3,"items":[{"item_id":"potion-001","quantity":3}]}}}"#
    );
    assert_eq!(
        done("trade bob gold 3 for ring-007", &mut known),
        r#"{"do":"trade_offer","args":{"to":"bob","give":{"gold":3},"want":{"items":[{"item_id":"ring-007","quantity":1}]}}}"#
    );
    let nothing = cant("trade bob nothing for nothing");
    assert_eq!(nothing, "bad_args: nothing stands on either side; give or want something");
    assert_eq!(cant("gift bob ring 1"), "no_such_item: you carry nothing called ring");
    assert!(cant("trade bob gold 1 for ring 1").starts_with("no_such_item: nothing is called"));
    let sum = cant("gift bob gold 1000000000 and gold 1");
    assert!(sum.starts_with("bad_args: a side has up to 16 kinds"), "{sum}");
}

#[test]
fn what_is_wanted_need_not_be_carried() {
    let bare = PlayerState { inventory: vec![], ..state() };
    let answer = ask("trade bob gold 5 for sword 1").answer(&bare, &mut Known::default(), 0);
    let Ok(Answer::Do(Verb::TradeOffer { want, .. })) = answer else { panic!("{answer:?}") };
    assert_eq!(want.items[0].item_id, "sword-001");
}

#[test]
fn an_offer_is_called_by_its_number_and_means_the_terms_that_were_told() {
    let mut known = Known::default();
    let trade = TradeEvent {
        trade_id: TradeId::new("t-1").unwrap(),
        phase: TradePhase::Countered,
        revision: 3,
        from: "bob".parse().unwrap(),
        to: "alice".parse().unwrap(),
        give: Goods { gold: Some(20), items: vec![] },
        want: Goods::default(),
        expires_ms: 1_000,
        why: None,
    };
    known.tell(&trade);
    assert_eq!(
        done("accept 1", &mut known),
        r#"{"do":"trade_accept","args":{"trade_id":"t-1","revision":3}}"#
    );
    assert_eq!(
        done("counter 1 potion 2 for gold 5", &mut known),
        r#"{"do":"trade_counter","args":{"trade_id":"t-1","give":{"items":[{"item_id":"potion-001","quantity":2}]},"want":{"gold":5},"revision":3}}"#
    );
    assert_eq!(
        done("cancel T-1", &mut known),
        r#"{"do":"trade_cancel","args":{"trade_id":"t-1"}}"#
    );
    let far = r#"{"do":"trade_accept","args":{"trade_id":"t-9"}}"#;
    assert_eq!(done("accept t-9", &mut known), far, "told elsewhere");
    assert!(cant("accept 1").starts_with("no_such_trade: you know no offer 1"));
    let state = PlayerState { trades: vec![trade], ..state() };
    let shown = ask("trade").answer(&state, &mut known, 0).unwrap();
    let Answer::Show(shown) = shown else { panic!("{shown:?}") };
    assert!(
        shown.starts_with("offer 1 from bob: 20 gold for nothing (1 s; \"accept 1\""),
        "{shown}"
    );
    assert_eq!(done("trade", &mut known), "no open offers", "the state knows none");
}

#[test]
fn parties_are_spoken_of() {
    let player = |id: &str| id.parse().unwrap();
    let create =
        |name: &str, on_leader_left| Verb::PartyCreate { name: name.into(), on_leader_left };
    assert_eq!(verb("party create Heroes"), create("Heroes", OnLeaderLeft::PassOn));
    assert_eq!(verb("party create The  Heroes END"), create("The Heroes", OnLeaderLeft::End));
    assert_eq!(verb("party create Heroes pass on"), create("Heroes", OnLeaderLeft::PassOn));
    assert_eq!(verb("party create end"), create("end", OnLeaderLeft::PassOn));
    assert_eq!(verb("party invite Bob"), Verb::PartyInvite { player: player("bob") });
    assert_eq!(verb("PARTY KICK bob"), Verb::PartyKick { player: player("bob") });
    assert_eq!(verb("party leave"), Verb::PartyLeave {});
    assert_eq!(verb("party say  Hi,  all! "), Verb::PartySay { text: "Hi,  all!".into() });
    assert_eq!(verb("party join Den"), Verb::PartyJoinRoom { room_id: "den".parse().unwrap() });
    assert_eq!(ask("party"), Ask::Party);
    assert_eq!(ask("party accept"), Ask::PartyAccept { party: None });
    assert_eq!(
        ask("party accept The Heroes"),
        Ask::PartyAccept { party: Some("the heroes".into()) }
    );
    let near = refused("party crate Heroes");
    assert_eq!(near, "unknown_verb: party crate (did you mean create?)");
    for line in
        ["party create", "party invite", "party kick", "party leave now", "party say", "party join"]
    {
        assert_eq!(refused(line), format!("bad_args: {}", help::usage("party")), "{line}");
    }
    assert!(refused(&format!("party create {}", "x".repeat(33))).contains("32 characters"));
    assert!(refused(&format!("party say {}", "x".repeat(201))).contains("200 characters"));
    assert!(refused("party invite bob carol").contains("a player id may only have"));
}

#[test]
fn an_invitation_is_called_by_party_or_leader() {
    let accepts = |line: &str, invitations: &[PartyInfo]| {
        let state = PlayerState { invitations: invitations.to_vec(), ..state() };
        match ask(line).answer(&state, &mut Known::default(), 0) {
            Ok(Answer::Do(Verb::PartyAccept { party_id })) => party_id.to_string(),
            Ok(other) => panic!("{other:?}"),
            Err(error) => error.to_string(),
        }
    };
    let heroes = party("p-1", "The Heroes", "bob");
    let thieves = party("p-2", "Thieves", "carol");
    let both = [heroes.clone(), thieves];
    assert_eq!(accepts("party accept", &[heroes]), "p-1");
    for line in ["party accept the heroes", "party accept BOB", "party accept p-1"] {
        assert_eq!(accepts(line, &both), "p-1", "{line}");
    }
    assert_eq!(
        accepts("party accept", &both),
        "bad_args: party accept which: The Heroes (led by bob), Thieves (led by carol)?"
    );
    assert!(accepts("party accept", &[]).starts_with("no_such_party: you have no invitation"));
    assert!(
        accepts("party accept dave", &both).starts_with("no_such_party: no invitation is called")
    );
    let state = PlayerState { party: Some(both[0].clone()), ..state() };
    let shown = ask("party").answer(&state, &mut Known::default(), 0).unwrap();
    let expected = "party The Heroes, led by bob: bob; it ends when its leader leaves";
    assert_eq!(shown, Answer::Show(expected.into()));
}
