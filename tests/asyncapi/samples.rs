//! One sample of every message, with every optional field. Structs are written out in full, so
//! that a new field does not compile until it has its sample.

use holdfast_protocol::client::{self, ClientMessage, MoveType, Step, Verb};
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::goods::{Goods, GoodsItem};
use holdfast_protocol::server::{
    Activation, Buff, CoinRow, CoinsEvent, CombatEvent, Cooldown, DrainEvent, EntityRow, ErrorBody,
    Event, Events, InventoryBody, InventoryItem, LeaderboardEvent, Limits, MoveBody, NoticeEvent,
    Notification, OnLeaderLeft, PartyBody, PartyChange, PartyEvent, PartyInfo, PlayerEvent,
    PlayerState, Pong, RefreshBody, RoomBody, RoomEvent, RoomInfo, RoomsBody, RosterEvent,
    RosterRow, SayEvent, ServerMessage, Status, StatusBody, TopBody, TopRow, TradeBody, TradeEvent,
    TradePhase, UseBody, Welcome, WelcomeKind, WhoBody, WhoRow,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// A message and its decoder.
pub struct Sample {
    pub name: String,
    pub summary: String,
    pub side: Side,
    pub value: Value,
    /// What the real decoder reads, written again; none where it refuses.
    pub take: fn(&Value) -> Option<Value>,
}

/// Every event by its name on the wire.
pub const EVENTS: [&str; 14] = [
    "welcome",
    "resumed",
    "resync",
    "player",
    "notice",
    "combat",
    "trade",
    "party",
    "coins",
    "say",
    "roster",
    "room",
    "leaderboard",
    "drain",
];

/// Every message of both sides.
pub fn all() -> Vec<Sample> {
    let mut all: Vec<_> = verbs().into_iter().map(|(verb, what)| said(verb, what)).collect();
    for kind in [WelcomeKind::Welcome, WelcomeKind::Resumed, WelcomeKind::Resync] {
        let name = kind.as_str();
        all.push(told(name, "An answer to hello or resume.", &welcome(kind)));
    }
    all.extend(events());
    all.extend(bodies());
    let error = ErrorBody {
        code: ErrorCode::RateLimited,
        message: "too many messages; slow down".to_owned(),
        retry: true,
        retry_after_ms: Some(50),
    };
    all.push(told(
        "err",
        "A refusal; id is null where none could be read.",
        &json!({"id": 7, "err": error}),
    ));
    all.push(told(
        "pong",
        "The answer to ping.",
        &Pong { pong: 17.into(), now: 1_795_345_219_097 },
    ));
    all
}

fn said(verb: Verb, what: &str) -> Sample {
    let name = verb.name().to_owned();
    let value = serde_json::from_str(&ClientMessage { id: Some(7), verb }.encode());
    let take = |value: &Value| {
        let read = client::decode(&value.to_string()).ok()?;
        serde_json::from_str(&read.encode()).ok()
    };
    let (summary, value) = (what.to_owned(), value.expect("JSON"));
    Sample { name, summary, side: Side::Client, value, take }
}

fn written(value: &impl Serialize) -> Option<Value> {
    serde_json::to_value(value).ok()
}

fn told(name: &str, what: &str, message: &impl Serialize) -> Sample {
    let take = |value: &Value| match ServerMessage::decode(&value.to_string()).ok()? {
        ServerMessage::Welcome(welcome) => written(&welcome),
        ServerMessage::Reply(reply) => written(&reply),
        ServerMessage::Events(events) => written(&events),
        ServerMessage::Event(Event::Unknown(_)) => None,
        ServerMessage::Event(event) => written(&event),
        ServerMessage::Pong(pong) => written(&pong),
    };
    let value = written(message).expect("JSON");
    let (name, summary) = (name.to_owned(), what.to_owned());
    Sample { name, summary, side: Side::Server, value, take }
}

/// An `ok` whose body is `T`.
fn ok<T: Serialize + DeserializeOwned>(verb: &str, durable: bool, body: &T) -> Sample {
    let mut reply = json!({"id": 7, "ok": body});
    if durable {
        reply["seq"] = json!(9_912);
        reply["dup"] = json!(true);
    }
    let take = |value: &Value| {
        let ServerMessage::Reply(reply) = ServerMessage::decode(&value.to_string()).ok()? else {
            return None;
        };
        let body: T = reply.body().ok()?;
        let mut out = written(&reply)?;
        out["ok"] = written(&body)?;
        Some(out)
    };
    let name = format!("ok_{verb}");
    let summary = format!("The answer to {verb}.");
    Sample { name, summary, side: Side::Server, value: reply, take }
}

fn verbs() -> Vec<(Verb, &'static str)> {
    let player = || Some("alice".parse().expect("a player id"));
    let key = Some("evt-1".to_owned());
    let target_player_id = Some("bob".parse().expect("a player id"));
    let blow = Verb::ExecuteMove { move_type: MoveType::Attack, target_player_id, event_id: key };
    let name = Some("Alice".to_owned());
    let token = || "a.signed.token".to_owned();
    let steps = vec![Step { dx: 0, dy: 1, buttons: 1 }];
    vec![
        (Verb::Hello { token: Some(token()), player: player(), name }, "Opens a new session."),
        (Verb::Resume { token: token(), seq: 9_912 }, "Goes on with a session."),
        (Verb::JoinRoom { room_id: "dungeon-7".parse().expect("a room id") }, "Enters a room."),
        (Verb::LeaveRoom {}, "Leaves the room."),
        (blow, "Strikes, defends or heals."),
        (Verb::Input { seq: 1, steps }, "Steps of movement; needs no id."),
        (Verb::UseItem { item_id: "potion-001".to_owned() }, "Uses an item."),
        (Verb::Say { text: "hello to all".to_owned() }, "Speaks to the room."),
    ]
    .into_iter()
    .chain(dealings())
    .chain(questions())
    .collect()
}

fn goods(gold: u64) -> Goods {
    let item = GoodsItem { item_id: "potion-001".to_owned(), quantity: 1 };
    Goods { gold: Some(gold), items: vec![item] }
}

/// Verbs between players.
fn dealings() -> Vec<(Verb, &'static str)> {
    let bob = || "bob".parse().expect("a player id");
    let trade = || "19a1b2c3d4e-9f8e7d6c".parse().expect("a trade id");
    let (give, want, revision) = (goods(5), goods(20), Some(1));
    let counter =
        Verb::TradeCounter { trade_id: trade(), give: give.clone(), want: want.clone(), revision };
    let create =
        Verb::PartyCreate { name: "Heroes".to_owned(), on_leader_left: OnLeaderLeft::PassOn };
    let (party_id, room_id) = (party().party_id, "dungeon-7".parse().expect("a room id"));
    vec![
        (Verb::TradeOffer { to: bob(), give: give.clone(), want }, "Offers a trade."),
        (counter, "Answers an offer with other terms."),
        (Verb::TradeAccept { trade_id: trade(), revision }, "Accepts an offer."),
        (Verb::TradeCancel { trade_id: trade() }, "Takes an offer back, or declines it."),
        (Verb::Gift { to: bob(), give }, "Gives goods for nothing."),
        (create, "Begins a party."),
        (Verb::PartyInvite { player: bob() }, "Invites a player into the own party."),
        (Verb::PartyKick { player: bob() }, "Sends a member away, or takes an invitation back."),
        (Verb::PartyAccept { party_id }, "Joins the party of an invitation."),
        (Verb::PartyLeave {}, "Leaves the party."),
        (Verb::PartySay { text: "hello, party".to_owned() }, "Speaks to the party."),
        (Verb::PartyJoinRoom { room_id }, "Enters a room with the whole party, or not at all."),
    ]
}

/// Verbs that change nothing, and those of the connection.
fn questions() -> Vec<(Verb, &'static str)> {
    let token = || "a.signed.token".to_owned();
    vec![
        (Verb::GetState {}, "Asks for the state."),
        (Verb::GetInventory {}, "Asks for the inventory."),
        (Verb::GetStatus {}, "Asks for the status."),
        (Verb::Who {}, "Asks who is connected."),
        (Verb::Rooms {}, "Asks which rooms there are."),
        (Verb::Top {}, "Asks for the leaderboard."),
        (Verb::Look {}, "Asks for the whole room: the next frame is full."),
        (Verb::Refresh { token: token() }, "Prolongs the connection."),
        (Verb::Ping { t: 17.into() }, "Asks for a sign of life; needs no id."),
        (Verb::Logout {}, "Ends the session."),
    ]
}

fn trade() -> TradeEvent {
    TradeEvent {
        trade_id: "19a1b2c3d4e-9f8e7d6c".parse().expect("a trade id"),
        phase: TradePhase::Cancelled,
        revision: 1,
        from: "alice".parse().expect("a player id"),
        to: "bob".parse().expect("a player id"),
        give: goods(5),
        want: goods(20),
        expires_ms: 1_795_345_279_097,
        why: Some("bob declined".to_owned()),
    }
}

fn party() -> PartyInfo {
    PartyInfo {
        party_id: "19a1b2c3d4e-1a2b3c4d".parse().expect("a party id"),
        name: "Heroes".to_owned(),
        leader: "alice".parse().expect("a player id"),
        members: vec!["alice".parse().expect("a player id")],
        on_leader_left: OnLeaderLeft::PassOn,
    }
}

fn room_info() -> RoomInfo {
    RoomInfo {
        room_id: "dungeon-7".parse().expect("a room id"),
        room_name: "Room dungeon-7".to_owned(),
        player_count: 2,
        max_players: 20,
    }
}

fn potions() -> InventoryItem {
    InventoryItem {
        item_id: "potion-001".to_owned(),
        name: "Health Potion".to_owned(),
        quantity: 5,
    }
}

fn state() -> PlayerState {
    PlayerState {
        player_id: "alice".parse().expect("a player id"),
        display_name: "Alice".to_owned(),
        status: Status::InRoom,
        current_room: Some(room_info()),
        inventory: vec![potions()],
        gold: 100,
        health: 75,
        max_health: 100,
        xp: 10,
        level: 1,
        score: 35,
        x: 2_048,
        y: 2_012,
        buffs: vec![Buff { kind: "defend".to_owned(), until_ms: 1_795_345_222_097 }],
        cooldowns: vec![Cooldown { move_type: MoveType::Special, until_ms: 1_795_345_224_097 }],
        session_actions_count: 2,
        total_actions_count: 2,
        pending_notifications: vec![Notification {
            text: "the arena opens".to_owned(),
            from: Some("host".to_owned()),
            at_ms: 1_795_345_219_097,
        }],
        trades: vec![TradeEvent { phase: TradePhase::Offered, ..trade() }],
        party: Some(party()),
        invitations: vec![party()],
    }
}

fn limits() -> Limits {
    Limits {
        message_bytes_max: 16_384,
        inputs_per_s: 60,
        commands_per_s: 20,
        says_per_s: 1,
        in_flight_max: 64,
        input_steps_max: 32,
        ping_every_ms: 15_000,
        dead_after_ms: 30_000,
    }
}

fn welcome(kind: WelcomeKind) -> Welcome {
    Welcome {
        kind,
        player: "alice".parse().expect("a player id"),
        session: "1795345219097".to_owned(),
        resume: "a.resume.token".to_owned(),
        node: "gw-1".to_owned(),
        epoch: 1_795_345_219_097,
        seq: 9_912,
        state: state(),
        limits: limits(),
        step_ms: 50,
        now: 1_795_345_219_097,
        gateways: vec!["ws://127.0.0.1:8080/ws".to_owned()],
        replayed: (kind == WelcomeKind::Resumed).then_some(3),
        token: (kind == WelcomeKind::Welcome).then(|| "a.signed.token".to_owned()),
        activation: Some(Activation { records: 37, took_ms: 2.1 }),
    }
}

fn events() -> Vec<Sample> {
    let (alice, bob) = (|| "alice".parse().expect("an id"), || "bob".parse().expect("an id"));
    let numbered = |name: &str, what: &str, event: Event| {
        told(name, what, &Events { seq: 9_912, evs: vec![event] })
    };
    let set = json!({"health": 75}).as_object().cloned().unwrap_or_default();
    let notice = NoticeEvent { text: "the arena opens".to_owned(), from: Some("host".to_owned()) };
    let combat = CombatEvent {
        move_type: MoveType::Attack,
        by: alice(),
        target: Some(bob()),
        damage: 25,
        xp: 10,
        gold: 12,
    };
    let said =
        SayEvent { from: alice(), text: "hello".to_owned(), party: Some("heroes".to_owned()) };
    let changed =
        PartyEvent { party: Some(party()), by: Some(alice()), what: PartyChange::Created };
    let changed = Event::Party(changed);
    let coin = CoinRow { coin: 12, x: 2_048, y: 2_012 };
    let coins = CoinsEvent { at: vec![coin], taken: vec![11], full: true };
    let row = RosterRow { entity: 1, player: alice(), name: "Alice".to_owned() };
    let place = EntityRow { entity: 1, x: 2_048, y: 2_012, health: 75, flags: 1 };
    let room =
        RoomEvent { tick: 35_906_904, input_seq: 12, e: vec![place], gone: vec![2], full: true };
    let top = TopRow { player: alice(), name: "Alice".to_owned(), score: 35, rank: 1 };
    vec![
        numbered("player", "Fields of the state that changed.", Event::Player(PlayerEvent { set })),
        numbered("notice", "A sentence for the player.", Event::Notice(notice)),
        numbered("combat", "A blow, told to both.", Event::Combat(combat)),
        numbered("trade", "How far a trade is, told to both.", Event::Trade(trade())),
        numbered("party", "A party changed; null where the reader is in none.", changed),
        told("coins", "Coins on the floor of the room.", &Event::Coins(coins)),
        told("said", "Chat; with party, of the own party.", &Event::Say(said)),
        told(
            "roster",
            "Whom the entity numbers mean.",
            &Event::Roster(RosterEvent { players: vec![row], full: true }),
        ),
        told("room", "What moved in the room; the newest counts.", &Event::Room(room)),
        told(
            "leaderboard",
            "The best players; the newest counts.",
            &Event::Leaderboard(LeaderboardEvent { top: vec![top] }),
        ),
        told(
            "drain",
            "The node is about to stop.",
            &Event::Drain(DrainEvent { retry_after_ms: 350 }),
        ),
    ]
}

fn bodies() -> Vec<Sample> {
    let player = "alice".parse().expect("an id");
    let who = WhoRow { player, name: "Alice".to_owned(), room: "dungeon-7".parse().ok() };
    let player = "alice".parse().expect("an id");
    let top = TopRow { player, name: "Alice".to_owned(), score: 35, rank: 1 };
    let trade = TradeBody { trade_id: trade().trade_id };
    let party = PartyBody { party: Some(party()) };
    let room = RoomBody { room: Some(room_info()) };
    vec![
        ok("join_room", true, &room),
        ok("leave_room", true, &room),
        ok("execute_move", true, &MoveBody { damage: 25, xp: 10, health: 75, gold: 12 }),
        ok("trade_offer", true, &trade),
        ok("trade_counter", true, &trade),
        ok("trade_accept", true, &trade),
        ok("trade_cancel", true, &trade),
        ok("gift", true, &trade),
        ok("party_create", true, &party),
        ok("party_invite", true, &party),
        ok("party_kick", true, &party),
        ok("party_accept", true, &party),
        ok("party_leave", true, &party),
        ok("party_say", true, &serde_json::Map::new()),
        ok("party_join_room", true, &party),
        ok("use_item", true, &UseBody { item: potions(), health: 100 }),
        ok("say", true, &serde_json::Map::new()),
        ok("logout", true, &serde_json::Map::new()),
        ok("get_state", false, &state()),
        ok("get_inventory", false, &InventoryBody { inventory: vec![potions()] }),
        ok("get_status", false, &StatusBody { status: Status::InRoom }),
        ok("who", false, &WhoBody { players: vec![who] }),
        ok("rooms", false, &RoomsBody { rooms: vec![room_info()] }),
        ok("top", false, &TopBody { top: vec![top] }),
        ok("refresh", false, &RefreshBody { expires_ms: 1_795_431_619_097 }),
    ]
}
