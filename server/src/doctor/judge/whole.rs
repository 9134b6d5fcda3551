//! What concerns all servers together: who is silent, what Sentinels and the Cluster say.

use std::collections::BTreeSet;

use crate::doctor::facts::{Facts, Fields, Kind};
use crate::doctor::finding::Finding;

/// Slots of a Cluster.
const SLOTS: &str = "16384";
/// Sentinels that can outvote a broken one.
const SENTINELS_MIN: usize = 3;

pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts.silent.iter().map(silent).collect();
    match facts.kind {
        Kind::Single => {}
        Kind::Sentinel => findings.extend(sentinels(facts)),
        Kind::Cluster => findings.extend(cluster(facts)),
    }
    let refused = facts.servers.iter().find_map(|server| server.config_refused.as_ref());
    if let Some(why) = refused {
        let means = "half of what matters can't be looked at";
        let finding = Finding::warning("config", format!("CONFIG GET is refused: {why}"), means);
        findings.push(finding.change("users.acl: +config|get, or ask whoever runs the server"));
    }
    findings
}

fn silent((at, why): &(String, String)) -> Finding {
    let mut finding = Finding::error("reach", why, "what it holds can't be reached");
    finding.at.clone_from(at);
    finding.change("start it, open the way to it, or take it out of --store")
}

fn number(fields: &Fields, name: &str) -> Option<usize> {
    fields.get(name)?.parse().ok()
}

fn sentinels(facts: &Facts) -> Vec<Finding> {
    let name = "sentinels";
    let said = &facts.sentinels;
    let get = |fields: &Fields, key: &str| fields.get(key).cloned().unwrap_or_default();
    let named: BTreeSet<String> =
        said.values().map(|own| format!("{}:{}", get(own, "ip"), get(own, "port"))).collect();
    if named.len() > 1 {
        let names: Vec<String> = named.into_iter().collect();
        let what = format!("they name different primaries: {}", names.join(", "));
        let means = "a failover is under way, or players of two gateways live in two worlds";
        let change = "wait for its end; else SENTINEL RESET on those that are behind";
        return vec![Finding::error(name, what, means).change(change)];
    }
    let down = said.values().any(|own| get(own, "flags").contains("down"));
    if down {
        let what = "they say that the primary is down";
        let means = "nobody can play until a replica is promoted";
        return vec![Finding::error(name, what, means)];
    }
    let Some(first) = said.values().next() else { return Vec::new() };
    let all = number(first, "num-other-sentinels").map_or(1, |others| others + 1);
    let quorum = number(first, "quorum").unwrap_or(0);
    let what = format!("{all} Sentinels, quorum {quorum}");
    let change = "three or more Sentinels on machines of their own, quorum a majority";
    if all < SENTINELS_MIN || quorum > all {
        let means = "when the primary's machine dies, no majority is left to promote a replica";
        return vec![Finding::warning(name, what, means).change(change)];
    }
    if quorum < 2 {
        let means = "one Sentinel that sees badly can move the world to a replica";
        return vec![Finding::warning(name, what, means).change(change)];
    }
    vec![Finding::ok(name, what)]
}

fn cluster(facts: &Facts) -> Vec<Finding> {
    let get = |name: &str| facts.cluster.get(name).map_or("", String::as_str);
    let mut findings = Vec::new();
    let slots = (get("cluster_slots_assigned"), get("cluster_slots_ok"));
    let what = format!(
        "state {}, {} of {SLOTS} slots assigned, {} served",
        get("cluster_state"),
        slots.0,
        slots.1
    );
    if get("cluster_state") == "ok" && slots == (SLOTS, SLOTS) {
        findings.push(Finding::ok("cluster-state", what));
    } else {
        let means = "players of the slots that nobody serves can't play";
        let change = "redis-cli --cluster check HOST:PORT says which; --cluster fix assigns them";
        findings.push(Finding::error("cluster-state", what, means).change(change));
    }
    let name = "cluster-require-full-coverage";
    let strict = facts.servers.iter().any(|server| server.set_to(name) == Some("yes"));
    findings.push(if strict {
        let means = "one shard that is down stops the players of all the others too";
        Finding::warning(name, "yes", means).set(name, "no")
    } else {
        Finding::ok(name, "no")
    });
    findings
}
