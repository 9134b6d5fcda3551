//! What storms measured: printed, and where `HOLDFAST_RESULTS` names an empty directory kept
//! there for one table of the whole run, which `tests/run` shows. A row is a file of its own, so
//! that tests may write at the same time; its cells are parted by tabs.

use std::path::Path;
use std::time::Duration;

use super::{Crowd, Survivor};

/// Writes a row of a table.
fn keep(table: &str, cells: &[String]) {
    println!("{table}: {}", cells.join(" | "));
    let Ok(dir) = std::env::var("HOLDFAST_RESULTS") else { return };
    let name: String =
        cells[0].chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    write(&Path::new(&dir).join(table), &name, &cells.join("\t"));
}

fn write(dir: &Path, name: &str, row: &str) {
    std::fs::create_dir_all(dir).expect("a directory for results");
    let path = dir.join(name);
    assert!(!path.exists(), "two tests write {}", path.display());
    std::fs::write(path, format!("{row}\n")).expect("a row of results");
}

/// The row of a fault: acknowledged, lost, doubled, longest pause.
pub fn fault(name: &str, crowd: &Crowd) {
    let found = &crowd.findings;
    let pause = crowd.survivors.iter().map(|s| s.tally.longest_wait).max().unwrap_or_default();
    let counts = [crowd.done(), found.lost, found.doubled].map(|count| count.to_string());
    let [done, lost, doubled] = counts;
    keep("faults", &[name.to_owned(), done, lost, doubled, in_ms(pause)]);
}

/// The row of how long players went from the loss of their socket to their next acknowledged
/// command. Returns how many players lost one.
pub fn recoveries(name: &str, survivors: &[Survivor]) -> usize {
    let mut all: Vec<_> = survivors.iter().flat_map(|s| s.tally.recoveries.clone()).collect();
    all.sort();
    let moved = survivors.iter().filter(|s| s.tally.resumes > 0).count();
    let mut cells = vec![name.to_owned(), moved.to_string(), all.len().to_string()];
    cells.extend([0.0, 0.5, 0.9, 0.99, 1.0].map(|share| in_ms(at(&all, share))));
    keep("recoveries", &cells);
    moved
}

/// The value that `share` of the sorted ones do not exceed.
fn at(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get(((last as f64) * share).round() as usize).copied().unwrap_or_default()
}

fn in_ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

#[test]
fn quantiles_are_of_the_sorted() {
    let ms = |n| Duration::from_millis(n);
    let times: Vec<_> = (0..=100).map(ms).collect();
    assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| at(&times, share)), [0, 50, 99, 100].map(ms));
    assert_eq!(at(&[], 0.5), ms(0));
}

#[test]
#[should_panic(expected = "two tests write")]
fn a_row_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", "1");
    assert_eq!(std::fs::read_to_string(dir.path().join("a")).unwrap(), "1\n");
    write(dir.path(), "a", "2");
}
