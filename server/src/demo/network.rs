//! The visitors' way in: a front door that leads to a gateway that serves, and a way to each
//! gateway of its own, all of them proxies that the page can spoil. Bots go past it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use loadtest::proxy::{Config, Faults, Handle, Proxy, Way};
use serde::Serialize;

/// Ports that are tried where nobody asked for one.
const PORTS_TRIED: u16 = 20;
/// What the proxies' jitter follows from.
const SEED: u64 = 0x5EED;

/// What the page is told of the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Nothing passes for so long.
    pub cut_ms: u64,
    /// Added to a round trip.
    pub delay_ms: u64,
    /// How far from that, either way.
    pub jitter_ms: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Network {
    front: Proxy,
    ways: Vec<Proxy>,
    cut_until_ms: u64,
    delay_ms: u64,
    jitter_ms: u64,
}

impl Network {
    /// Opens the front door at `listen`, or with `any_port` at the next that is free, and a way to
    /// each of `gateways` at the same IP address.
    ///
    /// # Errors
    /// A port can't be had, in a sentence.
    pub fn open(listen: SocketAddr, any_port: bool, gateways: &[SocketAddr]) -> io::Result<Self> {
        let first = gateways.first().copied().unwrap_or(listen);
        let front = front_door(listen, any_port, first)?;
        let ways = gateways.iter().map(|target| proxy((listen.ip(), 0).into(), *target));
        let ways = ways.collect::<io::Result<_>>()?;
        Ok(Self { front, ways, cut_until_ms: 0, delay_ms: 0, jitter_ms: 0 })
    }

    /// Where visitors connect.
    #[must_use]
    pub fn front(&self) -> SocketAddr {
        self.front.address()
    }

    /// Where each gateway is reached.
    pub fn ways(&self) -> impl Iterator<Item = SocketAddr> {
        self.ways.iter().map(Proxy::address)
    }

    /// Where pages come from that visitors may see.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        let addresses: Vec<SocketAddr> = std::iter::once(self.front()).chain(self.ways()).collect();
        let local = addresses.iter().filter(|address| address.ip().is_loopback());
        let local = local.map(|address| format!("http://localhost:{}", address.port()));
        let all = addresses.iter().map(|address| format!("http://{address}")).chain(local);
        // A browser leaves its default port out.
        all.map(|origin| origin.strip_suffix(":80").map_or(origin.clone(), str::to_owned)).collect()
    }

    /// Leads visitors who come from now on to this gateway.
    pub fn lead_to(&self, gateway: SocketAddr) {
        self.front.handle().lead_to(gateway);
    }

    /// Lets nothing pass for a while.
    pub fn cut(&mut self, ms: u64, now_ms: u64) {
        self.cut_until_ms = self.cut_until_ms.max(now_ms.saturating_add(ms));
        let span = Duration::from_millis(ms);
        self.each(|way| way.stall(Way::Both, span));
    }

    /// Adds this to each round trip, half of it each way.
    pub fn delay(&mut self, delay_ms: u64, jitter_ms: u64) {
        (self.delay_ms, self.jitter_ms) = (delay_ms, jitter_ms);
        let half = |ms: u64| Duration::from_micros(ms.saturating_mul(500));
        self.each(|way| way.delay(half(delay_ms), half(jitter_ms)));
    }

    /// What it is like now.
    #[must_use]
    pub fn shape(&self, now_ms: u64) -> Shape {
        let cut_ms = self.cut_until_ms.saturating_sub(now_ms);
        Shape { cut_ms, delay_ms: self.delay_ms, jitter_ms: self.jitter_ms }
    }

    fn each(&self, change: impl Fn(Handle)) {
        std::iter::once(&self.front).chain(&self.ways).map(Proxy::handle).for_each(change);
    }
}

fn proxy(listen: SocketAddr, target: SocketAddr) -> io::Result<Proxy> {
    Proxy::start(Config { listen, target, faults: Faults::default(), seed: SEED })
        .map_err(|error| io::Error::new(error.kind(), explain(listen, &error)))
}

fn front_door(listen: SocketAddr, any_port: bool, target: SocketAddr) -> io::Result<Proxy> {
    let more = if any_port { PORTS_TRIED } else { 0 };
    let mut port = listen.port();
    loop {
        match proxy((listen.ip(), port).into(), target) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if port >= listen.port().saturating_add(more) {
                    return Err(error);
                }
                port += 1;
            }
            done => return done,
        }
    }
}

fn explain(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another server listens on {address}; stop it, or choose another address by --listen"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {}; choose another by --listen", address.ip())
        }
        io::ErrorKind::PermissionDenied => format!(
            "not allowed to listen on {address}: ports below 1024 are reserved; choose another by \
             --listen"
        ),
        _ => format!("can't listen on {address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

    #[tokio::test]
    async fn a_port_that_is_taken_is_passed_over_unless_it_was_asked_for() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let refused = Network::open(address, false, &[address]).unwrap_err().to_string();
        assert!(
            refused.contains(&address.to_string()) && refused.contains("--listen"),
            "{refused}"
        );
        let network = Network::open(address, true, &[address]).unwrap();
        assert_ne!(network.front().port(), address.port());
        assert!(network.front().port() - address.port() <= PORTS_TRIED);
    }

    #[tokio::test]
    async fn pages_of_every_way_in_are_its_own() {
        let network = Network::open(LOCAL.into(), false, &[LOCAL.into(), LOCAL.into()]).unwrap();
        let origins = network.origins();
        assert_eq!(origins.len(), 6, "{origins:?}");
        assert!(origins.contains(&format!("http://localhost:{}", network.front().port())));
        for way in network.ways() {
            assert!(origins.contains(&format!("http://{way}")), "{origins:?}");
        }
    }

    #[tokio::test]
    async fn a_cut_ends_by_itself_and_a_delay_does_not() {
        let mut network = Network::open(LOCAL.into(), false, &[LOCAL.into()]).unwrap();
        network.cut(5_000, 1_000);
        network.cut(1_000, 1_000);
        network.delay(100, 20);
        let shape = |cut_ms| Shape { cut_ms, delay_ms: 100, jitter_ms: 20 };
        assert_eq!(network.shape(2_000), shape(4_000));
        assert_eq!(network.shape(6_000), shape(0));
        network.delay(0, 0);
        assert_eq!(network.shape(6_000), Shape::default());
    }
}
