//! Servers that belong together: a primary with its replica, Sentinels around them, a Cluster of
//! three primaries and three replicas. What is started is ready: replicas are in step, Sentinels
//! know each other, every slot is served.

use super::{
    Aof, GATEWAY, OPERATOR, REPLICA, Redis, SENTINEL, Setup, eventually, free_port, store_url,
    words,
};
use crate::support::PATIENCE;

/// The name under which Sentinels watch the primary.
pub const WATCHED: &str = "world";
/// Slots of a Cluster.
const SLOTS: usize = 16_384;
/// Silence after which Sentinels and Cluster nodes call a server down, ms.
const DOWN_AFTER_MS: &str = "1000";

/// A primary and a replica that is in step with it.
pub struct Pair {
    pub primary: Redis,
    pub replica: Redis,
}

impl Pair {
    /// Two plain servers.
    pub async fn start(aof: Aof) -> Self {
        Self::with(&Setup::plain(aof)).await
    }

    /// Two servers set up alike.
    pub async fn with(setup: &Setup) -> Self {
        let setup = match setup.operator {
            None => setup.clone(),
            Some(_) => setup.clone().with(&[
                "--masteruser",
                REPLICA.name,
                "--masterauth",
                REPLICA.password,
            ]),
        };
        let primary = Redis::start(setup.clone()).await;
        let port = primary.port().to_string();
        let follow = format!("127.0.0.1 {port}");
        let replica = Redis::start(setup.with(&["--replicaof", &follow])).await;
        let pair = Self { primary, replica };
        in_step(&pair.replica).await;
        pair
    }

    /// Makes the replica the primary, while the old one may live.
    pub async fn promote(&self) {
        let _: String = self.replica.ask(&["REPLICAOF", "NO", "ONE"]).await;
    }

    /// Makes the old primary follow the new one.
    pub async fn demote(&self) {
        let port = self.replica.port().to_string();
        let _: String = self.primary.ask(&["REPLICAOF", "127.0.0.1", &port]).await;
        in_step(&self.primary).await;
    }
}

/// Waits until a replica's link to its primary is up.
async fn in_step(replica: &Redis) {
    eventually("a replica in step", PATIENCE, async || {
        (replica.info("master_link_status").await? == "up").then_some(())
    })
    .await;
}

/// A pair watched by three Sentinels.
pub struct Sentinels {
    pub pair: Pair,
    pub sentinels: Vec<Redis>,
    setup: Setup,
}

impl Sentinels {
    /// Around two plain servers.
    pub async fn start(aof: Aof) -> Self {
        Self::with(&Setup::plain(aof)).await
    }

    /// Around two servers set up alike. Sentinels themselves have no users.
    pub async fn with(setup: &Setup) -> Self {
        let pair = Pair::with(setup).await;
        let mut lines = format!(
            "sentinel monitor {WATCHED} 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds {WATCHED} {DOWN_AFTER_MS}\n\
             sentinel failover-timeout {WATCHED} 5000\n",
            pair.primary.port()
        );
        if setup.operator.is_some() {
            let (user, password) = (SENTINEL.name, SENTINEL.password);
            lines += &format!("sentinel auth-user {WATCHED} {user}\n");
            lines += &format!("sentinel auth-pass {WATCHED} {password}\n");
        }
        let own = Setup { tls: setup.tls.clone(), ..Setup::default() };
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(Redis::watch(&lines, own.clone()).await);
        }
        let all = Self { pair, sentinels, setup: setup.clone() };
        for sentinel in &all.sentinels {
            eventually("Sentinels that know everyone", PATIENCE, async || {
                let state = master(sentinel).await?;
                let is = |name, value: &str| state.get(name).is_some_and(|found| found == value);
                let ready = is("num-slaves", "1") && is("num-other-sentinels", "2");
                (ready && is("flags", "master")).then_some(())
            })
            .await;
        }
        all
    }

    /// The address for `--store`.
    pub fn url(&self) -> String {
        let servers: Vec<String> = self.sentinels.iter().map(Redis::address).collect();
        let (tls, user) = (self.setup.tls.is_some(), self.setup.gateway);
        store_url("redis+sentinel", tls, user, &servers, &format!("/{WATCHED}"))
    }

    /// The port of the primary that most Sentinels name.
    pub async fn primary_port(&self) -> Option<u16> {
        let mut named = Vec::new();
        for sentinel in &self.sentinels {
            let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", WATCHED];
            let found: Vec<String> = sentinel.try_ask(&words).await.ok()?;
            named.push(found.get(1)?.parse::<u16>().ok()?);
        }
        named.sort_unstable();
        let middle = *named.get(1)?;
        (named.iter().filter(|port| **port == middle).count() >= 2).then_some(middle)
    }

    /// Waits until this server is what Sentinels name, and it says so itself.
    pub async fn promoted(&self, server: &Redis) {
        eventually("a promoted replica", PATIENCE, async || {
            let named = self.primary_port().await? == server.port();
            (named && server.info("role").await? == "master").then_some(())
        })
        .await;
    }

    /// Asks for a failover while everybody is well, and waits for its end.
    pub async fn fail_over(&self) {
        let _: String = self.sentinels[0].ask(&["SENTINEL", "FAILOVER", WATCHED]).await;
        self.promoted(&self.pair.replica).await;
    }
}

async fn master(sentinel: &Redis) -> Option<std::collections::HashMap<String, String>> {
    sentinel.try_ask(&["SENTINEL", "MASTER", WATCHED]).await.ok()
}

/// Three primaries, then their three replicas in the same order.
pub struct Cluster {
    pub nodes: Vec<Redis>,
    setup: Setup,
}

impl Cluster {
    /// Six plain servers.
    pub async fn start(aof: Aof) -> Self {
        Self::with(&Setup::plain(aof)).await
    }

    /// Six servers set up alike.
    pub async fn with(setup: &Setup) -> Self {
        let mut node = setup.clone().with(&[
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes.conf",
            "--cluster-node-timeout",
            DOWN_AFTER_MS,
        ]);
        if setup.operator.is_some() {
            node = node.with(&["--masteruser", REPLICA.name, "--masterauth", REPLICA.password]);
        }
        let (mut nodes, mut buses) = (Vec::new(), Vec::new());
        for _ in 0..6 {
            let bus = free_port().to_string();
            nodes.push(Redis::start(node.clone().with(&["--cluster-port", &bus])).await);
            buses.push(bus);
        }
        let cluster = Self { nodes, setup: setup.clone() };
        cluster.join(&buses).await;
        cluster
    }

    async fn join(&self, buses: &[String]) {
        for (at, node) in self.nodes.iter().enumerate() {
            let epoch = (at + 1).to_string();
            let _: String = node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
        }
        for (at, node) in self.nodes.iter().take(3).enumerate() {
            let (from, to) = (at * SLOTS / 3, (at + 1) * SLOTS / 3 - 1);
            let range = [from.to_string(), to.to_string()];
            let _: String = node.ask(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]).await;
        }
        for (node, bus) in self.nodes.iter().zip(buses).skip(1) {
            let meet = ["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), bus];
            let _: String = self.nodes[0].ask(&meet).await;
        }
        for node in &self.nodes {
            eventually("nodes that know each other", PATIENCE, async || {
                let known = field(node, "cluster_known_nodes").await?;
                (known == "6").then_some(())
            })
            .await;
        }
        for (primary, replica) in self.nodes.iter().zip(self.nodes.iter().skip(3)) {
            let id: String = primary.ask(&["CLUSTER", "MYID"]).await;
            eventually("a primary that its replica knows", PATIENCE, async || {
                replica.try_ask::<String>(&["CLUSTER", "REPLICATE", &id]).await.ok()
            })
            .await;
        }
        for replica in self.nodes.iter().skip(3) {
            in_step(replica).await;
        }
        self.well().await;
    }

    /// Waits until every living node sees every slot served.
    pub async fn well(&self) {
        for node in self.nodes.iter().filter(|node| node.is_up()) {
            eventually("a cluster that is well", PATIENCE, async || {
                (field(node, "cluster_state").await? == "ok").then_some(())
            })
            .await;
        }
    }

    /// The address for `--store`.
    pub fn url(&self) -> String {
        let servers: Vec<String> = self.nodes.iter().map(Redis::address).collect();
        let (tls, user) = (self.setup.tls.is_some(), self.setup.gateway);
        store_url("redis+cluster", tls, user, &servers, "")
    }

    /// The first three, primaries as long as none fails.
    pub fn primaries(&self) -> &[Redis] {
        &self.nodes[..3]
    }

    /// Begins to move the slot of a key to the next primary, as `redis-cli --cluster reshard`
    /// does.
    pub async fn begin_move(&self, key: &str) -> Move<'_> {
        let from = self.primary_of(key).await;
        let at = self.primaries().iter().position(|node| node.port() == from.port());
        let to = &self.nodes[(at.expect("a first primary") + 1) % 3];
        let slot: u16 = from.ask(&["CLUSTER", "KEYSLOT", key]).await;
        let moving = Move { cluster: self, slot: slot.to_string(), from, to };
        moving.set(to, "IMPORTING", from).await;
        moving.set(from, "MIGRATING", to).await;
        moving
    }

    /// The primary that serves a key, by what a living node says.
    pub async fn primary_of(&self, key: &str) -> &Redis {
        let living = self.nodes.iter().find(|node| node.is_up()).expect("a living node");
        let slot: u16 = living.ask(&["CLUSTER", "KEYSLOT", key]).await;
        let rows: Vec<redis::Value> = living.ask(&["CLUSTER", "SLOTS"]).await;
        let port = rows.iter().find_map(|row| owner(row, slot)).expect("an owner of the slot");
        self.nodes.iter().find(|node| node.port() == port).expect("one of our nodes")
    }

    /// Waits until this node is a primary.
    pub async fn promoted(&self, node: &Redis) {
        eventually("a promoted replica", PATIENCE, async || {
            (node.info("role").await? == "master").then_some(())
        })
        .await;
    }
}

/// A slot on its way from one primary to another.
pub struct Move<'a> {
    cluster: &'a Cluster,
    slot: String,
    from: &'a Redis,
    to: &'a Redis,
}

impl Move<'_> {
    /// Tells a node how the slot stands to another one.
    async fn set(&self, at: &Redis, state: &str, other: &Redis) {
        let id: String = other.ask(&["CLUSTER", "MYID"]).await;
        let _: String = at.ask(&["CLUSTER", "SETSLOT", &self.slot, state, &id]).await;
    }

    /// Moves at most so many of its keys; returns how many.
    pub async fn carry(&self, most: usize) -> usize {
        let ask = ["CLUSTER", "GETKEYSINSLOT", &self.slot, &most.to_string()];
        let keys: Vec<String> = self.from.ask(&ask).await;
        if keys.is_empty() {
            return 0;
        }
        let port = self.to.port().to_string();
        let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        migrate.extend(keys.iter().map(String::as_str));
        let _: String = self.from.ask(&migrate).await;
        keys.len()
    }

    /// Gives the slot, whose keys are all there, to its new primary: the new one learns it first,
    /// then the old one, then the others.
    pub async fn end(self) {
        self.set(self.to, "NODE", self.to).await;
        self.set(self.from, "NODE", self.to).await;
        for other in self.cluster.primaries() {
            if ![self.from.port(), self.to.port()].contains(&other.port()) {
                self.set(other, "NODE", self.to).await;
            }
        }
    }
}

/// The port of the primary in a row of `CLUSTER SLOTS`, if the slot is in it.
fn owner(row: &redis::Value, slot: u16) -> Option<u16> {
    let [from, to, primary, ..] = row.as_sequence()? else { return None };
    let bound = |value| redis::from_redis_value_ref::<u16>(value).ok();
    let range = bound(from)?..=bound(to)?;
    let port = redis::from_redis_value_ref(primary.as_sequence()?.get(1)?).ok()?;
    range.contains(&slot).then_some(port)
}

/// A field of `CLUSTER INFO`.
async fn field(node: &Redis, name: &str) -> Option<String> {
    let text: String = node.try_ask(&["CLUSTER", "INFO"]).await.ok()?;
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.map(|value| value.trim().to_owned())
}

#[test]
fn an_address_names_user_servers_and_watched_primary() {
    let servers = words(&["127.0.0.1:1", "127.0.0.1:2"]);
    let url = store_url("redis+sentinel", true, Some(GATEWAY), &servers, "/world");
    let wanted = "rediss+sentinel://holdfast:change-this-password@127.0.0.1:1,127.0.0.1:2/world";
    assert_eq!(url, wanted);
    assert_eq!(store_url("redis", false, None, &servers[..1], ""), "redis://127.0.0.1:1");
    assert_ne!(OPERATOR.password, GATEWAY.password);
}
