//! The commands: what each is called, its options, and what was asked for. Settings are
//! [`super::resolve`]'s.
//!
//! A new command is a `Command` in [`command`], a variant of [`Task`] that [`task`] reads, and a
//! file of [`crate::cli`] that does it. One that asks a running node takes [`node_options`] and
//! reads them by [`NodeAt::read`].

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use clap_complete::Shell;

use super::demo::{self, Demo};
use super::history::{self, History, Replay};
use super::option::{self, GROUPS, HIDDEN, Opt};
use super::resolve::Resolved;
use super::{ConfigError, Settings, StoreChoice};

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Run the server.
    Serve(Box<Resolved>),
    /// Print the settings and stop.
    Dump {
        /// What is printed.
        resolved: Box<Resolved>,
        /// For programs instead of people.
        json: bool,
    },
    /// Do something beside the servers that run.
    Task(Task),
    /// Print this (help, version) and stop.
    Print(String),
}

/// A command that runs no server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Ask a running node to rebuild the leaderboard.
    Rebuild(Box<Rebuild>),
    /// Ask a running node for sessions.
    ListPlayers(Box<ListPlayers>),
    /// Ask a running node how many sessions there are.
    CountPlayers(Box<CountPlayers>),
    /// Ask a running node to hold the index of sessions against the journals.
    AuditPlayers(Box<AuditPlayers>),
    /// Ask a running node to hold all goods against each other.
    Audit(Box<Audit>),
    /// Show what has happened to an actor.
    History(Box<History>),
    /// Fold a journal by today's rules.
    Replay(Box<Replay>),
    /// Start gateways, bots and buttons on this machine.
    Demo(Box<Demo>),
    /// Kill the processes that standard input names when that ends.
    Warden,
    /// Examine the Redis of the settings.
    Doctor(Box<Doctor>),
    /// Print a shell's completions.
    Completions(Shell),
    /// Print the main man page, or write all of them into this directory.
    Man(Option<PathBuf>),
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
    /// For programs instead of people.
    pub json: bool,
}

/// `holdfast players list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPlayers {
    /// The node that is asked.
    pub node: NodeAt,
    /// Which; empty: all.
    pub query: String,
    /// At most so many; `None`: every one.
    pub limit: Option<u32>,
    /// For programs instead of people.
    pub json: bool,
}

/// `holdfast players count`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountPlayers {
    /// The node that is asked.
    pub node: NodeAt,
    /// Which; empty: all.
    pub query: String,
    /// The attribute that they are counted by.
    pub by: Option<String>,
    /// For programs instead of people.
    pub json: bool,
}

/// `holdfast players rebuild` and `holdfast players verify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPlayers {
    /// The node that is asked.
    pub node: NodeAt,
    /// Put right what differs.
    pub mends: bool,
    /// Players a second.
    pub rate: u32,
    /// For programs instead of people.
    pub json: bool,
}

/// `holdfast audit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The node that is asked.
    pub node: NodeAt,
    /// Trades younger than this are left alone, in milliseconds.
    pub horizon_ms: u32,
    /// Actors a second.
    pub rate: u32,
    /// Fold whole journals, too.
    pub deep: bool,
    /// For programs instead of people.
    pub json: bool,
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
/// The same where all of a world is looked at: the index of sessions, or goods.
const AUDIT_RATE: u32 = 2_000;
/// Trades younger than this are left alone by an audit, unless said otherwise, in milliseconds.
const HORIZON_MS: u32 = 10_000;
/// The same at most.
const HORIZON_MS_MAX: u32 = 60_000;
/// Players a second of either, at most.
const RATE_MAX: u32 = 1_000_000;
/// Sessions that a list shows at most, where it is said how many.
const PLAYERS_MAX: u32 = 1_000_000_000;

/// The whole command line: the server's own options, and every command below it. What it says is
/// what the help, the completions and the man pages say.
#[must_use]
pub fn command() -> Command {
    let root = Command::new("holdfast")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "A WebSocket real-time game server whose player sessions survive the servers they \
             run on",
        )
        .override_usage("holdfast [OPTIONS]\n       holdfast COMMAND [OPTIONS]")
        .args_conflicts_with_subcommands(true)
        .subcommand_value_name("COMMAND")
        .after_help(AFTER_HELP);
    serving(root)
        .subcommand(serve())
        .subcommand(demo::demo_command())
        .subcommand(players())
        .subcommand(audit())
        .subcommand(history::history_command())
        .subcommand(history::replay_command())
        .subcommand(leaderboard())
        .subcommand(doctor())
        .subcommand(completions())
        .subcommand(man())
}

/// The same with what one program says to another, which no person is told of.
pub(super) fn whole_command() -> Command {
    let defaults = Settings::default();
    let hidden = || HIDDEN.iter().map(|opt| argument(opt, &defaults).hide(true));
    let warden = Command::new("warden")
        .about("Kills the processes that standard input names, by their ids, when that ends")
        .hide(true);
    command()
        .args(hidden())
        .mut_subcommand("serve", |serve| serve.args(hidden()))
        .subcommand(warden)
}

/// What stands below the options of the server.
const AFTER_HELP: &str = "\
    Without a command, a node is started: `holdfast` is `holdfast serve`.\n\n\
    Every option of serve can also stand in the environment (--beat-ms is HOLDFAST_BEAT_MS) and \
    in the settings file (beat_ms). The command line wins over the environment, and the \
    environment over the file.\n\n\
    Exit codes: 0 after a stop that finished in time or a command that did its work; 2 for a \
    command line or settings that can't be used, or an audit that has found something; 1 for \
    everything else.";

/// Adds the options of the server.
fn serving(command: Command) -> Command {
    let defaults = Settings::default();
    let command = command
        .arg(config_file())
        .arg(flag("dump-config", "Print every value and where it came from, then stop"))
        .arg(json("Print the values of --dump-config as JSON").requires("dump-config"));
    GROUPS.iter().fold(command, |command, (heading, group)| {
        group.iter().fold(command, |command, opt| {
            command.arg(argument(opt, &defaults).help_heading(*heading))
        })
    })
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
    let task = match (name, last) {
        ("leaderboard", "rebuild") => Task::Rebuild(Box::new(Rebuild {
            node: NodeAt::read(below, layers(below)?.settings),
            rate: number(below, "rate", (1, RATE_MAX))?.unwrap_or(REBUILD_RATE),
            json: below.get_flag("json"),
        })),
        ("players", "list") => Task::ListPlayers(Box::new(ListPlayers {
            node: NodeAt::read(below, layers(below)?.settings),
            query: text(below, "query").unwrap_or_default(),
            limit: number(below, "limit", (1, PLAYERS_MAX))?,
            json: below.get_flag("json"),
        })),
        ("players", "count") => Task::CountPlayers(Box::new(CountPlayers {
            node: NodeAt::read(below, layers(below)?.settings),
            query: text(below, "query").unwrap_or_default(),
            by: text(below, "by"),
            json: below.get_flag("json"),
        })),
        ("players", "rebuild" | "verify") => Task::AuditPlayers(Box::new(AuditPlayers {
            node: NodeAt::read(below, layers(below)?.settings),
            mends: last == "rebuild",
            rate: number(below, "rate", (1, RATE_MAX))?.unwrap_or(AUDIT_RATE),
            json: below.get_flag("json"),
        })),
        ("audit", _) => Task::Audit(Box::new(Audit {
            node: NodeAt::read(below, layers(below)?.settings),
            horizon_ms: number(below, "horizon-ms", (0, HORIZON_MS_MAX))?.unwrap_or(HORIZON_MS),
            rate: number(below, "rate", (1, RATE_MAX))?.unwrap_or(AUDIT_RATE),
            deep: below.get_flag("deep"),
            json: below.get_flag("json"),
        })),
        ("history", _) => {
            let settings = layers(below)?.settings;
            Task::History(Box::new(history::history(below, settings)?))
        }
        ("replay", _) => {
            let settings = layers(below)?.settings;
            Task::Replay(Box::new(history::replay(below, settings)?))
        }
        ("demo", _) => Task::Demo(Box::new(demo::demo(below)?)),
        ("warden", _) => Task::Warden,
        ("doctor", _) => Task::Doctor(Box::new(Doctor {
            resolved: layers(below)?,
            json: below.get_flag("json"),
            fix: below.get_flag("fix"),
        })),
        ("completions", _) => match below.get_one::<Shell>("shell") {
            Some(shell) => Task::Completions(*shell),
            None => return Ok(None),
        },
        ("man", _) => Task::Man(below.get_one::<PathBuf>("dir").cloned()),
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
    value(opt.name, opt.arg, format!("{}{default}", opt.help)).action(action)
}

fn config_file() -> Arg {
    value("config", "FILE", "A settings file (TOML)")
}

pub(super) fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn json(help: &'static str) -> Arg {
    flag("json", help)
}

pub(super) fn value(name: &'static str, value: &'static str, help: impl Into<String>) -> Arg {
    let hint = match value {
        "FILE" => ValueHint::FilePath,
        "DIR" => ValueHint::DirPath,
        _ => ValueHint::Other,
    };
    Arg::new(name)
        .long(name)
        .value_name(value)
        .value_hint(hint)
        .action(ArgAction::Set)
        .help(help.into())
}

fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.get_one::<String>(name).cloned()
}

/// The whole number of an option, within bounds.
pub(super) fn number(
    matches: &ArgMatches,
    name: &str,
    (min, max): (u32, u32),
) -> Result<Option<u32>, ConfigError> {
    let Some(text) = matches.get_one::<String>(name) else { return Ok(None) };
    let number = option::number(text, min.into(), max.into())
        .map_err(|why| ConfigError::Value { place: format!("--{name}"), why })?;
    Ok(Some(u32::try_from(number).unwrap_or(max)))
}

/// The options that say which running node is asked; [`NodeAt::read`] reads them.
pub(super) fn node_options(command: Command) -> Command {
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
    pub(super) fn read(matches: &ArgMatches, settings: Settings) -> Self {
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
        .arg(json("Print the report as JSON"))
        .arg(flag("fix", "Change on the running servers what CONFIG SET may change"));
    option::all()
        .filter(|opt| DOCTOR.contains(&opt.name))
        .fold(command, |command, opt| command.arg(argument(opt, &defaults)))
}

fn query() -> Arg {
    let help = "Which sessions, such as 'CurrentRoom = \"dungeon-7\" AND IdleTime > 10m'; without \
                it, all";
    value("query", "QUERY", help)
}

/// Where the language is described.
const LANGUAGE: &str = "\
    A query compares attributes: PlayerId, DisplayName, PlayerStatus, CurrentRoom, PlayerLevel, \
    Score, Gold, StartTime, LastCommandTime, SessionDuration, IdleTime, Node, TotalActions and \
    what the game declares, by = != > >= < <= BETWEEN IN STARTS_WITH IS NULL, joined by AND, OR, \
    NOT and parentheses, ordered by ORDER BY. A mistake is answered with its column.";

/// What the end of an audit means.
const AUDITED: &str = "\
    Exit codes: 0 when the index says what the journals say, 1 when it does not. Interrupting \
    this command does not stop the work; saying it again joins what runs.";

fn players() -> Command {
    let list = Command::new("list")
        .about("Lists sessions, live or asleep, by a query")
        .after_help(LANGUAGE)
        .arg(query())
        .arg(value("limit", "N", "At most so many; without it, every one"))
        .arg(json("Print one JSON object a line and session"));
    let count = Command::new("count")
        .about("Counts sessions, live or asleep, by the value of an attribute")
        .after_help(LANGUAGE)
        .arg(query())
        .arg(value("by", "ATTRIBUTE", "The attribute [default: PlayerStatus]"))
        .arg(json("Print the counts as JSON"));
    let audit = |name, about| {
        Command::new(name)
            .about(about)
            .after_help(AUDITED)
            .arg(value("rate", "N", format!("Players a second [default: {AUDIT_RATE}]")))
            .arg(json("Print progress and end as JSON, one object a line"))
    };
    let rebuild = audit(
        "rebuild",
        "Holds the index of sessions against every journal, puts right what differs, and verifies \
         that all is equal, while the game runs",
    );
    let verify =
        audit("verify", "Holds the index of sessions against every journal and changes nothing");
    Command::new("players")
        .about("Finds sessions, and keeps the index that finds them right")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([list, count, rebuild, verify].map(node_options))
}

fn audit() -> Command {
    let command = Command::new("audit")
        .about(
            "Holds the goods of all players and trades against each other, while the game runs, \
             and names what is wrong",
        )
        .after_help(
            "Exit codes: 0 when all is as it should be, 2 when something was found, 1 when it \
             could not be done. Interrupting this command does not stop the work; saying it again \
             joins what runs.",
        )
        .arg(value(
            "horizon-ms",
            "N",
            format!("Trades younger than this are left alone [default: {}]", HORIZON_MS),
        ))
        .arg(value("rate", "N", format!("Actors a second [default: {}]", AUDIT_RATE)))
        .arg(flag("deep", "Fold each journal that is still whole from its first record, too"))
        .arg(json("Print progress and end as JSON, one object a line"));
    node_options(command)
}

fn leaderboard() -> Command {
    let rebuild = Command::new("rebuild")
        .about("Reads every player's journal and writes the leaderboard anew, while the game runs")
        .after_help(
            "Shows how far the rebuild is until it has ended. Interrupting this command does not \
             stop the rebuild; saying it again joins the one that runs.",
        );
    let rebuild = node_options(rebuild)
        .arg(value("rate", "N", format!("Players a second [default: {REBUILD_RATE}]")))
        .arg(json("Print progress and end as JSON, one object a line"));
    Command::new("leaderboard")
        .about("Operations on the leaderboard of a running node")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(rebuild)
}

fn serve() -> Command {
    let command = Command::new("serve")
        .about("Starts a node; so does holdfast without a command")
        .override_usage("holdfast serve [OPTIONS]");
    serving(command)
}

fn completions() -> Command {
    Command::new("completions")
        .about("Prints what a shell needs to complete holdfast's commands and options")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("The shell"),
        )
        .after_help(
            "For this shell session: source <(holdfast completions bash). For all of them, write \
             it where the shell looks, such as ~/.local/share/bash-completion/completions/holdfast.",
        )
}

fn man() -> Command {
    Command::new("man")
        .about("Prints the man page, or writes the pages of all commands into a directory")
        .arg(
            Arg::new("dir")
                .value_name("DIR")
                .value_hint(ValueHint::DirPath)
                .value_parser(value_parser!(PathBuf))
                .help("Where to write holdfast.1, holdfast-doctor.1 and so on; made if missing"),
        )
        .after_help("To read it: holdfast man | man -l -")
}
