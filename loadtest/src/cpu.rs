//! How much CPU a process has used, as Linux tells it.

use std::fs;
use std::io;

/// Microseconds of a tick of the kernel's accounts.
const TICK_MICROS: f64 = 10_000.0;

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
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    ticks(&stat).map(|ticks| ticks * TICK_MICROS).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("no times in the status {stat:?}"))
    })
}

/// The sum of user and system time of a `stat` line.
fn ticks(stat: &str) -> Option<f64> {
    // What follows the name, which is in parentheses: the state, then numbers.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<f64>);
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
}
