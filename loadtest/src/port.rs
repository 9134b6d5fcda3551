//! Ports for servers that are started for a run or a test.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports that are looked at, from [`FIRST`] on: below those that Linux gives to outgoing
/// connections.
const FIRST: u16 = 12_000;
const LEN: u16 = 20_000;
/// Ports that are tried before it is given up.
const ATTEMPTS: usize = 2_000;

/// A free port outside the range from which the system takes those of outgoing connections, so
/// that nobody takes it while its server is down. Processes begin to look at different ports.
///
/// # Errors
/// There is none among those that were tried.
pub fn free() -> io::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 400).unwrap_or(0) * 40;
    for _ in 0..ATTEMPTS {
        let port = FIRST + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % LEN;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    let why = format!("no free port from {FIRST} to {}", FIRST + LEN);
    Err(io::Error::new(io::ErrorKind::AddrInUse, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_a_port_twice_in_a_row_or_one_that_is_taken() {
        let first = free().unwrap();
        let _taken = TcpListener::bind(("127.0.0.1", free().unwrap())).unwrap();
        assert!((FIRST..FIRST + LEN).contains(&first) && free().unwrap() != first);
    }
}
