//! Holds the members of a partition against its rows, and puts them right.
//!
//! A partition is looked at as of one moment. Each row calls for the entries that this registry
//! gives it, and for those that it lists of attributes that are not indexed here: another version
//! of the game may ask by these. What is wrong is mended by player, and only where the row is still
//! the one that was looked at; what changed meanwhile was written right, or is found by the next
//! look.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use redis::Value;

use super::stored::{Names, Stored, member, player_of};
use crate::search::{Registry, Row};
use crate::store::attributes::EntriesFound;
use crate::store::redis::Inner;
use crate::store::redis::keys::tag;
use crate::store::redis::reply::{self, Said, strange};
use crate::store::redis::scripts::{LOOK_ROWS, MEND_ROWS};
use crate::store::{Error, Partition};

/// Players mended by one call.
const CALL_LEN: usize = 16;

/// By member, its score.
type Members = BTreeMap<Vec<u8>, f64>;

/// A partition, as of one moment.
#[derive(Debug, Default)]
struct View {
    rows: BTreeMap<Bytes, Bytes>,
    /// In the order of the names.
    members: Vec<Members>,
}

impl Inner {
    pub(in crate::store::redis) async fn check_entries(
        &self,
        registry: &Registry,
        partition: Partition,
        mends: bool,
    ) -> Result<EntriesFound, Error> {
        let (tag, mut names) = (tag(partition), Names::of(registry));
        let view = loop {
            let view = self.look(&tag, &names).await?;
            let stored = view.rows.values().filter_map(|bytes| Stored::read(bytes));
            let listed = stored.flat_map(|stored| stored.entries);
            let learnt = listed.filter(|(name, _)| names.learn(name)).count();
            if learnt == 0 {
                break view;
            }
        };
        let verdict = Verdict::of(registry, &names, &view);
        let mut found = verdict.found;
        if mends {
            found.rows -= verdict.unreadable;
            self.mend(&tag, &names, verdict.mends).await?;
        }
        Ok(found)
    }

    async fn look(&self, tag: &str, names: &Names) -> Result<View, Error> {
        let keys = self.index_keys(tag, names);
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (said, _) = self.run(tag, &LOOK_ROWS, &keys, &[]).await?;
        if said.word != "seen" {
            return Err(said.unknown());
        }
        View::read(said)
    }

    async fn mend(&self, tag: &str, names: &Names, mends: Mends) -> Result<(), Error> {
        let keys = self.index_keys(tag, names);
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut mends = mends.into_iter();
        loop {
            let mut args: Vec<Vec<u8>> = Vec::new();
            for (player, mend) in mends.by_ref().take(CALL_LEN) {
                let members = mend.members.len().to_string().into();
                args.extend([player, mend.seen.into(), mend.wanted, members]);
                for (place, member, score) in mend.members {
                    let score = score.map(|score| score.to_string()).unwrap_or_default();
                    args.extend([(place + 3).to_string().into(), member, score.into()]);
                }
            }
            if args.is_empty() {
                return Ok(());
            }
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            let (said, _) = self.run(tag, &MEND_ROWS, &keys, &args).await?;
            if said.word != "ok" {
                return Err(said.unknown());
            }
        }
    }
}

impl View {
    fn read(said: Said) -> Result<Self, Error> {
        let mut parts = said.into_rest().into_iter();
        let mut view = Self::default();
        for (player, row) in pairs(parts.next().unwrap_or_default())? {
            view.rows.insert(player, row);
        }
        for part in parts {
            let mut members = Members::new();
            for (member, score) in pairs(part)? {
                let score = std::str::from_utf8(&score).ok().and_then(|score| score.parse().ok());
                members.insert(member.into(), score.unwrap_or(f64::NAN));
            }
            view.members.push(members);
        }
        Ok(view)
    }
}

fn pairs(value: Value) -> Result<Vec<(Bytes, Bytes)>, Error> {
    let Value::Array(values) = value else { return Err(strange("a look at rows", &value)) };
    let mut values = values.into_iter().filter_map(reply::bytes);
    let mut pairs = Vec::new();
    while let (Some(one), Some(two)) = (values.next(), values.next()) {
        pairs.push((one, two));
    }
    Ok(pairs)
}

/// By player, what is to be done.
type Mends = BTreeMap<Vec<u8>, Mend>;

/// What puts a player's part right.
#[derive(Debug, Default, PartialEq)]
struct Mend {
    /// The row as it was seen; empty: there was none.
    seen: Bytes,
    /// The row as it is to be.
    wanted: Vec<u8>,
    /// Which name's, the member, and its score; `None`: it is to go.
    members: Vec<(usize, Vec<u8>, Option<f64>)>,
}

/// What a look found, and what would put it right.
#[derive(Debug, Default)]
struct Verdict {
    found: EntriesFound,
    unreadable: u64,
    mends: Mends,
}

impl Verdict {
    fn of(registry: &Registry, names: &Names, view: &View) -> Self {
        let all: Vec<&str> = names.iter().collect();
        let mut verdict = Self::default();
        let mut wanted: Vec<Members> = vec![Members::new(); all.len()];
        let mut rows: BTreeMap<&[u8], Vec<u8>> = BTreeMap::new();
        verdict.found.rows = view.rows.len() as u64;
        for (player, bytes) in &view.rows {
            let Some((stored, row)) = readable(registry, player, bytes) else {
                verdict.unreadable += 1;
                verdict.mend(view, player);
                continue;
            };
            let entries = entries(names, &stored, &row);
            for (of, name) in wanted.iter_mut().zip(&all) {
                let entry = entries.get(name).map(Vec::as_slice).unwrap_or_default();
                of.extend(member(name, entry, player));
            }
            if !lists(&stored, &entries) {
                rows.insert(player, stored.listing(&entries));
                verdict.mend(view, player);
            }
        }
        for (place, (name, wanted)) in all.iter().zip(&wanted).enumerate() {
            let seen = view.members.get(place);
            verdict.compare(view, place, name, wanted, seen.unwrap_or(&Members::new()));
        }
        for (player, mend) in &mut verdict.mends {
            if let Some(bytes) = rows.remove(player.as_slice()) {
                mend.wanted = bytes;
            } else if readable(registry, player, &mend.seen).is_some() {
                mend.wanted = mend.seen.to_vec();
            }
        }
        verdict
    }

    fn mend(&mut self, view: &View, player: &[u8]) -> &mut Mend {
        let seen = || view.rows.get(player).cloned().unwrap_or_default();
        let fresh = || Mend { seen: seen(), ..Mend::default() };
        self.mends.entry(player.to_vec()).or_insert_with(fresh)
    }

    /// Those of one name.
    fn compare(&mut self, view: &View, place: usize, name: &str, wanted: &Members, seen: &Members) {
        let members: BTreeSet<&Vec<u8>> = wanted.keys().chain(seen.keys()).collect();
        for member in members {
            let (called, there) = (wanted.get(member), seen.get(member));
            if called == there {
                continue;
            }
            // A wrong score is both: an entry that no row calls for, and one that is missing.
            self.found.missing += u64::from(called.is_some());
            self.found.stray += u64::from(there.is_some());
            let mend = self.mend(view, player_of(name, member));
            mend.members.push((place, member.clone(), called.copied()));
        }
    }
}

fn readable<'a>(registry: &Registry, player: &[u8], bytes: &'a [u8]) -> Option<(Stored<'a>, Row)> {
    let stored = Stored::read(bytes)?;
    let row = stored.row(registry, player)?;
    Some((stored, row))
}

/// The entries that a row calls for: its own, and what it lists beyond this registry.
fn entries<'a>(names: &'a Names, stored: &Stored<'a>, row: &'a Row) -> BTreeMap<&'a str, Vec<u8>> {
    let listed = stored.entries.iter().map(|(name, entry)| (*name, entry.to_vec()));
    let mut entries: BTreeMap<_, _> = listed.collect();
    entries.extend(names.entries(row));
    entries
}

/// Whether a row lists all that it calls for.
fn lists(stored: &Stored<'_>, entries: &BTreeMap<&str, Vec<u8>>) -> bool {
    let listed: BTreeMap<&str, &[u8]> = stored.entries.iter().copied().collect();
    let same = |(name, entry): (&&str, &Vec<u8>)| {
        listed.get(*name).copied().unwrap_or_default() == entry.as_slice()
    };
    entries.iter().all(same)
}
