//! What a player says that is wrong, and what PROTOCOL says comes of it. Data only.

/// What comes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// An error with this code; the socket stays.
    Error(&'static str),
    /// Nothing at all; the socket stays.
    Silence,
    /// The first answer once more, with `dup`.
    Again,
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// alice, in the den with bob.
    InRoom,
    /// lone, in no room.
    Alone,
}

/// What of the speaker's may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Nothing: the journal ends where it did.
    None,
    /// Records of the question to another actor, or of passed input; the state stays.
    Asked,
}

/// One misuse.
#[derive(Debug, Clone)]
pub struct Row {
    pub what: &'static str,
    /// `$id` stands for a fresh id.
    pub say: String,
    pub speaker: Speaker,
    pub trace: Trace,
    /// Under JSON rules; none where they do not differ from a row above.
    pub json: Option<Answer>,
    /// Under text rules.
    pub text: Option<Answer>,
}

impl Row {
    /// The id that the error must name: none where it is twice, or no id at all.
    pub fn id(&self, id: u64) -> Option<u64> {
        if self.say.matches("\"id\":").count() > 1 {
            return None;
        }
        let say = self.say.replace("$id", &id.to_string());
        // Read without looking into what is nested.
        serde_json::from_str::<serde::de::IgnoredAny>(&say).ok()?;
        let (id, _) = say.strip_prefix("{\"id\":")?.split_once(',')?;
        id.parse().ok().filter(|id| (1..1 << 53).contains(id))
    }

    const fn alone(mut self) -> Self {
        self.speaker = Speaker::Alone;
        self
    }

    const fn asks(mut self) -> Self {
        self.trace = Trace::Asked;
        self
    }
}

fn row(what: &'static str, say: impl Into<String>, answer: Answer) -> Row {
    let (json, text) = (Some(answer), Some(answer));
    Row { what, say: say.into(), speaker: Speaker::InRoom, trace: Trace::None, json, text }
}

fn error(what: &'static str, say: impl Into<String>, code: &'static str) -> Row {
    row(what, say, Answer::Error(code))
}

/// Not an object: under text rules it is a word that nobody knows.
fn no_object(what: &'static str, say: impl Into<String>) -> Row {
    Row { text: Some(Answer::Error("unknown_verb")), ..error(what, say, "bad_message") }
}

/// A human line.
fn line(what: &'static str, say: impl Into<String>, code: &'static str) -> Row {
    Row { json: None, ..error(what, say, code) }
}

/// A command under a fresh id.
fn command(what: &'static str, verb: &str, args: &str, code: &'static str) -> Row {
    error(what, format!(r#"{{"id":$id,"do":"{verb}","args":{args}}}"#), code)
}

/// Arguments that are refused before anybody is asked.
fn args(what: &'static str, verb: &str, args: &str) -> Row {
    command(what, verb, args, "bad_args")
}

/// Input needs no id, and is refused without one.
fn input(what: &'static str, args: &str) -> Row {
    error(what, format!(r#"{{"do":"input","args":{args}}}"#), "bad_args")
}

/// The id of the speaker's last good command, a join.
pub const LAST_ID: u64 = 1_000;

/// Every row that is said in a session.
pub fn all() -> Vec<Row> {
    let said = [shapes(), ids(), verbs(), arguments(), dealings(), inputs(), rules()].concat();
    [said, lines(), dealing_lines()].concat()
}

fn shapes() -> Vec<Row> {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(2_000), close.repeat(2_000));
    vec![
        error("JSON that breaks off", r#"{"id":$id,"do":"leave_room","args":{"#, "bad_message"),
        error("a key without quotes", "{not json", "bad_message"),
        error("text after the object", r#"{"id":$id,"do":"leave_room"} and more"#, "bad_message"),
        error("a raw control character", "{\"id\":$id,\"do\":\"leave\u{1}room\"}", "bad_message"),
        error("an empty object", "{}", "bad_message"),
        error("a field twice", r#"{"id":3,"id":4,"do":"leave_room"}"#, "bad_message"),
        error("half a surrogate", r#"{"id":$id,"do":"\ud800"}"#, "bad_message"),
        error("nesting without an end", format!("{{\"x\":{}", "[".repeat(9_000)), "bad_message"),
        args("arrays 2,000 deep", "join_room", &deep("[", "]")),
        args("an argument 2,000 deep", "join_room", &format!("{{\"room_id\":{}}}", deep("[", "]"))),
        no_object("an array", "[1,2]"),
        no_object("an array of the fields", r#"[5,"leave_room",{}]"#),
        no_object("a string", r#""leave_room""#),
        no_object("a number", "42"),
        no_object("null", "null"),
        no_object("a byte order mark", "\u{feff}{\"id\":$id,\"do\":\"leave_room\"}"),
        no_object("garbage that is UTF-8", "\u{0}\u{7f}\u{85}\u{2028}\u{10ffff}"),
        Row { text: Some(Answer::Silence), ..no_object("an empty message", "") },
        Row { text: Some(Answer::Silence), ..no_object("white space", " \r\n\t ") },
        Row {
            text: None,
            ..no_object("two messages in one frame", "{\"do\":\"ping\"}\n{\"do\":\"ping\"}")
        },
    ]
}

fn ids() -> Vec<Row> {
    let id = |what, id: &str| {
        error(what, format!(r#"{{"id":{id},"do":"leave_room","args":{{}}}}"#), "bad_message")
    };
    let again = |what, say: &str| row(what, say, Answer::Again);
    vec![
        id("an id of text", r#""7""#),
        id("id 0", "0"),
        id("a negative id", "-1"),
        id("a fraction", "1.5"),
        id("an exponent", "1e3"),
        id("an id above 2^53 - 1", "9007199254740992"),
        id("an id of 4,000 digits", &"9".repeat(4_000)),
        id("an id that is null", "null"),
        id("an id that is an object", "{}"),
        error("a command without an id", r#"{"do":"leave_room","args":{}}"#, "bad_message"),
        error("a query without an id", r#"{"do":"get_state","args":{}}"#, "bad_message"),
        error("an id that goes back", r#"{"id":5,"do":"leave_room"}"#, "outcome_unknown"),
        again("a repeat", r#"{"id":1000,"do":"join_room","args":{"room_id":"den"}}"#),
        again("an id for another command", r#"{"id":1000,"do":"leave_room","args":{}}"#),
    ]
}

fn verbs() -> Vec<Row> {
    let unknown = |what, verb: &str| command(what, verb, "{}", "unknown_verb");
    vec![
        error("no verb", r#"{"id":$id,"args":{}}"#, "bad_message"),
        error("a verb that is a number", r#"{"id":$id,"do":7}"#, "bad_message"),
        error("a verb that is null", r#"{"id":$id,"do":null}"#, "bad_message"),
        unknown("a near miss", "leave_rom"),
        unknown("a verb in capitals", "LEAVE_ROOM"),
        unknown("an empty verb", ""),
        unknown("a verb of 5,000 characters", &"v".repeat(5_000)),
        unknown("a name that a language knows", "__proto__"),
        unknown("half a trade", "trade"),
        unknown("half a party", "party_"),
    ]
}

fn arguments() -> Vec<Row> {
    let long = |field: &str, len: usize| format!("{{\"{field}\":\"{}\"}}", "x".repeat(len));
    let blow = |rest: &str| format!("{{\"move_type\":\"attack\",{rest}}}");
    vec![
        args("arguments in an array", "leave_room", "[]"),
        args("arguments of text", "leave_room", r#""den""#),
        args("an argument twice", "join_room", r#"{"room_id":"a","room_id":"b"}"#),
        args("no room", "join_room", "{}"),
        args("a room that is null", "join_room", r#"{"room_id":null}"#),
        args("a room that is a number", "join_room", r#"{"room_id":7}"#),
        args("a room with a space", "join_room", r#"{"room_id":"Bad Room"}"#),
        args("a room beyond the alphabet", "join_room", r#"{"room_id":"dungeön"}"#),
        args("a path for a room", "join_room", r#"{"room_id":"../den"}"#),
        args("an empty room", "join_room", r#"{"room_id":""}"#),
        args("a room of 65 characters", "join_room", &long("room_id", 65)),
        args("a room of 12,000 characters", "join_room", &long("room_id", 12_000)),
        args("no move", "execute_move", "{}"),
        args("an unknown move", "execute_move", r#"{"move_type":"kick"}"#),
        args("a move that is a number", "execute_move", r#"{"move_type":1}"#),
        args("a target in capitals", "execute_move", &blow(r#""target_player_id":"BOB""#)),
        args("a target that is a list", "execute_move", &blow(r#""target_player_id":["bob"]"#)),
        args("an empty target", "execute_move", &blow(r#""target_player_id":"""#)),
        args("a key that is a number", "execute_move", &blow(r#""event_id":5"#)),
        args("an empty key", "execute_move", &blow(r#""event_id":"""#)),
        args("no item", "use_item", "{}"),
        args("an item of 65 characters", "use_item", &long("item_id", 65)),
        args("empty speech", "say", r#"{"text":""}"#),
        args("speech of 201 characters", "say", &long("text", 201)),
        args("speech that rings a bell", "say", r#"{"text":"ding\u0007"}"#),
        args("speech in two lines", "say", r#"{"text":"one\ntwo"}"#),
        args("speech that is a number", "say", r#"{"text":7}"#),
        args("a refresh without a token", "refresh", "{}"),
        args("a ping without its time", "ping", "{}"),
        args("a ping whose time is text", "ping", r#"{"t":"now"}"#),
        args("a hello without anybody", "hello", "{}"),
        args("a hello in capitals", "hello", r#"{"player":"Alice"}"#),
        args("a hello with 33 letters", "hello", &long("player", 33)),
        args("a name in two lines", "hello", r#"{"player":"alice","name":"a\nb"}"#),
        args("a hello as somebody else", "hello", r#"{"player":"bob"}"#),
        args("a resume without a seq", "resume", r#"{"token":"x"}"#),
        args("a resume from before 0", "resume", r#"{"token":"x","seq":-1}"#),
    ]
}

fn dealings() -> Vec<Row> {
    let goods = |goods: &str| format!(r#"{{"to":"bob","give":{goods}}}"#);
    let gives = |what, given: &str| args(what, "gift", &goods(given));
    let item = |id: &str, quantity: &str| {
        format!(r#"{{"items":[{{"item_id":"{id}","quantity":{quantity}}}]}}"#)
    };
    let kinds: Vec<_> = (0..17).map(|n| format!(r#"{{"item_id":"i{n}","quantity":1}}"#)).collect();
    let trade = |rest: &str| format!(r#"{{"trade_id":"t-1",{rest}}}"#);
    vec![
        args("an offer to nobody", "trade_offer", r#"{"give":{"gold":1}}"#),
        args("an offer in capitals", "trade_offer", r#"{"to":"BOB","give":{"gold":1}}"#),
        args("an offer of nothing for nothing", "trade_offer", r#"{"to":"bob"}"#),
        args("two empty sides", "trade_offer", r#"{"to":"bob","give":{},"want":{"items":[]}}"#),
        args("a wish below 1", "trade_offer", r#"{"to":"bob","want":{"gold":0}}"#),
        args("a gift without goods", "gift", r#"{"to":"bob"}"#),
        gives("a gift of nothing", "{}"),
        gives("goods that are text", r#""gold""#),
        gives("goods in a list", r#"["gold"]"#),
        gives("gold of text", r#"{"gold":"5"}"#),
        gives("gold below 0", r#"{"gold":-5}"#),
        gives("half a coin", r#"{"gold":0.5}"#),
        gives("more gold than there may be", r#"{"gold":1000000001}"#),
        gives("gold beyond all numbers", r#"{"gold":99999999999999999999}"#),
        gives("no sword", &item("sword-001", "0")),
        gives("swords below 0", &item("sword-001", "-1")),
        gives("more swords than there may be", &item("sword-001", "1000000001")),
        gives("an item without an id", r#"{"items":[{"quantity":1}]}"#),
        gives("an item without a name", &item("", "1")),
        gives("a given item of 65 characters", &item(&"x".repeat(65), "1")),
        gives("items that are an object", r#"{"items":{"sword-001":1}}"#),
        gives("17 kinds of items", &format!(r#"{{"items":[{}]}}"#, kinds.join(","))),
        gives(
            "a sword twice",
            r#"{"items":[{"item_id":"a","quantity":1},{"item_id":"a","quantity":1}]}"#,
        ),
        args("an acceptance of nothing", "trade_accept", "{}"),
        args("a trade that is a number", "trade_accept", r#"{"trade_id":7}"#),
        args("a trade in capitals", "trade_cancel", r#"{"trade_id":"T-1"}"#),
        args(
            "a trade of 65 characters",
            "trade_cancel",
            &format!(r#"{{"trade_id":"{}"}}"#, "t".repeat(65)),
        ),
        args("terms 0", "trade_accept", &trade(r#""revision":0"#)),
        args("terms of text", "trade_accept", &trade(r#""revision":"1""#)),
        args("counter-terms 0", "trade_counter", &trade(r#""give":{"gold":1},"revision":0"#)),
        args("a counter-offer of nothing", "trade_counter", &trade(r#""give":{},"want":{}"#)),
        args("a party without a name", "party_create", r#"{"name":"","on_leader_left":"end"}"#),
        args("a party in two lines", "party_create", r#"{"name":"a\nb","on_leader_left":"end"}"#),
        args(
            "a party of 33 letters",
            "party_create",
            &format!(r#"{{"name":"{}","on_leader_left":"end"}}"#, "n".repeat(33)),
        ),
        args("a party that does not say how it ends", "party_create", r#"{"name":"heroes"}"#),
        args(
            "a party that ends in its own way",
            "party_create",
            r#"{"name":"heroes","on_leader_left":"stay"}"#,
        ),
        args("an invitation of nobody", "party_invite", "{}"),
        args("an invitation in capitals", "party_invite", r#"{"player":"BOB"}"#),
        args("a kick at a number", "party_kick", r#"{"player":7}"#),
        args("a party without an id", "party_accept", "{}"),
        args("a party's id with a space", "party_accept", r#"{"party_id":"the heroes"}"#),
        args("nothing said to the party", "party_say", r#"{"text":""}"#),
        args("a party into a path", "party_join_room", r#"{"room_id":"../den"}"#),
    ]
}

fn inputs() -> Vec<Row> {
    let steps = |steps: &str| format!("{{\"seq\":1,\"steps\":{steps}}}");
    let many = format!("[{}]", vec!["[0,0,0]"; 33].join(","));
    vec![
        input("input without steps", r#"{"seq":1}"#),
        input("input without a seq", r#"{"steps":[[0,1,0]]}"#),
        input("input from 0", r#"{"seq":0,"steps":[[0,1,0]]}"#),
        input("input from -1", r#"{"seq":-1,"steps":[[0,1,0]]}"#),
        input("input from 1.5", r#"{"seq":1.5,"steps":[[0,1,0]]}"#),
        input("input beyond 2^53 - 1", r#"{"seq":9007199254740991,"steps":[[0,1,0]]}"#),
        input("no step", &steps("[]")),
        input("33 steps", &steps(&many)),
        input("a leap", &steps("[[2,0,0]]")),
        input("half a step", &steps("[[0.5,0,0]]")),
        input("a step out of range", &steps("[[1e99,0,0]]")),
        input("a button that is not there", &steps("[[0,1,2]]")),
        input("a button out of range", &steps("[[0,1,256]]")),
        input("a step with two numbers", &steps("[[0,1]]")),
        input("a step with four", &steps("[[0,1,0,0]]")),
        input("a step of text", &steps(r#"["n"]"#)),
    ]
}

fn rules() -> Vec<Row> {
    let blow = |target: &str| format!(r#"{{"move_type":"attack","target_player_id":"{target}"}}"#);
    let to = |to: &str, gold: u32| format!(r#"{{"to":"{to}","give":{{"gold":{gold}}}}}"#);
    let strike = |what, target: &str, code| command(what, "execute_move", &blow(target), code);
    vec![
        strike("a blow at oneself", "alice", "not_yourself"),
        strike("a blow at nobody", "nobody", "no_such_player").asks(),
        strike("a blow into another room", "carol", "same_room_required").asks(),
        strike("a blow from no room", "bob", "not_in_room").alone(),
        command("speech in no room", "say", r#"{"text":"hi"}"#, "not_in_room").alone(),
        command("a full room", "join_room", r#"{"room_id":"crypt"}"#, "room_full").asks(),
        command("an item that is not there", "use_item", r#"{"item_id":"ring"}"#, "no_such_item"),
        command("a potion at full health", "use_item", r#"{"item_id":"potion-001"}"#, "not_useful"),
        command("a trade with oneself", "trade_offer", &to("alice", 1), "not_yourself"),
        command("a gift to oneself", "gift", &to("alice", 1), "not_yourself"),
        command("more gold than there is", "trade_offer", &to("bob", 101), "not_enough"),
        command("a gift of more than there is", "gift", &to("bob", 101), "not_enough"),
        command("an offer to nobody there", "trade_offer", &to("nobody", 1), "no_such_player")
            .asks(),
        command("a gift to nobody there", "gift", &to("nobody", 1), "no_such_player").asks(),
        command("a yes to no trade", "trade_accept", r#"{"trade_id":"t-1"}"#, "no_such_trade"),
        command("a no to no trade", "trade_cancel", r#"{"trade_id":"t-1"}"#, "no_such_trade"),
        command(
            "other terms of no trade",
            "trade_counter",
            r#"{"trade_id":"t-1","give":{"gold":1}}"#,
            "no_such_trade",
        ),
        error(
            "input in no room",
            r#"{"do":"input","args":{"seq":1,"steps":[[0,1,0]]}}"#,
            "not_in_room",
        )
        .alone()
        .asks(),
    ]
}

fn lines() -> Vec<Row> {
    vec![
        line("a word nobody knows", "xyzzy", "unknown_verb"),
        line("a word of 10,000 letters", "x".repeat(10_000), "unknown_verb"),
        line("a near miss in words", "atack bob", "unknown_verb"),
        line("a join without a room", "join", "bad_args"),
        line("a join of two rooms", "join den crypt", "bad_args"),
        line("a room with a bang", "join den!", "bad_args"),
        line("a room that drives the terminal", "join \u{1b}[2J", "bad_args"),
        line("a word too many", "who is there", "bad_args"),
        line("a blow at two", "attack bob carol", "bad_args"),
        line("a blow at a bang", "attack !", "bad_args"),
        line("a blow at oneself in words", "attack ALICE", "not_yourself"),
        line("a blow in words from no room", "attack bob", "not_in_room").alone(),
        line("a way that is not there", "move up", "bad_args"),
        line("no steps", "move n 0", "bad_args"),
        line("33 steps in words", "move n 33", "bad_args"),
        line("steps back", "move n -3", "bad_args"),
        line("steps beyond all numbers", "move n 99999999999999999999", "bad_args"),
        line("use of nothing", "use", "bad_args"),
        line("use of what is not there", "use cheese", "no_such_item"),
        line("use of the sword", "use sword", "not_useful"),
        line("nothing said", "say", "bad_args"),
        line("too much said", format!("say {}", "x".repeat(201)), "bad_args"),
        line("a bell said", "say ding\u{7}", "bad_args"),
        line("watch what", "watch", "bad_args"),
        line("watch too often", "watch on 21", "bad_args"),
        line("watch nothing often", "watch off 2", "bad_args"),
        line("json perhaps", "json maybe", "bad_args"),
        line("help on what is not there", "help xyzzy", "unknown_verb"),
        line("help on too much", "help join leave", "bad_args"),
        line("a login without a name", "login", "bad_args"),
        line("a login with a bang", "login alice!", "bad_args"),
        line("a login as somebody else", "login bob", "bad_args"),
    ]
}

fn dealing_lines() -> Vec<Row> {
    vec![
        line("a trade with nobody in words", "trade b!b sword", "bad_args"),
        line("a trade of no goods in words", "trade bob", "bad_args"),
        line("gold without a number", "trade bob gold", "bad_args"),
        line("a trade of nothing for nothing", "trade bob nothing for nothing", "bad_args"),
        line("two prices", "trade bob sword for gold 1 for gold 2", "bad_args"),
        line("no swords in words", "gift bob sword 0", "bad_args"),
        line("gold below 0 in words", "gift bob gold -5", "bad_args"),
        line("half a sword in words", "gift bob sword 0.5", "bad_args"),
        line("too much gold in words", "gift bob gold 1000000001", "bad_args"),
        line("too much gold in two pieces", "gift bob gold 1000000000 and gold 1", "bad_args"),
        line("an item of 10,000 letters", format!("gift bob {} 1", "x".repeat(10_000)), "bad_args"),
        line("a gift with a price", "gift bob sword for gold 1", "bad_args"),
        line("a gift of what is not there", "gift bob cheese", "no_such_item"),
        line("a wish for what nobody has", "trade bob sword for cheese", "no_such_item"),
        line("a trade with oneself in words", "trade ALICE sword for gold 1", "not_yourself"),
        line("a gift of two swords", "gift bob sword 2", "not_enough"),
        line("a yes to a trade elsewhere", "accept t-1", "no_such_trade"),
        line("an acceptance of nothing in words", "accept", "bad_args"),
        line("an offer that nobody made", "accept 1", "no_such_trade"),
        line("an offer beyond all numbers", "cancel 99999999999!", "no_such_trade"),
        line("an answer to no offer", "counter 7 gold 1", "no_such_trade"),
        line("a party that dances", "party dance", "unknown_verb"),
        line("a near miss of a party", "party crate heroes", "unknown_verb"),
        line("a party without a name in words", "party create", "bad_args"),
        line(
            "a party's name of 33 letters",
            format!("party create {}", "n".repeat(33)),
            "bad_args",
        ),
        line("an invitation of two", "party invite bob carol", "bad_args"),
        line("no invitation", "party accept", "no_such_party"),
        line("no such invitation", "party accept heroes", "no_such_party"),
        line("nothing said to the party in words", "party say", "bad_args"),
        line("a party into a bang", "party join den!", "bad_args"),
    ]
}
