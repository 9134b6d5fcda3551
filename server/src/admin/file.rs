//! The file in the store's directory that says where the running node's admin listener is.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The file's name.
pub const NAME: &str = "admin";

fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// Says where the admin listener is.
///
/// # Errors
/// The file can't be written.
pub fn announce(dir: &Path, addr: SocketAddr) -> io::Result<()> {
    let draft = dir.join(format!("{NAME}.new"));
    fs::write(&draft, format!("{addr}\n"))?;
    fs::rename(draft, path(dir))
}

/// Takes the file away; the node has stopped.
pub fn withdraw(dir: &Path) {
    let _ = fs::remove_file(path(dir));
}

/// Where the admin listener is.
///
/// # Errors
/// There is no file, or no address in it.
pub fn announced(dir: &Path) -> io::Result<SocketAddr> {
    let text = fs::read_to_string(path(dir))?;
    text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no address in it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_announced_is_found_until_it_is_withdrawn() {
        let dir = tempfile::tempdir().unwrap();
        let addr: SocketAddr = "127.0.0.1:4321".parse().unwrap();
        assert!(announced(dir.path()).is_err());
        announce(dir.path(), addr).unwrap();
        assert_eq!(announced(dir.path()).unwrap(), addr);
        withdraw(dir.path());
        assert!(announced(dir.path()).is_err());
    }
}
