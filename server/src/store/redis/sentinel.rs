//! Asks Sentinels where a service's primary is, and hears from one of them when it moves. Decides
//! nothing else: a server that they name still has to say itself that it is a primary.
//!
//! All Sentinels are asked, and the answer with the newest epoch counts: one that was cut off
//! still names the primary of before.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use redis::Value;
use tokio::sync::mpsc;

use super::address::{Login, Node, written};
use super::connect::{Connector, Purpose};
use super::link::Shared;

const ANSWER_MAX: Duration = Duration::from_millis(500);
const LISTEN_PAUSE: Duration = Duration::from_millis(500);
/// Announcements that wait to be heard; more say the same.
const HEARD_MAX: usize = 16;

/// The Sentinels of one service.
#[derive(Debug)]
pub struct Sentinels {
    nodes: Vec<Node>,
    service: String,
    connector: Arc<Connector>,
}

impl Sentinels {
    /// `data` is how the data's servers are reached: the Sentinels share its TLS.
    #[must_use]
    pub fn new(nodes: Vec<Node>, service: String, data: &Connector, login: &Login) -> Self {
        Self { nodes, service, connector: Arc::new(data.with_login(login)) }
    }

    /// Where the primary is.
    ///
    /// # Errors
    /// A sentence, where no Sentinel names one.
    pub async fn look(&self) -> Result<Node, String> {
        let answers = join_all(self.nodes.iter().map(|node| self.ask(node))).await;
        let mut newest: Option<(u64, Node)> = None;
        let mut why = "no Sentinel is named".to_owned();
        for answer in answers {
            match answer {
                Ok(named) if newest.as_ref().is_none_or(|(epoch, _)| *epoch < named.0) => {
                    newest = Some(named);
                }
                Ok(_) => {}
                Err(refused) => why = refused,
            }
        }
        newest.map(|(_, node)| node).ok_or(why)
    }

    async fn ask(&self, at: &Node) -> Result<(u64, Node), String> {
        let refused = |error: &dyn std::fmt::Display| {
            format!("the Sentinel {} does not know '{}': {error}", written(at), self.service)
        };
        let mut connection = self.connector.open(at, Purpose::Quick(ANSWER_MAX)).await?;
        let mut questions = redis::pipe();
        questions.cmd("SENTINEL").arg("get-master-addr-by-name").arg(&self.service);
        questions.cmd("SENTINEL").arg("MASTER").arg(&self.service);
        let answers = connection.send_packed_commands(&questions, 0, 2).await;
        let answers = answers.map_err(|error| refused(&error))?;
        let [node, facts] = <[Value; 2]>::try_from(answers).map_err(|_| "answers are missing")?;
        let node: Option<Node> = redis::from_redis_value(node).map_err(|error| refused(&error))?;
        let node = node.ok_or_else(|| refused(&"no such service"))?;
        let facts: Vec<String> = redis::from_redis_value(facts).map_err(|error| refused(&error))?;
        let mut facts = facts.into_iter().skip_while(|name| name != "config-epoch").skip(1);
        let epoch = facts.next().and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
        Ok((epoch, node))
    }

    /// Listens to one Sentinel after another and wakes the topology at each announcement. Ends
    /// only by being dropped.
    pub async fn listen(&self, shared: &Shared) {
        for node in self.nodes.iter().cycle() {
            let (sender, mut heard) = mpsc::channel(HEARD_MAX);
            let opened = self.connector.open(node, Purpose::Pushes(sender)).await;
            if let Ok(mut connection) = opened
                && connection.subscribe("+switch-master").await.is_ok()
            {
                while heard.recv().await.is_some() {
                    shared.look_again();
                }
            }
            tokio::time::sleep(LISTEN_PAUSE).await;
        }
    }
}
