//! Books that are right, and books that notice what is not.

use holdfast_protocol::client::MoveType;
use holdfast_protocol::server::ServerMessage;

use super::*;

const WALK: Step = Step { dx: 1, dy: 0, buttons: 0 };

fn account() -> Account {
    let mut account = Account::new("alice".parse().unwrap());
    account.welcome(welcome("welcome", 7, (100, 200)));
    account
}

fn welcome(ev: &str, session: u64, (x, y): (i32, i32)) -> Welcome {
    let text = format!(
        r#"{{"ev":"{ev}","player":"alice","session":"{session}","resume":"r","node":"gw-1",
        "epoch":5,"seq":{session},"state":{{"player_id":"alice","display_name":"Alice",
        "status":"online","current_room":null,"inventory":[],"gold":100,"health":100,
        "max_health":100,"xp":0,"level":1,"score":0,"x":{x},"y":{y},"buffs":[],"cooldowns":[],
        "session_actions_count":0,"total_actions_count":0,"pending_notifications":[]}},
        "limits":{{}},"step_ms":50,"now":1,"gateways":[]{}}}"#,
        if ev == "resumed" { r#","replayed":0"# } else { "" }
    );
    match ServerMessage::decode(&text).unwrap() {
        ServerMessage::Welcome(welcome) => *welcome,
        other => panic!("{other:?}"),
    }
}

fn heal() -> Verb {
    Verb::ExecuteMove { move_type: MoveType::Heal, target_player_id: None, event_id: None }
}

fn hear(account: &mut Account, text: &str) -> Vec<Settled> {
    let mut settled = Vec::new();
    account.hear(ServerMessage::decode(text).unwrap(), &mut settled);
    settled
}

fn done(account: &mut Account, id: u64, seq: u64) -> Vec<Settled> {
    hear(account, &format!(r#"{{"id":{id},"ok":{{"damage":0,"xp":10,"health":100}},"seq":{seq}}}"#))
}

fn durable(account: &mut Account, through: u64) -> Vec<Settled> {
    let mut settled = Vec::new();
    account.durable_input(through, &mut settled);
    settled
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_is_what_the_journal_must_have() {
    let (mut account, now) = (account(), Instant::now());
    account.ask(heal(), now);
    account.ask(heal(), now);
    assert_eq!(done(&mut account, 1, 8), [Settled::Done(now)]);
    for _ in 0..3 {
        account.walk(WALK, now);
    }
    assert_eq!(durable(&mut account, 2), [Settled::Step(now), Settled::Step(now)]);
    let open: Vec<_> = account.open().iter().map(|message| message.id).collect();
    assert_eq!((open, account.is_settled()), (vec![Some(2)], false));
    assert_eq!(account.unacked(), Some((3, vec![WALK])));
    done(&mut account, 2, 9);
    durable(&mut account, 3);
    let closed = account.close();
    let ack = |id, seq| Ack { session: 7, id, seq };
    assert_eq!(closed.acks, [ack(1, 8), ack(2, 9)]);
    assert_eq!(closed.input_acks, [InputAck { session: 7, through: 3 }]);
    assert_eq!((closed.sum.xp, closed.sum.actions), (20, 2));
    assert_eq!(closed.at, Some(Position { x: 136, y: 200 }));
    assert_eq!((closed.unacknowledged, closed.violations.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_player_of_very_many_commands_stays_small() {
    let (mut account, now) = (account(), Instant::now());
    for id in 1..=10_000 {
        account.ask(heal(), now);
        done(&mut account, id, 7 + id);
    }
    assert!(account.ledger.iter().count() <= KEPT);
    let closed = account.close();
    assert_eq!((closed.acks.len(), closed.sum.xp), (10_000, 100_000));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_open_is_counted_and_says_nothing_of_the_place() {
    let (mut account, now) = (account(), Instant::now());
    account.ask(heal(), now);
    account.walk(WALK, now);
    let closed = account.close();
    assert_eq!((closed.unacknowledged, closed.at), (2, None));
}

#[tokio::test(start_paused = true)]
async fn broken_promises_are_noticed() {
    let broken = |act: &dyn Fn(&mut Account)| {
        let mut account = account();
        account.ask(heal(), Instant::now());
        account.walk(WALK, Instant::now());
        act(&mut account);
        account.close().violations
    };
    assert!(broken(&|account| drop(durable(account, 1))).is_empty());
    let beyond = broken(&|account| drop(durable(account, 2)));
    assert!(beyond[0].contains("input 2 was acknowledged, of 1 sent"), "{beyond:?}");
    let fell = broken(&|account| {
        durable(account, 1);
        durable(account, 0);
    });
    assert!(fell[0].contains("said in 1, then 0"), "{fell:?}");
    let twice = broken(&|account| {
        done(account, 1, 8);
        done(account, 1, 8);
    });
    assert!(twice[0].contains("answered once more"), "{twice:?}");
    let unasked = broken(&|account| drop(done(account, 5, 8)));
    assert!(unasked[0].contains("nothing was asked"), "{unasked:?}");
    let back = broken(&|account| account.welcome(welcome("resumed", 3, (100, 200))));
    assert!(back[0].contains("back to 3"), "{back:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_session_stands_where_the_steps_led() {
    let astray = |act: &dyn Fn(&mut Account), at| {
        let mut account = account();
        account.walk(WALK, Instant::now());
        act(&mut account);
        account.session_lost();
        account.welcome(welcome("welcome", 30, at));
        account.close().violations
    };
    let taken = |account: &mut Account| drop(durable(account, 1));
    assert!(astray(&taken, (112, 200)).is_empty());
    assert!(astray(&taken, (100, 200))[0].contains("lead to 112, 200"));
    // What was not acknowledged may have been taken or not.
    assert!(astray(&|_| {}, (100, 200)).is_empty());
    // Refused steps are not known one by one.
    let refused = |account: &mut Account| {
        durable(account, 1);
        let text = r#"{"id":null,"err":{"code":"defeated","message":"","retry":false}}"#;
        assert_eq!(hear(account, text), [Settled::Complaint(ErrorCode::Defeated)]);
    };
    assert!(astray(&refused, (100, 200)).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_session_left_open_is_counted() {
    let mut account = account();
    account.ask(heal(), Instant::now());
    account.session_lost();
    account.welcome(welcome("welcome", 30, (100, 200)));
    assert!(account.is_settled());
    assert_eq!(account.close().unacknowledged, 1);
}
