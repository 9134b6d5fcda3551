//! Examines the Redis that a node would use: what is set wrongly, what that means for players,
//! what to write instead, and what durability the whole really gives.
//!
//! [`examine`] asks and judges; a node calls it at its start, `holdfast doctor` prints it whole.
//! Judging is pure ([`judge`], [`verdict`]): facts in, findings out.

mod ask;
pub mod facts;
mod find;
mod finding;
mod judge;
pub mod needs;
mod report;
mod verdict;

use serde::Serialize;

use crate::clock::Clock;
use crate::store::durability::Durability;
use crate::store::redis::address::{Access, Address, written};
use crate::store::redis::connect::Connector;
use ask::{Question, connector, dial};
use facts::Facts;

pub use finding::{Finding, Fix, Level};
pub use judge::judge;
pub use verdict::{Row, Verdict, verdict};

/// Answers that a node's start measures.
pub const SAMPLES_AT_START: usize = 20;
/// Answers that the command measures.
pub const SAMPLES: usize = 200;

/// Why nothing could be examined. Reacts: the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; start the Redis, or name another by --store")]
pub struct Unreachable(String);

/// What is examined.
#[derive(Debug, Clone)]
pub struct Order {
    /// Where the Redis is; with its password.
    pub address: Address,
    /// The level that it is held against.
    pub durability: Durability,
    /// Answers whose median is taken.
    pub samples: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The address, without its password.
    pub store: String,
    /// Everything, good news included.
    pub findings: Vec<Finding>,
    /// What it amounts to.
    pub durability: Verdict,
}

/// Asks every server that would be written to, and judges. Writes one key that expires.
///
/// # Errors
/// [`Unreachable`] when not one of them answers.
pub async fn examine(order: &Order, clock: &Clock) -> Result<Report, Unreachable> {
    let facts = collect(order, clock).await.map_err(Unreachable)?;
    let (findings, durability) = (judge(&facts), verdict(&facts));
    Ok(Report { store: order.address.to_string(), findings, durability })
}

async fn collect(order: &Order, clock: &Clock) -> Result<Facts, String> {
    let access = order.address.access();
    let connector = connector(access)?;
    let mut facts = Facts { durability: order.durability, ..Facts::default() };
    let primaries = find::primaries(&connector, &order.address, &mut facts).await?;
    let question = question(order, access, &connector, clock);
    for at in &primaries {
        match question.put(at).await {
            Ok(server) => facts.servers.push(server),
            Err(why) => facts.silent.push((written(at), why)),
        }
    }
    if facts.servers.is_empty() {
        let reasons: Vec<&str> = facts.silent.iter().map(|(_, why)| why.as_str()).collect();
        return Err(reasons.join("; "));
    }
    Ok(facts)
}

fn question<'a>(
    order: &Order,
    access: &'a Access,
    connector: &'a Connector,
    clock: &'a Clock,
) -> Question<'a> {
    Question {
        connector,
        login: &access.login,
        cluster: matches!(order.address, Address::Cluster { .. }),
        durability: order.durability,
        samples: order.samples,
        clock,
    }
}

/// Changes on the running servers what `CONFIG SET` may change. Returns a line for each change:
/// what was set, or why it was refused. What is changed so is forgotten at the next restart.
///
/// # Errors
/// [`Unreachable`] when the connection can't even be set up.
pub async fn fix(order: &Order, report: &Report) -> Result<Vec<String>, Unreachable> {
    let access = order.address.access();
    let connector = connector(access).map_err(Unreachable)?;
    let mut facts = Facts::default();
    let primaries =
        find::primaries(&connector, &order.address, &mut facts).await.map_err(Unreachable)?;
    let mut lines = Vec::new();
    for at in &primaries {
        let place = written(at);
        let wanted = report.findings.iter().filter(|finding| finding.level > Level::Ok);
        let here = wanted.filter(|finding| finding.at.is_empty() || finding.at == place);
        for change in here.filter_map(|finding| finding.fix.as_ref()) {
            let Fix { name, value } = change;
            let set = async {
                let mut connection = dial(&connector, at).await?;
                ask::ask::<String>(&mut connection, &["CONFIG", "SET", name, value]).await
            };
            lines.push(match set.await {
                Ok(_) => format!("{place}: {name} is {value} now"),
                Err(why) => format!("{place}: {name} {value} was refused: {why}"),
            });
        }
    }
    Ok(lines)
}
