//! Lost and found: what a fenced activation knew and the winner's history lacks.
//!
//! When a store goes back in time and two activations each hold records that the other lacks,
//! one of them loses. What it alone held is never thrown away in silence: it is written to a file
//! of its own, for an operator who may give a player back what is theirs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_protocol::ids::ActorId;
use serde::Serialize;

use super::core::Lost;

/// The directory, if there is one. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct LostFound(Option<Arc<Path>>);

/// What the first line of a file says; the snapshot follows it.
#[derive(Debug, Serialize)]
struct Label<'a> {
    actor: &'a ActorId,
    epoch: u64,
    acked: u64,
    winner_epoch: u64,
    winner_seq: u64,
    snapshot_len: usize,
}

impl LostFound {
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self(dir.map(Arc::from))
    }

    /// Writes what was lost to a new file, whole or not at all. Returns its path, or none where
    /// no directory is set. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub fn keep(&self, actor: &ActorId, lost: &Lost) -> io::Result<Option<PathBuf>> {
        let Some(dir) = &self.0 else { return Ok(None) };
        fs::create_dir_all(dir)?;
        let name = format!("{actor}.{}.{}", lost.epoch, lost.acked).replace(':', ".");
        let (path, part) = (dir.join(&name), dir.join(format!(".{name}.part")));
        let mut file = File::create(&part)?;
        serde_json::to_writer(&mut file, &label(actor, lost))?;
        file.write_all(b"\n")?;
        file.write_all(&lost.snapshot)?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        File::open(dir)?.sync_all()?;
        Ok(Some(path))
    }
}

fn label<'a>(actor: &'a ActorId, lost: &Lost) -> Label<'a> {
    Label {
        actor,
        epoch: lost.epoch,
        acked: lost.acked,
        winner_epoch: lost.tip.epoch,
        winner_seq: lost.tip.seq,
        snapshot_len: lost.snapshot.len(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::store::Tip;

    fn lost() -> Lost {
        let tip = Tip { epoch: 9, seq: 3, append_id: 1, continues: None, history: 0 };
        Lost { acked: 5, epoch: 7, snapshot: Bytes::from_static(b"what it knew"), tip }
    }

    #[test]
    fn what_was_lost_is_found_whole_under_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("lost+found");
        let actor = ActorId::new("toy", "a").unwrap();
        let path = LostFound::new(Some(into.clone())).keep(&actor, &lost()).unwrap().unwrap();
        assert_eq!(path, into.join("toy.a.7.5"));
        let bytes = fs::read(&path).unwrap();
        let (head, snapshot) = bytes.split_at(bytes.iter().position(|b| *b == b'\n').unwrap() + 1);
        assert_eq!(snapshot, b"what it knew");
        let head: serde_json::Value = serde_json::from_slice(head).unwrap();
        assert_eq!(head["actor"], "toy:a");
        assert_eq!((&head["acked"], &head["winner_seq"]), (&5.into(), &3.into()));
        assert_eq!(fs::read_dir(&into).unwrap().count(), 1, "a part of a file is left");
    }

    #[test]
    fn without_a_directory_nothing_is_written() {
        let actor = ActorId::new("toy", "a").unwrap();
        assert_eq!(LostFound::default().keep(&actor, &lost()).unwrap(), None);
    }
}
