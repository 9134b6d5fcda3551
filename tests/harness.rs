//! `loadtest run` as people use it: the exit status says how it went, the result is whole, a run
//! that says nothing is void, and one that is cut off leaves what it knew.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use loadtest::result::{RunResult, Verdict};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::{PATIENCE, Server, alone, beside, binary, eventually, signal};

/// A run, its verification included.
const WHOLE: Duration = Duration::from_secs(150);

/// The harness beside the server.
fn command(out: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(binary().with_file_name("loadtest"));
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    if args.first() == Some(&"run") {
        command.arg("--server").arg(binary()).arg("--out").arg(out);
    }
    command
}

async fn output(out: &Path, args: &[&str]) -> Output {
    let ran = timeout(WHOLE, command(out, args).output()).await;
    ran.expect("the harness to end in time").expect("the harness to start")
}

fn result(out: &Path) -> RunResult {
    RunResult::read(&out.join("result.json")).unwrap()
}

/// A run that has to be met, and its result. On a machine that is too busy for the harness to be in
/// time it is void, and says so: what it found out about promises counts all the same.
async fn met(args: &[&str]) -> (TempDir, RunResult, String) {
    let out = tempfile::tempdir().unwrap();
    let ran = output(out.path(), args).await;
    let (said, result) = (String::from_utf8_lossy(&ran.stdout).into_owned(), result(out.path()));
    let late = result.reasons.iter().all(|why| why.contains("the harness was late"));
    if (ran.status.code(), result.verdict, late) == (Some(3), Verdict::Void, true) {
        println!("void, but whole: {:?}", result.reasons);
    } else {
        assert_eq!(ran.status.code(), Some(0), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(result.verdict, Verdict::Met);
    }
    assert!(result.complete && result.thresholds.iter().all(|one| one.met), "{said}");
    (out, result, said)
}

/// Every promise was looked at, and kept.
fn check_promises(result: &RunResult) {
    let names: Vec<_> = result.checks.iter().map(|check| check.name.as_str()).collect();
    let all = [
        "alarms",
        "capacity",
        "conserved",
        "doubled",
        "gaps",
        "lost",
        "order",
        "place",
        "promises",
        "stale",
        "state",
    ];
    assert_eq!(names, all);
    for check in &result.checks {
        assert!(check.looked_at > 0 && check.violations == 0, "{check:?}");
    }
    assert!(result.unchecked.is_empty(), "{:?}", result.unchecked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_smoke_run_is_met_and_leaves_a_report() {
    let _turn = alone().await;
    let (out, result, said) = met(&["run", "smoke", "--players", "48"]).await;
    check_promises(&result);
    assert!(said.contains(&result.verdict.name().to_uppercase()), "{said}");
    let html = std::fs::read_to_string(out.path().join("report.html")).unwrap();
    assert!(html.contains("smoke") && html.contains("<svg"), "no report");
    let kinds = ["ramp", "hold", "drain", "verify"];
    assert!(kinds.iter().all(|kind| result.phases.iter().any(|phase| phase.what == *kind)));
    assert!(result.processes.iter().any(|one| one.name == "gw-1" && one.samples.len() > 10));
    let file = out.path().join("result.json");
    let same = output(out.path(), &["compare", path(&file), path(&file)]).await;
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stdout));
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/loadtest").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_are_killed_and_nothing_is_lost() {
    let _turn = beside().await;
    let scenario = fixture("kill.toml");
    let (_out, result, _) = met(&["run", path(&scenario), "--processes", "2"]).await;
    check_promises(&result);
    assert_eq!(result.setup.processes, 2);
    let chaos: Vec<_> = result.chaos.iter().map(|mark| mark.what.as_str()).collect();
    assert_eq!(chaos[..2], ["kill gateway 1", "start gateway 1"], "{chaos:?}");
}

/// Both sides of each trade know the same of it, and every coin is somewhere.
#[tokio::test(flavor = "multi_thread")]
async fn trades_go_on_while_a_gateway_is_killed_and_all_goods_are_there() {
    let _turn = beside().await;
    let scenario = fixture("trades.toml");
    let (_out, result, _) = met(&["run", path(&scenario)]).await;
    for name in ["trades", "settled", "escrow", "conserved", "lost", "doubled", "alarms"] {
        let check = result.checks.iter().find(|check| check.name == name);
        let check = check.unwrap_or_else(|| panic!("{name} was not looked at"));
        assert!(check.looked_at > 0, "{check:?}");
    }
    assert!(result.checks.iter().all(|check| check.violations == 0), "{:?}", result.checks);
    let late = |why: &String| why.contains("the harness was late");
    assert!(result.unchecked.iter().all(late), "{:?}", result.unchecked);
}

/// Nobody's send has a due time of its own there; it is a run all the same.
#[tokio::test(flavor = "multi_thread")]
async fn players_who_ask_as_fast_as_they_can_are_a_run_too() {
    let _turn = beside().await;
    let (_out, result, _) = met(&["run", "week-long", "--hold", "3s"]).await;
    check_promises(&result);
}

/// Servers that were there before may have trimmed their journals, and hold other players too.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_against_a_target_says_what_it_could_not_check() {
    let server = Server::start().await;
    let scenario = fixture("target.toml");
    let (_out, result, _) = met(&["run", path(&scenario), "--target", &server.ws()]).await;
    assert_eq!(result.setup.store, "target");
    assert!(result.checks.iter().all(|check| check.violations == 0), "{:?}", result.checks);
    assert!(!result.unchecked.is_empty());
}

/// The generator process of a run.
async fn generator(run: &Child) -> u32 {
    child(run, "loadtest agent").await
}

fn gone(process: u32) -> Option<()> {
    (!Path::new(&format!("/proc/{process}")).exists()).then_some(())
}

/// A process that a run has started, by its command line.
async fn child(run: &Child, command: &str) -> u32 {
    let run = run.id().unwrap();
    eventually(command, PATIENCE, async || {
        let mut found = Command::new("pgrep");
        found.args(["-P", &run.to_string(), "-f", command]);
        let found = found.output().await.ok()?;
        String::from_utf8_lossy(&found.stdout).lines().next()?.parse().ok()
    })
    .await
}

/// Waits until a run is so far.
async fn phase(out: &Path, what: &str) {
    eventually(what, PATIENCE, async || {
        let result = RunResult::read(&out.join("result.json")).ok()?;
        result.phases.iter().any(|phase| phase.what == what).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generator_that_is_too_slow_makes_a_run_void() {
    let _turn = alone().await;
    let out = tempfile::tempdir().unwrap();
    let scenario = fixture("target.toml");
    let args = ["run", path(&scenario)];
    let run = command(out.path(), &args).stdout(Stdio::piped()).spawn().unwrap();
    let agent = generator(&run).await;
    phase(out.path(), "hold").await;
    signal(agent, "STOP").await;
    // How long it is held up is what this is about.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    signal(agent, "CONT").await;
    let ran = timeout(WHOLE, run.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    let result = result(out.path());
    assert!(result.reasons[0].contains("the harness was late"), "{:?}", result.reasons);
    assert!(result.checks.iter().all(|check| check.violations == 0), "{:?}", result.checks);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cut_off_leaves_what_it_knew() {
    let _turn = beside().await;
    let scenario = fixture("target.toml");
    let args = ["run", path(&scenario), "--hold", "60s"];
    // Asked to stop, it says so and ends its servers.
    let out = tempfile::tempdir().unwrap();
    let run = command(out.path(), &args).stdout(Stdio::piped()).spawn().unwrap();
    let agent = generator(&run).await;
    phase(out.path(), "hold").await;
    signal(run.id().unwrap(), "INT").await;
    let ran = timeout(PATIENCE, run.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(ran.status.code(), Some(3));
    let stopped = result(out.path());
    assert_eq!((stopped.verdict, stopped.complete), (Verdict::Void, false));
    assert!(stopped.reasons[0].contains("it was stopped after"), "{:?}", stopped.reasons);
    eventually("the generator to end", PATIENCE, async || gone(agent)).await;
    // Killed, it leaves what it had written.
    let out = tempfile::tempdir().unwrap();
    let mut run = command(out.path(), &args).stdout(Stdio::null()).spawn().unwrap();
    phase(out.path(), "hold").await;
    let server = child(&run, "holdfast serve").await;
    run.kill().await.unwrap();
    eventually("the server to end", PATIENCE, async || gone(server)).await;
    let killed = result(out.path());
    assert!(!killed.complete && !killed.seconds.is_empty());
    let file = out.path().join("result.json");
    let page = output(out.path(), &["report", path(&file)]).await;
    assert_eq!(page.status.code(), Some(0), "{}", String::from_utf8_lossy(&page.stderr));
    let html = std::fs::read_to_string(out.path().join("report.html")).unwrap();
    assert!(
        html.to_lowercase().contains("cut off after"),
        "the page does not say that it was cut off"
    );
}

#[tokio::test]
async fn what_cannot_be_run_is_said_in_a_sentence() {
    let out = tempfile::tempdir().unwrap();
    let bad = out.path().join("bad.toml");
    std::fs::write(&bad, "version = 1\nname = \"bad\"\nplayers = 0\n").unwrap();
    for (args, expected) in [
        (vec!["run", "nonesuch"], "no ready-made scenario (smoke, arena-5000"),
        (vec!["run", path(&bad)], "bad.toml: "),
        (vec!["run", "kill-a-gateway", "--store", "embedded"], "the embedded store serves one"),
        (vec!["run", "smoke", "--target", "http://x"], "no ws:// URL"),
        (vec!["run", "smoke", "--players", "0"], "0 is not in 1..=1000000"),
        (vec!["run"], "<SCENARIO>"),
    ] {
        let ran = output(out.path(), &args).await;
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(64), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn the_ready_made_scenarios_are_listed_and_printed() {
    let out = tempfile::tempdir().unwrap();
    let list = output(out.path(), &["scenarios"]).await;
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("kill-a-gateway   Two gateways on one Redis"), "{list}");
    let smoke = output(out.path(), &["scenarios", "smoke"]).await;
    assert!(String::from_utf8_lossy(&smoke.stdout).starts_with("version = 1\nname = \"smoke\""));
}
