//! From facts to findings. Pure: what a setting means does not depend on how it was asked for.
//!
//! Each server is looked at on its own; findings about the whole come first. A finding's name is
//! the same whether it is good or bad news, so that programs can look for it.

mod data;
mod place;
mod replicas;
mod service;

mod whole;

use super::facts::{Facts, Server};
use super::finding::{Finding, Level};

/// A look at one server.
type Check = fn(&Facts, &Server) -> Vec<Finding>;

/// Everything that is looked at, in the order of the report.
const CHECKS: [Check; 17] = [
    place::version,
    place::mode,
    place::role,
    place::proxy,
    place::tls,
    place::clock,
    service::acl,
    service::scripts,
    service::latency,
    service::connections,
    service::pubsub_buffer,
    data::persistence,
    data::disk,
    data::eviction,
    data::memory,
    data::stream_node,
    replicas::replicas,
];

/// Judges. Worst first within the whole and within each server; equal ones in a fixed order.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = whole::all(facts);
    worst_first(&mut findings);
    for server in &facts.servers {
        let mut own: Vec<Finding> = CHECKS.iter().flat_map(|look| look(facts, server)).collect();
        worst_first(&mut own);
        for finding in &mut own {
            finding.at.clone_from(&server.at);
        }
        findings.append(&mut own);
    }
    findings
}

fn worst_first(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
}

/// True when a finding keeps a node from starting.
pub(super) fn refuses(finding: &Finding) -> bool {
    finding.refuses && finding.level == Level::Error
}

#[cfg(test)]
mod tests;
