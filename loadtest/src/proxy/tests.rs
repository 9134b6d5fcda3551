//! The proxy with real sockets. Times are only bounded from below; everything else waits with a
//! deadline that a loaded machine keeps.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::rules::{Lane, Rules};
use super::*;

const PATIENCE: Duration = Duration::from_secs(30);
/// How long nothing has to happen before it counts as silence: enough to find what is not.
const HUSH: Duration = Duration::from_millis(300);
const MS: Duration = Duration::from_millis(1);
const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it happens before the deadline")
}

/// A proxy and the target behind it, which accepts by hand.
struct Bench {
    proxy: Proxy,
    handle: Handle,
    target: TcpListener,
}

impl Bench {
    async fn new(faults: Faults) -> Self {
        let target = TcpListener::bind(SocketAddr::from(LOCAL)).await.unwrap();
        Self::before(target, faults)
    }

    fn before(target: TcpListener, faults: Faults) -> Self {
        let address = target.local_addr().unwrap();
        let config = Config { listen: LOCAL.into(), target: address, faults, seed: 7 };
        let proxy = Proxy::start(config).unwrap();
        Self { handle: proxy.handle(), proxy, target }
    }

    /// A connection: the client's socket and the target's.
    async fn pair(&self) -> (TcpStream, TcpStream) {
        let client = soon(TcpStream::connect(self.proxy.address())).await.unwrap();
        let (server, _) = soon(self.target.accept()).await.unwrap();
        (client, server)
    }

    async fn wait_until(&self, is_so: impl Fn(Counts) -> bool) {
        let wait = async {
            while !is_so(self.handle.counts()) {
                tokio::time::sleep(MS).await;
            }
        };
        soon(wait).await;
    }
}

async fn passes(from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(b"hold").await.unwrap();
    let mut said = [0; 4];
    soon(to.read_exact(&mut said)).await.unwrap();
    assert_eq!(&said, b"hold");
}

async fn is_reset(stream: &mut TcpStream) -> bool {
    let read = soon(stream.read(&mut [0; 16])).await;
    matches!(read, Err(error) if error.kind() == ErrorKind::ConnectionReset)
}

/// True when a new connection is reset, which it may be before it is known to be one.
async fn is_turned_away(address: SocketAddr) -> bool {
    match soon(TcpStream::connect(address)).await {
        Ok(mut client) => is_reset(&mut client).await,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(HUSH, stream.read(&mut [0; 16])).await.is_err()
}

/// Writes until nothing has been taken for a while; gives what was.
async fn flood(stream: &mut TcpStream, most: usize) -> usize {
    let mut taken = 0;
    while taken < most {
        match timeout(HUSH, stream.write(&[7; 16 * 1024])).await {
            Ok(len) => taken += len.unwrap(),
            Err(_) => return taken,
        }
    }
    taken
}

fn pattern(salt: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at.wrapping_mul(31) ^ (at >> 8) ^ salt) as u8).collect()
}

#[tokio::test]
async fn bytes_arrive_whole_and_in_order_each_way() {
    let faults = Faults { delay: MS * 3, jitter: MS * 3, slow_bytes_per_s: None };
    let bench = Bench::new(faults).await;
    let (mut client, mut server) = bench.pair().await;
    let (up, down) = (pattern(1, 500_000), pattern(2, 400_000));
    let talk = async |stream: &mut TcpStream, says: &[u8]| {
        let (mut reader, mut writer) = stream.split();
        let say = async {
            for part in says.chunks(1_500) {
                writer.write_all(part).await.unwrap();
            }
            writer.shutdown().await.unwrap();
        };
        let mut heard = Vec::new();
        tokio::join!(say, async { reader.read_to_end(&mut heard).await.unwrap() });
        heard
    };
    let both = async { tokio::join!(talk(&mut client, &up), talk(&mut server, &down)) };
    let (by_client, by_server) = soon(both).await;
    assert!(by_server == up, "{} of {} bytes", by_server.len(), up.len());
    assert!(by_client == down, "{} of {} bytes", by_client.len(), down.len());
    bench.wait_until(|counts| counts.open == 0).await;
    let counts = bench.handle.counts();
    assert_eq!((counts.total, counts.up_bytes, counts.down_bytes), (1, 500_000, 400_000));
}

#[tokio::test]
async fn a_round_trip_takes_the_delay_twice() {
    let bench = Bench::new(Faults { delay: MS * 40, ..Faults::default() }).await;
    let (mut client, mut server) = bench.pair().await;
    let began = Instant::now();
    passes(&mut client, &mut server).await;
    passes(&mut server, &mut client).await;
    assert!(began.elapsed() >= MS * 80, "{:?}", began.elapsed());
    bench.handle.delay(MS * 60, Duration::ZERO);
    let began = Instant::now();
    passes(&mut client, &mut server).await;
    passes(&mut server, &mut client).await;
    assert!(began.elapsed() >= MS * 120, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_stall_holds_and_then_lets_go() {
    let bench = Bench::new(Faults::default()).await;
    let (mut client, mut server) = bench.pair().await;
    for way in [Way::Up, Way::Both] {
        let began = Instant::now();
        bench.handle.stall(way, MS * 200);
        passes(&mut client, &mut server).await;
        assert!(began.elapsed() >= MS * 200, "{way:?}: {:?}", began.elapsed());
    }
    passes(&mut server, &mut client).await;
}

#[tokio::test]
async fn a_stall_of_one_way_leaves_the_other() {
    let bench = Bench::new(Faults::default()).await;
    let (mut client, mut server) = bench.pair().await;
    bench.handle.stall(Way::Down, PATIENCE * 10);
    passes(&mut client, &mut server).await;
    server.write_all(b"fast").await.unwrap();
    assert!(is_silent(&mut client).await);
    bench.handle.clear();
    let mut said = [0; 4];
    soon(client.read_exact(&mut said)).await.unwrap();
    assert_eq!(&said, b"fast");
}

#[tokio::test]
async fn a_cut_resets_both_sides_and_lets_new_ones_in() {
    let bench = Bench::new(Faults::default()).await;
    let (mut client, mut server) = bench.pair().await;
    passes(&mut client, &mut server).await;
    assert_eq!(bench.handle.cut(1.0), 1);
    assert!(is_reset(&mut client).await);
    assert!(is_reset(&mut server).await);
    assert_eq!(bench.handle.counts().open, 0);
    let (mut client, mut server) = bench.pair().await;
    passes(&mut client, &mut server).await;
}

#[tokio::test]
async fn a_cut_of_a_share_leaves_the_others() {
    let bench = Bench::new(Faults::default()).await;
    let mut pairs = Vec::new();
    for _ in 0..6 {
        pairs.push(bench.pair().await);
    }
    assert_eq!(bench.handle.apply(&"cut 50%".parse().unwrap()), 3);
    let mut cut = 0;
    for (client, server) in &mut pairs {
        let _ = client.write_all(b"hold").await;
        match soon(server.read(&mut [0; 4])).await {
            Ok(len) => assert_eq!(len, 4),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                cut += 1;
            }
        }
    }
    assert_eq!(cut, 3);
}

#[tokio::test]
async fn a_half_open_connection_is_silent_and_nobody_is_told() {
    let bench = Bench::new(Faults::default()).await;
    let (mut client, mut server) = bench.pair().await;
    passes(&mut client, &mut server).await;
    assert_eq!(bench.handle.half_open(None), 1);
    client.write_all(b"up").await.unwrap();
    server.write_all(b"down").await.unwrap();
    let (mut young, mut its_server) = bench.pair().await;
    passes(&mut young, &mut its_server).await;
    assert!(is_silent(&mut client).await);
    assert!(is_silent(&mut server).await);
    bench.handle.clear();
    drop(client);
    assert!(is_silent(&mut server).await, "nor is it told of the client's end");
    assert_eq!(bench.handle.counts().open, 2);
    assert_eq!(bench.handle.cut(1.0), 2);
    assert!(is_reset(&mut server).await);
}

#[tokio::test]
async fn a_half_open_connection_is_reset_after_its_span() {
    let bench = Bench::new(Faults::default()).await;
    let (mut client, mut server) = bench.pair().await;
    let began = Instant::now();
    bench.handle.half_open(Some(MS * 150));
    assert!(is_reset(&mut client).await);
    assert!(began.elapsed() >= MS * 150, "{:?}", began.elapsed());
    assert!(is_reset(&mut server).await);
}

/// A target whose kernel takes about so many bytes before a writer has to wait.
fn narrow_target(send_bytes: u32) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(send_bytes).unwrap();
    socket.bind(LOCAL.into()).unwrap();
    socket.listen(16).unwrap()
}

#[tokio::test]
async fn a_slow_reader_makes_the_target_wait() {
    let stopped = Faults { slow_bytes_per_s: Some(0), ..Faults::default() };
    let bench = Bench::before(narrow_target(8 * 1024), stopped);
    let (mut client, mut server) = bench.pair().await;
    let taken = flood(&mut server, 16 << 20).await;
    assert!(taken <= 64 * 1024, "{taken} bytes were taken");
    assert!(is_silent(&mut client).await);

    let began = Instant::now();
    bench.handle.slow(Some(8_000));
    soon(client.read_exact(&mut [0; 4_000])).await.unwrap();
    // The first portion comes at once, and each waits for the one before.
    assert!(began.elapsed() >= MS * 450, "{:?}", began.elapsed());

    bench.handle.slow(None);
    soon(client.read_exact(&mut vec![0; taken - 4_000])).await.unwrap();
    passes(&mut client, &mut server).await;
}

#[tokio::test]
async fn a_receive_buffer_that_has_grown_is_narrowed() {
    let bench = Bench::before(narrow_target(64 * 1024), Faults::default());
    let (mut client, mut server) = bench.pair().await;
    let part = vec![7; 64 << 20];
    let mut heard = vec![0; part.len()];
    let both = async { tokio::join!(server.write_all(&part), client.read_exact(&mut heard)) };
    assert!(matches!(soon(both).await, (Ok(()), Ok(_))));
    bench.handle.slow(Some(0));
    passes(&mut client, &mut server).await;
    let taken = flood(&mut server, 16 << 20).await;
    assert!(taken <= 400 * 1024, "{taken} bytes were taken");
    assert!(is_silent(&mut client).await);
}

#[tokio::test]
async fn what_waits_in_the_proxy_is_bounded() {
    let bench = Bench::new(Faults { delay: PATIENCE * 10, ..Faults::default() }).await;
    let (mut client, _server) = bench.pair().await;
    let most = 64 << 20;
    let taken = flood(&mut client, most).await;
    assert!(taken < most / 2, "{taken} bytes were taken");
}

#[tokio::test]
async fn new_connections_are_refused_for_a_span() {
    let bench = Bench::new(Faults::default()).await;
    let (mut client, mut server) = bench.pair().await;
    bench.handle.refuse(PATIENCE * 10);
    assert!(is_turned_away(bench.proxy.address()).await);
    passes(&mut client, &mut server).await;
    let counts = bench.handle.counts();
    assert_eq!((counts.refused, counts.total), (1, 1));
    bench.handle.clear();

    let began = Instant::now();
    bench.handle.refuse(MS * 200);
    let admitted = async {
        while bench.handle.counts().total == 1 {
            let _ = TcpStream::connect(bench.proxy.address()).await;
            tokio::time::sleep(MS).await;
        }
    };
    soon(admitted).await;
    assert!(began.elapsed() >= MS * 200, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_dead_target_resets_the_client() {
    let Bench { proxy, target, .. } = Bench::new(Faults::default()).await;
    drop(target);
    assert!(is_turned_away(proxy.address()).await);
}

#[tokio::test]
async fn an_end_passes_and_the_other_way_stays() {
    let bench = Bench::new(Faults::default()).await;
    let (mut client, mut server) = bench.pair().await;
    client.shutdown().await.unwrap();
    assert_eq!(soon(server.read(&mut [0; 1])).await.unwrap(), 0);
    passes(&mut server, &mut client).await;
    drop(server);
    assert_eq!(soon(client.read(&mut [0; 1])).await.unwrap(), 0);
    bench.wait_until(|counts| counts.open == 0).await;
}

#[tokio::test]
async fn last_words_arrive_before_a_reset() {
    let bench = Bench::new(Faults { delay: MS * 20, ..Faults::default() }).await;
    let (mut client, mut server) = bench.pair().await;
    passes(&mut client, &mut server).await;
    passes(&mut server, &mut client).await;
    server.write_all(b"last").await.unwrap();
    connection::reset(server);
    let mut said = [0; 4];
    soon(client.read_exact(&mut said)).await.unwrap();
    assert_eq!(&said, b"last");
    assert!(is_reset(&mut client).await);
}

#[tokio::test]
async fn last_words_arrive_though_the_target_can_not_be_written_to() {
    let bench = Bench::new(Faults::default()).await;
    let (mut client, mut server) = bench.pair().await;
    passes(&mut client, &mut server).await;
    bench.handle.stall(Way::Down, PATIENCE * 10);
    server.write_all(b"last").await.unwrap();
    connection::reset(server);
    client.write_all(b"more").await.unwrap();
    assert!(is_silent(&mut client).await);
    bench.handle.clear();
    let mut said = [0; 4];
    soon(client.read_exact(&mut said)).await.unwrap();
    assert_eq!(&said, b"last");
    assert!(is_reset(&mut client).await);
}

#[tokio::test]
async fn a_proxy_that_is_dropped_closes_everything() {
    let Bench { proxy, handle, target } = Bench::new(Faults::default()).await;
    let mut client = soon(TcpStream::connect(proxy.address())).await.unwrap();
    let (mut server, _) = soon(target.accept()).await.unwrap();
    let address = proxy.address();
    drop(proxy);
    for stream in [&mut client, &mut server] {
        assert!(!matches!(soon(stream.read(&mut [0; 1])).await, Ok(1..)));
    }
    let closed = async { while TcpStream::connect(address).await.is_ok() {} };
    soon(closed).await;
    assert_eq!(handle.counts().open, 0);
}

#[tokio::test]
async fn every_written_fault_is_applied() {
    let bench = Bench::new(Faults::default()).await;
    let (mut client, mut server) = bench.pair().await;
    let apply = |line: &str| bench.handle.apply(&line.parse().unwrap());
    let rules = || *bench.handle.shared.rules.borrow();
    assert_eq!(apply("delay 1ms jitter 1ms"), 1);
    assert_eq!((rules().faults.delay, rules().faults.jitter), (MS, MS));
    assert_eq!(apply("slow 9"), 1);
    assert_eq!(rules().faults.slow_bytes_per_s, Some(9));
    assert_eq!(apply("stall up 1h"), 1);
    let still = |lane| rules().still_until(lane, bench.handle.shared.now()).is_some();
    assert_eq!((still(Lane::Up), still(Lane::Down)), (true, false));
    assert_eq!(apply("refuse 1h"), 0);
    assert!(rules().refuses(bench.handle.shared.now()));
    assert_eq!(apply("clear"), 1);
    assert_eq!(rules(), Rules::default());
    passes(&mut client, &mut server).await;
    assert_eq!(apply("half-open 1h"), 1);
    assert!(is_silent(&mut client).await);
    assert_eq!(apply("cut"), 1);
    assert!(is_reset(&mut client).await);
}

#[test]
fn a_proxy_needs_a_runtime() {
    let config =
        Config { listen: LOCAL.into(), target: LOCAL.into(), faults: Faults::default(), seed: 1 };
    assert!(Proxy::start(config).is_err());
}

#[tokio::test]
async fn new_connections_are_led_elsewhere_and_open_ones_stay() {
    let bench = Bench::new(Faults::default()).await;
    let (mut client, mut server) = bench.pair().await;
    let other = TcpListener::bind(SocketAddr::from(LOCAL)).await.unwrap();
    bench.handle.lead_to(other.local_addr().unwrap());
    let mut later = soon(TcpStream::connect(bench.proxy.address())).await.unwrap();
    let (mut elsewhere, _) = soon(other.accept()).await.unwrap();
    passes(&mut later, &mut elsewhere).await;
    passes(&mut client, &mut server).await;
}
