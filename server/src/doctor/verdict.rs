//! What durability the servers really give: for each fault, what an acknowledged command can lose.
//! Pure.
//!
//! A gateway that lives writes back what a server has lost. So what counts is what goes down
//! together, and what no gateway holds any more: an actor leaves a gateway's memory only when its
//! last record is 3 s old, or known to be safe.

use serde::Serialize;

use super::facts::{Facts, Kind, Persistence, Server};
use crate::store::durability::Durability;

/// One fault and what it may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What breaks.
    pub fault: &'static str,
    /// What acknowledged commands may be lost.
    pub lost: &'static str,
}

/// What is really given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The level that was asked for.
    pub asked: String,
    /// One paragraph.
    pub summary: String,
    /// By fault.
    pub faults: Vec<Row>,
}

const NOTHING: &str = "nothing";
const NOTHING_BACK: &str = "nothing: the gateways write back what it has forgotten";
const ALL: &str = "everything: the server comes back empty, and the nodes halt";
const COPY: &str = "nothing of players who are held by a gateway; the others are back at the last \
                    copy";
const THIRTY: &str = "nothing of players who are held by a gateway; of the others up to 30 s";
const LAG: &str = "what no replica had yet: usually milliseconds, after a split up to \
                   min-replicas-max-lag";

/// Whether the loss of a primary leads to a promotion.
fn fails_over(facts: &Facts) -> bool {
    let replicated = facts.servers.iter().all(|server| !server.replicas().is_empty());
    facts.kind != Kind::Single && replicated && !facts.servers.is_empty()
}

/// The worst of all primaries: the world is as safe as its weakest shard.
fn weakest(facts: &Facts) -> Persistence {
    let all = facts.servers.iter().map(Server::persistence);
    all.min().unwrap_or(Persistence::None)
}

fn process_crash(facts: &Facts) -> &'static str {
    match weakest(facts) {
        _ if fails_over(facts) => NOTHING_BACK,
        Persistence::None => ALL,
        Persistence::Snapshots => COPY,
        Persistence::Whenever | Persistence::EverySecond | Persistence::EveryWrite => NOTHING,
    }
}

fn machine_crash(facts: &Facts) -> &'static str {
    match weakest(facts) {
        _ if fails_over(facts) => NOTHING_BACK,
        Persistence::None => ALL,
        Persistence::Snapshots => COPY,
        Persistence::Whenever => THIRTY,
        Persistence::EverySecond => NOTHING_BACK,
        Persistence::EveryWrite => NOTHING,
    }
}

/// Primary's machine and a gateway at once: its players have no one who writes back.
fn both(facts: &Facts) -> &'static str {
    if fails_over(facts) {
        let most = facts.servers.iter().map(|server| server.replicas().len()).max().unwrap_or(0);
        return match facts.durability {
            Durability::Replicated(k) if usize::from(k) >= most => NOTHING,
            Durability::Replicated(_) => {
                "nothing where a replica is promoted that had confirmed; else what it did not have"
            }
            Durability::Stored | Durability::Fsynced => LAG,
        };
    }
    let synced = facts.durability == Durability::Fsynced
        && facts.servers.iter().all(Server::has_waitaof)
        && weakest(facts) >= Persistence::Whenever;
    match weakest(facts) {
        Persistence::EveryWrite => NOTHING,
        _ if synced => NOTHING,
        Persistence::None => ALL,
        Persistence::Snapshots => "everything since the last copy",
        Persistence::Whenever => "up to 30 s",
        Persistence::EverySecond => "the last second or two",
    }
}

/// The disk of one primary.
fn disk_loss(facts: &Facts) -> &'static str {
    if fails_over(facts) { both(facts) } else { "everything since the last backup" }
}

/// What the facts amount to.
#[must_use]
pub fn verdict(facts: &Facts) -> Verdict {
    let row = |fault, lost| Row { fault, lost };
    let faults = vec![
        row("a gateway", NOTHING),
        row("the Redis process", process_crash(facts)),
        row("the machine of Redis", machine_crash(facts)),
        row("the machine of Redis and a gateway together", both(facts)),
        row("the disk of Redis and a gateway together", disk_loss(facts)),
    ];
    let place = match (facts.kind, fails_over(facts)) {
        (Kind::Single, _) => "one Redis and no automatic failover: while it is down, nobody plays",
        (_, false) => "no replica for every primary: while one is down, nobody on it plays",
        (Kind::Sentinel, true) => "a primary that Sentinels replace by a replica within seconds",
        (Kind::Cluster, true) => "shards that replace their primary by a replica within seconds",
    };
    let told = match facts.durability {
        Durability::Stored => "the primary has answered".to_owned(),
        Durability::Replicated(k) => format!("{k} replicas have it as well"),
        Durability::Fsynced => "the primary has synced it".to_owned(),
    };
    let losses: Vec<String> =
        faults.iter().map(|row| format!("{}: {}", row.fault, row.lost)).collect();
    let summary = format!(
        "With --durability {}, a command is acknowledged when {told}. This is {place}. Of what \
         was acknowledged, this is lost with {}.",
        facts.durability,
        losses.join("; with ")
    );
    Verdict { asked: facts.durability.to_string(), summary, faults }
}

#[cfg(test)]
mod tests {
    use super::super::facts::Fields;
    use super::*;

    fn server(settings: &[(&str, &str)], replicas: usize) -> Server {
        let fields = |pairs: &[(&str, &str)]| -> Fields {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let mut server = Server { config: fields(settings), ..Server::default() };
        server.info.insert("redis_version".into(), "7.0.15".into());
        for number in 0..replicas {
            server.info.insert(format!("slave{number}"), "state=online,lag=0".into());
        }
        server
    }

    const ALWAYS: &[(&str, &str)] = &[("appendonly", "yes"), ("appendfsync", "always")];
    const EVERYSEC: &[(&str, &str)] = &[("appendonly", "yes"), ("appendfsync", "everysec")];
    const NEVER: &[(&str, &str)] = &[("appendonly", "no"), ("save", "")];

    fn lost(kind: Kind, durability: Durability, servers: Vec<Server>) -> Vec<&'static str> {
        let facts = Facts { kind, durability, servers, ..Facts::default() };
        verdict(&facts).faults.iter().map(|row| row.lost).collect()
    }

    #[test]
    fn the_weakest_primary_decides() {
        let (single, stored) = (Kind::Single, Durability::Stored);
        let always = lost(single, stored, vec![server(ALWAYS, 0)]);
        assert_eq!(always[..4], [NOTHING; 4]);
        let each = lost(single, stored, vec![server(EVERYSEC, 0)]);
        assert_eq!(each[..4], [NOTHING, NOTHING, NOTHING_BACK, "the last second or two"]);
        assert_eq!(lost(single, stored, vec![server(NEVER, 0)])[1..4], [ALL; 3]);
        let mixed = vec![server(ALWAYS, 0), server(NEVER, 0)];
        assert_eq!(lost(Kind::Cluster, stored, mixed)[1..4], [ALL; 3]);
    }

    #[test]
    fn a_replica_saves_what_it_has_confirmed() {
        let of = |durability, replicas| {
            lost(Kind::Sentinel, durability, vec![server(NEVER, replicas)])[3]
        };
        assert_eq!(of(Durability::Stored, 1), LAG);
        assert_eq!(of(Durability::Replicated(1), 1), NOTHING);
        assert!(of(Durability::Replicated(1), 2).contains("else"));
        assert_eq!(of(Durability::Replicated(1), 0), ALL, "no replica, no failover");
        let one_bare = vec![server(EVERYSEC, 1), server(EVERYSEC, 0)];
        assert_eq!(
            lost(Kind::Cluster, Durability::Replicated(1), one_bare)[3],
            "the last second or two"
        );
    }

    #[test]
    fn the_paragraph_names_the_level_and_every_fault() {
        let facts = Facts { servers: vec![server(EVERYSEC, 0)], ..Facts::default() };
        let verdict = verdict(&facts);
        assert!(verdict.summary.contains("--durability stored"), "{}", verdict.summary);
        for row in &verdict.faults {
            assert!(verdict.summary.contains(row.fault), "{}", verdict.summary);
        }
    }
}
