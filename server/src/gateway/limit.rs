//! Who is let in, and how much each socket may ask.
//!
//! I7: refusals are named: `rate_limited` with `retry_after_ms` for messages, 4506 for sockets,
//! 429 for handshakes. Caps by address do not apply to loopback.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use holdfast_protocol::client::{Class, Verb};
use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::server;

/// Every limit of the edge. All are settings.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest message in, in bytes; a larger one closes with 1009.
    pub message_len_max: usize,
    /// Input frames (and pings) a second of one connection; bursts of twice that.
    pub input_frames_per_s: u32,
    /// Commands and queries a second of one connection; bursts of twice that.
    pub commands_per_s: u32,
    /// Chat messages a second of one connection; bursts of twice that.
    pub say_per_s: u32,
    /// Commands of one session that may be unanswered; the runtime's bound, told to clients.
    pub in_flight_max: u32,
    /// How long a socket may take to its hello, in milliseconds.
    pub hello_deadline_ms: u64,
    /// The same under text rules, where people type.
    pub hello_deadline_text_ms: u64,
    /// How long a request's headers may take, and as long again its body, in milliseconds.
    pub header_deadline_ms: u64,
    /// How often a socket is pinged, in milliseconds.
    pub ping_ms: u64,
    /// Silence after which a socket is dead, in milliseconds.
    pub dead_ms: u64,
    /// How long a closing handshake may take, in milliseconds.
    pub close_deadline_ms: u64,
    /// How long shutdown waits for sockets, in milliseconds.
    pub drain_deadline_ms: u64,
    /// A socket's read buffer, in bytes. Most of what an idle connection costs.
    pub read_buffer_len: usize,
    /// Places in a connection's reliable lane; one more closes with 4002.
    pub lane_len_max: usize,
    /// Messages that wait for the answer to a hello.
    pub held_len_max: usize,
    /// Sockets of this node; one more closes with 4506.
    pub connections_max: usize,
    /// Sockets of one address; one more closes with 4506.
    pub connections_per_address_max: u32,
    /// Handshakes and session calls a second of one address, and as many other calls by HTTP;
    /// bursts of twice that.
    pub handshakes_per_s: u32,
    /// Refused messages in [`super::session::MISUSE_WINDOW_MS`]; one more closes with 4503.
    pub misuse_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_len_max: 16 * 1024,
            input_frames_per_s: 60,
            commands_per_s: 20,
            say_per_s: 1,
            in_flight_max: 64,
            hello_deadline_ms: 5_000,
            hello_deadline_text_ms: 60_000,
            header_deadline_ms: 10_000,
            ping_ms: 15_000,
            dead_ms: 30_000,
            close_deadline_ms: 1_000,
            drain_deadline_ms: 5_000,
            read_buffer_len: 512,
            lane_len_max: 256,
            held_len_max: 64,
            connections_max: 20_000,
            connections_per_address_max: 256,
            handshakes_per_s: 50,
            misuse_max: 100,
        }
    }
}

impl Limits {
    /// What a welcome tells the client.
    #[must_use]
    pub fn announced(&self) -> server::Limits {
        server::Limits {
            message_bytes_max: self.message_len_max as u64,
            inputs_per_s: self.input_frames_per_s,
            commands_per_s: self.commands_per_s,
            says_per_s: self.say_per_s,
            in_flight_max: self.in_flight_max,
            ping_every_ms: self.ping_ms,
            dead_after_ms: self.dead_ms,
            ..server::Limits::default()
        }
    }
}

/// A limit that somebody met. What is refused for it is counted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Input frames and pings of a connection.
    Inputs,
    /// Commands and queries of a connection.
    Commands,
    /// Chat messages of a connection.
    Says,
    /// Repeats of commands of a connection.
    Repeats,
    /// Steps of a connection that wait for the beat.
    Steps,
    /// Handshakes and session calls of an address.
    Handshakes,
    /// Other calls by HTTP of an address.
    Calls,
    /// Commands by HTTP for a player.
    HttpCommands,
    /// Chat messages by HTTP for a player.
    HttpSays,
    /// Sockets of this node.
    Connections,
    /// Sockets of an address.
    AddressConnections,
}

impl Limit {
    /// Every one, in a fixed order.
    pub const ALL: [Self; 11] = [
        Self::Inputs,
        Self::Commands,
        Self::Says,
        Self::Repeats,
        Self::Steps,
        Self::Handshakes,
        Self::Calls,
        Self::HttpCommands,
        Self::HttpSays,
        Self::Connections,
        Self::AddressConnections,
    ];

    /// Its name among the node's metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Commands => "commands",
            Self::Says => "says",
            Self::Repeats => "repeats",
            Self::Steps => "steps",
            Self::Handshakes => "handshakes",
            Self::Calls => "calls",
            Self::HttpCommands => "http_commands",
            Self::HttpSays => "http_says",
            Self::Connections => "connections",
            Self::AddressConnections => "address_connections",
        }
    }
}

/// Too much: which limit was met, and after how many milliseconds there is room again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMuch {
    pub(super) limit: Limit,
    pub(super) wait_ms: u64,
}

fn quota(per_s: u32) -> Quota {
    let rate = NonZeroU32::new(per_s).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(rate).allow_burst(rate.saturating_add(rate.get()))
}

/// What every limiter goes by. A new one asks the CPU what it is, which a virtual machine answers
/// in some 50 µs.
static CLOCK: LazyLock<DefaultClock> = LazyLock::new(DefaultClock::default);

type Direct = RateLimiter<NotKeyed, InMemoryState, DefaultClock, NoOpMiddleware>;

/// The rates of one connection.
#[derive(Debug)]
pub(super) struct Gate {
    inputs: Direct,
    commands: Direct,
    says: Direct,
    repeats: Direct,
}

impl Gate {
    pub(super) fn new(limits: &Limits) -> Self {
        let limiter = |per_s| RateLimiter::direct_with_clock(quota(per_s), CLOCK.clone());
        Self {
            inputs: limiter(limits.input_frames_per_s),
            commands: limiter(limits.commands_per_s),
            says: limiter(limits.say_per_s),
            // After a resume everything unanswered may be repeated at once.
            repeats: limiter(limits.commands_per_s.max(limits.in_flight_max)),
        }
    }

    /// Takes a repeat of a command that the actor has seen; `false` when there are too many.
    pub(super) fn takes_repeat(&self) -> bool {
        self.repeats.check().is_ok()
    }

    /// Lets one message pass, or says when it may come again.
    pub(super) fn check(&self, verb: &Verb) -> Result<(), TooMuch> {
        let commands = || check(&self.commands, Limit::Commands);
        match (verb, verb.class()) {
            (Verb::Ping { .. }, _) | (_, Class::Input) => check(&self.inputs, Limit::Inputs),
            (Verb::Say { .. } | Verb::PartySay { .. }, _) => {
                commands().and_then(|()| check(&self.says, Limit::Says))
            }
            _ => commands(),
        }
    }
}

fn check(limiter: &Direct, limit: Limit) -> Result<(), TooMuch> {
    limiter.check().map_err(|until| too_much(limit, until.wait_time_from(limiter.clock().now())))
}

fn too_much(limit: Limit, wait: Duration) -> TooMuch {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
    TooMuch { limit, wait_ms }
}

/// Who commands whom by HTTP: a service by its number, or the player itself.
type Speaker = (Option<usize>, PlayerId);

/// Who is connected from where, and how fast each address knocks.
#[derive(Debug)]
pub(super) struct Door {
    knocks: DefaultKeyedRateLimiter<IpAddr>,
    asks: DefaultKeyedRateLimiter<IpAddr>,
    commands: DefaultKeyedRateLimiter<Speaker>,
    says: DefaultKeyedRateLimiter<Speaker>,
    open: Mutex<Open>,
    connections_max: usize,
    per_address_max: u32,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, u32>,
}

impl Door {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            knocks: RateLimiter::keyed(quota(limits.handshakes_per_s)),
            asks: RateLimiter::keyed(quota(limits.handshakes_per_s)),
            commands: RateLimiter::keyed(quota(limits.commands_per_s)),
            says: RateLimiter::keyed(quota(limits.say_per_s)),
            open: Mutex::default(),
            connections_max: limits.connections_max,
            per_address_max: limits.connections_per_address_max,
        })
    }

    /// False when the address asks too often.
    pub(super) fn knock(&self, from: IpAddr) -> bool {
        from.is_loopback() || self.knocks.check_key(&network(from)).is_ok()
    }

    /// False when the address calls too often by HTTP.
    pub(super) fn ask(&self, from: IpAddr) -> bool {
        from.is_loopback() || self.asks.check_key(&network(from)).is_ok()
    }

    /// Lets a command by HTTP pass at the rates of a socket, or says when it may come again.
    pub(super) fn command(
        &self,
        service: Option<usize>,
        player: &PlayerId,
        says: bool,
    ) -> Result<(), TooMuch> {
        let speaker = (service, player.clone());
        let check = |limiter: &DefaultKeyedRateLimiter<Speaker>, limit| {
            limiter
                .check_key(&speaker)
                .map_err(|until| too_much(limit, until.wait_time_from(limiter.clock().now())))
        };
        check(&self.commands, Limit::HttpCommands)?;
        if says { check(&self.says, Limit::HttpSays) } else { Ok(()) }
    }

    /// A place for one more socket.
    ///
    /// # Errors
    /// Of what there are too many.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr) -> Result<Place, Limit> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.connections_max {
            return Err(Limit::Connections);
        }
        let address = (!from.is_loopback()).then(|| network(from));
        if let Some(address) = address {
            let here = open.by_address.entry(address).or_default();
            if *here >= self.per_address_max {
                return Err(Limit::AddressConnections);
            }
            *here += 1;
        }
        open.all += 1;
        drop(open);
        Ok(Place { door: self.clone(), address })
    }

    /// Sockets that are open.
    pub(super) fn len(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    /// Forgets addresses that have been quiet.
    pub(super) fn sweep(&self) {
        self.knocks.retain_recent();
        self.knocks.shrink_to_fit();
        self.asks.retain_recent();
        self.asks.shrink_to_fit();
        for limiter in [&self.commands, &self.says] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

/// An IPv6 customer has a /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

/// One socket's place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    door: Arc<Door>,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.door.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        let Some(address) = self.address else { return };
        if let Some(here) = open.by_address.get_mut(&address) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_twice_the_rate_passes() {
        let gate = Gate::new(&Limits { commands_per_s: 3, ..Limits::default() });
        for _ in 0..6 {
            assert_eq!(gate.check(&Verb::LeaveRoom {}), Ok(()));
        }
        let TooMuch { limit, wait_ms } = gate.check(&Verb::LeaveRoom {}).unwrap_err();
        assert!(limit == Limit::Commands && (1..=335).contains(&wait_ms), "{wait_ms}");
        assert_eq!(gate.check(&Verb::Input { seq: 1, steps: vec![] }), Ok(()));
    }

    #[test]
    fn chat_has_its_own_rate() {
        let gate = Gate::new(&Limits::default());
        let say = Verb::Say { text: "hi".into() };
        assert_eq!((gate.check(&say), gate.check(&say)), (Ok(()), Ok(())));
        assert_eq!(gate.check(&say).map_err(|met| met.limit), Err(Limit::Says));
        let to_party = Verb::PartySay { text: "hi".into() };
        assert_eq!(gate.check(&to_party).map_err(|met| met.limit), Err(Limit::Says), "too");
        assert_eq!(gate.check(&Verb::LeaveRoom {}), Ok(()));
    }

    #[test]
    fn limits_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = Limit::ALL.map(Limit::as_str).into();
        assert_eq!(names.len(), Limit::ALL.len());
    }

    #[test]
    fn an_address_holds_so_many_sockets() {
        let limits =
            Limits { connections_per_address_max: 2, connections_max: 4, ..Limits::default() };
        let door = Door::new(&limits);
        let far: IpAddr = "192.0.2.1".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let (first, _second) = (door.enter(far).unwrap(), door.enter(mapped).unwrap());
        assert_eq!(door.enter(far).err(), Some(Limit::AddressConnections));
        drop(first);
        let _third = door.enter(far).unwrap();
        let near: IpAddr = "127.0.0.1".parse().unwrap();
        let _places = (door.enter(near).unwrap(), door.enter(near).unwrap());
        assert_eq!(door.enter(near).err(), Some(Limit::Connections), "the node is full");
        assert_eq!(door.len(), 4);
    }

    #[test]
    fn an_address_knocks_so_often() {
        let door = Door::new(&Limits { handshakes_per_s: 2, ..Limits::default() });
        let far: IpAddr = "2001:db8::1".parse().unwrap();
        let same: IpAddr = "2001:db8::2".parse().unwrap();
        assert!((0..4).all(|_| door.knock(far)));
        assert!(!door.knock(same));
        assert!((0..99).all(|_| door.knock("::1".parse().unwrap())));
    }

    #[test]
    fn commands_by_http_have_the_rates_of_a_socket() {
        let door = Door::new(&Limits { commands_per_s: 2, ..Limits::default() });
        let [alice, bob] = ["alice", "bob"].map(|name| PlayerId::new(name).unwrap());
        assert!((0..4).all(|_| door.command(None, &alice, false).is_ok()));
        let TooMuch { limit, wait_ms } = door.command(None, &alice, false).unwrap_err();
        assert!(limit == Limit::HttpCommands && (1..=501).contains(&wait_ms), "{wait_ms}");
        assert!(door.command(Some(0), &alice, false).is_ok(), "a service has its own");
        assert!((0..2).all(|_| door.command(None, &bob, true).is_ok()));
        let met = door.command(None, &bob, true).map_err(|met| met.limit);
        assert_eq!(met, Err(Limit::HttpSays), "chat has its own");
    }

    #[test]
    fn an_address_calls_so_often() {
        let door = Door::new(&Limits { handshakes_per_s: 2, ..Limits::default() });
        let far: IpAddr = "192.0.2.1".parse().unwrap();
        assert!((0..4).all(|_| door.ask(far)));
        assert!(!door.ask(far));
        assert!(door.knock(far), "handshakes have their own");
        assert!((0..99).all(|_| door.ask("127.0.0.1".parse().unwrap())));
    }
}
