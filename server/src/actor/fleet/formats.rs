//! In which format this node writes: the newest that every live node reads.
//!
//! During a rolling upgrade nodes of two versions share the journals. Each says in its lease which
//! formats it reads; each writes the newest one that all of them do, and comes to a newer one when
//! the last old node has gone. A node for which there is no such format does not join: it looks at
//! the lease table before it takes a lease. Two that join at the same moment find out afterwards,
//! and claim no actors, so that nothing is written that a live node could not take over.
//!
//! What a newer node has written before an older one came is refused by the older one, not claimed:
//! see `bring_up`. Once that has happened, the older node says so with its lease, and no longer
//! looks after what is due.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use crate::actor::record::Formats;
use crate::store::NodeSession;
use crate::store::fleet::{Member, NodeInfo};

/// What is agreed on, as every thread sees it. Changed with each read of the lease table.
#[derive(Debug)]
pub(super) struct Agreement {
    reads: Formats,
    writes: Formats,
    /// 0: no format suits everyone.
    format: AtomicU8,
    /// A node was seen that may write what this one can't read.
    mixed: AtomicBool,
    /// This node has come upon what it can't read.
    outdated: Arc<AtomicBool>,
    /// Why this node did not join.
    refusal: OnceLock<String>,
}

impl Agreement {
    /// Until the others are known, the oldest format is written.
    pub fn new(reads: Formats, writes: Formats) -> Self {
        Self {
            reads,
            writes,
            format: AtomicU8::new(writes.oldest),
            mixed: AtomicBool::new(false),
            outdated: Arc::default(),
            refusal: OnceLock::new(),
        }
    }

    pub fn reads(&self) -> Formats {
        self.reads
    }

    /// See [`super::FleetHandle::write_format`].
    pub fn format(&self) -> Option<u8> {
        Some(self.format.load(Ordering::SeqCst)).filter(|format| *format > 0)
    }

    /// See [`super::FleetHandle::is_mixed`]. Stays so: what was written stays.
    pub fn is_mixed(&self) -> bool {
        self.mixed.load(Ordering::SeqCst)
    }

    /// See [`super::FleetHandle::give_way`].
    pub fn give_way(&self) -> bool {
        !self.outdated.swap(true, Ordering::SeqCst)
    }

    pub fn outdated(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.outdated)
    }

    /// Agrees anew with those in the lease table, and says what has changed.
    pub fn agree<'a>(&self, own: NodeSession, members: impl Iterator<Item = &'a Member>) {
        let others: Vec<_> =
            members.filter(|member| member.info.session != own).map(|m| &m.info).collect();
        let read: Vec<_> = others.iter().filter_map(|info| formats(info)).collect();
        if read.iter().any(|formats| !self.reads.covers(*formats)) {
            self.mixed.store(true, Ordering::SeqCst);
        }
        let agreed = self.writes.shared(&read);
        let before = self.format.swap(agreed.unwrap_or(0), Ordering::SeqCst);
        match agreed {
            Some(format) if format != before => {
                tracing::info!(format, "records are written in this format from now on");
            }
            None if before != 0 => tracing::error!("{}", self.objection(&others)),
            _ => {}
        }
    }

    /// Whether this node may join these, who were there before it.
    pub fn may_join(&self, own: NodeSession, members: &[Member]) -> bool {
        self.agree(own, members.iter().filter(|member| !member.expired));
        let suits = self.format().is_some();
        if !suits {
            let others: Vec<_> = members.iter().map(|member| &member.info).collect();
            // It is asked once.
            let _ = self.refusal.set(self.objection(&others));
        }
        suits
    }

    /// Why this node did not join.
    pub fn refusal(&self) -> String {
        self.refusal.get().cloned().unwrap_or_else(|| "the lease's thread has ended".to_owned())
    }

    /// Why there is no format that suits everyone; for operators.
    fn objection(&self, others: &[&NodeInfo]) -> String {
        let writes = self.writes;
        let odd = others.iter().filter_map(|info| Some((info, formats(info)?)));
        let odd = odd.filter(|(_, reads)| writes.shared(&[*reads]).is_none());
        let names = odd.map(|(info, reads)| {
            format!("{} (version {}) reads format {reads}", info.name, info.version)
        });
        let names = match names.collect::<Vec<_>>() {
            names if names.is_empty() => "the others have no format in common".to_owned(),
            names => names.join(", "),
        };
        format!(
            "no format of records suits all nodes: {names}, and this node writes {writes}; it \
             claims no actors. Upgrade by way of a version in between, or stop those nodes first"
        )
    }
}

/// What a node reads. One whose row can't be read says nothing.
fn formats(info: &NodeInfo) -> Option<Formats> {
    let of = |format: u32| u8::try_from(format).unwrap_or(u8::MAX);
    let (oldest, newest) = (of(info.format_oldest), of(info.format));
    (newest > 0).then_some(Formats { oldest, newest })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Formats = Formats { oldest: 1, newest: 1 };
    const BOTH: Formats = Formats { oldest: 1, newest: 2 };
    const TWO: Formats = Formats { oldest: 2, newest: 2 };

    fn member(session: NodeSession, reads: Option<Formats>) -> Member {
        let reads = reads.unwrap_or(Formats { oldest: 0, newest: 0 });
        let info = NodeInfo {
            session,
            name: format!("gw-{session}"),
            address: String::new(),
            version: "9.1".into(),
            format: reads.newest.into(),
            format_oldest: reads.oldest.into(),
            activations: 0,
            sockets: 0,
            draining: false,
            outdated: false,
        };
        Member { info, age_ms: 0, expired: false }
    }

    fn agree(agreement: &Agreement, others: &[Option<Formats>]) -> Option<u8> {
        let members: Vec<_> = (2..).zip(others).map(|(at, reads)| member(at, *reads)).collect();
        agreement.agree(1, members.iter());
        agreement.format()
    }

    #[test]
    fn the_newest_that_all_read_is_written() {
        let newer = Agreement::new(BOTH, BOTH);
        assert_eq!(newer.format(), Some(1), "before the others are known");
        assert_eq!(agree(&newer, &[]), Some(2));
        assert_eq!(agree(&newer, &[Some(BOTH), Some(ONE)]), Some(1));
        assert_eq!(agree(&newer, &[Some(BOTH), None]), Some(2), "who says nothing, objects not");
        assert!(!newer.is_mixed());
        let newest = Agreement::new(TWO, TWO);
        assert_eq!(agree(&newest, &[Some(ONE)]), None);
        let sentence = newest.objection(&[&member(7, Some(ONE)).info]);
        assert!(sentence.contains("gw-7 (version 9.1) reads format 1, and this node writes 2"));
        assert_eq!(agree(&newest, &[Some(BOTH)]), Some(2), "the old one has gone");
    }

    #[test]
    fn who_may_write_what_is_not_read_here_is_noticed_for_good() {
        let old = Agreement::new(ONE, ONE);
        agree(&old, &[Some(ONE)]);
        assert!(!old.is_mixed());
        agree(&old, &[Some(BOTH)]);
        assert!(old.is_mixed() && old.format() == Some(1));
        agree(&old, &[]);
        assert!(old.is_mixed(), "what it has written is still there");
        let new = Agreement::new(TWO, TWO);
        agree(&new, &[Some(BOTH)]);
        assert!(new.is_mixed(), "it may write the older one");
    }
}
