//! Whether replicas are there, near, and waited for.

use crate::doctor::facts::{Facts, Fields, Kind, Server};
use crate::doctor::finding::Finding;
use crate::store::durability::Durability;

/// Silence of a replica that is worth a word, s.
const LAG_NOTICED_S: u64 = 2;
/// Longest silence after which a primary should stop taking writes, s.
const LAG_MAX_S: u64 = 10;
/// Less is soon overrun by a replica that was away, bytes.
const BACKLOG_MIN: u64 = 16 << 20;

pub(super) fn replicas(facts: &Facts, server: &Server) -> Vec<Finding> {
    if server.info("role") == "slave" {
        return Vec::new();
    }
    let all = server.replicas();
    let online = all.iter().filter(|replica| is(replica, "state", "online")).count() as u64;
    let mut findings = vec![count(facts, online)];
    if online > 0 {
        findings.push(lag(&all));
        findings.extend(backlog(server));
    }
    findings.extend(least(facts, server, online));
    findings
}

fn is(replica: &Fields, name: &str, value: &str) -> bool {
    replica.get(name).is_some_and(|found| found == value)
}

fn count(facts: &Facts, online: u64) -> Finding {
    let name = "replicas";
    let what = format!("{online} replicas are connected");
    if let Durability::Replicated(wanted) = facts.durability {
        let wanted = u64::from(wanted);
        if online < wanted {
            let what = format!("{what}, --durability replicated:{wanted} was asked for");
            let means = "no command would ever be acknowledged";
            let change = "start the missing replicas (replicaof HOST PORT), or ask for less";
            return Finding::error(name, what, means).change(change).refuses();
        }
        if online > wanted {
            let means = "a replica that has not got the last records may be the one promoted";
            let change = format!("--durability replicated:{online}, to survive any promotion");
            return Finding::note(name, what, means).change(change);
        }
    }
    match (facts.kind, online) {
        (Kind::Single, _) | (_, 1..) => Finding::ok(name, what),
        (_, 0) => {
            let means = "when this primary dies, nobody can take its place";
            Finding::warning(name, what, means).change("a replica: redis.conf: replicaof HOST PORT")
        }
    }
}

fn lag(all: &[Fields]) -> Finding {
    let name = "replica-lag";
    let lag = |replica: &Fields| replica.get("lag").and_then(|lag| lag.parse::<u64>().ok());
    let most = all.iter().filter_map(lag).max().unwrap_or(0);
    let what = format!("the slowest replica was heard {most} s ago");
    if most <= LAG_NOTICED_S {
        return Finding::ok(name, what);
    }
    let means = "so much would be missing after a failover, until living gateways write it back";
    Finding::warning(name, what, means).change("look at the replica's load, disk and network")
}

fn backlog(server: &Server) -> Option<Finding> {
    let name = "repl-backlog-size";
    let bytes = server.number(name)?;
    if bytes >= BACKLOG_MIN {
        return Some(Finding::ok(name, format!("{} MB", bytes >> 20)));
    }
    let means = "a replica that was away for a moment needs a full copy, and protects nobody \
                 meanwhile";
    let what = format!("{} KB", bytes >> 10);
    Some(Finding::note(name, what, means).set(name, "256mb"))
}

/// `min-replicas-to-write`: what keeps a primary that was cut off from taking writes for ever.
fn least(facts: &Facts, server: &Server, online: u64) -> Option<Finding> {
    let name = "min-replicas-to-write";
    let least = server.number(name)?;
    let wanted = match facts.durability {
        Durability::Replicated(wanted) => u64::from(wanted),
        _ => u64::from(online > 0 && facts.kind != Kind::Cluster),
    };
    let what = format!("{least}, and {online} replicas are connected");
    if least > online {
        let means = "the server refuses every write (NOREPLICAS): players hear busy";
        let change = "start the missing replicas";
        return Some(Finding::error(name, what, means).change(change));
    }
    if least < wanted {
        let means = "a primary that was cut off from its replicas goes on taking writes that the \
                     promoted one will not have";
        return Some(Finding::warning(name, what, means).set(name, wanted.to_string()));
    }
    let late = server.number("min-replicas-max-lag").filter(|s| least > 0 && *s > LAG_MAX_S);
    if let Some(late) = late {
        let what = format!("a replica counts until it was silent for {late} s");
        let means = "so long a primary that was cut off goes on taking writes";
        let lag = "min-replicas-max-lag";
        return Some(Finding::note(lag, what, means).set(lag, LAG_MAX_S.to_string()));
    }
    Some(Finding::ok(name, what))
}
