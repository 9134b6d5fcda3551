//! The primaries that are connected to, each once, and the detours to those that slots are moving
//! to. Owns their lanes' lives.
//!
//! A detour is taken by appends only in the history in which something was read there before:
//! what moved with the slot is then what the append goes on from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{Cmd, Value};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::address::Node;
use super::connect::Connector;
use super::link::{Primary, Shared};
use crate::store::{Error, History};

/// The primaries of one router.
#[derive(Debug)]
pub struct Pool {
    pub(super) connector: Arc<Connector>,
    pub(super) shared: Arc<Shared>,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    members: Mutex<Vec<Arc<Primary>>>,
    /// By slot, so never more than a cluster has.
    detours: Mutex<HashMap<u16, (Node, History)>>,
}

impl Pool {
    /// Without members.
    #[must_use]
    pub fn new(connector: Arc<Connector>, shared: Arc<Shared>) -> Self {
        Self {
            connector,
            shared,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            members: Mutex::default(),
            detours: Mutex::default(),
        }
    }

    /// The primary at an address, connected to from now on.
    pub fn get(&self, at: &Node) -> Arc<Primary> {
        let mut members = lock(&self.members);
        if let Some(member) = members.iter().find(|member| member.at == *at) {
            return Arc::clone(member);
        }
        let (connector, shared) = (Arc::clone(&self.connector), Arc::clone(&self.shared));
        let stop = self.stop.child_token();
        let member = Primary::start(at.clone(), connector, shared, stop, &self.tasks);
        members.push(Arc::clone(&member));
        member
    }

    /// Gives up all members but these and where detours lead.
    pub fn keep_only(&self, nodes: &[Node]) {
        let detours = lock(&self.detours);
        lock(&self.members).retain(|member| {
            let kept =
                nodes.contains(&member.at) || detours.values().any(|(node, _)| *node == member.at);
            if !kept {
                member.stop.cancel();
            }
            kept
        });
    }

    /// Forgets where a slot was moving to: it has arrived.
    pub fn arrived(&self, slot: u16) {
        lock(&self.detours).remove(&slot);
    }

    /// Runs a command, refused with `ASK`, where it was sent to, after others that need no key,
    /// and remembers the detour.
    pub async fn ask(
        &self,
        slot: u16,
        at: &Node,
        before: &[Cmd],
        command: &Cmd,
    ) -> Result<Value, Error> {
        let primary = self.get(at);
        let history = primary.history();
        let answers = primary.send_bulk(&asking(before, command)).await?;
        if primary.history() == history {
            lock(&self.detours).insert(slot, (at.clone(), history));
        }
        last(answers)
    }

    /// Runs an append, refused with `ASK`, where it was sent to; `None` where nothing was read
    /// there in its present history.
    pub async fn ask_hot(
        &self,
        slot: u16,
        at: &Node,
        command: &Cmd,
    ) -> Option<Result<Value, Error>> {
        let (node, history) = lock(&self.detours).get(&slot).cloned()?;
        let primary = self.get(at);
        if node != *at || primary.history() != history {
            return None;
        }
        Some(primary.send_hot(Some(history), history, &asking(&[], command)).await.and_then(last))
    }
}

fn asking(before: &[Cmd], command: &Cmd) -> redis::Pipeline {
    let mut pipeline = redis::pipe();
    for command in before {
        pipeline.add_command(command.clone());
    }
    pipeline.cmd("ASKING").add_command(command.clone());
    pipeline
}

fn last(mut answers: Vec<Value>) -> Result<Value, Error> {
    answers.pop().ok_or_else(|| Error::Doubt("an answer is missing".into()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
