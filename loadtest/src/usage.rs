//! What a process has used, as Linux tells it.

use std::fs;
use std::io;

/// Microseconds of a tick of the kernel's accounts.
const TICK_MICROS: f64 = 10_000.0;
/// Where fields stand among those of a `stat` line that follow the name: user time, with system
/// time after it, and the start.
const TIMES: usize = 11;
const BEGAN: usize = 19;

/// CPU microseconds of all threads of this process so far, in steps of 10,000.
///
/// # Errors
/// As [`micros`].
pub fn own_micros() -> io::Result<f64> {
    micros("self")
}

/// CPU microseconds of all threads of a process so far, in steps of 10,000; `process` is its id,
/// or `self`.
///
/// # Errors
/// There is no such process, or no `/proc`.
pub fn micros(process: &str) -> io::Result<f64> {
    let stat = stat(process)?;
    ticks(&stat).map(|ticks| ticks * TICK_MICROS).ok_or_else(|| unreadable("times", &stat))
}

/// When a process began, in ticks since the system did; `process` as in [`micros`]. It tells a
/// process from another one that was given its id later.
///
/// # Errors
/// As [`micros`].
pub fn began(process: &str) -> io::Result<u64> {
    let stat = stat(process)?;
    let field = fields(&stat).and_then(|mut fields| fields.nth(BEGAN)?.parse().ok());
    field.ok_or_else(|| unreadable("beginning", &stat))
}

/// Bytes of a process's memory that are resident; `process` as in [`micros`].
///
/// # Errors
/// As [`micros`].
pub fn resident(process: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| unreadable("VmRSS", &status))
}

fn stat(process: &str) -> io::Result<String> {
    fs::read_to_string(format!("/proc/{process}/stat"))
}

fn unreadable(what: &str, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no {what} in the status {text:?}"))
}

/// What follows the name, which is in parentheses: the state, then numbers.
fn fields(stat: &str) -> Option<std::str::Split<'_, char>> {
    stat.rsplit_once(") ").map(|(_, fields)| fields.split(' '))
}

/// The sum of user and system time of a `stat` line.
fn ticks(stat: &str) -> Option<f64> {
    let mut times = fields(stat)?.skip(TIMES).map(str::parse::<f64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "7 (a) b) R 1 7 7 0 -1 4194560 90 0 0 0 12 30 0 0 20 0 1";
        assert_eq!(ticks(stat), Some(42.0));
        assert_eq!(ticks("7 (a) R 1"), None);
    }

    #[test]
    fn this_process_has_a_beginning_and_memory_and_nobody_has_none() {
        let own = std::process::id().to_string();
        assert_eq!(began("self").unwrap(), began(&own).unwrap());
        assert!(began("self").unwrap() > began("1").unwrap());
        assert!(resident("self").unwrap() > 100 * 1024);
        assert!(began("4294967295").is_err() && resident("4294967295").is_err());
    }
}
