//! A cluster's slots: which one a key's tag falls into, who serves it, and slots on the move.
//! Pure but for [`look`], which asks the cluster's nodes.
//!
//! The map of the node that knows the newest epoch is taken; nodes that were cut off are behind.

use std::time::Duration;

use futures::future::join_all;
use redis::{Pipeline, ServerErrorKind, Value};

use super::address::{Node, written};
use super::connect::{Connector, Purpose, field};
use super::link::Primary;

/// Slots of every cluster.
pub const SLOTS: u16 = 16_384;
const ANSWER_MAX: Duration = Duration::from_millis(500);

/// Primaries, and for a cluster the index of the one that serves each slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Map {
    /// Without repetition, in order of their addresses.
    pub nodes: Vec<Node>,
    /// [`SLOTS`] long for a cluster; empty where one primary serves everything.
    pub slots: Vec<Option<usize>>,
}

impl Map {
    /// One primary serves everything.
    #[must_use]
    pub fn of_one(at: Node) -> Self {
        Self { nodes: vec![at], slots: Vec::new() }
    }

    /// From ranges of slots, both ends included.
    #[must_use]
    pub fn of_ranges(ranges: &[(u16, u16, Node)]) -> Self {
        let mut nodes: Vec<Node> = ranges.iter().map(|(_, _, node)| node.clone()).collect();
        nodes.sort();
        nodes.dedup();
        let mut slots = vec![None; usize::from(SLOTS)];
        for (first, last, node) in ranges {
            let owner = nodes.binary_search(node).ok();
            for slot in slots.iter_mut().take(usize::from(*last) + 1).skip(usize::from(*first)) {
                *slot = owner;
            }
        }
        Self { nodes, slots }
    }
}

/// The slot of a hash tag: CRC16 (XMODEM), as the cluster specification has it.
#[must_use]
pub fn slot_of(tag: &str) -> u16 {
    crc16(tag.as_bytes()) % SLOTS
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

/// Where an `ASK` sends a command that was not run: the slot, and the server to ask. `from` is
/// the server that said so; it leaves out a host that is its own.
#[must_use]
pub fn asked(answer: &Value, from: &Node) -> Option<(u16, Node)> {
    let Value::ServerError(error) = answer else { return None };
    if error.kind() != Some(ServerErrorKind::Ask) {
        return None;
    }
    let (slot, node) = error.details()?.split_once(' ')?;
    let (host, port) = node.rsplit_once(':')?;
    Some((slot.parse().ok()?, (host_or(host, from), port.parse().ok()?)))
}

fn host_or(host: &str, from: &Node) -> String {
    if matches!(host, "" | "?") { from.0.clone() } else { host.to_owned() }
}

/// Asks every known primary for its map, and the seeds where none answers.
///
/// # Errors
/// A sentence, where no node gave a map.
pub async fn look(
    connector: &Connector,
    seeds: &[Node],
    primaries: &[std::sync::Arc<Primary>],
) -> Result<Map, String> {
    let asking = primaries.iter().map(|primary| async {
        let answer = tokio::time::timeout(ANSWER_MAX, primary.send_bulk(&questions())).await;
        View::parse(answer.ok()?.ok()?, &primary.at).ok()
    });
    let views = join_all(asking).await.into_iter().flatten();
    if let Some(view) = views.max_by_key(|view| (view.ok, view.epoch)) {
        return Ok(view.map);
    }
    let mut why = "no node of the cluster is named".to_owned();
    for seed in seeds {
        match ask_seed(connector, seed).await {
            Ok(view) => return Ok(view.map),
            Err(refused) => why = refused,
        }
    }
    Err(why)
}

fn questions() -> Pipeline {
    let mut questions = redis::pipe();
    questions.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS");
    questions
}

async fn ask_seed(connector: &Connector, seed: &Node) -> Result<View, String> {
    let mut connection = connector.open(seed, Purpose::Quick(ANSWER_MAX)).await?;
    let answers = connection.send_packed_commands(&questions(), 0, 2).await;
    View::parse(answers.map_err(|error| error.to_string())?, seed)
}

/// What one node thinks.
struct View {
    /// It counts itself to a cluster that serves.
    ok: bool,
    epoch: u64,
    map: Map,
}

type Serving = (u16, u16, Vec<Value>);

impl View {
    fn parse(answers: Vec<Value>, from: &Node) -> Result<Self, String> {
        let from_redis = |error: redis::ParsingError| format!("{}: {error}", written(from));
        let [info, slots] = <[Value; 2]>::try_from(answers).map_err(|_| "answers are missing")?;
        for answer in [&info, &slots] {
            if let Value::ServerError(error) = answer {
                return Err(format!("{} is no cluster's node: {error}", written(from)));
            }
        }
        let info: String = redis::from_redis_value(info).map_err(from_redis)?;
        let Value::Array(rows) = slots else { return Err("CLUSTER SLOTS is no list".into()) };
        let mut ranges = Vec::with_capacity(rows.len());
        for row in rows {
            let Value::Array(mut row) = row else { return Err("a row of slots is no list".into()) };
            row.truncate(3);
            let (first, last, node): Serving =
                redis::from_redis_value(Value::Array(row)).map_err(from_redis)?;
            let mut node = node.into_iter();
            let (host, port) = (node.next().unwrap_or_default(), node.next().unwrap_or_default());
            let host: Option<String> = redis::from_redis_value(host).map_err(from_redis)?;
            let port: u16 = redis::from_redis_value(port).map_err(from_redis)?;
            ranges.push((first, last, (host_or(&host.unwrap_or_default(), from), port)));
        }
        if ranges.is_empty() {
            return Err(format!("{} knows of no slot that is served", written(from)));
        }
        let epoch = field(&info, "cluster_current_epoch").and_then(|text| text.parse().ok());
        let ok = field(&info, "cluster_state") == Some("ok");
        Ok(Self { ok, epoch: epoch.unwrap_or(0), map: Map::of_ranges(&ranges) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc16_is_the_specifications() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
        assert_eq!(slot_of("foo"), 12_182);
        assert_eq!(slot_of("bar"), 5_061);
        assert_eq!(slot_of("hello"), 866);
    }

    #[test]
    fn a_map_gives_each_slot_its_server() {
        let (a, b) = (("a".to_owned(), 1), ("b".to_owned(), 2));
        let map =
            Map::of_ranges(&[(10, 12, b.clone()), (0, 9, a.clone()), (14, 16_383, a.clone())]);
        assert_eq!(map.nodes, [a, b]);
        let owners = [0, 9, 10, 12, 13, 14, 16_383].map(|slot: usize| map.slots[slot]);
        assert_eq!(owners, [Some(0), Some(0), Some(1), Some(1), None, Some(0), Some(0)]);
    }
}
