//! Nodes of one fleet, in one process, on a clock that the tests move.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::store::memory::fleet::MemoryFleet;

mod mail;

/// Long, so that no pause of the machine counts: the clock is moved.
const TTL_MS: u64 = 60_000;
/// How long anything may take, by the real clock.
const PATIENCE_MS: u64 = 20_000;

/// A node, and its door to the fleet.
struct Node {
    handle: FleetHandle,
    door: MemoryFleet,
    activations: Arc<AtomicU64>,
    draining: Arc<AtomicBool>,
    _stop: DropGuard,
}

impl Node {
    fn start(fleet: &MemoryFleet, clock: &Clock, config: Config) -> Self {
        let (activations, draining) =
            (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, drains) = (activations.clone(), draining.clone());
        let vitals: Vitals = Arc::new(move || Vital {
            activations: counted.load(Ordering::SeqCst),
            sockets: 3,
            draining: drains.load(Ordering::SeqCst),
        });
        let (door, shutdown) = (fleet.door(), CancellationToken::new());
        let port = Arc::new(door.clone());
        let handle = start(config, port, vitals, clock.clone(), shutdown.clone()).unwrap();
        Self { handle, door, activations, draining, _stop: shutdown.drop_guard() }
    }

    async fn join(fleet: &MemoryFleet, clock: &Clock) -> Self {
        let node = Self::start(fleet, clock, Config::default());
        node.held().await;
        node
    }

    async fn held(&self) -> NodeSession {
        soon("the lease is held", self.handle.held()).await
    }

    async fn frozen(&self) {
        let mut state = self.handle.state();
        let frozen = state.wait_for(|state| *state == LeaseState::Frozen);
        soon("the node freezes", frozen).await.unwrap();
    }

    fn thaws(&self) -> u64 {
        match *self.handle.state().borrow() {
            LeaseState::Held { thaw, .. } => thaw,
            LeaseState::Frozen => panic!("frozen"),
        }
    }

    fn cut_off(&self, is: bool) {
        self.door.faults().cut_off.store(is, Ordering::SeqCst);
    }

    /// Waits for a read of the lease table that shows what is looked for.
    async fn sees(&self, what: &str, mut is: impl FnMut(&Table) -> bool) {
        let mut table = self.handle.members();
        soon(what, table.wait_for(|table| is(table))).await.unwrap();
    }

    async fn loses(&self, session: NodeSession) {
        let mut departures = self.handle.departures();
        let gone = async {
            while self.handle.is_alive(session) {
                departures.changed().await.unwrap();
            }
        };
        soon("it is gone", gone).await;
    }
}

async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    Clock::system().within_ms(PATIENCE_MS, wait).await.unwrap_or_else(|| panic!("not soon: {what}"))
}

fn world() -> (MemoryFleet, Clock) {
    let clock = Clock::movable();
    (MemoryFleet::new(clock.clone(), TTL_MS), clock)
}

/// Moves the clock in steps of a read of the table, which every living node follows.
async fn pass(clock: &Clock, ms: u64, living: &[&Node]) {
    const STEP_MS: u64 = TTL_MS / 10 + 1;
    for _ in 0..ms.div_ceil(STEP_MS) {
        let mut tables: Vec<_> = living.iter().map(|node| node.handle.members()).collect();
        clock.advance(STEP_MS);
        for table in &mut tables {
            soon("the table is read", table.changed()).await.unwrap();
        }
        // A read may come early; a renewal comes in its own time.
        for node in living {
            let renewed = async {
                while node.handle.0.lease.left_ms() + TTL_MS / 3 + STEP_MS < TTL_MS {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            };
            soon("the lease is renewed", renewed).await;
        }
        assert!(living.iter().all(|node| node.handle.in_force()));
    }
}

/// Moves the clock, together with renewals, until `victim` is gone.
async fn bury(clock: &Clock, victim: NodeSession, living: &[&Node]) {
    for _ in 0..20 {
        pass(clock, TTL_MS / 5, living).await;
        if living.iter().all(|node| !node.handle.is_alive(victim)) {
            return;
        }
    }
    panic!("it does not go");
}

#[tokio::test]
async fn nodes_see_each_other() {
    let (fleet, clock) = world();
    let (one, other) = (Node::join(&fleet, &clock).await, Node::join(&fleet, &clock).await);
    one.activations.store(9, Ordering::SeqCst);
    let session = one.handle.session();
    pass(&clock, TTL_MS, &[&one, &other]).await;
    let seen = other.handle.members().borrow().member(session).unwrap().info.clone();
    assert_eq!((seen.activations, seen.sockets, seen.draining), (9, 3, false));
    assert!(other.handle.is_alive(session));
    assert_ne!(session, other.handle.session());
}

#[tokio::test]
async fn a_node_freezes_at_its_ttl_and_thaws() {
    let (fleet, clock) = world();
    let node = Node::join(&fleet, &clock).await;
    let (session, thaws) = (node.handle.session(), node.thaws());
    node.cut_off(true);
    clock.advance(TTL_MS * 9 / 10);
    assert!(node.handle.in_force(), "a lease runs for a TTL");
    clock.advance(TTL_MS / 10);
    assert!(!node.handle.in_force(), "and no longer");
    node.frozen().await;
    node.cut_off(false);
    assert_eq!(node.held().await, session, "no one declared it dead");
    assert!(node.handle.in_force());
    assert_eq!(node.thaws(), thaws + 1);
    let frozen_ms = node.handle.frozen_ms();
    assert!(frozen_ms > 0 && frozen_ms < TTL_MS, "it was frozen for {frozen_ms} ms");
    assert_eq!(node.handle.stats().freezes.get(), 1);
}

#[tokio::test]
async fn neither_the_first_lease_nor_the_last_is_a_freeze() {
    let (fleet, clock) = world();
    let node = Node::join(&fleet, &clock).await;
    let state = node.handle.state();
    soon("it leaves", node.handle.leave()).await;
    assert_eq!(*state.borrow(), LeaseState::Frozen);
    assert_eq!((node.handle.stats().freezes.get(), node.handle.frozen_ms()), (0, 0));
}

#[tokio::test]
async fn who_was_stopped_sees_itself_frozen_first() {
    let (fleet, clock) = world();
    let node = Node::join(&fleet, &clock).await;
    let thaws = node.thaws();
    node.cut_off(true);
    clock.advance(TTL_MS);
    assert!(!node.handle.in_force(), "before any task of the node has run");
    assert!(!node.handle.post(1, Post::NotHere { actor: "player:a".parse().unwrap() }));
    assert!(!node.handle.drives(0));
    node.cut_off(false);
    let mut state = node.handle.state();
    let thawed =
        state.wait_for(|state| matches!(state, LeaseState::Held { thaw, .. } if *thaw > thaws));
    soon("it thaws, and says so", thawed).await.unwrap();
    assert_eq!(node.handle.stats().freezes.get(), 1, "it was not stopped unnoticed");
}

#[tokio::test]
async fn who_was_declared_dead_takes_a_new_session() {
    let (fleet, clock) = world();
    let (one, other) = (Node::join(&fleet, &clock).await, Node::join(&fleet, &clock).await);
    let session = one.handle.session();
    other.sees("the other", |table| table.member(session).is_some()).await;
    one.cut_off(true);
    let mut departures = other.handle.departures();
    assert_eq!(*departures.borrow(), 0);
    bury(&clock, session, &[&other]).await;
    soon("it is said", departures.wait_for(|count| *count == 1)).await.unwrap();
    assert!(!one.handle.in_force());
    one.frozen().await;
    one.cut_off(false);
    let fresh = one.held().await;
    assert_ne!(fresh, session);
    assert_eq!(one.handle.session(), fresh);
    pass(&clock, TTL_MS / 5, &[&one, &other]).await;
    assert!(other.handle.is_alive(fresh));
    assert!(!other.handle.is_alive(session));
    let (lost, reaped) = (one.handle.stats(), other.handle.stats());
    assert_eq!((lost.freezes.get(), lost.sessions_lost.get(), lost.reaped.get()), (1, 1, 0));
    assert_eq!((reaped.freezes.get(), reaped.sessions_lost.get(), reaped.reaped.get()), (0, 0, 1));
}

#[tokio::test]
async fn an_outage_of_the_store_is_no_ones_death() {
    let (fleet, clock) = world();
    let nodes = [
        Node::join(&fleet, &clock).await,
        Node::join(&fleet, &clock).await,
        Node::join(&fleet, &clock).await,
    ];
    let sessions: Vec<_> = nodes.iter().map(|node| node.handle.session()).collect();
    clock.advance(TTL_MS / 5);
    for node in &nodes {
        node.sees("everyone", |table| table.members().count() == 3).await;
        node.cut_off(true);
    }
    for _ in 0..10 {
        clock.advance(TTL_MS);
        for node in &nodes {
            node.frozen().await;
            assert!(sessions.iter().all(|session| node.handle.is_alive(*session)));
        }
    }
    // One after another comes back, the last more than two reads later.
    let [first, second, third] = &nodes;
    first.cut_off(false);
    first.held().await;
    pass(&clock, TTL_MS / 5 * 4, &[first]).await;
    second.cut_off(false);
    third.cut_off(false);
    for (node, session) in nodes.iter().zip(&sessions) {
        assert_eq!(node.held().await, *session);
    }
    pass(&clock, TTL_MS, &[first, second, third]).await;
    assert!(nodes.iter().all(|node| *node.handle.departures().borrow() == 0));
}

#[tokio::test]
async fn who_leaves_is_gone_at_once() {
    let (fleet, clock) = world();
    let (one, other) = (Node::join(&fleet, &clock).await, Node::join(&fleet, &clock).await);
    let session = one.handle.session();
    clock.advance(TTL_MS / 5);
    other.sees("the other", |table| table.member(session).is_some()).await;
    soon("it leaves", one.handle.leave()).await;
    assert!(!one.handle.in_force());
    assert_eq!(*one.handle.state().borrow(), LeaseState::Frozen);
    clock.advance(TTL_MS / 5);
    other.loses(session).await;
}

#[tokio::test]
async fn a_session_no_one_has_heard_of_is_dead_after_a_read() {
    let (fleet, clock) = world();
    let node = Node::join(&fleet, &clock).await;
    node.sees("itself", |table| table.members().count() == 1).await;
    assert!(node.handle.is_alive(77), "it may have joined since the last read");
    pass(&clock, TTL_MS / 5, &[&node]).await;
    assert!(!node.handle.is_alive(77));
    node.cut_off(true);
    clock.advance(TTL_MS * 3);
    assert!(!node.handle.is_alive(77));
    assert!(node.handle.is_alive(78), "no read can tell");
}

#[tokio::test]
async fn partitions_are_shared_by_who_can_drive() {
    let (fleet, clock) = world();
    let (one, other) = (Node::join(&fleet, &clock).await, Node::join(&fleet, &clock).await);
    clock.advance(TTL_MS / 5);
    for node in [&one, &other] {
        node.sees("both", |table| table.members().count() == 2).await;
    }
    let driven = |node: &Node| (0..64).filter(|partition| node.handle.drives(*partition)).count();
    assert!((0..64).all(|at| one.handle.drives(at) != other.handle.drives(at)));
    assert!(driven(&one) > 0 && driven(&other) > 0);
    other.draining.store(true, Ordering::SeqCst);
    let session = other.handle.session();
    pass(&clock, TTL_MS, &[&one, &other]).await;
    assert!(one.handle.members().borrow().member(session).unwrap().info.draining);
    assert_eq!((driven(&one), driven(&other)), (64, 0));
}

#[tokio::test]
async fn after_the_shutdown_a_node_is_frozen_for_good() {
    let (fleet, clock) = world();
    let shutdown = CancellationToken::new();
    let (port, vitals): (_, Vitals) = (Arc::new(fleet.clone()), Arc::new(Vital::default));
    let handle = start(Config::default(), port, vitals, clock, shutdown.clone()).unwrap();
    soon("it is held", handle.held()).await;
    shutdown.cancel();
    let mut state: watch::Receiver<_> = handle.state();
    soon("it freezes", state.wait_for(|state| *state == LeaseState::Frozen)).await.unwrap();
    assert!(!handle.in_force());
    assert_eq!(fleet.members().await.unwrap().len(), 1, "its lease runs out by itself");
    soon("leaving has nothing to do", handle.leave()).await;
}
