//! `loadtest run` as people use it, against a server that breaks a promise once in 10,000 records:
//! it ends with 2, and names the promise and the player.

use std::process::Stdio;
use std::time::Duration;

use loadtest::result::{RunResult, Verdict};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use super::store::{Crime, Saboteur};
use super::{open, players, settings, start};
use crate::support::{beside, binary};

const EVERY: u64 = 10_000;
/// A run of 12,000 commands, its verification included.
const WHOLE: Duration = Duration::from_secs(150);

/// What a run against a server with this flaw finds, beside the player it has wronged.
async fn run(crime: Crime) -> (RunResult, String) {
    let _turn = beside().await;
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("holdfast.db");
    let store = Saboteur::new(open(dir.path()), file, Some(crime), EVERY);
    let mut asked = settings(dir.path());
    (asked.commands_per_s, asked.retain) = (1_000_000, 1_000_000_000);
    let node = start(&asked, &store).await;

    let out = dir.path().join("result");
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/loadtest/grind.toml");
    let mut command = Command::new(binary().with_file_name("loadtest"));
    command.args(["run", scenario, "--target", &format!("ws://{}/ws", node.address), "--out"]);
    command.arg(&out).stdin(Stdio::null()).kill_on_drop(true);
    let ran = timeout(WHOLE, command.output()).await.expect("the run to end in time").unwrap();

    let victims = store.victims();
    let [(victim, _)] = &victims[..] else { panic!("one record is to be spoilt: {victims:?}") };
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(2), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains(victim.key()), "{said}");
    let result = RunResult::read(&out.join("result.json")).unwrap();
    assert_eq!(result.verdict, Verdict::Violated);
    assert!(node.drain(10_000).await);
    (result, victim.key().to_owned())
}

/// One promise is broken, to one player.
fn assert_only(result: &RunResult, check: &str, victim: &str) {
    let broken = result.checks.iter().filter(|one| one.violations > 0);
    let broken: Vec<_> = broken.map(|one| (one.name.as_str(), one.violations)).collect();
    assert_eq!(broken, [(check, 1)], "{:#?}", result.violations);
    let whose = players(&result.violations, check);
    assert_eq!(whose.into_iter().collect::<Vec<_>>(), [victim]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_the_one_record_in_ten_thousand_that_is_lost() {
    let (result, victim) = run(Crime::Drop).await;
    assert_only(&result, "lost", &victim);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_the_one_command_that_is_applied_twice() {
    let (result, victim) = run(Crime::Twice).await;
    assert_only(&result, "doubled", &victim);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_finds_the_one_record_of_a_former_owner() {
    let (result, victim) = run(Crime::Stale).await;
    assert_only(&result, "stale", &victim);
}
