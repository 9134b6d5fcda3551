//! Appends as Redis commands, and what their answers mean. Does the I/O of one group.
//!
//! I1 is kept by the stream itself: it refuses an id that is not above its newest, and a claim's
//! marker is above all ids of older epochs. A refused id is no verdict of its own, so the tip is
//! read. What the stream does not see is a gap: the holder has one append in flight and counts.

use std::fmt::Write as _;

use futures::future::join_all;
use redis::{Cmd, Pipeline, Value};

use super::Inner;
use super::keys::{Keys, partition_of};
use super::link::{Link, answer};
use crate::store::{Append, Error, History};

type Outcome = Result<(), Error>;

/// The commands of a group, without an allocation for each argument.
fn pipeline(keys: &Keys, appends: &[&Append]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(appends.len());
    let mut text = String::with_capacity(128);
    for append in appends {
        if let Some(due_ms) = append.due_ms {
            let mut lower = Cmd::with_capacity(5, 160);
            text.clear();
            keys.push_due(&mut text, partition_of(&append.actor));
            let actor = append.actor.as_str();
            lower.arg("ZADD").arg(text.as_str()).arg("LT").arg(due_ms).arg(actor);
            pipeline.add_command(lower);
        }
        let mut add = Cmd::with_capacity(8, 192 + append.record.len());
        text.clear();
        keys.push_journal(&mut text, &append.actor);
        add.arg("XADD").arg(text.as_str()).arg("NOMKSTREAM");
        text.clear();
        let _ = write!(text, "{}-{}", append.epoch, append.seq);
        add.arg(text.as_str()).arg("d").arg(append.record.as_ref());
        add.arg("a").arg(append.append_id);
        pipeline.add_command(add);
    }
    pipeline
}

/// What one append's answers say at first sight.
#[derive(Debug, PartialEq, Eq)]
enum Sight {
    Told(Outcome),
    /// Refused by the stream: only the tip can tell why.
    Refused(String),
}

fn sight(due: Option<Value>, added: Value) -> Sight {
    match answer(added) {
        Ok(Value::BulkString(_)) => match due {
            // The record stands, its wake-up may not: the holder reads its tip and goes on.
            Some(Value::ServerError(error)) => Sight::Told(Err(Error::Doubt(error.to_string()))),
            _ => Sight::Told(Ok(())),
        },
        Ok(Value::Nil) => Sight::Refused("the journal is missing".into()),
        Ok(Value::ServerError(error)) => Sight::Refused(error.to_string()),
        Ok(other) => Sight::Told(Err(super::reply::strange("an append", &other))),
        Err(error) => Sight::Told(Err(error)),
    }
}

fn sights(appends: &[&Append], answers: Vec<Value>) -> Vec<Sight> {
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or_default();
    appends.iter().map(|append| sight(append.due_ms.map(|_| next()), next())).collect()
}

/// Writes a group of appends to one primary. The answers are in the order of the group.
pub async fn write(inner: &Inner, link: &Link, appends: &[Append]) -> Vec<Outcome> {
    let present = link.history();
    let fits = |append: &&Append| append.history == present;
    let sent: Vec<&Append> = appends.iter().filter(fits).collect();
    let mut sights = match link.hot(Some(present), pipeline(&inner.keys, &sent)).await {
        Ok(answers) => sights(&sent, answers),
        Err(error) => sent.iter().map(|_| Sight::Told(Err(error.clone()))).collect(),
    }
    .into_iter();
    let mut outcomes = Vec::with_capacity(appends.len());
    let mut refused = Vec::new();
    for append in appends {
        let sight = match fits(&append) {
            true => sights.next().unwrap_or(Sight::Refused("an answer is missing".into())),
            false => Sight::Told(Err(elsewhen(append, present))),
        };
        outcomes.push(match sight {
            Sight::Told(outcome) => outcome,
            Sight::Refused(why) => {
                let place = outcomes.len();
                refused.push(async move { (place, verdict(inner, append, why).await) });
                Err(Error::Doubt(String::new()))
            }
        });
    }
    for (place, verdict) in join_all(refused).await {
        if let Some(outcome) = outcomes.get_mut(place) {
            *outcome = verdict;
        }
    }
    outcomes
}

/// Its tip was read in another history than the present one; nothing was sent.
fn elsewhen(append: &Append, present: History) -> Error {
    let (actor, verified) = (&append.actor, append.history);
    Error::Doubt(format!("{actor} is in history {present} now, its tip was read in {verified}"))
}

/// Why the stream refused an append.
async fn verdict(inner: &Inner, append: &Append, why: String) -> Outcome {
    match inner.tip(&append.actor).await? {
        Some(tip) if tip.epoch > append.epoch => Err(Error::Fenced { newest: tip.epoch }),
        _ => Err(Error::Doubt(format!("{} of {}: {why}", append.seq, append.actor))),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn append(seq: u64, due_ms: Option<u64>) -> Append {
        Append {
            actor: "player:alice".parse().unwrap(),
            epoch: 1_700_000_000_000,
            seq,
            append_id: u64::MAX,
            history: 3,
            record: Bytes::from_static(b"\0 record"),
            due_ms,
        }
    }

    #[test]
    fn a_wake_up_goes_before_its_record() {
        let (first, second) = (append(1, Some(77)), append(2, None));
        let sent = pipeline(&Keys::new("hf"), &[&first, &second]).get_packed_pipeline();
        let expected = redis::pipe()
            .cmd("ZADD")
            .arg(&["hf:{p0488}:due", "LT", "77", "player:alice"])
            .cmd("XADD")
            .arg(&["hf:{p0488}:j:player:alice", "NOMKSTREAM", "1700000000000-1", "d"])
            .arg(&["\0 record", "a", "18446744073709551615"])
            .cmd("XADD")
            .arg(&["hf:{p0488}:j:player:alice", "NOMKSTREAM", "1700000000000-2", "d"])
            .arg(&["\0 record", "a", "18446744073709551615"])
            .get_packed_pipeline();
        assert_eq!(String::from_utf8(sent), String::from_utf8(expected));
    }

    #[test]
    fn answers_find_their_append() {
        let (first, second) = (append(1, Some(77)), append(2, None));
        let id = || Value::BulkString(b"1-1".into());
        let seen = sights(&[&first, &second], vec![Value::Int(1), id(), Value::Nil]);
        assert_eq!(seen[0], Sight::Told(Ok(())));
        assert!(matches!(seen[1], Sight::Refused(_)), "{seen:?}");
        let short = sights(&[&first], vec![]);
        assert!(matches!(short[0], Sight::Refused(_)), "{short:?}");
    }
}
