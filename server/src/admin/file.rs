//! The file in a node's directory that says where the running node's admin listener is.

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
/// The directory or the file can't be written.
pub fn announce(dir: &Path, addr: SocketAddr) -> io::Result<()> {
    fs::create_dir_all(dir)?;
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

/// Where the admin listeners of all nodes are that keep directories in `dir`, by the nodes' names.
/// Nodes that have died are among them.
///
/// # Errors
/// The directory can't be read, or no node has said anything in it.
pub fn announced_below(dir: &Path) -> io::Result<Vec<String>> {
    let mut nodes: Vec<PathBuf> = fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    nodes.sort();
    let found: Vec<String> =
        nodes.iter().filter_map(|node| Some(announced(node).ok()?.to_string())).collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no node has written its address"));
    }
    Ok(found)
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
