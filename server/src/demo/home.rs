//! The directory of a show: journals and logs. One that nobody named is removed at the end.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::DemoError;

const LOCK: &str = "demo.lock";

/// See the module.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    is_kept: bool,
    /// Nobody else plays in it meanwhile.
    _lock: File,
}

impl Home {
    /// Opens the directory that was named, or makes one.
    ///
    /// # Errors
    /// [`DemoError::Dir`], or [`DemoError::Shared`] where another show runs in it.
    pub fn open(named: Option<&Path>) -> Result<Self, DemoError> {
        let path = named.map_or_else(fresh, Path::to_owned);
        let failed = |cause| DemoError::Dir { path: path.clone(), cause };
        let mut builder = DirBuilder::new();
        // What was made for this show alone is nobody else's to read, and was not there before.
        builder.recursive(named.is_some()).mode(if named.is_some() { 0o777 } else { 0o700 });
        builder.create(&path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let lock = File::create(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, is_kept: named.is_some(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DemoError::Shared(path)),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays at the end.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !self.is_kept {
            // What can't be removed is in the system's directory of temporary files.
            let _: io::Result<()> = fs::remove_dir_all(&self.path);
        }
    }
}

fn fresh() -> PathBuf {
    std::env::temp_dir().join(format!("holdfast-demo-{:08x}", rand::random::<u32>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_named_is_removed_and_what_was_named_is_kept() {
        let home = Home::open(None).unwrap();
        let made = home.path().to_owned();
        assert!(made.is_dir() && !home.is_kept());
        drop(home);
        assert!(!made.exists());
        let dir = tempfile::tempdir().unwrap();
        let named = dir.path().join("show/one");
        drop(Home::open(Some(&named)).unwrap());
        assert!(named.is_dir());
    }

    #[test]
    fn two_shows_do_not_share_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let _one = Home::open(Some(dir.path())).unwrap();
        let refused = Home::open(Some(dir.path())).unwrap_err().to_string();
        assert!(refused.contains("another holdfast demo"), "{refused}");
    }
}
