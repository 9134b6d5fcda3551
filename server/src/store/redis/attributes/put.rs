//! Writing and dropping rows: by partition, some rows in each call of a script, some calls in each
//! pipeline, one pipeline in flight to each primary. I7: what is in flight is bounded.
//!
//! A stored row of another version of the game may have entries of attributes that are not indexed
//! here. Their keys can't be declared beforehand, so the script changes nothing, names them, and is
//! called again with their keys.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use futures::future::join_all;
use holdfast_protocol::ids::{ActorId, PlayerId};
use redis::Cmd;

use super::stored::{self, Names};
use crate::search::Registry;
use crate::store::attributes::{Doomed, RowOf};
use crate::store::redis::Inner;
use crate::store::redis::keys::{partition_of, tag};
use crate::store::redis::link::{Link, Script, answer};
use crate::store::redis::reply::{Said, text};
use crate::store::redis::scripts::{DROP_ROWS, PUT_ROWS};
use crate::store::{Error, Partition};

/// Rows of one call: a few hundred microseconds of the server's.
const CALL_LEN: usize = 16;
/// Calls of one pipeline. The server reads some at a time, and serves others in between.
const PIPELINE_LEN: usize = 64;
/// Times that a call may learn further names.
const ROUNDS_MAX: usize = 4;

/// Players of one partition, each with what the script takes.
#[derive(Debug)]
struct Job {
    tag: String,
    rows: Vec<(PlayerId, Vec<u8>)>,
}

impl Inner {
    pub(in crate::store::redis) async fn put_rows(
        &self,
        registry: &Registry,
        rows: Vec<RowOf>,
    ) -> Result<(), Error> {
        let names = Names::of(registry);
        let rows = newest(rows).into_values();
        let pack = |of: RowOf| (of.row.player().clone(), stored::pack(registry, &names, &of));
        let jobs = jobs(rows.map(pack));
        self.write(&PUT_ROWS, names, jobs).await
    }

    pub(in crate::store::redis) async fn drop_rows(
        &self,
        registry: &Registry,
        rows: Vec<Doomed>,
    ) -> Result<(), Error> {
        let doomed = rows.into_iter().map(|(player, at)| (player, stored::pack_at(at).into()));
        self.write(&DROP_ROWS, Names::of(registry), jobs(doomed)).await
    }

    /// Runs a script for all jobs, whatever happens to some of them; tells the first error.
    async fn write(&self, script: &Script, mut names: Names, jobs: Vec<Job>) -> Result<(), Error> {
        let mut left = jobs;
        for _ in 0..ROUNDS_MAX {
            let parts = by_primary(self, left).into_iter();
            let written = parts.map(|(link, jobs)| self.write_to(link, script, &names, jobs));
            let mut again = Vec::new();
            let mut first_error = None;
            let mut learnt = Vec::new();
            for part in join_all(written.collect::<Vec<_>>()).await {
                again.extend(part.again);
                learnt.extend(part.learnt);
                first_error = first_error.or(part.error);
            }
            if let Some(error) = first_error {
                return Err(error);
            }
            if again.is_empty() {
                return Ok(());
            }
            learnt.iter().for_each(|name| {
                names.learn(name);
            });
            left = again;
        }
        Err(Error::Doubt("rows of other versions come faster than they are replaced".into()))
    }

    /// What goes to one primary.
    async fn write_to(
        &self,
        link: Link,
        script: &Script,
        names: &Names,
        jobs: Vec<Job>,
    ) -> Written {
        let mut written = Written::default();
        let mut jobs = jobs.into_iter();
        loop {
            let step: Vec<Job> = jobs.by_ref().take(PIPELINE_LEN).collect();
            let Some(first) = step.first() else { return written };
            let history = link.history();
            let calls = step.iter().map(|job| self.call(script, names, job)).collect();
            let answers = link.scripts(script, calls).await;
            let same = self.same_history(&first.tag, &link, history);
            let answers = match answers.and_then(|answers| same.map(|()| answers)) {
                Ok(answers) => answers,
                Err(error) => {
                    written.error.get_or_insert(error);
                    return written;
                }
            };
            for (job, value) in step.into_iter().zip(answers) {
                written.hear(job, answer(value).and_then(Said::read));
            }
        }
    }

    fn call(&self, script: &Script, names: &Names, job: &Job) -> Cmd {
        let keys = self.index_keys(&job.tag, names);
        let more = names.more();
        let mut args = vec![self.incarnation.as_bytes(), names.text().as_bytes(), more.as_bytes()];
        for (player, bytes) in &job.rows {
            args.extend([player.as_str().as_bytes(), bytes]);
        }
        script.call(&keys, &args)
    }

    /// The keys of scripts that read or write members: facts, rows, and those of the names.
    pub(super) fn index_keys(&self, tag: &str, names: &Names) -> Vec<String> {
        let members = names.iter().map(|name| self.keys.members(tag, name));
        [self.keys.facts(tag), self.keys.rows(tag)].into_iter().chain(members).collect()
    }
}

/// What became of the jobs of one primary.
#[derive(Debug, Default)]
struct Written {
    /// Those that need further names.
    again: Vec<Job>,
    learnt: Vec<String>,
    error: Option<Error>,
}

impl Written {
    fn hear(&mut self, job: Job, said: Result<Said, Error>) {
        match said {
            Ok(said) if said.word == "ok" => {}
            Ok(said) if said.word == "more" => {
                let names = said.into_rest();
                self.learnt.extend(names.iter().filter_map(text).map(str::to_owned));
                self.again.push(job);
            }
            Ok(said) => {
                self.error.get_or_insert(said.unknown());
            }
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
    }
}

/// The row of each player that is left when all are written in their order.
fn newest(rows: Vec<RowOf>) -> BTreeMap<PlayerId, RowOf> {
    let mut newest: BTreeMap<PlayerId, RowOf> = BTreeMap::new();
    for of in rows {
        match newest.entry(of.row.player().clone()) {
            Entry::Vacant(free) => {
                free.insert(of);
            }
            Entry::Occupied(mut known) if known.get().at <= of.at => {
                known.insert(of);
            }
            Entry::Occupied(_) => {}
        }
    }
    newest
}

/// Divides players by partition, in pieces of bounded length.
fn jobs(rows: impl Iterator<Item = (PlayerId, Vec<u8>)>) -> Vec<Job> {
    let mut open: BTreeMap<Partition, Vec<(PlayerId, Vec<u8>)>> = BTreeMap::new();
    let mut jobs = Vec::new();
    for (player, bytes) in rows {
        let partition = partition_of(&ActorId::player(&player));
        let rows = open.entry(partition).or_default();
        rows.push((player, bytes));
        if rows.len() >= CALL_LEN {
            jobs.push(Job { tag: tag(partition), rows: std::mem::take(rows) });
        }
    }
    let rest = open.into_iter().filter(|(_, rows)| !rows.is_empty());
    jobs.extend(rest.map(|(partition, rows)| Job { tag: tag(partition), rows }));
    jobs
}

fn by_primary(inner: &Inner, jobs: Vec<Job>) -> Vec<(Link, Vec<Job>)> {
    let mut parts: Vec<(Link, Vec<Job>)> = Vec::new();
    for job in jobs {
        let leads = |(link, _): &&mut (Link, Vec<Job>)| inner.router.leads(link, &job.tag);
        match parts.iter_mut().find(leads) {
            Some((_, jobs)) => jobs.push(job),
            None => parts.push((inner.router.link(&job.tag), vec![job])),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Row;
    use crate::store::attributes::RowAt;

    fn of(player: &str, epoch: u64, seq: u64) -> RowOf {
        let row = Row::new(PlayerId::new(player).unwrap());
        RowOf { at: RowAt { epoch, seq }, row }
    }

    #[test]
    fn the_order_within_a_call_counts() {
        let rows = vec![of("a", 1, 2), of("b", 1, 1), of("a", 1, 1), of("b", 1, 1), of("b", 2, 0)];
        let left: Vec<_> =
            newest(rows).into_iter().map(|(player, of)| (player.to_string(), of.at)).collect();
        let at = |epoch, seq| RowAt { epoch, seq };
        assert_eq!(left, [("a".into(), at(1, 2)), ("b".into(), at(2, 0))]);
    }

    #[test]
    fn jobs_are_of_one_partition_and_bounded() {
        let players = (0..5_000).map(|n| PlayerId::new(&format!("p{}", n / 2 * 2)).unwrap());
        let jobs = jobs(players.map(|player| (player, Vec::new())));
        assert_eq!(jobs.iter().map(|job| job.rows.len()).sum::<usize>(), 5_000);
        for job in &jobs {
            assert!((1..=CALL_LEN).contains(&job.rows.len()));
            let fits = |player| tag(partition_of(&ActorId::player(player))) == job.tag;
            assert!(job.rows.iter().all(|(player, _)| fits(player)));
        }
    }
}
