//! Mail from other nodes, brought to the workers.
//!
//! The reader never waits for a worker: what finds a full queue is answered BUSY, or is sent
//! again by its sender. While the node drains, nothing new is taken: it is not here.

use std::sync::Arc;

use holdfast_protocol::ids::ActorId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::core::Verdict;
use super::envelope::CallError;
use super::fleet::{FleetHandle, Post, Returned, Why};
use super::mail::{Envelope, Mail, Peers, Reply, Routing, There};
use super::stats::Stats;
use crate::store::NodeSession;

/// Sorts what other nodes send.
pub(super) struct PostOffice {
    pub fleet: FleetHandle,
    pub peers: Peers,
    pub stats: Arc<Stats>,
    /// Cancelled when the node drains.
    pub shutdown: CancellationToken,
}

impl PostOffice {
    /// Runs until the fleet ends.
    pub async fn run(
        self,
        mut inbox: mpsc::Receiver<(NodeSession, Post)>,
        mut returned: mpsc::Receiver<Returned>,
    ) {
        loop {
            tokio::select! {
                got = inbox.recv() => match got {
                    Some((via, post)) => self.take(via, post),
                    None => return,
                },
                Some(returned) = returned.recv() => self.take_back(returned),
            }
        }
    }

    fn take(&self, via: NodeSession, post: Post) {
        let there =
            |to: &ActorId, id| Reply::There(There::new(self.fleet.clone(), via, to.clone(), id));
        match post {
            Post::Tell { to, from, tell } => {
                self.say(from.clone(), via, Routing::Speaks);
                self.send(to, via, Mail::Tell(from, Box::new(tell)));
            }
            Post::Verdict { to, from, id, verdict } => {
                self.say(from.clone(), via, Routing::Speaks);
                self.send(to, via, Mail::Verdict(from, id, verdict));
            }
            Post::Settled { to, from, id } => self.send(to, via, Mail::Settled(from, id)),
            Post::SettleAsked { to, from, id } => {
                self.say(from.clone(), via, Routing::Speaks);
                self.send(to, via, Mail::SettleAsked(from, id));
            }
            Post::Call { to, id, call } => {
                let reply = there(&to, id);
                self.send(to, via, Mail::Call(Box::new(call), reply));
            }
            Post::Query { to, id, payload, linearizable } => {
                let reply = there(&to, id);
                self.send(to, via, Mail::Query { payload, linearizable, reply });
            }
            Post::Answer { from, id, result } => self.say(from, via, Routing::Answer(id, result)),
            Post::HandOver { actor } => self.say(actor, via, Routing::HandOver),
            Post::HandedOver { actor } => self.say(actor, via, Routing::HandedOver),
            Post::Working { actor } => self.say(actor, via, Routing::Working),
            Post::NotHere { actor } => self.say(actor, via, Routing::NotHere),
        }
    }

    /// What finds no room is missed by the other node, which then acts by itself.
    fn say(&self, actor: ActorId, via: NodeSession, routing: Routing) {
        let mail = Mail::Routing(routing);
        let _ = self.peers.try_forward(Envelope { to: actor, via: Some(via), mail });
    }

    fn send(&self, to: ActorId, via: NodeSession, mail: Mail) {
        let draining = self.shutdown.is_cancelled();
        let envelope = Envelope { to, via: Some(via), mail };
        let refused =
            if draining { Some(envelope) } else { self.peers.try_forward(envelope).err() };
        let Some(Envelope { to, mail, .. }) = refused else { return };
        self.stats.mail_overflows.add(u64::from(!draining));
        if draining && mail.activates() {
            self.stats.not_here.add(1);
            let _ = self.fleet.post(via, Post::NotHere { actor: to.clone() });
        }
        match mail {
            Mail::Call(_, reply) | Mail::Query { reply, .. } => reply.send(Err(CallError::Busy)),
            Mail::Tell(from, tell) if !draining => {
                let (id, verdict) = (tell.id, Verdict::Busy);
                let busy = Post::Verdict { to: from, from: to, id, verdict };
                let _ = self.fleet.post(via, busy);
            }
            // Its sender sends it again, or asks.
            _ => {}
        }
    }

    /// Mail that this node could not send. In doubt, the silence will tell.
    fn take_back(&self, returned: Returned) {
        let Returned { to: via, post, why } = returned;
        if why == Why::Doubt {
            return;
        }
        match post {
            Post::Call { to, id, .. } | Post::Query { to, id, .. } => {
                self.say(to, via, Routing::Unsent(id));
            }
            Post::Tell { to, from, tell } => {
                self.peers.try_send(&from, Mail::Verdict(to, tell.id, Verdict::Busy));
            }
            _ => {}
        }
    }
}
