//! Answers queries, and walks rows.
//!
//! 1. The plan is made twice: once to learn which paths there are, and once more with how many
//!    rows they find, extrapolated from a few partitions. Nothing is counted for a query that
//!    names its players.
//! 2. Each partition that may have rows is asked: some partitions in each pipeline, two pipelines
//!    in flight to each primary. I7: they answer with a bounded number of rows and name the
//!    further players, whose rows are read in pieces.
//!    - One path is one command, and rows are read where it finds someone: most partitions hold
//!      nothing of a selective query, and a script that finds that out costs ten commands.
//!    - Several paths are asked by a script, as of one moment: between two commands a row might
//!      move from the path that is still to be asked to the one that was.
//!
//! Rows of different partitions are of different moments, up to the duration of the search apart.
//! Each row that is read is asked the whole query, so one that has changed since its path found it
//! is left out where it no longer matches.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use holdfast_protocol::ids::{ActorId, PlayerId};
use redis::{Cmd, Value, cmd};

use super::stored::{self, PLAYERS, name_of, row_in};
use crate::search::{Access, Builtin, Cardinality, Keys, Path, Plan, Registry, Value as Of};
use crate::store::attributes::{Collector, Found, RowOf, Search};
use crate::store::redis::Inner;
use crate::store::redis::keys::{PARTITIONS, tag, tag_of};
use crate::store::redis::link::{Link, answer};
use crate::store::redis::read::{command, exactly};
use crate::store::redis::reply::{self, Said};
use crate::store::redis::scripts::FIND_ROWS;
use crate::store::redis::world::by_link;
use crate::store::{Error, Partition};

/// Partitions that are counted to choose a plan.
const SAMPLES: Partition = 8;
/// Paths that are counted; conditions with further ones are not asked of the index.
const PATHS_SAMPLED_MAX: usize = 512;
/// What a path costs at least that has to be asked of all partitions, in players asked one by one.
const ALL_COST: u64 = 64;
/// Partitions asked by one pipeline of scripts.
const PIPELINE_LEN: usize = 32;
/// Partitions asked by one pipeline of commands.
const PIPELINE_LEN_PLAIN: usize = 128;
/// Rows read at once where such a pipeline found players.
const ROWS_LEN_PLAIN: usize = 1_024;
/// Pipelines in flight to one primary.
const PIPELINES: usize = 2;
/// Rows of one answer.
const ROWS_LEN: usize = 128;
/// Rows looked at between two chances for others to run.
const LOOK_LEN: usize = 256;

impl Inner {
    pub(in crate::store::redis) async fn search(
        self: Arc<Self>,
        search: Search,
    ) -> Result<Found, Error> {
        let mut collector = Collector::new(&search);
        let now_ms = collector.now_ms();
        let plan = self.plan(&search, now_ms).await?;
        let asked = match plan.access() {
            Access::Nothing => return Ok(collector.finish()),
            Access::Everything => Asked::of(&[everyone()]),
            Access::Union(paths) => Asked::of(paths),
        };
        let mut answers = stream::iter(self.asks(Arc::new(asked)))
            .buffer_unordered(PIPELINES * self.router.links().len());
        let mut looked = 0;
        while let Some(answer) = answers.next().await {
            for found in answer? {
                let mut rows = found.rows;
                for players in found.left.chunks(ROWS_LEN) {
                    looked += offer(&search, now_ms, &mut collector, rows);
                    rows = self.read_rows(&found.tag, players).await?;
                }
                looked += offer(&search, now_ms, &mut collector, rows);
                if looked >= LOOK_LEN {
                    looked = 0;
                    tokio::task::yield_now().await;
                }
            }
        }
        drop(answers);
        Ok(collector.finish())
    }

    async fn plan(&self, search: &Search, now_ms: u64) -> Result<Plan, Error> {
        let (registry, query) = (&search.registry, &search.query);
        let mut paths = Paths::default();
        let plan = Plan::new(registry, query, &paths, now_ms);
        if matches!(plan.access(), Access::Union(paths) if paths.iter().all(is_of_one)) {
            return Ok(plan);
        }
        self.sample(&mut paths).await?;
        Ok(Plan::new(registry, query, &paths, now_ms))
    }

    /// Counts the paths in a few partitions, spread evenly.
    async fn sample(&self, paths: &mut Paths) -> Result<(), Error> {
        let known = paths.known.get_mut();
        let mut counted: Vec<_> = known.iter_mut().filter(|(path, _)| !is_of_one(path)).collect();
        if counted.is_empty() {
            return Ok(());
        }
        let mut commands = Vec::new();
        for nth in 0..SAMPLES {
            let tag = tag(nth * (PARTITIONS / SAMPLES) + PARTITIONS / SAMPLES / 2);
            let total = command("ZCARD", &[&self.keys.members(&tag, PLAYERS)]);
            commands.push((tag.clone(), total));
            for (path, _) in &counted {
                commands.push((tag.clone(), self.count(&tag, &Probe::of(path))));
            }
        }
        let answers = self.scatter(commands).await?;
        let (each, width) = (u64::from(PARTITIONS / SAMPLES), counted.len() + 1);
        let column = |nth: usize| {
            let values = answers.iter().skip(nth).step_by(width);
            values.filter_map(reply::number).sum::<u64>() * each
        };
        paths.total = column(0);
        for (nth, (_, count)) in counted.iter_mut().enumerate() {
            *count = column(nth + 1).max(ALL_COST);
        }
        Ok(())
    }

    fn count(&self, tag: &str, probe: &Probe) -> Cmd {
        let mut count = if probe.kind == 'n' { cmd("ZCOUNT") } else { cmd("ZLEXCOUNT") };
        count.arg(self.keys.members(tag, &probe.name)).arg(&probe.from).arg(&probe.to);
        count
    }

    /// The calls to all partitions that may have rows, those to different primaries in turn.
    fn asks(self: &Arc<Self>, asked: Arc<Asked>) -> Vec<BoxFuture<'static, Answered>> {
        let tags = asked.tags();
        let mut parts = Vec::new();
        let len = if asked.alone().is_some() { PIPELINE_LEN_PLAIN } else { PIPELINE_LEN };
        for (link, tags) in by_link(&self.router, tags.into_iter()) {
            for (nth, tags) in tags.chunks(len).enumerate() {
                parts.push((nth, link.clone(), tags.to_vec()));
            }
        }
        parts.sort_by_key(|(nth, ..)| *nth);
        let ask = |(_, link, tags)| Arc::clone(self).ask_rows(link, tags, Arc::clone(&asked));
        parts.into_iter().map(|part| ask(part).boxed()).collect()
    }

    async fn ask_rows(
        self: Arc<Self>,
        link: Link,
        tags: Vec<String>,
        asked: Arc<Asked>,
    ) -> Answered {
        let (history, first) = (link.history(), tags.first().cloned());
        let answers = match asked.alone() {
            Some(probe) => self.ask_plainly(&link, tags, probe).await?,
            None => self.ask_scripts(&link, tags, &asked).await?,
        };
        if let Some(tag) = first {
            self.same_history(&tag, &link, history)?;
        }
        Ok(answers)
    }

    /// Asks by a script, as of one moment of each partition.
    async fn ask_scripts(&self, link: &Link, tags: Vec<String>, asked: &Asked) -> Answered {
        let calls = tags.iter().map(|tag| self.ask_call(tag, asked)).collect();
        let answers = link.scripts(&FIND_ROWS, calls).await?;
        let read = |(tag, value)| Rows::read(tag, Said::read(answer(value)?)?);
        tags.into_iter().zip(answers).map(read).collect()
    }

    /// Asks by one command, and then for the rows of those players who were found.
    async fn ask_plainly(&self, link: &Link, tags: Vec<String>, probe: &Probe) -> Answered {
        let mut pipeline = redis::pipe();
        for tag in &tags {
            pipeline.add_command(self.incarnation_of(tag));
            pipeline.add_command(self.range(tag, probe));
        }
        let mut answers = link.bulk(pipeline).await?.into_iter();
        let (mut found, mut room) = (Vec::new(), ROWS_LEN_PLAIN);
        let mut pipeline = redis::pipe();
        for tag in tags {
            let incarnation = answers.next().map_or(Ok(Value::Nil), answer)?;
            self.same_world(&tag, &incarnation)?;
            let members = answers.next().map_or(Ok(Value::Nil), answer)?;
            let mut players = probe.players(members);
            if players.is_empty() {
                continue;
            }
            let left = players.split_off(players.len().min(room).min(ROWS_LEN));
            room -= players.len();
            let asks = !players.is_empty();
            if asks {
                pipeline.add_command(self.rows_of(&tag, &players));
            }
            found.push((asks, Rows { tag, rows: Vec::new(), left }));
        }
        let rows = if pipeline.is_empty() { Vec::new() } else { link.bulk(pipeline).await? };
        let mut rows = rows.into_iter();
        for (_, part) in found.iter_mut().filter(|(asks, _)| *asks) {
            let read = rows.next().map_or(Ok(Value::Nil), answer)?;
            part.rows = reply::array(read).unwrap_or_default();
        }
        Ok(found.into_iter().map(|(_, part)| part).collect())
    }

    /// The members that a probe finds.
    fn range(&self, tag: &str, probe: &Probe) -> Cmd {
        let words = probe.kind != 'n';
        let mut range = cmd(if words { "ZRANGEBYLEX" } else { "ZRANGEBYSCORE" });
        range.arg(self.keys.members(tag, &probe.name)).arg(&probe.from).arg(&probe.to);
        range
    }

    fn rows_of(&self, tag: &str, players: &[Value]) -> Cmd {
        let mut read = cmd("HMGET");
        read.arg(self.keys.rows(tag));
        for player in players {
            read.arg(reply::text(player).unwrap_or_default());
        }
        read
    }

    fn ask_call(&self, tag: &str, asked: &Asked) -> Cmd {
        let mut keys = vec![self.keys.facts(tag), self.keys.rows(tag)];
        keys.extend(asked.names.iter().map(|name| self.keys.members(tag, name)));
        let mut args = vec![self.incarnation.clone().into_bytes(), text(ROWS_LEN)];
        for (of, player) in &asked.players {
            if of == tag {
                args.extend([b"o".to_vec(), text(0), player.clone(), Vec::new()]);
            }
        }
        for (place, probe) in &asked.probes {
            let kind = probe.kind.to_string().into_bytes();
            args.extend([kind, text(place + 3), probe.from.clone(), probe.to.clone()]);
        }
        FIND_ROWS.call(&keys, &args)
    }

    /// The stored rows of players of one partition.
    async fn read_rows(&self, tag: &str, players: &[Value]) -> Result<Vec<Value>, Error> {
        let [rows] = exactly(self.ask(tag, vec![self.rows_of(tag, players)]).await?)?;
        Ok(reply::array(rows).unwrap_or_default())
    }

    pub(in crate::store::redis) async fn rows(
        &self,
        registry: &Registry,
        partition: Partition,
        after: Option<PlayerId>,
        limit: usize,
    ) -> Result<Vec<RowOf>, Error> {
        let tag = tag(partition);
        let key = self.keys.members(&tag, PLAYERS);
        let (mut found, mut after) = (Vec::new(), after.map(|after| after.to_string()));
        while found.len() < limit {
            let step = (limit - found.len()).min(ROWS_LEN);
            let from = after.as_ref().map_or("-".to_owned(), |after| format!("({after}"));
            let args = [&key, &from, "+", "LIMIT", "0", &step.to_string()];
            let [players] = exactly(self.ask(&tag, vec![command("ZRANGEBYLEX", &args)]).await?)?;
            let players = reply::array(players).unwrap_or_default();
            let Some(last) = players.last() else { break };
            after = reply::text(last).map(str::to_owned);
            for bytes in self.read_rows(&tag, &players).await?.into_iter().filter_map(reply::bytes)
            {
                found.extend(row_in(registry, &bytes).map(|(at, row)| RowOf { at, row }));
            }
            if players.len() < step || after.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

/// Offers those of some stored rows that are asked for; says how many were looked at.
fn offer(search: &Search, now_ms: u64, to: &mut Collector<'_>, rows: Vec<Value>) -> usize {
    let len = rows.len();
    for bytes in rows.into_iter().filter_map(reply::bytes) {
        if let Some((_, row)) = row_in(&search.registry, &bytes)
            && search.query.matches(&row, now_ms)
        {
            to.offer(row);
        }
    }
    len
}

fn text(number: usize) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// The path that finds every row.
fn everyone() -> Path {
    Path { attribute: Builtin::PlayerId.attribute(), keys: Keys::Prefix("".into()) }
}

fn is_of_players(path: &Path) -> bool {
    path.attribute.id() == Builtin::PlayerId as u16
}

/// Whether it finds one row at most.
fn is_of_one(path: &Path) -> bool {
    is_of_players(path) && matches!(path.keys, Keys::Equal(_))
}

/// What is known of the paths of a query. A path that is not known yet is noted, with what it costs
/// at least.
#[derive(Debug, Default)]
struct Paths {
    known: RefCell<Vec<(Path, u64)>>,
    total: u64,
}

impl Cardinality for Paths {
    fn total(&self) -> u64 {
        // Among fewer rows the samples say nothing, and reading all costs a call to each partition.
        self.total.max(PARTITIONS.into())
    }

    fn estimate(&self, path: &Path) -> Option<u64> {
        let mut known = self.known.borrow_mut();
        if let Some((_, count)) = known.iter().find(|(known, _)| known == path) {
            return Some(*count);
        }
        let first = if is_of_one(path) { 1 } else { ALL_COST };
        let room = known.len() < PATHS_SAMPLED_MAX;
        if room {
            known.push((path.clone(), first));
        }
        room.then_some(first)
    }
}

/// A path in the words of the script.
#[derive(Debug, PartialEq, Eq)]
struct Probe {
    name: String,
    kind: char,
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Probe {
    fn of(path: &Path) -> Self {
        let (from, to) = match &path.keys {
            Keys::Range { low, high } => {
                (bound(*low, i64::MIN, "-inf"), bound(*high, i64::MAX, "+inf"))
            }
            Keys::Equal(Of::Integer(number)) => (text_of(*number), text_of(*number)),
            Keys::Equal(Of::Bool(flag)) => words(if *flag { "1" } else { "0" }),
            Keys::Equal(Of::Text(text)) => words(text),
            Keys::Prefix(prefix) if prefix.is_empty() => (b"-".to_vec(), b"+".to_vec()),
            // No letter of a text is above this byte.
            Keys::Prefix(prefix) => {
                let prefix = prefix.as_bytes();
                ([b"[", prefix].concat(), [b"(", prefix, b"\xff"].concat())
            }
        };
        let kind = match path.keys {
            _ if is_of_players(path) => 'p',
            Keys::Range { .. } | Keys::Equal(Of::Integer(_)) => 'n',
            Keys::Equal(_) | Keys::Prefix(_) => 'w',
        };
        Self { name: name_of(&path.attribute), kind, from, to }
    }

    /// The players of the members that it found.
    fn players(&self, members: Value) -> Vec<Value> {
        let mut members = reply::array(members).unwrap_or_default();
        if stored::is_of_words(&self.name) {
            for member in &mut members {
                if let Value::BulkString(bytes) = member {
                    *bytes = stored::player_of(&self.name, bytes).to_vec();
                }
            }
        }
        members
    }
}

/// Scores are doubles: both bounds are rounded as the scores are, so no row is lost.
fn bound(at: i64, none: i64, word: &str) -> Vec<u8> {
    if at == none { word.into() } else { text_of(at) }
}

fn text_of(number: i64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// The members of a value, and of those that go on with a zero byte.
fn words(value: &str) -> (Vec<u8>, Vec<u8>) {
    let value = value.as_bytes();
    ([b"[", value, b"\0"].concat(), [b"(", value, b"\x01"].concat())
}

/// What partitions are asked for.
#[derive(Debug, Default)]
struct Asked {
    names: Vec<String>,
    /// Each with the place of its name.
    probes: Vec<(usize, Probe)>,
    /// Single players, each with its tag.
    players: Vec<(String, Vec<u8>)>,
}

impl Asked {
    fn of(paths: &[Path]) -> Self {
        let mut asked = Self::default();
        for path in paths {
            match &path.keys {
                Keys::Equal(Of::Text(player)) if is_of_players(path) => {
                    // Another text is no player's.
                    if let Some(player) = stored::player(player.as_bytes()) {
                        let tag = tag_of(&ActorId::player(&player));
                        asked.players.push((tag, player.as_str().into()));
                    }
                }
                _ => asked.push(Probe::of(path)),
            }
        }
        asked
    }

    fn push(&mut self, probe: Probe) {
        let known = self.names.iter().position(|name| *name == probe.name);
        let place = known.unwrap_or_else(|| {
            self.names.push(probe.name.clone());
            self.names.len() - 1
        });
        self.probes.push((place, probe));
    }

    /// The probe, where it is the only thing asked for.
    fn alone(&self) -> Option<&Probe> {
        match (&self.probes[..], &self.players[..]) {
            ([(_, probe)], []) => Some(probe),
            _ => None,
        }
    }

    /// The tags of the partitions that may have rows.
    fn tags(&self) -> BTreeSet<String> {
        if self.probes.is_empty() {
            return self.players.iter().map(|(tag, _)| tag.clone()).collect();
        }
        (0..PARTITIONS).map(tag).collect()
    }
}

/// What the partitions of one pipeline answered.
type Answered = Result<Vec<Rows>, Error>;

/// What one partition answered.
#[derive(Debug)]
struct Rows {
    tag: String,
    rows: Vec<Value>,
    /// Players whose rows are still to be read.
    left: Vec<Value>,
}

impl Rows {
    fn read(tag: String, said: Said) -> Result<Self, Error> {
        if said.word != "found" {
            return Err(said.unknown());
        }
        let [rows, left] = exactly(said.into_rest())?;
        let list = |value| reply::array(value).unwrap_or_default();
        Ok(Self { tag, rows: list(rows), left: list(left) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(of: Builtin, keys: Keys) -> Path {
        Path { attribute: of.attribute(), keys }
    }

    fn probe(of: Builtin, keys: Keys) -> (String, char, Vec<u8>, Vec<u8>) {
        let Probe { name, kind, from, to } = Probe::of(&path(of, keys));
        (name, kind, from, to)
    }

    #[test]
    fn paths_are_ranges_of_members() {
        let prefix = |text: &str| Keys::Prefix(text.into());
        let range = |low, high| Keys::Range { low, high };
        for (found, (name, kind, from, to)) in [
            (probe(Builtin::Gold, range(-3, 7)), ("n6", 'n', &b"-3"[..], &b"7"[..])),
            (probe(Builtin::Gold, range(i64::MIN, i64::MAX)), ("n6", 'n', b"-inf", b"+inf")),
            (probe(Builtin::CurrentRoom, prefix("")), ("w3", 'w', b"-", b"+")),
            (probe(Builtin::CurrentRoom, prefix("a")), ("w3", 'w', b"[a", b"(a\xff")),
            (probe(Builtin::CurrentRoom, Keys::Equal("".into())), ("w3", 'w', b"[\0", b"(\x01")),
            (probe(Builtin::PlayerId, prefix("a")), ("n0", 'p', b"[a", b"(a\xff")),
        ] {
            assert_eq!(found, (name.into(), kind, from.into(), to.into()));
        }
    }

    #[test]
    fn one_player_concerns_one_partition() {
        let one = |id: &str| path(Builtin::PlayerId, Keys::Equal(id.into()));
        let asked = Asked::of(&[one("alice"), one("bob"), one("NO ONE")]);
        assert_eq!(asked.tags().into_iter().collect::<Vec<_>>(), [tag(488), tag(850)]);
        let several = Asked::of(&[one("alice"), path(Builtin::Node, Keys::Equal("gw".into()))]);
        assert_eq!(several.tags().len(), usize::from(PARTITIONS));
    }
}
