//! One node among others: the store's port between nodes, adapted to what the runtime and the edge
//! ask for.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use holdfast_protocol::ids::{ActorId, PlayerId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::websocket_url;
use crate::actor::fleet::{self, FleetHandle, LeaseState, Table, Vital};
use crate::actor::handle::Runtime;
use crate::clock::Clock;
use crate::config::Settings;
use crate::gateway::{self, Directory, Live, NodeRow, Peer, Relay, Standing, relay};
use crate::store::fleet::{Fleet, Heard, Member};
use crate::store::{self, Store};
use crate::telemetry::measured::Stall;

/// News that wait for the store; more are dropped, and their readers notice the gap. I7.
const NEWS_LEN_MAX: usize = 4_096;
/// What the edge has not read yet of others' news. I7.
const HEARD_LEN_MAX: usize = 4_096;

/// Who can say how busy this node is; filled once both parts run.
pub(super) type Busy = Arc<OnceLock<(Runtime, gateway::Handle)>>;

/// This node's part in the world that it shares with others.
pub(super) struct Shared {
    pub port: Arc<dyn Fleet>,
    pub handle: FleetHandle,
}

impl Shared {
    /// Takes a lease and waits for it.
    pub async fn join(
        settings: &Settings,
        address: String,
        port: Arc<dyn Fleet>,
        busy: &Busy,
        clock: &Clock,
        stop: CancellationToken,
    ) -> Result<Self, store::Error> {
        let config = fleet::Config { name: settings.node.clone(), address, ..Default::default() };
        let busy = Arc::clone(busy);
        let vitals = Arc::new(move || {
            busy.get().map_or_else(Vital::default, |(runtime, edge)| Vital {
                activations: runtime.stats().activations.get(),
                sockets: edge.connections_len() as u64,
                draining: edge.is_draining(),
            })
        });
        let handle = fleet::start(config, Arc::clone(&port), vitals, clock.clone(), stop.clone())?;
        if let Err(why) = handle.joined().await {
            stop.cancel();
            return Err(store::Error::Open(why));
        }
        Ok(Self { port, handle })
    }

    /// The other nodes, as the edge shows them to clients.
    pub fn live(&self, tasks: &TaskTracker, stop: CancellationToken) -> watch::Receiver<Arc<Live>> {
        let (handle, mut table) = (self.handle.clone(), self.handle.members());
        let first = Arc::new(live_now(&handle, &table.borrow()));
        let (sender, live) = watch::channel(first);
        let follow = async move {
            while table.changed().await.is_ok() {
                let now = Arc::new(live_now(&handle, &table.borrow_and_update()));
                sender.send_if_modified(|before| {
                    let other = **before != *now;
                    if other {
                        *before = now;
                    }
                    other
                });
            }
        };
        tasks.spawn(async move { stop.run_until_cancelled(follow).await });
        live
    }

    /// Which nodes hold what.
    pub fn directory(&self, store: Arc<dyn Store>) -> Arc<dyn Directory> {
        Arc::new(Nodes { port: Arc::clone(&self.port), handle: self.handle.clone(), store })
    }

    /// What carries the news of rooms.
    pub fn relay(&self, tasks: &TaskTracker, stop: CancellationToken) -> Arc<dyn Relay> {
        let (news, mut waiting) = mpsc::channel::<(String, Bytes)>(NEWS_LEN_MAX);
        let port = Arc::clone(&self.port);
        let carry = async move {
            while let Some((topic, bytes)) = waiting.recv().await {
                if let Err(error) = port.publish(&topic, bytes).await {
                    debug!(topic, %error, "news of a room were lost");
                }
            }
        };
        tasks.spawn(async move { stop.run_until_cancelled(carry).await });
        Arc::new(News { port: Arc::clone(&self.port), news })
    }
}

/// Whether this node may serve: its lease is in force, where it needs one, and appends get through.
pub(super) fn standing(
    shared: Option<&Shared>,
    mut trouble: watch::Receiver<Option<Stall>>,
    clock: &Clock,
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> watch::Receiver<Standing> {
    let mut lease = shared.map(|shared| shared.handle.state());
    let (sender, standing) = watch::channel(Standing::Serving);
    let (clock, stop) = (clock.clone(), stop.clone());
    let follow = async move {
        loop {
            let frozen = lease
                .as_mut()
                .is_some_and(|lease| *lease.borrow_and_update() == LeaseState::Frozen);
            let stall = *trouble.borrow_and_update();
            let held = stall.filter(|stall| stall.lasts(clock.now_ms()));
            sender.send_if_modified(|standing| {
                let before = *standing;
                *standing = match (frozen, before, held) {
                    (true, Standing::Frozen(since_ms), _) => Standing::Frozen(since_ms),
                    (true, ..) => Standing::Frozen(clock.now_ms()),
                    (false, _, Some(stall)) => Standing::Held(stall.since_ms),
                    (false, _, None) => Standing::Serving,
                };
                *standing != before
            });
            let thawed = async {
                match &mut lease {
                    Some(lease) => lease.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            let goes_on = tokio::select! {
                goes_on = thawed => goes_on,
                changed = trouble.changed() => changed.is_ok(),
                () = clock.sleep_ms(Stall::OVER_MS), if held.is_some() => true,
            };
            if !goes_on {
                return;
            }
        }
    };
    tasks.spawn(async move { stop.run_until_cancelled(follow).await });
    standing
}

fn live_now(handle: &FleetHandle, table: &Table) -> Live {
    let own = handle.session();
    let alive = |member: &&Member| !member.expired && member.info.session != own;
    let peer = |member: &Member| Peer {
        session: member.info.session,
        url: websocket_url(&member.info.address),
        draining: member.info.draining,
    };
    Live { own, others: table.members().filter(alive).map(peer).collect() }
}

/// The lease table and the owners of actors, for HTTP.
#[derive(Debug)]
struct Nodes {
    port: Arc<dyn Fleet>,
    handle: FleetHandle,
    store: Arc<dyn Store>,
}

impl Directory for Nodes {
    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeRow>, String>> {
        async move {
            let members = self.port.members().await.map_err(|error| error.to_string())?;
            let row = |member: Member| NodeRow {
                node: member.info.name,
                session: member.info.session,
                address: member.info.address,
                version: member.info.version,
                lease_age_ms: Some(member.age_ms),
                alive: !member.expired,
                draining: member.info.draining,
                activations: member.info.activations,
                sockets: member.info.sockets,
            };
            let mut rows: Vec<_> = members.into_iter().map(row).collect();
            rows.sort_by(|a, b| a.node.cmp(&b.node));
            Ok(rows)
        }
        .boxed()
    }

    fn holder(&self, player: &PlayerId) -> BoxFuture<'_, Result<Option<String>, String>> {
        let actor = ActorId::player(player);
        async move {
            let owners = self.store.owners(vec![actor]).await.map_err(|error| error.to_string())?;
            let Some(owner) = owners.into_iter().next().flatten() else { return Ok(None) };
            let table = self.handle.members();
            let table = table.borrow();
            let of = |member: &&Member| member.info.session == owner.session && !member.expired;
            Ok(table.members().find(of).map(|member| member.info.name.clone()))
        }
        .boxed()
    }
}

/// News of rooms over the store's topics.
#[derive(Debug)]
struct News {
    port: Arc<dyn Fleet>,
    news: mpsc::Sender<(String, Bytes)>,
}

impl Relay for News {
    fn publish(&self, topic: &str, bytes: Bytes) {
        if self.news.try_send((topic.to_owned(), bytes)).is_err() {
            debug!(topic, "news of a room were dropped: too much waits for the store");
        }
    }

    fn watch(&self, topics: mpsc::Receiver<(String, bool)>) -> mpsc::Receiver<relay::Heard> {
        let mut heard = self.port.watch(topics);
        let (sender, receiver) = mpsc::channel(HEARD_LEN_MAX);
        tokio::spawn(async move {
            while let Some(heard) = heard.recv().await {
                let heard = match heard {
                    Heard::Message { topic, bytes } => relay::Heard::Message { topic, bytes },
                    Heard::Lost => relay::Heard::Lost,
                };
                if sender.send(heard).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }
}
