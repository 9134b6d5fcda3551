//! The command line as people and scripts use it: help that fits a terminal, near misses that are
//! suggested, completions, man pages, and `--json` that is nothing but JSON.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use holdfast::config;
use serde_json::Value;
use tokio::process::Command;

use crate::support::redis::{Redis, Setup};
use crate::support::{Options, Server, binary, command};

/// Columns of the narrowest terminal that help must fit.
const COLUMNS: usize = 80;
/// Every command, as it is typed.
const COMMANDS: [&str; 16] = [
    "",
    "serve",
    "demo",
    "players",
    "players list",
    "players count",
    "players rebuild",
    "players verify",
    "audit",
    "history",
    "replay",
    "leaderboard",
    "leaderboard rebuild",
    "doctor",
    "completions",
    "man",
];

async fn run(dir: &Path, words: &str) -> Output {
    let mut command = command(dir);
    command.env("COLUMNS", COLUMNS.to_string());
    command.args(words.split_whitespace()).output().await.unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What a command that ends well prints.
async fn said(words: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), words).await;
    assert!(output.status.success(), "{words}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "{words}");
    text(&output.stdout).to_owned()
}

/// What a mistake is answered with, on standard error and with exit code 2.
async fn complaint(words: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), words).await;
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert_eq!(text(&output.stdout), "", "{words}");
    text(&output.stderr).to_owned()
}

/// Runs a script of bash's in which `holdfast` is the built one, and gives back what it prints.
async fn bash(script: &str) -> String {
    let bin = binary().canonicalize().unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.parent().unwrap().display());
    let output = Command::new("bash")
        .args(["--norc", "-c", &format!("set -euo pipefail\n{script}")])
        .env("PATH", path)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{script}: {}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

#[tokio::test]
async fn help_fits_a_terminal_and_names_every_command() {
    for name in COMMANDS {
        let help = said(&format!("{name} --help")).await;
        let wide = help.lines().find(|line| line.chars().count() > COLUMNS);
        assert_eq!(wide, None, "in the help of {name:?}");
        // In man pages and in the settings one looks for words as they are written.
        assert!(!help.contains('\u{1b}'), "colours in the help of {name:?}");
        if name.starts_with("serve") || name.is_empty() {
            assert!(help.contains("--room-capacity <N>"), "{help}");
        } else {
            assert_eq!(help, said(&format!("help {name}")).await, "both ways to ask");
        }
    }
    let help = said("--help").await;
    for name in COMMANDS.iter().filter(|name| !name.is_empty() && !name.contains(' ')) {
        assert!(help.contains(&format!("\n  {name} ")), "{name} is not in {help}");
    }
}

#[tokio::test]
async fn a_near_miss_is_suggested() {
    for (words, near) in [
        ("doctr", "'doctor'"),
        ("compltions bash", "'completions'"),
        ("leaderboard rebuid", "'rebuild'"),
        ("--lisen 127.0.0.1:1", "'--listen'"),
        ("serve --lisen 127.0.0.1:1", "'--listen'"),
        ("doctor --jsn", "'--json'"),
        ("leaderboard rebuild --rat 5", "'--rate'"),
        ("completions bsh", "bash"),
    ] {
        let complaint = complaint(words).await;
        assert!(complaint.starts_with("holdfast: "), "{words}: {complaint}");
        assert!(complaint.contains(near), "{words}: {complaint}");
    }
    let alone = complaint("--json").await;
    assert!(alone.contains("--dump-config"), "{alone}");
    let nothing = complaint("completions").await;
    assert!(nothing.contains("<SHELL>"), "{nothing}");
}

/// A call of bash's completion as Tab makes it, with the words up to the cursor.
fn tab(words: &[&str]) -> String {
    let (last, before) = (words.len() - 1, words[words.len() - 2]);
    let line = words.join(" ");
    format!(
        "COMP_WORDS=({line}); COMP_CWORD={last}; COMP_LINE='{line}'; COMP_POINT={}\n\
         _holdfast holdfast '{}' '{before}' || true\n\
         echo \"${{COMPREPLY[*]}}\"",
        line.len(),
        words[last]
    )
}

#[tokio::test]
async fn bash_takes_the_completions_and_completes_with_them() {
    bash("holdfast completions bash | bash -n").await;
    let sourced = "set +eu; source <(holdfast completions bash)";
    let registered = bash(&format!("{sourced}; complete -p holdfast")).await;
    assert!(registered.contains("-F _holdfast holdfast"), "{registered}");
    for (words, wanted) in [
        (&["holdfast", "doc"][..], "doctor"),
        (&["holdfast", "leaderboard", "re"], "rebuild"),
        (&["holdfast", "leaderboard", "rebuild", "--ra"], "--rate"),
        (&["holdfast", "serve", "--room-c"], "--room-capacity"),
        (&["holdfast", "--room-c"], "--room-capacity"),
        (&["holdfast", "completions", "z"], "zsh"),
    ] {
        let offered = bash(&format!("{sourced}\n{}", tab(words))).await;
        assert_eq!(offered, wanted, "{words:?}");
    }
}

#[tokio::test]
async fn every_shell_gets_every_command_and_option() {
    let options: Vec<String> = config::command()
        .get_arguments()
        .filter_map(|arg| arg.get_long())
        .map(Into::into)
        .collect();
    assert!(options.len() > 40, "{options:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(&format!("completions {shell}")).await;
        for name in ["serve", "leaderboard", "rebuild", "doctor", "completions", "man"] {
            assert!(script.contains(name), "{shell} does not know {name}");
        }
        let missing: Vec<_> = options.iter().filter(|name| !script.contains(*name)).collect();
        assert!(missing.is_empty(), "{shell} does not know {missing:?}");
    }
}

/// Roff as text: the escapes of hyphens and quotes taken away.
fn plain(roff: &str) -> String {
    roff.replace("\\-", "-").replace("\\*(Aq", "'").replace("\\fB", "").replace("\\fR", "")
}

/// The headings of a page, in order.
fn sections(roff: &str) -> Vec<&str> {
    roff.lines().filter_map(|line| line.strip_prefix(".SH ")).map(|s| s.trim_matches('"')).collect()
}

#[tokio::test]
async fn the_man_pages_hold_every_command_and_every_option() {
    let main = said("man").await;
    let names = sections(&main);
    assert_eq!(names[..3], ["NAME", "SYNOPSIS", "DESCRIPTION"], "{names:?}");
    for section in ["OPTIONS", "NETWORK", "STORE", "LIMITS", "SUBCOMMANDS", "NOTES"] {
        assert!(names.contains(&section), "{names:?}");
    }
    assert!(plain(&main).contains("holdfast - A WebSocket real-time game server"), "{main}");
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("share/man1");
    let written = said(&format!("man {}", pages.display())).await;
    assert_eq!(std::fs::read_to_string(pages.join("holdfast.1")).unwrap(), main);
    let mut tree = config::command();
    tree.build();
    let mut seen = BTreeSet::new();
    for name in COMMANDS {
        let words: Vec<&str> = name.split(' ').filter(|word| !word.is_empty()).collect();
        let command = words.iter().fold(&tree, |c, word| c.find_subcommand(word).unwrap());
        let file = pages.join(format!("{}.1", [&["holdfast"], &words[..]].concat().join("-")));
        let page = plain(&std::fs::read_to_string(&file).unwrap());
        assert!(written.lines().any(|line| Path::new(line) == file), "{written}");
        seen.insert(file);
        let about = command.get_about().unwrap().to_string();
        assert!(page.contains(&about), "{name}: {page}");
        assert_eq!(sections(&page)[..3], ["NAME", "SYNOPSIS", "DESCRIPTION"], "{name}");
        for option in command.get_arguments().filter_map(|arg| arg.get_long()) {
            assert!(page.contains(&format!("--{option}")), "{name}: --{option}");
        }
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let named =
                format!("holdfast-{}", [&words[..], &[below.get_name()]].concat().join("-"));
            assert!(page.contains(&named), "{name} does not name {named}: {page}");
        }
    }
    let there: BTreeSet<_> =
        std::fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(there, seen, "a command without a test, or a page without a command");
}

#[tokio::test]
async fn a_page_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("taken"), "").unwrap();
    let output = run(dir.path(), "man taken").await;
    let why = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(why.starts_with("holdfast: taken can't be written"), "{why}");
}

#[tokio::test]
async fn settings_are_dumped_as_json_with_where_they_come_from() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.toml"), "retain = 7\n[rooms.arena]\ncapacity = 50\n")
        .unwrap();
    let words = "--dump-config --config a.toml --listen 127.0.0.1:9";
    let output = run(dir.path(), &format!("serve --json {words}")).await;
    let dump: Value = serde_json::from_slice(&output.stdout).unwrap();
    let one = |name: &str| {
        (dump["settings"][name]["value"].clone(), dump["settings"][name]["origin"].clone())
    };
    assert_eq!(one("listen"), ("127.0.0.1:9".into(), "flag --listen".into()));
    assert_eq!(one("retain"), (7.into(), "file a.toml:1".into()));
    assert_eq!(one("movement_clock"), (true.into(), "default".into()));
    assert_eq!(one("advertise"), (Value::Null, "default".into()));
    assert_eq!(dump["rooms"]["arena"]["capacity"]["value"], 50, "{dump}");
    let people = run(dir.path(), words).await;
    let names: BTreeSet<&str> = text(&people.stdout)
        .lines()
        .map(|line| line.trim_start_matches("# ").split(' ').next().unwrap_or_default())
        .filter(|word| !word.is_empty() && word.starts_with(char::is_lowercase))
        .filter(|word| *word != "capacity")
        .collect();
    let settings = dump["settings"].as_object().unwrap();
    assert_eq!(settings.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_says_json_to_programs_and_words_to_people() {
    let server = Server::start_with(Options::default().admin()).await;
    let dir = tempfile::tempdir().unwrap();
    let by_address = format!("leaderboard rebuild --json --admin http://{}/", server.admin());
    let by_file =
        format!("leaderboard rebuild --json --store embedded:{}", server.store_dir().display());
    for words in [by_address, by_file.clone()] {
        let output = run(dir.path(), &words).await;
        assert!(output.status.success(), "{words}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{words}");
        let lines: Vec<Value> =
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.last().unwrap()["status"], "finished", "{lines:?}");
        for line in &lines {
            for number in ["run", "done", "players", "resumed_from", "attempts"] {
                assert!(line[number].is_u64(), "{number} in {line}");
            }
        }
    }
    let people = run(dir.path(), &by_file.replace("--json ", "")).await;
    assert_eq!(text(&people.stdout), "leaderboard rebuilt: 0 players\n");
    let refused = run(dir.path(), &format!("{by_file} --rate 0")).await;
    assert_eq!(refused.status.code(), Some(2));
    let nobody = run(dir.path(), "leaderboard rebuild --json").await;
    assert_eq!((nobody.status.code(), text(&nobody.stdout)), (Some(1), ""));
    assert!(text(&nobody.stderr).contains("no running node answers"), "{}", text(&nobody.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_json_with_the_fields_that_are_documented() {
    let redis = Redis::start(Setup::documented().with(&["--timeout", "5"])).await;
    let dir = tempfile::tempdir().unwrap();
    // The gateways' user may not change it; that is for people, and no part of the JSON.
    let output = run(dir.path(), &format!("doctor --json --fix --store {}", redis.url())).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(text(&output.stderr).contains("was refused"), "{}", text(&output.stderr));
    assert!(report["store"].is_string(), "{report}");
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["name"] == "timeout"), "{report}");
    for finding in findings {
        for field in ["level", "name", "at", "what", "means", "change"] {
            assert!(finding[field].is_string(), "{field} in {finding}");
        }
    }
    for field in ["asked", "summary"] {
        assert!(report["durability"][field].is_string(), "{report}");
    }
    for row in report["durability"]["faults"].as_array().unwrap() {
        assert!(row["fault"].is_string() && row["lost"].is_string(), "{row}");
    }
}
