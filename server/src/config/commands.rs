//! The commands: what each is called, its options, and what was asked for. Settings are
//! [`super::resolve`]'s.
//!
//! A new command is a `Command` in [`command`], a variant of [`Task`] that [`task`] reads, and a
//! file of [`crate::cli`] that does it. One that asks a running node takes [`node_options`] and
//! reads them by [`NodeAt::read`].

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::option::{self, GROUPS, Opt};
use super::resolve::Resolved;
use super::{ConfigError, Settings, StoreChoice};

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Run the server.
    Serve(Box<Resolved>),
    /// Print the settings and stop.
    Dump(Box<Resolved>),
    /// Do something beside the servers that run.
    Task(Task),
    /// Print this (help, version) and stop.
    Print(String),
}

/// A command that speaks to a running node or to its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Ask a running node to rebuild the leaderboard.
    Rebuild(Box<Rebuild>),
    /// Examine the Redis of the settings.
    Doctor(Box<Doctor>),
}

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

/// `holdfast leaderboard rebuild`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuild {
    /// The node that is asked.
    pub node: NodeAt,
    /// Players a second.
    pub rate: u32,
}

/// `holdfast doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doctor {
    /// Store, files and durability are what counts here.
    pub resolved: Resolved,
    /// For programs instead of people.
    pub json: bool,
    /// Change what can be changed on the running server.
    pub fix: bool,
}

/// Players a second of a rebuild, unless said otherwise.
const REBUILD_RATE: u32 = 500;

/// The whole command line: the server's own options, and every command below it.
pub(super) fn command() -> Command {
    let defaults = Settings::default();
    let mut command = Command::new("holdfast")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A WebSocket real-time game server whose player sessions survive the servers they run on")
        .override_usage(
            "holdfast [serve] [OPTIONS]\n       holdfast doctor [OPTIONS]\n       \
             holdfast leaderboard rebuild [OPTIONS]",
        )
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .arg(config_file())
        .arg(flag("dump-config", "Print every value and where it came from, then stop"))
        .after_help(
            "Every option can also stand in the environment (--beat-ms is HOLDFAST_BEAT_MS) and \
             in the settings file (beat_ms). The command line wins over the environment, and the \
             environment over the file.",
        )
        .subcommand(leaderboard())
        .subcommand(doctor());
    for (heading, group) in GROUPS {
        for opt in group {
            command = command.arg(argument(opt, &defaults).help_heading(heading));
        }
    }
    command
}

/// What the words after `holdfast` ask for; `None` where they name no command. `layers` makes
/// settings of a command's matches, the environment and the settings file.
pub(super) fn task(
    matches: &ArgMatches,
    layers: impl Fn(&ArgMatches) -> Result<Resolved, ConfigError>,
) -> Result<Option<Task>, ConfigError> {
    let Some((name, below)) = matches.subcommand() else { return Ok(None) };
    let (last, below) = match below.subcommand() {
        Some((last, below)) => (last, below),
        None => ("", below),
    };
    let resolved = layers(below)?;
    let task = match (name, last) {
        ("leaderboard", "rebuild") => Task::Rebuild(Box::new(Rebuild {
            node: NodeAt::read(below, resolved.settings),
            rate: number(below, "rate", 1_000_000)?.unwrap_or(REBUILD_RATE),
        })),
        ("doctor", _) => Task::Doctor(Box::new(Doctor {
            json: below.get_flag("json"),
            fix: below.get_flag("fix"),
            resolved,
        })),
        _ => return Ok(None),
    };
    Ok(Some(task))
}

/// The option as the command line knows it.
fn argument(opt: &'static Opt, defaults: &Settings) -> Arg {
    let default = match opt.show(defaults) {
        Some(toml::Value::String(text)) if opt.name != "guests" => format!(" [default: {text}]"),
        Some(value @ toml::Value::Integer(_)) if opt.name != "workers" => {
            format!(" [default: {value}]")
        }
        Some(toml::Value::Boolean(on)) => {
            format!(" [default: {}]", if on { "on" } else { "off" })
        }
        _ => String::new(),
    };
    let action = if opt.is_list() { ArgAction::Append } else { ArgAction::Set };
    Arg::new(opt.name)
        .long(opt.name)
        .value_name(opt.arg)
        .help(format!("{}{default}", opt.help))
        .action(action)
}

fn config_file() -> Arg {
    value("config", "FILE", "A settings file (TOML)")
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn value(name: &'static str, value: &'static str, help: impl Into<String>) -> Arg {
    Arg::new(name).long(name).value_name(value).action(ArgAction::Set).help(help.into())
}

/// The whole number of an option, from 1 to `max`.
fn number(matches: &ArgMatches, name: &str, max: u32) -> Result<Option<u32>, ConfigError> {
    let Some(text) = matches.get_one::<String>(name) else { return Ok(None) };
    let number = option::number(text, 1, max.into())
        .map_err(|why| ConfigError::Value { place: format!("--{name}"), why })?;
    Ok(Some(u32::try_from(number).unwrap_or(max)))
}

/// The options that say which running node is asked; [`NodeAt::read`] reads them.
fn node_options(command: Command) -> Command {
    command
        .arg(config_file())
        .arg(value(
            "admin",
            "ADDR",
            "The running node's admin listener; without it, the address is read from the store's \
             directory, or from --data-dir",
        ))
        .arg(value("store", "STORE", "The store of the running node"))
        .arg(value("data-dir", "DIR", "Where nodes of a Redis keep their files"))
}

impl NodeAt {
    fn read(matches: &ArgMatches, settings: Settings) -> Self {
        let admin = matches.get_one::<String>("admin").cloned();
        Self { admin, store: settings.store, data_dir: settings.data_dir }
    }
}

/// The options of the server that say which Redis, and what is asked of it.
const DOCTOR: [&str; 4] = ["store", "redis-password-file", "redis-ca-file", "durability"];

fn doctor() -> Command {
    let defaults = Settings::default();
    let command = Command::new("doctor")
        .about(
            "Examines the Redis that a node would use: what is set wrongly, what to write \
             instead, and what durability that really gives",
        )
        .after_help("Exit codes: 0 without errors, 1 with errors or without an answer.")
        .arg(config_file())
        .arg(flag("json", "Print JSON, for programs"))
        .arg(flag("fix", "Change on the running servers what CONFIG SET may change"));
    option::all()
        .filter(|opt| DOCTOR.contains(&opt.name))
        .fold(command, |command, opt| command.arg(argument(opt, &defaults)))
}

fn leaderboard() -> Command {
    let rebuild = Command::new("rebuild")
        .about("Reads every player's journal and writes the leaderboard anew, while the game runs");
    let rebuild = node_options(rebuild).arg(value(
        "rate",
        "N",
        format!("Players a second [default: {REBUILD_RATE}]"),
    ));
    Command::new("leaderboard")
        .about("Operations on the leaderboard of a running node")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(rebuild)
}
