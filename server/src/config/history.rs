//! The commands that read what has happened: `holdfast history` and `holdfast replay`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};
use holdfast_protocol::ids::ActorId;

use super::option;
use super::{ConfigError, Settings, StoreChoice};

/// Where a running node may be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAt {
    /// The admin listener, `ADDR` or `http://ADDR`; `None`: the store's directory names it.
    pub admin: Option<String>,
    /// The store whose node is asked.
    pub store: StoreChoice,
    /// Where nodes of a Redis keep their files.
    pub data_dir: PathBuf,
}

/// `holdfast history`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The node that is asked.
    pub node: NodeAt,
    /// Whose history.
    pub actor: ActorId,
    /// What of it.
    pub show: Show,
    /// For programs instead of people.
    pub json: bool,
}

/// What is shown of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// Records, claims and snapshots.
    Entries {
        /// The first record; `None`: the oldest that is kept.
        from: Option<u64>,
        /// The last record; `None`: the newest.
        to: Option<u64>,
        /// Go on with what comes.
        follow: bool,
    },
    /// The state after this record.
    State(u64),
    /// What differs between the states after these two.
    Diff(u64, u64),
    /// Nothing; the journal is written to this file.
    Save(PathBuf),
}

/// `holdfast replay`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The node that is asked, if one is.
    pub node: NodeAt,
    /// A file that `holdfast history --save` wrote, or an actor of a running node.
    pub what: String,
    /// For programs instead of people.
    pub json: bool,
}

fn value(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).action(ArgAction::Set).help(help)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// The options that say which running node is asked.
fn node_options(command: Command) -> Command {
    command
        .arg(value(
            "admin",
            "ADDR",
            "The running node's admin listener; without it, the address is read from the store's \
             directory, or from --data-dir",
        ))
        .arg(value("store", "STORE", "The store of the running node"))
        .arg(value("data-dir", "DIR", "Where nodes of a Redis keep their files"))
}

pub(super) fn history_command() -> Command {
    let seqs = ["from", "to"];
    let command = Command::new("history")
        .about("Shows what has happened to a player, a room or any other actor of a running node")
        .arg(Arg::new("actor").value_name("ACTOR").required(true).help("Such as player:alice"))
        .arg(value("from", "SEQ", "The first record [default: the oldest that is kept]"))
        .arg(value("to", "SEQ", "The last record [default: the newest]"))
        .arg(flag("follow", "Go on with new records as they are written"))
        .arg(
            value("state", "SEQ", "Show the state after this record; 0: before the first")
                .conflicts_with_all(seqs),
        )
        .arg(
            value("diff", "SEQ", "Show what differs between the states after two records")
                .num_args(2)
                .value_names(["A", "B"])
                .conflicts_with_all(seqs),
        )
        .arg(
            value("save", "FILE", "Write the journal to a file for holdfast replay")
                .conflicts_with_all(seqs),
        )
        .arg(flag("json", "Print JSON, for programs; a history as one entry a line"))
        .group(clap::ArgGroup::new("what").args(["follow", "state", "diff", "save"]));
    node_options(command)
}

pub(super) fn replay_command() -> Command {
    let command = Command::new("replay")
        .about("Folds a journal by this version's rules and shows the first difference, if any")
        .arg(Arg::new("what").value_name("ACTOR|FILE").required(true).help(
            "An actor of a running node, such as player:alice, or a file that holdfast \
                 history --save wrote",
        ))
        .arg(flag("json", "Print JSON, for programs"))
        .after_help("Exit codes: 0 the same state after every record, 1 otherwise.");
    node_options(command)
}

impl NodeAt {
    /// Reads what [`node_options`] and the environment say.
    pub(super) fn read(
        matches: &ArgMatches,
        env: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let bad = |place: &str, why: String| ConfigError::Value { place: place.into(), why };
        let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
        let store = match (text("store"), env.get("HOLDFAST_STORE")) {
            (Some(flag), _) => flag.parse().map_err(|why| bad("--store", why))?,
            (None, Some(value)) => value.parse().map_err(|why| bad("HOLDFAST_STORE", why))?,
            (None, None) => Settings::default().store,
        };
        let named = text("data-dir").or_else(|| env.get("HOLDFAST_DATA_DIR").map(String::as_str));
        let data_dir = named.map_or(Settings::default().data_dir, PathBuf::from);
        Ok(Self { admin: text("admin").map(str::to_owned), store, data_dir })
    }
}

fn seq(text: &str, name: &str) -> Result<u64, ConfigError> {
    option::number(text, 0, u64::MAX)
        .map_err(|why| ConfigError::Value { place: format!("--{name}"), why })
}

pub(super) fn history(
    matches: &ArgMatches,
    env: &BTreeMap<String, String>,
) -> Result<History, ConfigError> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let one = |name: &str| text(name).map(|text| seq(text, name)).transpose();
    let actor = text("actor").unwrap_or_default().parse();
    let actor = actor.map_err(|why: holdfast_protocol::ids::IdError| ConfigError::Value {
        place: "ACTOR".into(),
        why: why.to_string(),
    })?;
    let pair: Vec<&String> = matches.get_many("diff").into_iter().flatten().collect();
    let show = match (one("state")?, pair.as_slice(), text("save")) {
        (Some(at), ..) => Show::State(at),
        (None, [a, b], _) => Show::Diff(seq(a, "diff")?, seq(b, "diff")?),
        (None, _, Some(file)) => Show::Save(file.into()),
        _ => {
            Show::Entries { from: one("from")?, to: one("to")?, follow: matches.get_flag("follow") }
        }
    };
    Ok(History { node: NodeAt::read(matches, env)?, actor, show, json: matches.get_flag("json") })
}

pub(super) fn replay(
    matches: &ArgMatches,
    env: &BTreeMap<String, String>,
) -> Result<Replay, ConfigError> {
    let what = matches.get_one::<String>("what").cloned().unwrap_or_default();
    Ok(Replay { node: NodeAt::read(matches, env)?, what, json: matches.get_flag("json") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Asked, resolve};

    fn asked(line: &str) -> Result<Asked, String> {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let none = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        resolve(&args, &BTreeMap::new(), &none).map_err(|e| e.to_string())
    }

    fn show(line: &str) -> Show {
        match asked(format!("holdfast history player:alice {line}").trim_end()) {
            Ok(Asked::History(history)) => history.show,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_history_is_asked_for_in_several_ways() {
        assert_eq!(show(""), Show::Entries { from: None, to: None, follow: false });
        let part = Show::Entries { from: Some(3), to: Some(9), follow: false };
        assert_eq!(show("--from 3 --to 9 --json"), part);
        assert_eq!(show("--follow"), Show::Entries { from: None, to: None, follow: true });
        assert_eq!(show("--state 0"), Show::State(0));
        assert_eq!(show("--diff 3 5"), Show::Diff(3, 5));
        assert_eq!(show("--save a.jsonl"), Show::Save("a.jsonl".into()));
        let Ok(Asked::Replay(replay)) = asked("holdfast replay a.jsonl --json") else { panic!() };
        assert_eq!((&*replay.what, replay.json), ("a.jsonl", true));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_sentence() {
        for (line, part) in [
            ("history", "ACTOR"),
            ("history alice", "ACTOR: an actor id is kind:key, such as player:alice"),
            ("history player:alice --state x", "--state"),
            ("history player:alice --state 3 --follow", "cannot be used"),
            ("history player:alice --from 1 --save f", "cannot be used"),
            ("history player:alice --diff 3", "2 values"),
            ("history player:alice --from -1", "-1"),
            ("replay", "ACTOR|FILE"),
        ] {
            let said = asked(&format!("holdfast {line}")).unwrap_err();
            assert!(said.contains(part), "{line}: {said}");
        }
    }
}
