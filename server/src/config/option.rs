//! The table of options: one row per setting, from which the command line, the environment, the
//! settings file, the help and `--dump-config` are made.

mod read;

use toml::Value;

pub(super) use self::read::{address, number};
use self::read::{file, node_name, origin, switch};
use super::Settings;

/// One option.
pub(super) struct Opt {
    /// As on the command line, without the dashes in front.
    pub name: &'static str,
    /// What its value is called in the help.
    pub arg: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// How it is read and shown.
    pub field: Field,
}

/// How an option is read into the settings, and shown.
pub(super) enum Field {
    /// A number within bounds.
    Number { at: fn(&mut Settings) -> &mut u64, min: u64, max: u64 },
    /// On or off.
    Switch { at: fn(&mut Settings) -> &mut bool },
    /// Anything else with one value. `show` is `None` for a value that is not set.
    Text { set: fn(&mut Settings, &str) -> Result<(), String>, show: fn(&Settings) -> Shown },
    /// Several values; each source replaces the ones below it.
    List { at: fn(&mut Settings) -> &mut Vec<String>, check: fn(&str) -> Result<(), String> },
}

/// A value as text; `None` where it is not set.
pub(super) type Shown = Option<String>;

impl Opt {
    /// The name in settings files.
    pub fn key(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The name of the environment variable.
    pub fn variable(&self) -> String {
        format!("HOLDFAST_{}", self.key().to_uppercase())
    }

    /// True when the command line may name it more than once.
    pub const fn is_list(&self) -> bool {
        matches!(self.field, Field::List { .. })
    }

    /// Reads one source's texts into the settings.
    pub fn set(&self, settings: &mut Settings, texts: &[String]) -> Result<(), String> {
        let text = texts.last().map_or("", String::as_str);
        match &self.field {
            Field::Number { at, min, max } => *at(settings) = number(text, *min, *max)?,
            Field::Switch { at } => *at(settings) = switch(text)?,
            Field::Text { set, .. } => set(settings, text)?,
            Field::List { at, check } => {
                let items: Vec<String> = texts
                    .iter()
                    .flat_map(|text| text.split(','))
                    .map(|item| item.trim().to_owned())
                    .filter(|item| !item.is_empty())
                    .collect();
                items.iter().try_for_each(|item| check(item))?;
                *at(settings) = items;
            }
        }
        Ok(())
    }

    /// The value as a settings file would hold it; `None` where it is not set.
    pub fn show(&self, settings: &Settings) -> Option<Value> {
        let mut copy = settings.clone();
        match &self.field {
            Field::Number { at, .. } => {
                Some(Value::Integer(i64::try_from(*at(&mut copy)).unwrap_or(i64::MAX)))
            }
            Field::Switch { at } => Some(Value::Boolean(*at(&mut copy))),
            Field::Text { show, .. } => show(settings).map(Value::String),
            Field::List { at, .. } => {
                let items = at(&mut copy).iter().cloned().map(Value::String).collect();
                Some(Value::Array(items))
            }
        }
    }
}

/// Reads a whole number within bounds; `_` between digits is allowed.
pub(super) const fn number_of(
    name: &'static str,
    arg: &'static str,
    (min, max): (u64, u64),
    at: fn(&mut Settings) -> &mut u64,
    help: &'static str,
) -> Opt {
    Opt { name, arg, help, field: Field::Number { at, min, max } }
}

const fn text_of(
    name: &'static str,
    arg: &'static str,
    set: fn(&mut Settings, &str) -> Result<(), String>,
    show: fn(&Settings) -> Shown,
    help: &'static str,
) -> Opt {
    Opt { name, arg, help, field: Field::Text { set, show } }
}

/// Longest span that a setting may name: a year.
const MS_MAX: u64 = 366 * 24 * 60 * 60 * 1000;
/// Most of anything that is counted.
const COUNT_MAX: u64 = 1_000_000_000;

/// Options by heading of the help.
pub(super) const GROUPS: [(&str, &[Opt]); 7] = [
    ("Network", NETWORK),
    ("Players", PLAYERS),
    ("Game", GAME),
    ("Store", STORE),
    ("Actors", ACTORS),
    ("Limits", LIMITS),
    ("Operation", OPERATION),
];

/// Every option that operators are told of, in the order of the help.
pub(super) fn shown() -> impl Iterator<Item = &'static Opt> {
    GROUPS.iter().flat_map(|(_, group)| group.iter())
}

/// Every option.
pub(super) fn all() -> impl Iterator<Item = &'static Opt> {
    shown().chain(HIDDEN)
}

/// The option of a settings file's key.
pub(super) fn by_key(key: &str) -> Option<&'static Opt> {
    all().find(|opt| opt.key() == key)
}

/// Options that one program gives another.
pub(super) const HIDDEN: &[Opt] = &[text_of(
    "demo-control",
    "URL",
    |s, t| {
        s.demo_control = Some(t.to_owned());
        Ok(())
    },
    |s| s.demo_control.clone(),
    "Where the page finds the buttons of the holdfast demo that started this node",
)];

const NETWORK: &[Opt] = &[
    text_of(
        "listen",
        "ADDR",
        |s, t| address(t).map(|a| s.listen = a),
        |s| Some(s.listen.to_string()),
        "Where players connect",
    ),
    text_of(
        "admin-listen",
        "ADDR|off",
        |s, t| {
            s.admin_listen = if t == "off" { None } else { Some(address(t)?) };
            Ok(())
        },
        |s| Some(s.admin_listen.map_or("off".into(), |a| a.to_string())),
        "Where operators connect; it asks for no password, so keep it off the network",
    ),
    text_of(
        "advertise",
        "URL",
        |s, t| {
            origin(t.trim_end_matches('/'))?;
            s.advertise = Some(t.trim_end_matches('/').to_owned());
            Ok(())
        },
        |s| s.advertise.clone(),
        "The URL under which clients reach this node",
    ),
    Opt {
        name: "allow-origin",
        arg: "ORIGIN",
        help: "An origin besides its own that browsers may come from; may be repeated",
        field: Field::List { at: |s| &mut s.allow_origin, check: origin },
    },
    text_of(
        "node",
        "NAME",
        |s, t| node_name(t).map(|name| s.node = name),
        |s| Some(s.node.clone()),
        "The node's name",
    ),
    number_of("backlog", "N", (1, 65_535), |s| &mut s.backlog, "Connections waiting for accept"),
];

const PLAYERS: &[Opt] = &[
    text_of(
        "guests",
        "open|claim|off",
        |s, t| t.parse().map(|guests| s.guests = guests),
        |s| Some(s.guests.as_str().into()),
        "What someone without a token may do; by default open on loopback, claim beyond",
    ),
    text_of(
        "service-token-file",
        "FILE",
        |s, t| file(t).map(|path| s.service_token_file = path),
        |s| s.service_token_file.as_ref().map(|path| path.display().to_string()),
        "Holds the tokens with which services speak for any player, one a line; mode 0600",
    ),
    text_of(
        "token-key-file",
        "FILE",
        |s, t| file(t).map(|path| s.token_key_file = path),
        |s| s.token_key_file.as_ref().map(|path| path.display().to_string()),
        "Holds the key that signs tokens, at least 16 bytes; without it the store keeps one",
    ),
    number_of(
        "token-ttl-ms",
        "MS",
        (1_000, MS_MAX),
        |s| &mut s.token_ttl_ms,
        "How long a player's token is good",
    ),
    number_of(
        "session-ttl-ms",
        "MS",
        (1_000, MS_MAX),
        |s| &mut s.session_ttl_ms,
        "How long a session without a connection can be resumed",
    ),
];

const GAME: &[Opt] = &[
    number_of(
        "room-capacity",
        "N",
        (1, 10_000),
        |s| &mut s.room_capacity,
        "Most members of a room; for one room: [rooms.NAME] capacity = N in the settings file",
    ),
    Opt {
        name: "movement-clock",
        arg: "on|off",
        help: "Whether steps of movement are held against the clock",
        field: Field::Switch { at: |s| &mut s.movement_clock },
    },
    number_of(
        "beat-ms",
        "MS",
        (1, 1_000),
        |s| &mut s.beat_ms,
        "Input is collected for this long where the node is busy",
    ),
    number_of(
        "beat-least-ms",
        "MS",
        (1, 1_000),
        |s| &mut s.beat_least_ms,
        "The same where it has room; never more than --beat-ms",
    ),
    number_of(
        "frame-ms",
        "MS",
        (1, 10_000),
        |s| &mut s.frame_ms,
        "Time between two room frames to one client where the node is busy",
    ),
    number_of(
        "frame-least-ms",
        "MS",
        (1, 10_000),
        |s| &mut s.frame_least_ms,
        "The same where it has room; never more than --frame-ms",
    ),
];

const STORE: &[Opt] = &[
    text_of(
        "store",
        "STORE",
        |s, t| t.parse().map(|store| s.store = store),
        |s| Some(s.store.to_string()),
        "Where journals are kept: embedded:DIR, or the Redis that nodes share: \
         redis://USER:PASSWORD@HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/NAME, \
         redis+cluster://HOST:PORT,HOST:PORT, and rediss for TLS",
    ),
    text_of(
        "redis-password-file",
        "FILE",
        |s, t| file(t).map(|path| s.redis_password_file = path),
        |s| s.redis_password_file.as_ref().map(|path| path.display().to_string()),
        "Holds the password of the Redis; the address then names the user only",
    ),
    text_of(
        "redis-ca-file",
        "FILE",
        |s, t| file(t).map(|path| s.redis_ca_file = path),
        |s| s.redis_ca_file.as_ref().map(|path| path.display().to_string()),
        "Holds the authorities (PEM) that sign the Redis's certificate; without it the system's",
    ),
    text_of(
        "data-dir",
        "DIR",
        |s, t| {
            if t.is_empty() {
                return Err("the name of a directory is missing".into());
            }
            s.data_dir = t.into();
            Ok(())
        },
        |s| Some(s.data_dir.display().to_string()),
        "Where a node of a Redis keeps its own files, in a directory of the node's name",
    ),
    text_of(
        "durability",
        "LEVEL",
        |s, t| t.parse().map(|level| s.durability = level),
        |s| Some(s.durability.to_string()),
        "When a record counts as stored: stored (the primary has answered), replicated:K (K \
         replicas have it too), fsynced (the primary has synced its file)",
    ),
    number_of(
        "lease-ttl-ms",
        "MS",
        (300, 60_000),
        |s| &mut s.lease_ttl_ms,
        "Silence after which other nodes may adopt this node's actors",
    ),
    number_of(
        "hold-ms",
        "MS",
        (0, 600_000),
        |s| &mut s.hold_ms,
        "How long players' sockets stay open while the store does not answer",
    ),
    number_of(
        "adopt-per-s",
        "N",
        (1, 1_000_000),
        |s| &mut s.adopt_per_s,
        "Actors of dead nodes that this node adopts in a second",
    ),
];

const ACTORS: &[Opt] = &[
    number_of("workers", "N", (1, 1_024), |s| &mut s.workers, "Threads; by default one a core"),
    number_of(
        "activations-max",
        "N",
        (16, COUNT_MAX),
        |s| &mut s.activations_max,
        "Most actors in memory; the idlest makes place",
    ),
    number_of(
        "linkdead-ms",
        "MS",
        (1, MS_MAX),
        |s| &mut s.linkdead_ms,
        "A player without a connection leaves its room after this long",
    ),
    number_of(
        "trade-offer-ms",
        "MS",
        (1, MS_MAX),
        |s| &mut s.trade_offer_ms,
        "An offer to trade ends after this long",
    ),
    number_of(
        "passivate-after-ms",
        "MS",
        (1, MS_MAX),
        |s| &mut s.passivate_after_ms,
        "An actor that nothing reached for this long leaves memory",
    ),
    number_of(
        "mailbox-len-max",
        "N",
        (8, 65_536),
        |s| &mut s.mailbox_len_max,
        "Messages that may wait for one actor before busy is said",
    ),
    number_of(
        "activities-max",
        "N",
        (1, 10_000),
        |s| &mut s.activities_max,
        "Activities that run at once",
    ),
    number_of(
        "snapshot-records",
        "N",
        (1, COUNT_MAX),
        |s| &mut s.snapshot_records,
        "Records after which an actor's snapshot is taken",
    ),
    number_of(
        "snapshot-bytes",
        "BYTES",
        (1_024, COUNT_MAX),
        |s| &mut s.snapshot_bytes,
        "Bytes of records after which an actor's snapshot is taken",
    ),
    number_of(
        "retain",
        "N",
        (0, COUNT_MAX),
        |s| &mut s.retain,
        "Newest records of an actor that are kept after a snapshot",
    ),
    number_of(
        "pending-after-ms",
        "MS",
        (1, MS_MAX),
        |s| &mut s.pending_after_ms,
        "A command without its answer for this long is answered pending",
    ),
];

const LIMITS: &[Opt] = &[
    number_of(
        "message-bytes-max",
        "BYTES",
        (256, 1 << 24),
        |s| &mut s.message_bytes_max,
        "Largest message from a client",
    ),
    number_of(
        "inputs-per-s",
        "N",
        (1, 1_000_000),
        |s| &mut s.inputs_per_s,
        "Input frames of a connection, with bursts of twice that",
    ),
    number_of(
        "commands-per-s",
        "N",
        (1, 1_000_000),
        |s| &mut s.commands_per_s,
        "Commands of a connection, with bursts of twice that",
    ),
    number_of(
        "says-per-s",
        "N",
        (1, 1_000_000),
        |s| &mut s.says_per_s,
        "Chat messages of a connection, with bursts of twice that",
    ),
    number_of(
        "in-flight-max",
        "N",
        (1, 64),
        |s| &mut s.in_flight_max,
        "Commands of a session that may be unanswered",
    ),
    number_of(
        "violations-max",
        "N",
        (1, COUNT_MAX),
        |s| &mut s.violations_max,
        "Refused messages in 10 s after which a connection is closed",
    ),
    number_of(
        "connections-max",
        "N",
        (1, COUNT_MAX),
        |s| &mut s.connections_max,
        "Connections in all",
    ),
    number_of(
        "connections-per-address-max",
        "N",
        (1, COUNT_MAX),
        |s| &mut s.connections_per_address_max,
        "Connections of one address; loopback is not counted",
    ),
    number_of(
        "handshakes-per-s",
        "N",
        (1, 1_000_000),
        |s| &mut s.handshakes_per_s,
        "WebSocket handshakes of one address; loopback is not counted",
    ),
    number_of(
        "lane-len-max",
        "N",
        (70, 65_536),
        |s| &mut s.lane_len_max,
        "Messages that may wait for a slow client before it is closed",
    ),
    number_of(
        "header-ms",
        "MS",
        (1, MS_MAX),
        |s| &mut s.header_ms,
        "Time for request headers, and for a body",
    ),
    number_of("hello-ms", "MS", (1, MS_MAX), |s| &mut s.hello_ms, "Time for the first message"),
    number_of(
        "hello-text-ms",
        "MS",
        (1, MS_MAX),
        |s| &mut s.hello_text_ms,
        "Time for the first message under text rules",
    ),
    number_of(
        "ping-every-ms",
        "MS",
        (10, MS_MAX),
        |s| &mut s.ping_every_ms,
        "Time between two pings to a client",
    ),
    number_of(
        "dead-after-ms",
        "MS",
        (10, MS_MAX),
        |s| &mut s.dead_after_ms,
        "Silence after which a connection is dead",
    ),
];

const OPERATION: &[Opt] = &[
    text_of(
        "log",
        "FILTER",
        |s, t| {
            tracing_subscriber::EnvFilter::try_new(t).map_err(|e| {
                format!("{t:?} is not a log filter ({e}); try info or holdfast=debug")
            })?;
            s.log = t.to_owned();
            Ok(())
        },
        |s| Some(s.log.clone()),
        "Which log lines are written, such as info or holdfast=debug",
    ),
    text_of(
        "log-format",
        "text|json",
        |s, t| t.parse().map(|format| s.log_format = format),
        |s| Some(s.log_format.as_str().into()),
        "How log lines are written",
    ),
    number_of(
        "drain-ms",
        "MS",
        (0, MS_MAX),
        |s| &mut s.drain_ms,
        "Longest time that a stop waits for what is under way",
    ),
];
