//! Several nodes in one process: runtimes of toys over one store and one fleet. Each reaches the
//! fleet through a door of its own, which a test can shut.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use holdfast::actor::activity::Activities;
use holdfast::actor::contract::Origin;
use holdfast::actor::envelope::{Answered, Call, CallError};
use holdfast::actor::fleet::{self, FleetHandle};
use holdfast::actor::handle::{self, Runtime};
use holdfast::actor::record::Formats;
use holdfast::clock::Clock;
use holdfast::store::memory::fleet::MemoryFleet;
use holdfast::store::{NodeSession, Store};
use holdfast_protocol::ids::ActorId;
use tokio_util::sync::CancellationToken;

use crate::inproc::SOON;
use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;
use crate::toy::{Order, alone, start_in, toy};

/// How long a lease runs. Long enough that a busy machine does not freeze a node by itself.
pub const TTL_MS: u64 = 1_500;

/// What the nodes share.
pub struct City {
    pub clock: Clock,
    pub store: Bent,
    pub fleet: MemoryFleet,
}

/// How a node differs from the others.
#[derive(Clone)]
pub struct Plan {
    pub runtime: handle::Config,
    /// What its version reads, and can write.
    pub formats: (Formats, Formats),
}

impl Default for Plan {
    fn default() -> Self {
        Self { runtime: alone(), formats: (Formats::READS, Formats::WRITES) }
    }
}

/// One node.
pub struct House {
    pub runtime: Runtime,
    pub handle: FleetHandle,
    door: MemoryFleet,
    stop: CancellationToken,
}

impl City {
    /// Without anyone who is due, unless the test wants it.
    pub fn new() -> Self {
        Self::on(Clock::system(), TTL_MS)
    }

    /// On a clock that the test may move, with leases of that length.
    pub fn on(clock: Clock, ttl_ms: u64) -> Self {
        let store = Bent::new(&clock);
        Bent::turn(&store.switches().no_due, true);
        let fleet = MemoryFleet::new(clock.clone(), ttl_ms);
        Self { clock, store, fleet }
    }

    /// A node that holds its lease.
    pub async fn house(&self, name: &str) -> House {
        self.build(name, &Plan::default()).await
    }

    /// A node of that kind, which holds its lease.
    pub async fn build(&self, name: &str, plan: &Plan) -> House {
        self.open(name, plan, self.fleet.door()).await.expect("to join the others")
    }

    /// A node behind that door, unless it does not join the others.
    pub async fn open(&self, name: &str, plan: &Plan, door: MemoryFleet) -> Result<House, String> {
        House::over(self.store.shared(), door, &self.clock, plan, name).await
    }

    /// Moves the clock in steps that every one of these nodes follows with a renewal.
    pub async fn pass(&self, ms: u64, houses: &[&House]) {
        let step_ms = houses[0].handle.ttl_ms() / 10 + 1;
        for _ in 0..ms.div_ceil(step_ms) {
            let mut tables: Vec<_> = houses.iter().map(|house| house.handle.members()).collect();
            self.clock.advance(step_ms);
            for table in &mut tables {
                let read = tokio::time::timeout(SOON, table.changed()).await;
                read.expect("a read of the lease table").unwrap();
            }
        }
    }

    pub async fn owner(&self, key: &str) -> Option<NodeSession> {
        let owners = self.store.owners(vec![toy(key)]).await.unwrap();
        owners[0].map(|owner| owner.session)
    }
}

impl House {
    /// A node behind its door to the fleet, over its own way to the store.
    pub async fn over(
        store: Arc<dyn Store>,
        door: MemoryFleet,
        clock: &Clock,
        plan: &Plan,
        name: &str,
    ) -> Result<Self, String> {
        let stop = CancellationToken::new();
        let (reads, writes) = plan.formats;
        let config = fleet::Config { name: name.into(), reads, writes, ..Default::default() };
        let vitals = Arc::new(fleet::Vital::default);
        let ways = Arc::new(door.clone());
        let handle = fleet::start(config, ways, vitals, clock.clone(), stop.clone()).unwrap();
        handle.joined().await?;
        let (config, activities) = (&plan.runtime, Activities::default());
        let runtime = start_in(store, clock, activities, config, Some(handle.clone()));
        Ok(Self { runtime, handle, door, stop })
    }

    pub fn session(&self) -> NodeSession {
        self.handle.session()
    }

    /// Shuts or opens its way to the fleet.
    pub fn cut_off(&self, cut: bool) {
        self.door.faults().cut_off.store(cut, Ordering::SeqCst);
    }

    /// What it sends is lost from now on, and it does not know.
    pub fn lose_mail(&self, lose: bool) {
        self.door.faults().loses_mail.store(lose, Ordering::SeqCst);
    }

    pub async fn frozen(&self) {
        let frozen = async || (!self.handle.in_force()).then_some(());
        eventually("the node to freeze", PATIENCE, frozen).await;
    }

    /// It is dead to the others: it does nothing more and renews no lease.
    pub fn kill(&self) {
        self.cut_off(true);
        self.stop.cancel();
    }

    /// Waits until this node knows that a session is dead.
    pub async fn buries(&self, dead: NodeSession) {
        let buried = async || (!self.handle.is_alive(dead)).then_some(());
        eventually("the dead to be declared dead", PATIENCE, buried).await;
    }

    pub async fn drain(self) {
        self.runtime.drain().await;
        self.stop.cancel();
    }
}

/// A command under a caller's key.
pub async fn order_once(
    rt: &Runtime,
    id: &ActorId,
    order: &Order,
    key: &str,
) -> Result<Answered, CallError> {
    let payload: Bytes = serde_json::to_vec(order).unwrap().into();
    let call = Call {
        origin: Origin::Service,
        key: Some(key.into()),
        payload,
        creates: true,
        signal: false,
    };
    tokio::time::timeout(SOON, rt.call(id, call)).await.expect("no answer in time")
}
