//! Reading: loads, tips, owners, and the indexes of the partitions.
//!
//! Whatever is read names the incarnation of the partition it was read from: a partition that is
//! empty or another namespace's answers [`Error::Wiped`], never "no such actor".

use std::collections::HashMap;

use holdfast_protocol::ids::ActorId;
use redis::{Cmd, Value, cmd};

use super::Inner;
use super::keys::{PARTITIONS, partition_of, tag, tag_of};
use super::link::{Link, answer};
use super::reply::{self, strange};
use crate::store::{
    Base, Error, History, Loaded, Owner, Partition, RecordRow, Seq, SnapshotRow, Tip,
};

/// Times that a load is read again when a newer owner's snapshots came between its reads.
const LOADS_MAX: u32 = 3;
/// Entries read at first to find a tip: its markers seldom are more.
const TIP_ENTRIES: usize = 4;
/// Entries read by one step through a journal, for operators.
const HISTORY_STEP: usize = 1_000;
/// Partitions asked at once for their actors.
const PARTITIONS_STEP: usize = 64;

impl Inner {
    /// Sends commands for one tag, and makes sure that it is this namespace's.
    pub(super) async fn ask(&self, tag: &str, commands: Vec<Cmd>) -> Result<Vec<Value>, Error> {
        Ok(self.ask_in(tag, commands).await?.0)
    }

    /// The same, with the history that answered.
    async fn ask_in(&self, tag: &str, commands: Vec<Cmd>) -> Result<(Vec<Value>, History), Error> {
        let link = self.router.link(tag);
        let history = link.history();
        let mut pipeline = redis::pipe();
        pipeline.add_command(self.incarnation_of(tag));
        for command in commands {
            pipeline.add_command(command);
        }
        let mut answers = link.bulk(pipeline).await?.into_iter().map(answer);
        let incarnation = answers.next().unwrap_or(Ok(Value::Nil))?;
        self.same_history(tag, &link, history)?;
        self.same_world(tag, &incarnation)?;
        Ok((answers.collect::<Result<_, _>>()?, history))
    }

    /// Asks for what [`Inner::same_world`] judges.
    pub(super) fn incarnation_of(&self, tag: &str) -> Cmd {
        command("HGET", &[&self.keys.facts(tag), "incarnation"])
    }

    /// Refuses a partition that is not this namespace's.
    pub(super) fn same_world(&self, tag: &str, incarnation: &Value) -> Result<(), Error> {
        if reply::text(incarnation) == Some(&self.incarnation) {
            return Ok(());
        }
        Err(Error::Wiped(format!("{tag} is empty or belongs to another namespace")))
    }

    /// Refuses an answer that may be another history's than the one that was asked.
    pub(super) fn same_history(&self, tag: &str, link: &Link, asked: History) -> Result<(), Error> {
        if link.history() == asked && self.router.link(tag) == *link {
            return Ok(());
        }
        Err(Error::Doubt("the store's history changed before the answer came".into()))
    }

    /// Sends one command for each tag, joined by primary; the answers are in their order.
    pub(super) async fn scatter(&self, commands: Vec<(String, Cmd)>) -> Result<Vec<Value>, Error> {
        let mut groups: Vec<(Link, Vec<usize>, redis::Pipeline)> = Vec::new();
        let len = commands.len();
        for (nth, (tag, command)) in commands.into_iter().enumerate() {
            let link = self.router.link(&tag);
            if !groups.iter().any(|(known, ..)| *known == link) {
                groups.push((link.clone(), Vec::new(), redis::pipe()));
            }
            if let Some((_, places, pipe)) = groups.iter_mut().find(|(known, ..)| *known == link) {
                places.push(nth);
                pipe.add_command(command);
            }
        }
        let mut found = HashMap::with_capacity(len);
        for (link, places, pipeline) in groups {
            let answers = link.bulk(pipeline).await?;
            for (nth, value) in places.into_iter().zip(answers) {
                found.insert(nth, answer(value)?);
            }
        }
        Ok((0..len).map(|nth| found.remove(&nth).unwrap_or_default()).collect())
    }

    /// The newest entry of a journal.
    pub(super) async fn tip(&self, actor: &ActorId) -> Result<Option<Tip>, Error> {
        let (tag, key) = (tag_of(actor), self.keys.journal(actor));
        let mut count = TIP_ENTRIES;
        loop {
            let newest = command("XREVRANGE", &[&key, "+", "-", "COUNT", &count.to_string()]);
            let (answers, history) =
                self.ask_in(&tag, vec![newest, command("EXISTS", &[&key])]).await?;
            let [range, exists] = exactly(answers)?;
            let entries = reply::entries(actor, range)?;
            if entries.is_empty() {
                let there = exists == Value::Int(1);
                return match there {
                    true => self.trimmed_tip(actor).await.map(Some),
                    false => self.tip_without_journal(actor).await,
                };
            }
            if let Some(tip) = reply::tip(&entries, entries.len() == count, history) {
                return Ok(Some(tip));
            }
            count *= 16;
        }
    }

    /// The tip of a journal without entries: trimming keeps the newest id.
    async fn trimmed_tip(&self, actor: &ActorId) -> Result<Tip, Error> {
        let info = command("XINFO", &["STREAM", &self.keys.journal(actor)]);
        let (answers, history) = self.ask_in(&tag_of(actor), vec![info]).await?;
        let [info] = exactly(answers)?;
        let fields: HashMap<String, Value> =
            redis::from_redis_value(info).map_err(|error| Error::Doubt(error.to_string()))?;
        let id = fields.get("last-generated-id").and_then(reply::text).and_then(reply::entry_id);
        let (epoch, seq) =
            id.ok_or_else(|| Error::Doubt(format!("the journal of {actor} has no newest id")))?;
        Ok(Tip { epoch, seq, append_id: 0, continues: None, history })
    }

    /// Whoever is listed and has no journal has lost it: it was evicted, or deleted by hand.
    async fn tip_without_journal(&self, actor: &ActorId) -> Result<Option<Tip>, Error> {
        let tag = tag_of(actor);
        let listed = command("ZSCORE", &[&self.keys.ids(&tag), actor.as_str()]);
        let there = command("EXISTS", &[&self.keys.journal(actor)]);
        let (answers, history) = self.ask_in(&tag, vec![listed, there]).await?;
        match exactly(answers)? {
            [Value::Nil, _] => Ok(None),
            [_, Value::Int(0)] => Ok(Some(Tip::of_nothing(history))),
            _ => Err(Error::Doubt(format!("{actor} was made while its tip was read"))),
        }
    }

    pub(super) async fn load(&self, actor: &ActorId, base: Base) -> Result<Loaded, Error> {
        let mut attempt = 1;
        loop {
            match self.load_once(actor, base).await {
                Err(Error::Corrupt { .. }) if attempt < LOADS_MAX => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// Reads the snapshot before the journal: what a newer owner writes between the two is then
    /// at most more than the snapshot needs, or a gap that a second reading does not have.
    async fn load_once(&self, actor: &ActorId, base: Base) -> Result<Loaded, Error> {
        let (tag, journal) = (tag_of(actor), self.keys.journal(actor));
        let snapshot = match base {
            Base::Newest => self.keys.newest(actor),
            Base::Older => self.keys.older(actor),
        };
        let commands = vec![
            command("GET", &[&snapshot]),
            command("XRANGE", &[&journal, "-", "+"]),
            command("EXISTS", &[&journal]),
        ];
        let (answers, history) = self.ask_in(&tag, commands).await?;
        let [snapshot, range, exists] = exactly(answers)?;
        let snapshot = reply::bytes(snapshot);
        let snapshot: Option<SnapshotRow> =
            snapshot.map(|packed| reply::unpack_snapshot(actor, &packed)).transpose()?;
        let entries = reply::entries(actor, range)?;
        let tip = match reply::tip_of_whole(&entries, history) {
            Some(tip) => tip,
            None if exists == Value::Int(1) => self.trimmed_tip(actor).await?,
            None if snapshot.is_some() => {
                let what = "it has a snapshot and no journal".to_owned();
                return Err(Error::Corrupt { actor: actor.clone(), what });
            }
            None => return Err(Error::Absent),
        };
        reply::loaded(actor, snapshot, entries, tip)
    }

    /// Ids begin with the epoch, so a seq can't be looked up: the journal is read in steps.
    pub(super) async fn journal(
        &self,
        actor: &ActorId,
        from: Seq,
        limit: usize,
    ) -> Result<Vec<RecordRow>, Error> {
        let (tag, key) = (tag_of(actor), self.keys.journal(actor));
        let (mut found, mut start) = (Vec::new(), "-".to_owned());
        loop {
            let step = HISTORY_STEP.to_string();
            let range = command("XRANGE", &[&key, &start, "+", "COUNT", &step]);
            let answers = self.ask(&tag, vec![range, command("EXISTS", &[&key])]).await?;
            let [range, exists] = exactly(answers)?;
            if exists != Value::Int(1) {
                return Err(Error::Absent);
            }
            let entries = reply::entries(actor, range)?;
            let whole = entries.len() < HISTORY_STEP;
            let Some(last) = entries.last() else { return Ok(found) };
            start = format!("({}-{}", last.epoch, last.seq);
            let room = limit.saturating_sub(found.len());
            found.extend(reply::records(entries, from).take(room));
            if whole || found.len() >= limit {
                return Ok(found);
            }
        }
    }

    pub(super) async fn owners(&self, actors: Vec<ActorId>) -> Result<Vec<Option<Owner>>, Error> {
        let ask = |actor: &ActorId| {
            (tag_of(actor), command("HMGET", &[&self.keys.meta(actor), "session", "epoch"]))
        };
        let answers = self.scatter(actors.iter().map(ask).collect()).await?;
        answers.into_iter().map(owner).collect()
    }

    pub(super) async fn due(
        &self,
        partition: Partition,
        after: Option<(u64, ActorId)>,
        until_ms: u64,
        limit: usize,
    ) -> Result<Vec<(u64, ActorId)>, Error> {
        let (tag, mut found, mut skipped) = (tag(partition), Vec::new(), 0);
        let (key, until) = (self.keys.due(&tag), until_ms.to_string());
        let from = after.as_ref().map_or("-inf".to_owned(), |(at_ms, _)| at_ms.to_string());
        while found.len() < limit {
            let (offset, count) = (skipped.to_string(), limit.to_string());
            let args = [&key, &from, &until, "WITHSCORES", "LIMIT", &offset, &count];
            let answers = self.ask(&tag, vec![command("ZRANGEBYSCORE", &args)]).await?;
            let [range] = exactly(answers)?;
            let rows = due_rows(range)?;
            skipped += rows.len();
            let whole = rows.len() < limit;
            let room = limit - found.len();
            found.extend(rows.into_iter().filter(|row| Some(row) > after.as_ref()).take(room));
            if whole {
                break;
            }
        }
        Ok(found)
    }

    /// Actors by partition, and by name within one.
    pub(super) async fn actors(
        &self,
        kind: &str,
        after: Option<ActorId>,
        limit: usize,
    ) -> Result<Vec<ActorId>, Error> {
        let mut found = Vec::new();
        let mut cursor = Some((after.as_ref().map_or(0, partition_of), after));
        while let Some(at) = cursor.take().filter(|_| found.len() < limit) {
            let (listed, next) = self.actors_step(kind, at, limit).await?;
            found.extend(self.with_records(listed).await?);
            cursor = next;
        }
        found.truncate(limit);
        Ok(found)
    }

    /// The actors of some partitions, and where to go on.
    async fn actors_step(
        &self,
        kind: &str,
        (first, after): (Partition, Option<ActorId>),
        limit: usize,
    ) -> Result<(Vec<ActorId>, Option<(Partition, Option<ActorId>)>), Error> {
        let partitions = || (first..PARTITIONS).take(PARTITIONS_STEP);
        let ask = |partition| {
            let after = after.as_ref().filter(|_| partition == first);
            self.ask_ids(partition, kind, after, limit)
        };
        let answers = self.scatter(partitions().map(ask).collect()).await?;
        let (mut listed, mut next) = (Vec::new(), None);
        for (partition, answer) in partitions().zip(answers) {
            let ids = ids(answer)?;
            let full = ids.len() >= limit;
            next = if full {
                Some((partition, ids.last().cloned()))
            } else {
                Some((partition + 1, None))
            };
            listed.extend(ids);
            if full || listed.len() >= limit {
                break;
            }
        }
        Ok((listed, next.filter(|(partition, _)| *partition < PARTITIONS)))
    }

    fn ask_ids(
        &self,
        partition: Partition,
        kind: &str,
        after: Option<&ActorId>,
        limit: usize,
    ) -> (String, Cmd) {
        let tag = tag(partition);
        let first = after.map_or(format!("[{kind}:"), |after| format!("({after}"));
        // The character after the colon: no id of this kind is above it.
        let last = format!("({kind};");
        let key = self.keys.ids(&tag);
        let args = [&key, &first, &last, "LIMIT", "0", &limit.to_string()];
        (tag, command("ZRANGEBYLEX", &args))
    }

    /// Those that have a record: a claim alone makes none.
    async fn with_records(&self, ids: Vec<ActorId>) -> Result<Vec<ActorId>, Error> {
        let ask = |actor: &ActorId| {
            let key = self.keys.journal(actor);
            (tag_of(actor), command("XREVRANGE", &[&key, "+", "-", "COUNT", "1"]))
        };
        let answers = self.scatter(ids.iter().map(ask).collect()).await?;
        let mut kept = Vec::new();
        for (actor, range) in ids.into_iter().zip(answers) {
            if reply::entries(&actor, range)?.first().is_none_or(|entry| entry.seq > 0) {
                kept.push(actor);
            }
        }
        Ok(kept)
    }
}

/// A command of plain texts.
pub(super) fn command(name: &str, args: &[&str]) -> Cmd {
    let mut command = cmd(name);
    for arg in args {
        command.arg(arg);
    }
    command
}

/// As many answers as were asked for.
pub(super) fn exactly<const N: usize>(answers: Vec<Value>) -> Result<[Value; N], Error> {
    <[Value; N]>::try_from(answers)
        .map_err(|answers| Error::Doubt(format!("{} answers came instead of {N}", answers.len())))
}

fn owner(value: Value) -> Result<Option<Owner>, Error> {
    let [session, epoch] = exactly(reply::array(value).unwrap_or_default())?;
    let both = reply::number(&session).zip(reply::number(&epoch));
    Ok(both.map(|(session, epoch)| Owner { session, epoch }))
}

fn id(value: &Value) -> Result<ActorId, Error> {
    let id = reply::text(value).and_then(|text| text.parse().ok());
    id.ok_or_else(|| strange("an index of actors", value))
}

fn ids(range: Value) -> Result<Vec<ActorId>, Error> {
    reply::array(range).unwrap_or_default().iter().map(id).collect()
}

fn due_rows(range: Value) -> Result<Vec<(u64, ActorId)>, Error> {
    let values = reply::array(range).unwrap_or_default();
    let row = |pair: &[Value]| match pair {
        [actor, at_ms] => {
            let at_ms = reply::score(at_ms).ok_or_else(|| strange("an index of time", at_ms))?;
            Ok((at_ms, id(actor)?))
        }
        _ => Err(Error::Doubt("an index of time has half a row".into())),
    };
    values.chunks(2).map(row).collect()
}
