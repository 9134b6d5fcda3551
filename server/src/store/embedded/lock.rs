//! The data directory and its lock: one process at a time.
//!
//! The lock is the operating system's and goes with its process, however that ends. Whoever has
//! it knows that every earlier node session of this directory is dead.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::store::Error;

const LOCK_FILE: &str = "holdfast.lock";

/// Only the owner may look: the store holds secrets.
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A locked directory. Dropping it gives the directory up.
#[derive(Debug)]
pub(super) struct DirLock {
    _file: File,
}

impl DirLock {
    /// Makes the directory if need be, and locks it.
    pub fn acquire(dir: &Path) -> Result<Self, Error> {
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir).map_err(|error| {
            Error::Open(format!(
                "can't make the data directory {}: {error}; name another by --store embedded:DIR",
                dir.display()
            ))
        })?;
        let mut file = private_file(&dir.join(LOCK_FILE))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(dir)),
            Err(TryLockError::Error(error)) => {
                return Err(Error::Open(format!("can't lock {}: {error}", dir.display())));
            }
        }
        let pid = std::process::id().to_string();
        file.set_len(0)
            .and_then(|()| file.write_all(pid.as_bytes()))
            .map_err(|error| Error::Open(format!("can't write into {}: {error}", dir.display())))?;
        Ok(Self { _file: file })
    }
}

fn in_use(dir: &Path) -> Error {
    let pid = std::fs::read_to_string(dir.join(LOCK_FILE)).unwrap_or_default();
    let holder = if pid.is_empty() { String::new() } else { format!(" (process {pid})") };
    Error::Open(format!(
        "another holdfast{holder} is using {}: stop it first, or give this one a data directory \
         of its own",
        dir.display()
    ))
}

/// Opens a file that only its owner may read, and makes it if need be.
pub(super) fn private_file(path: &Path) -> Result<File, Error> {
    let open = || {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(path)?;
        file.set_permissions(std::fs::Permissions::from_mode(FILE_MODE))?;
        Ok::<_, std::io::Error>(file)
    };
    open().map_err(|error| {
        Error::Open(format!(
            "can't open {}: {error}; let this user read and write it, or name another directory \
             by --store embedded:DIR",
            path.display()
        ))
    })
}
