//! The rare steps of an actor's ownership, each one script: claim, reassert, snapshot, release,
//! erase.

use redis::Value;

use super::Inner;
use super::keys::tag_of;
use super::link::Script;
use super::reply::{Said, pack_snapshot};
use super::scripts;
use crate::store::{
    Claim, Claimed, Epoch, Error, History, Owner, Reassert, Reasserted, Seq, Snapshot,
};
use holdfast_protocol::ids::ActorId;

/// How long newcomers wait after the store's history changed, so that holders reassert first.
pub const GRACE_MS: u64 = 2_000;

/// A number, or an empty argument.
fn optional(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

impl Inner {
    /// Runs a script on the primary of a tag. What it says holds in the history that is returned.
    pub(super) async fn run(
        &self,
        tag: &str,
        script: &Script,
        keys: &[&str],
        args: &[&[u8]],
    ) -> Result<(Said, History), Error> {
        let link = self.router.link(tag);
        let history = link.history();
        let mut all = Vec::with_capacity(args.len() + 1);
        all.push(self.incarnation.as_bytes());
        all.extend_from_slice(args);
        let value: Value = link.script(script, keys, &all).await?;
        self.same_history(tag, &link, history)?;
        Ok((Said::read(value)?, history))
    }

    pub(super) async fn claim(&self, claim: Claim) -> Result<Claimed, Error> {
        let (tag, keys, actor) = (tag_of(&claim.actor), &self.keys, &claim.actor);
        let names = [
            &keys.journal(actor),
            &keys.meta(actor),
            &keys.newest(actor),
            &keys.ids(&tag),
            &keys.facts(&tag),
            &keys.due(&tag),
        ];
        let args = [
            actor.as_str(),
            &claim.session.to_string(),
            if claim.creates { "1" } else { "0" },
            &optional(claim.replaces.map(|owner| owner.session)),
            &optional(claim.replaces.map(|owner| owner.epoch)),
            &GRACE_MS.to_string(),
        ];
        let (said, history) =
            self.run(&tag, &scripts::CLAIM, &names.map(|n| &**n), &args.map(str::as_bytes)).await?;
        match said.word.as_str() {
            "granted" => {
                Ok(Claimed::Granted { epoch: said.number(0)?, seq: said.number(1)?, history })
            }
            "held" => Ok(Claimed::Held(Owner { session: said.number(0)?, epoch: said.number(1)? })),
            "wait" => Ok(Claimed::Wait(said.number(0)?)),
            "absent" => Ok(Claimed::Absent),
            _ => Err(said.unknown()),
        }
    }

    pub(super) async fn reassert(&self, reassert: Reassert) -> Result<Reasserted, Error> {
        let (tag, keys, actor) = (tag_of(&reassert.actor), &self.keys, &reassert.actor);
        let names = [
            &keys.journal(actor),
            &keys.meta(actor),
            &keys.newest(actor),
            &keys.older(actor),
            &keys.due(&tag),
            &keys.ids(&tag),
            &keys.facts(&tag),
        ];
        let observed = reassert.observed;
        let numbers = [
            reassert.session,
            observed.epoch,
            observed.seq,
            observed.append_id,
            reassert.continues,
            reassert.seq,
            reassert.append_id,
        ]
        .map(|number| number.to_string());
        let packed = reassert.snapshot.map(|bytes| pack_snapshot(reassert.seq, &bytes));
        let due_ms = optional(reassert.due_ms);
        let mut args = vec![actor.as_str().as_bytes()];
        args.extend(numbers.iter().map(String::as_bytes));
        args.extend([packed.as_deref().unwrap_or_default(), due_ms.as_bytes()]);
        let (said, history) =
            self.run(&tag, &scripts::REASSERT, &names.map(|n| &**n), &args).await?;
        match said.word.as_str() {
            "granted" => Ok(Reasserted::Granted { epoch: said.number(0)?, history }),
            "changed" => Ok(Reasserted::Changed),
            _ => Err(said.unknown()),
        }
    }

    pub(super) async fn snapshot(&self, snapshot: Snapshot) -> Result<(), Error> {
        let (tag, keys, actor) = (tag_of(&snapshot.actor), &self.keys, &snapshot.actor);
        let names = [
            &keys.journal(actor),
            &keys.newest(actor),
            &keys.older(actor),
            &keys.due(&tag),
            &keys.facts(&tag),
        ];
        let packed = pack_snapshot(snapshot.seq, &snapshot.bytes);
        let (epoch, seq) = (snapshot.epoch.to_string(), snapshot.seq.to_string());
        let (retain, due_ms) = (snapshot.retain.to_string(), optional(snapshot.due_ms));
        let args = [
            actor.as_str().as_bytes(),
            epoch.as_bytes(),
            seq.as_bytes(),
            &packed,
            retain.as_bytes(),
            due_ms.as_bytes(),
        ];
        let (said, _) = self.run(&tag, &scripts::SNAPSHOT, &names.map(|n| &**n), &args).await?;
        done(&said)
    }

    /// The keys of all that is kept of an actor, in the order in which `release` and `erase` take
    /// them.
    fn all_of(&self, actor: &ActorId) -> [String; 7] {
        let (tag, keys) = (tag_of(actor), &self.keys);
        [
            keys.journal(actor),
            keys.meta(actor),
            keys.due(&tag),
            keys.ids(&tag),
            keys.facts(&tag),
            keys.newest(actor),
            keys.older(actor),
        ]
    }

    pub(super) async fn release(
        &self,
        actor: &ActorId,
        epoch: Epoch,
        due_ms: Option<u64>,
    ) -> Result<(), Error> {
        let (tag, names) = (tag_of(actor), self.all_of(actor));
        let args = [actor.as_str(), &epoch.to_string(), &optional(due_ms)];
        let args = args.map(str::as_bytes);
        let (said, _) =
            self.run(&tag, &scripts::RELEASE, &names.each_ref().map(|n| &**n), &args).await?;
        done(&said)
    }

    pub(super) async fn erase(&self, actor: &ActorId, epoch: Epoch, seq: Seq) -> Result<(), Error> {
        let (tag, names) = (tag_of(actor), self.all_of(actor));
        let args = [actor.as_str(), &epoch.to_string(), &seq.to_string()];
        let args = args.map(str::as_bytes);
        let (said, _) =
            self.run(&tag, &scripts::ERASE, &names.each_ref().map(|n| &**n), &args).await?;
        done(&said)
    }
}

fn done(said: &Said) -> Result<(), Error> {
    match said.word.as_str() {
        "ok" => Ok(()),
        "fenced" => Err(Error::Fenced { newest: said.number(0)? }),
        "behind" => Err(Error::OutOfSequence { tip: said.number(0)? }),
        "absent" => Err(Error::Absent),
        "early" => Err(Error::Stalled("its epoch is not past, or holders come first".into())),
        _ => Err(said.unknown()),
    }
}
