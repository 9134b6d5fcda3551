//! Finds the servers that an address means: itself, the primary that Sentinels name, the primaries
//! of a Cluster.

use std::collections::BTreeSet;

use redis::Value;
use redis::aio::MultiplexedConnection;

use super::ask::{ask, dial, fields};
use super::facts::{Facts, Fields, Kind};
use crate::store::redis::address::{Address, Login, Node, written};
use crate::store::redis::connect::Connector;

/// The primaries to look at; what was learned on the way is in `facts`.
pub(super) async fn primaries(
    connector: &Connector,
    address: &Address,
    facts: &mut Facts,
) -> Result<Vec<Node>, String> {
    match address {
        Address::Single { at, .. } => Ok(vec![at.clone()]),
        Address::Sentinel { sentinels, service, sentinel_login, .. } => {
            facts.kind = Kind::Sentinel;
            for at in sentinels {
                match sentinel(connector, at, sentinel_login, service).await {
                    Ok(said) => drop(facts.sentinels.insert(written(at), said)),
                    Err(why) => facts.silent.push((written(at), why)),
                }
            }
            named(facts).ok_or_else(|| {
                let reasons: Vec<&str> = facts.silent.iter().map(|(_, why)| why.as_str()).collect();
                format!("no Sentinel names a primary of {service}: {}", reasons.join("; "))
            })
        }
        Address::Cluster { seeds, .. } => {
            facts.kind = Kind::Cluster;
            cluster(connector, seeds, facts).await
        }
    }
}

async fn sentinel(
    connector: &Connector,
    at: &Node,
    login: &Login,
    service: &str,
) -> Result<Fields, String> {
    let mut connection = dial(&connector.with_login(login), at).await?;
    ask(&mut connection, &["SENTINEL", "MASTER", service]).await
}

/// The primary that most Sentinels name.
fn named(facts: &Facts) -> Option<Vec<Node>> {
    let node = |said: &Fields| Some((said.get("ip")?.clone(), said.get("port")?.parse().ok()?));
    let all: Vec<Node> = facts.sentinels.values().filter_map(node).collect();
    let votes = |candidate: &Node| all.iter().filter(|node| *node == candidate).count();
    all.iter().max_by_key(|candidate| votes(candidate)).map(|node| vec![node.clone()])
}

async fn cluster(
    connector: &Connector,
    seeds: &[Node],
    facts: &mut Facts,
) -> Result<Vec<Node>, String> {
    let mut reasons = Vec::new();
    for seed in seeds {
        let asked = async {
            let mut connection = dial(connector, seed).await?;
            shards(&mut connection, seed).await
        };
        match asked.await {
            Ok((state, primaries)) => {
                facts.cluster = state;
                // Without any slot there is still the node itself to look at.
                let none = primaries.is_empty();
                return Ok(if none { vec![seed.clone()] } else { primaries });
            }
            Err(why) => reasons.push(why),
        }
    }
    Err(format!("no node of the cluster answers: {}", reasons.join("; ")))
}

async fn shards(
    connection: &mut MultiplexedConnection,
    seed: &Node,
) -> Result<(Fields, Vec<Node>), String> {
    let info = fields(&ask::<String>(connection, &["INFO", "cluster"]).await?);
    if info.get("cluster_enabled").map(String::as_str) != Some("1") {
        return Ok((Fields::new(), Vec::new()));
    }
    let state = fields(&ask::<String>(connection, &["CLUSTER", "INFO"]).await?);
    let rows: Vec<Value> = ask(connection, &["CLUSTER", "SLOTS"]).await?;
    let primaries: BTreeSet<Node> = rows.iter().filter_map(|row| primary(row, seed)).collect();
    Ok((state, primaries.into_iter().collect()))
}

/// The primary of a row of `CLUSTER SLOTS`; without a host it is the one that was asked.
fn primary(row: &Value, seed: &Node) -> Option<Node> {
    let [_, _, primary, ..] = row.as_sequence()? else { return None };
    let [host, port, ..] = primary.as_sequence()? else { return None };
    let host: Option<String> = redis::from_redis_value_ref(host).ok()?;
    let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| seed.0.clone());
    Some((host, redis::from_redis_value_ref(port).ok()?))
}
