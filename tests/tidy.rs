//! Reads the sources and holds them to the house style: who may import whom, how long things are,
//! how files open, what may not be in them. Each check is shown to be able to fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// A tracked text file: its path from the repository's root, and its text.
type Source = (String, String);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").into()
}

/// Every file that git tracks or would track, as far as it is text.
fn sources() -> Vec<Source> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "git ls-files failed: run the tests in a clone");
    let names = String::from_utf8(listed.stdout).expect("names are UTF-8");
    let read = |name: &str| Some((name.to_owned(), fs::read_to_string(root().join(name)).ok()?));
    let sources: Vec<Source> = names.lines().filter_map(read).collect();
    assert!(sources.len() > 20, "only {} files were found", sources.len());
    sources
}

fn with_end<'a>(sources: &'a [Source], ends: &'a [&str]) -> impl Iterator<Item = &'a Source> {
    sources.iter().filter(|(path, _)| ends.iter().any(|end| path.ends_with(end)))
}

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

// Who may import whom.

/// Files that decide and do no I/O; they may not even see the parts around them.
const PURE_ACTOR: [&str; 10] = [
    "contract",
    "envelope",
    "kind",
    "ledger",
    "record",
    "replay",
    "history",
    "core",
    "invariants",
    "doubt",
];
/// Plain types that pure files of the runtime may name.
const PLAIN: &str = "crate::store::tip";
const PURE_GATEWAY: [&str; 6] = ["session", "batch", "view", "news", "exchange", "standing"];
/// Parts of the store that the doctor may name: what is asked for, and the way to a server.
const PLAIN_DOCTOR: [&str; 3] =
    ["crate::store::durability", "crate::store::redis::address", "crate::store::redis::connect"];

const PURE_DEMO: [&str; 3] = ["keeper.rs", "bots/cast.rs", "bots/mind.rs"];

/// What a demo does not see of the servers that it starts, and its pure files of the world.
const INSIDE: [&str; 9] = [
    "crate::actor",
    "crate::admin",
    "crate::cli",
    "crate::doctor",
    "crate::game",
    "crate::gateway",
    "crate::node",
    "crate::search",
    "crate::store",
];
const OUTSIDE: [&str; 5] = ["crate::clock", "loadtest::", "std::fs", "std::time", "tokio::"];

/// Who plays by the public protocol and starts processes; nobody else in the server does.
const RIM: [&str; 2] = ["crate::demo", "loadtest::"];

/// What a file of the server may not import, as prefixes of paths in `use` and in code.
fn forbidden(path: &str) -> &'static [&'static str] {
    let Some(rest) = path.strip_prefix("server/src/") else {
        return match path {
            p if p.starts_with("server/protocol/src/") => &["holdfast::", "tokio::", "rand::"],
            p if p.starts_with("loadtest/src/") => &["holdfast::"],
            _ => &[],
        };
    };
    let (part, inner) = rest.split_once('/').unwrap_or((rest.trim_end_matches(".rs"), ""));
    let noun = inner.split(['/', '.']).next().unwrap_or_default();
    match part {
        "clock" => &["crate::"],
        "game" => &[
            "crate::store",
            "crate::clock",
            "crate::gateway",
            "crate::actor::handle",
            "crate::actor::core",
            "crate::actor::envelope",
            "crate::telemetry",
            "tokio::",
            "rand::",
            "std::time",
            "std::fs",
        ],
        "actor" if PURE_ACTOR.contains(&noun) => &[
            "crate::store",
            "crate::clock",
            "crate::game",
            "crate::gateway",
            "crate::telemetry",
            "rand::",
            "std::time",
        ],
        "actor" => &["crate::game", "crate::gateway", "crate::config", "holdfast_protocol::client"],
        "store" => &["crate::actor", "crate::game", "crate::gateway", "crate::config"],
        "gateway" if PURE_GATEWAY.contains(&noun) => {
            &["crate::store", "crate::game", "crate::clock", "tokio::net", "rand::", "std::time"]
        }
        "gateway" => &["crate::store", "crate::game", "crate::config"],
        "doctor" => &[
            "crate::actor",
            "crate::game",
            "crate::gateway",
            "crate::config",
            "crate::store",
            "crate::telemetry",
        ],
        "search" => &[
            "crate::actor",
            "crate::activities",
            "crate::admin",
            "crate::clock",
            "crate::config",
            "crate::game",
            "crate::gateway",
            "crate::node",
            "crate::store",
            "crate::telemetry",
            "tokio::",
            "rand::",
            "std::time",
            "std::fs",
        ],
        "activities" => &["crate::gateway", "crate::config", "crate::actor::core"],
        "demo" if PURE_DEMO.contains(&inner) => &OUTSIDE,
        "demo" => &INSIDE,
        _ => &[],
    }
}

/// The code of a file before its unit tests, without comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line))
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("conformance.rs")
}

fn import_problems(sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in with_end(sources, &[".rs"]).filter(|(path, _)| !is_test_file(path)) {
        for (at, line) in code_lines(text) {
            let mut line = line.replace(PLAIN, "");
            if path.starts_with("server/src/doctor/") {
                line = PLAIN_DOCTOR.iter().fold(line, |line, plain| line.replace(plain, ""));
            }
            let rim = if is_rim(path) { &[][..] } else { &RIM[..] };
            for bad in forbidden(path).iter().chain(rim).filter(|bad| names(&line, bad)) {
                problems.push(format!("{path}:{at}: may not name {bad}"));
            }
        }
    }
    problems
}

/// True for the demo itself, for who starts it, and for what is no part of the server.
fn is_rim(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("server/src/") else { return true };
    rest.starts_with("demo/") || rest.starts_with("cli/")
}

/// True when `line` has `name` as the beginning of a path.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        let opens = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':');
        let ends = name.ends_with(':') || after.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        opens && ends
    })
}

#[test]
fn parts_import_only_what_they_may() {
    assert_none(&import_problems(&sources()));
}

#[test]
fn a_forbidden_import_is_found() {
    let bad = |path: &str, text: &str| import_problems(&[(path.into(), text.into())]).len();
    assert_eq!(bad("server/src/game/room.rs", "use crate::store::Store;"), 1);
    assert_eq!(bad("server/src/game/room.rs", "let x = tokio::spawn(y);"), 1);
    assert_eq!(bad("server/src/game/room.rs", "// crate::store is not for us"), 0);
    assert_eq!(bad("server/src/actor/core/tells.rs", "use crate::store::Seq;"), 1);
    assert_eq!(bad("server/src/actor/core/tells.rs", "use crate::store::tip::Seq;"), 0);
    assert_eq!(bad("server/src/actor/worker.rs", "use crate::store::Seq;"), 0);
    assert_eq!(bad("server/src/store/memory.rs", "use crate::actor::record::Record;"), 1);
    assert_eq!(bad("server/src/gateway/socket.rs", "use crate::game::pack;"), 1);
    assert_eq!(bad("server/src/doctor/ask.rs", "use crate::store::redis::link::Link;"), 1);
    assert_eq!(bad("server/src/doctor/ask.rs", "use crate::store::redis::address::Node;"), 0);
    assert_eq!(bad("server/src/actor/worker.rs", "use crate::config::Settings;"), 1);
    assert_eq!(bad("server/src/search/plan.rs", "use crate::store::Store;"), 1);
    assert_eq!(bad("server/src/search/plan.rs", "let x = std::time::Instant::now();"), 1);
    assert_eq!(bad("server/src/store/memory.rs", "use crate::search::Row;"), 0);
    assert_eq!(bad("server/src/demo/show.rs", "use crate::node::Node;"), 1);
    assert_eq!(bad("server/src/demo/bots/mind.rs", "use tokio::time::sleep;"), 1);
    assert_eq!(bad("server/src/demo/show.rs", "use loadtest::bot::Bot;"), 0);
    assert_eq!(bad("server/src/node.rs", "use loadtest::bot::Bot;"), 1);
    assert_eq!(bad("server/src/gateway/mod.rs", "use crate::demo::keeper::Keeper;"), 1);
    assert_eq!(bad("loadtest/src/bot.rs", "use holdfast::store;"), 1);
    assert_eq!(bad("loadtest/src/bot.rs", "use holdfast_protocol::ids;"), 0);
    assert_eq!(bad("server/src/game/room.rs", "#[cfg(test)]\nuse crate::store::Store;"), 0);
}

// How long things are.

fn length_problems(sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in with_end(sources, &[".rs", ".js"]) {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            problems.push(format!("{path}: {lines} lines, {FILE_LINES_MAX} at most"));
        }
    }
    for (path, text) in with_end(sources, &[".rs"]) {
        for (at, name, lines) in functions(text) {
            if lines > FUNCTION_LINES_MAX {
                problems.push(format!("{path}:{at}: {name} has {lines} lines"));
            }
        }
    }
    problems
}

/// Functions as (line, signature, lines): from the signature to the closing brace of the same
/// indentation, which is where rustfmt puts it.
fn functions(text: &str) -> Vec<(usize, &str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let head = code.split('(').next().unwrap_or_default();
        let is_function =
            head.starts_with("fn ") || (head.contains(" fn ") && !head.contains(['"', '/', '=']));
        if !is_function || line.trim_end().ends_with(';') {
            continue;
        }
        let ends = |line: &&str| {
            line.len() - line.trim_start().len() == indent
                && (line.trim_end() == format!("{}}}", " ".repeat(indent)) || line.ends_with(';'))
        };
        if line.trim_end().ends_with('}') {
            continue;
        }
        if let Some(end) = lines[at + 1..].iter().position(ends) {
            found.push((at + 1, head.trim(), end + 2));
        }
    }
    found
}

#[test]
fn files_and_functions_fit() {
    assert_none(&length_problems(&sources()));
}

#[test]
fn what_is_too_long_is_found() {
    let body = "    call();\n".repeat(FUNCTION_LINES_MAX);
    let long = format!("pub async fn long(a: u8) -> u8 {{\n{body}}}\n");
    assert_eq!(length_problems(&[("a.rs".into(), long.clone())]).len(), 1);
    let fits = "    call();\n".repeat(FUNCTION_LINES_MAX - 2);
    assert_eq!(functions(&format!("fn fits() {{\n{fits}}}\n")), [(1, "fn fits", 70)]);
    let file = "x\n".repeat(FILE_LINES_MAX + 1);
    assert_eq!(length_problems(&[("a.js".into(), file)]).len(), 1);
    assert_eq!(length_problems(&[("a.rs".into(), "fn a() {}\n".repeat(9))]), [""; 0]);
}

// How files open and what may not be in them.

fn opening_problems(sources: &[Source]) -> Vec<String> {
    let opens = |path: &str, text: &str| match path {
        p if p.ends_with(".rs") => text.starts_with("//!"),
        _ => text.starts_with("//") || text.starts_with("/*"),
    };
    with_end(sources, &[".rs", ".js"])
        .filter(|(path, text)| !opens(path, text))
        .map(|(path, _)| format!("{path}: opens without saying what it owns"))
        .collect()
}

#[test]
fn every_file_says_what_it_owns() {
    assert_none(&opening_problems(&sources()));
}

#[test]
fn a_silent_file_is_found() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let sources = [
        file("a.rs", "use x;\n"),
        file("b.rs", "//! B.\n"),
        file("c.js", "let x;\n"),
        file("d.js", "/** D. */\n"),
    ];
    assert_eq!(opening_problems(&sources).len(), 2);
}

/// Pieces are joined here so that this file does not hold what it looks for.
fn unwanted() -> Vec<String> {
    let macros = ["todo", "unimplemented"].map(|name| format!("{name}{}", "!("));
    let paths = ["work", "root", "home", "farm"].map(|top| format!("{}{top}/", "/"));
    macros.into_iter().chain(paths).collect()
}

fn unwanted_problems(sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in sources.iter().filter(|(path, _)| !path.ends_with(".lock")) {
        for (at, line) in text.lines().enumerate() {
            for bad in unwanted().iter().filter(|bad| holds(line, bad)) {
                problems.push(format!("{path}:{}: holds {bad}", at + 1));
            }
        }
    }
    problems
}

/// A machine's path begins a word: `/x/` of `a/x/b` or of a URL is none.
fn holds(line: &str, bad: &str) -> bool {
    line.match_indices(bad).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !bad.starts_with('/')
            || before.is_none_or(|c| !c.is_alphanumeric() && !"._-*}/".contains(c))
    })
}

#[test]
fn nothing_is_left_undone_or_bound_to_one_machine() {
    assert_none(&unwanted_problems(&sources()));
}

#[test]
fn what_is_unwanted_is_found() {
    for bad in unwanted() {
        let source = ("a.md".to_owned(), format!("see \"{bad}x\"\n"));
        assert_eq!(unwanted_problems(&[source]).len(), 1, "{bad}");
    }
    let url = ("a.md".to_owned(), format!("https://example.org{}work/x\n", '/'));
    assert_eq!(unwanted_problems(&[url]), [""; 0]);
}

// Dependencies and links.

/// Every dependency says why it is here: a comment above it, or above the run of lines it is in.
fn dependency_problems(manifest: &str) -> Vec<String> {
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let mut problems = Vec::new();
    let mut reason = false;
    for line in section.lines().take_while(|line| !line.starts_with('[')) {
        match line.trim() {
            "" => reason = false,
            comment if comment.starts_with('#') => reason = true,
            own if own.contains("path = ") => {}
            line if line.contains('=') && !reason => problems.push(format!("no reason: {line}")),
            _ => reason = false,
        }
    }
    problems
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace manifest");
    assert!(manifest.contains("[workspace.dependencies]"));
    assert_none(&dependency_problems(&manifest));
}

#[test]
fn a_dependency_without_a_reason_is_found() {
    let manifest =
        "[workspace.dependencies]\n# why\na = \"1\"\nb = \"2\"\nown = { path = \"x\" }\n";
    assert_eq!(dependency_problems(manifest), ["no reason: b = \"2\""]);
}

/// The targets of a page's links to files, without anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://") && !target.starts_with(['#', '<']))
        .filter(|target| !target.starts_with("mailto:"))
        .map(|target| target.split('#').next().unwrap_or_default())
}

fn link_problems(sources: &[Source], exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in with_end(sources, &[".md"]) {
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        for target in links(text).filter(|target| !exists(&folder.join(target))) {
            problems.push(format!("{path}: links to {target}, which is not there"));
        }
    }
    problems
}

#[test]
fn links_of_the_docs_lead_somewhere() {
    assert_none(&link_problems(&sources(), |target| root().join(target).exists()));
}

#[test]
fn a_broken_link_is_found() {
    let text = "[a](b.md#x), [c](https://example.org/d) and [e](gone.md)".to_owned();
    let found = link_problems(&[("docs/a.md".into(), text)], |to| to.ends_with("b.md"));
    assert_eq!(found, ["docs/a.md: links to gone.md, which is not there"]);
}
