//! Reads an actor from the store without claiming it: what its journal says, while whoever holds
//! it goes on.

use holdfast_protocol::ids::ActorId;

use super::kind::Kind;
use super::record::Formats;
use super::replay::{Durable, Stored, replay};
use crate::store::{Base, Error, Loaded, Seq, Store, Tip};

/// A stored actor, read up to some record.
pub struct Reading {
    /// What it says.
    pub durable: Durable,
    /// The newest record that `durable` contains.
    pub seq: Seq,
    /// The tip when it was read.
    pub tip: Tip,
    /// The records after `seq`.
    after: Vec<Stored>,
}

impl Reading {
    /// Goes on to the newest record.
    ///
    /// # Errors
    /// Why a record can't be read.
    pub fn finish(mut self) -> Result<Self, String> {
        for stored in std::mem::take(&mut self.after) {
            self.durable.fold_record(Formats::READS, &stored).map_err(|error| error.to_string())?;
            self.seq = stored.seq;
        }
        Ok(self)
    }
}

/// Reads an actor as it was after record `until`, or as near after it as is kept; `None`: as it
/// is. The inner error is the journal's: no one can read it.
///
/// # Errors
/// The store's, which may pass.
pub async fn read(
    store: &dyn Store,
    kind: &Kind,
    id: &ActorId,
    until: Option<Seq>,
) -> Result<Result<Reading, String>, Error> {
    let mut whole = Err("nothing is stored of it".to_owned());
    for base in [Base::Newest, Base::Older] {
        let loaded = match store.load(id, base).await {
            Ok(loaded) => loaded,
            Err(error @ (Error::Absent | Error::Corrupt { .. })) => {
                whole = whole.or(Err(error.to_string()));
                continue;
            }
            Err(error) => return Err(error),
        };
        let read = fold(kind, id, loaded, until);
        let reaches = read.as_ref().is_ok_and(|read| until.is_none_or(|until| read.seq <= until));
        if reaches {
            return Ok(read);
        }
        // The older base is for what the newest can't give; if it can't either, the newest is.
        whole = whole.or(read);
    }
    Ok(whole)
}

fn fold(kind: &Kind, id: &ActorId, loaded: Loaded, until: Option<Seq>) -> Result<Reading, String> {
    let Loaded { snapshot, records, tip, .. } = loaded;
    let base = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
    let stored = records.into_iter();
    let stored = stored.map(|row| Stored { epoch: row.epoch, seq: row.seq, bytes: row.record });
    let (first, after): (Vec<_>, Vec<_>) =
        stored.partition(|stored| until.is_none_or(|until| stored.seq <= until));
    let seq = first.last().map_or(base, |last| last.seq);
    let snapshot = snapshot.as_ref().map(|snapshot| &snapshot.bytes[..]);
    let durable = replay((kind, Formats::READS), id, snapshot, first).map_err(|e| e.to_string())?;
    Ok(Reading { durable, seq, tip, after })
}
