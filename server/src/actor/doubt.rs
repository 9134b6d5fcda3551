//! The doubt table: what a holder does about what the store has. Pure.
//!
//! A holder in doubt (a lost answer, a new history of the store, a lease that had run out) does
//! nothing until it has read its journal's tip; [`judge`] then says how it goes on. The runtime
//! and the model that checks the protocol exhaustively (`tests/model`) use this one function.
//!
//! A granted reassertion does not raise its holder yet: it is quiet for a while, in which one who
//! stands for a higher epoch may replace it, and goes on only after a second reassertion, which
//! continues the epoch of the first ([`Mine::stands_for`]). A read of the tip would not do: it
//! leaves nothing behind, and whoever comes late would still write over what was acknowledged.
//!
//! A holder that finds nothing of its actor in the history in which it last wrote does not ask:
//! the actor was erased.
//!
//! | tip that was read | verdict |
//! |---|---|
//! | the append in doubt, by its random id | [`Verdict::Applied`] |
//! | my last acknowledged record | [`Verdict::Resend`], or [`Verdict::GoOn`] without one in doubt |
//! | my own reassertion, by its random id | [`Verdict::Reasserted`] |
//! | any of these in another history, or under a new node session | [`Verdict::Reassert`]: a new epoch, and who continues the higher one wins |
//! | older than mine, on my lineage, or of nothing | [`Verdict::Reassert`] with all of memory |
//! | older, known to be another's, who went on there | [`Verdict::Fenced`]: clients were answered from it |
//! | a reassertion of another that continues less than I stand for | [`Verdict::Reassert`] over it |
//! | newer | [`Verdict::Fenced`] |
//! | none: the partition is gone too | [`Verdict::Wiped`] |

use crate::store::tip::{Epoch, History, Seq, Term, Tip};

/// What a holder has in memory.
#[derive(Debug, Clone, Copy)]
pub struct Mine<'a> {
    /// Its term.
    pub epoch: Epoch,
    /// The epoch that it stands for: its own; or, from a granted reassertion until that is
    /// confirmed, the one that the reassertion continues.
    pub stands_for: Epoch,
    /// The newest record that the store acknowledged.
    pub acked: Seq,
    /// The random id of the append in doubt, which is for record `acked + 1`.
    pub in_doubt: Option<u64>,
    /// The random id of a reassertion in doubt.
    pub reasserting: Option<u64>,
    /// The history in which it last knew its tip.
    pub history: History,
    /// The terms before and including its own, oldest first, as far as they are known: from some
    /// term on, all of them, its own reassertions included.
    pub lineage: &'a [Term],
    /// It must take a new term whatever the tip is: its node session is another now.
    pub reclaim: bool,
}

/// How a holder goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The append in doubt was written: acknowledge it.
    Applied,
    /// It was not: send the same bytes again.
    Resend,
    /// Nothing is in doubt.
    GoOn,
    /// Write memory back under a new epoch, against the tip that was read.
    Reassert {
        /// The store lacks records that memory has.
        snapshot: bool,
        /// What the store has instead is another line of history, whose tail is lost.
        fork: bool,
    },
    /// The reassertion in doubt was written, under this epoch.
    Reasserted(Epoch),
    /// A newer term writes: drop the activation.
    Fenced {
        /// Records that only this memory holds: they are lost to the winner, and are kept aside.
        lost: bool,
    },
    /// The store has a record of this term that the holder did not write.
    Contradiction,
    /// The journal is gone.
    Wiped,
}

/// Judges a tip.
#[must_use]
pub fn judge(mine: &Mine<'_>, tip: Option<&Tip>) -> Verdict {
    let Some(tip) = tip else { return Verdict::Wiped };
    if tip.epoch > mine.epoch {
        return newer(mine, tip);
    }
    if tip.epoch < mine.epoch {
        return older(mine, tip);
    }
    let renew = mine.reclaim || tip.history != mine.history;
    let written = mine.in_doubt == Some(tip.append_id) && tip.seq == mine.acked + 1;
    if written {
        let again = Verdict::Reassert { snapshot: false, fork: false };
        return if renew { again } else { Verdict::Applied };
    }
    if tip.seq > mine.acked {
        return Verdict::Contradiction;
    }
    let behind = tip.seq < mine.acked;
    if behind || renew {
        let snapshot = behind || mine.in_doubt.is_some();
        return Verdict::Reassert { snapshot, fork: false };
    }
    if mine.in_doubt.is_some() { Verdict::Resend } else { Verdict::GoOn }
}

fn newer(mine: &Mine<'_>, tip: &Tip) -> Verdict {
    if mine.reasserting == Some(tip.append_id) && tip.continues.is_some() {
        return Verdict::Reasserted(tip.epoch);
    }
    match tip.continues {
        Some(continues) => contest(mine, tip, continues),
        None => Verdict::Fenced { lost: tip.seq < mine.acked },
    }
}

/// The tip's term is older than mine: the store went back, or it is another line of history.
/// A foreign line that someone has gone on in is past its quiet time: clients have been answered
/// from it, by the primary that the others use.
fn older(mine: &Mine<'_>, tip: &Tip) -> Verdict {
    let own = mine.lineage.iter().any(|term| term.epoch == tip.epoch);
    let went_on_from = tip.continues.filter(|_| !own).unwrap_or(tip.epoch);
    if is_foreign(mine.lineage, went_on_from) {
        return Verdict::Fenced { lost: true };
    }
    match tip.continues {
        Some(continues) if !own => contest(mine, tip, continues),
        _ => {
            let fork = !tip.is_of_nothing() && !on_lineage(mine.lineage, tip);
            Verdict::Reassert { snapshot: true, fork }
        }
    }
}

/// Another holder's reassertion is there: who continues the higher epoch wins.
fn contest(mine: &Mine<'_>, tip: &Tip, continues: Epoch) -> Verdict {
    if continues < mine.stands_for {
        return Verdict::Reassert { snapshot: true, fork: tip.seq > mine.acked };
    }
    Verdict::Fenced { lost: tip.seq < mine.acked }
}

/// Whether a term is known not to be one that this holder's history went through.
fn is_foreign(lineage: &[Term], epoch: Epoch) -> bool {
    let reaches_back = lineage.first().is_some_and(|oldest| oldest.epoch <= epoch);
    reaches_back && lineage.iter().all(|term| term.epoch != epoch)
}

/// Whether a tip of an older epoch is a point that this holder's own history went through.
#[must_use]
pub fn on_lineage(lineage: &[Term], tip: &Tip) -> bool {
    let Some(at) = lineage.iter().position(|term| term.epoch == tip.epoch) else { return false };
    let begun = lineage.get(at).is_some_and(|term| term.from <= tip.seq);
    let ended = lineage.get(at + 1).is_some_and(|next| tip.seq <= next.from);
    begun && ended
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINEAGE: [Term; 3] =
        [Term { epoch: 10, from: 0 }, Term { epoch: 20, from: 5 }, Term { epoch: 30, from: 7 }];

    fn mine() -> Mine<'static> {
        Mine {
            epoch: 30,
            stands_for: 30,
            acked: 9,
            in_doubt: None,
            reasserting: None,
            history: 1,
            lineage: &LINEAGE,
            reclaim: false,
        }
    }

    fn tip(epoch: Epoch, seq: Seq) -> Tip {
        Tip { epoch, seq, append_id: 77, continues: None, history: 1 }
    }

    #[test]
    fn the_same_history_resolves_a_doubt_by_the_random_id() {
        let doubt = Mine { in_doubt: Some(77), ..mine() };
        assert_eq!(judge(&doubt, Some(&tip(30, 10))), Verdict::Applied);
        assert_eq!(judge(&doubt, Some(&tip(30, 9))), Verdict::Resend);
        assert_eq!(judge(&mine(), Some(&tip(30, 9))), Verdict::GoOn);
        let other = Mine { in_doubt: Some(78), ..mine() };
        assert_eq!(judge(&other, Some(&tip(30, 10))), Verdict::Contradiction);
        assert_eq!(judge(&mine(), None), Verdict::Wiped);
    }

    #[test]
    fn another_history_or_session_takes_a_new_term() {
        let marker = Verdict::Reassert { snapshot: false, fork: false };
        let whole = Verdict::Reassert { snapshot: true, fork: false };
        let moved = |seq| Tip { history: 2, ..tip(30, seq) };
        assert_eq!(judge(&mine(), Some(&moved(9))), marker);
        let doubt = Mine { in_doubt: Some(77), ..mine() };
        assert_eq!(judge(&doubt, Some(&moved(10))), marker);
        assert_eq!(judge(&doubt, Some(&moved(9))), whole);
        assert_eq!(judge(&doubt, Some(&moved(8))), whole);
        let reclaim = Mine { reclaim: true, ..mine() };
        assert_eq!(judge(&reclaim, Some(&tip(30, 9))), marker);
    }

    #[test]
    fn an_older_tip_is_written_over_and_a_fork_is_seen() {
        let lineage = |epoch, seq| judge(&mine(), Some(&tip(epoch, seq)));
        let reassert = |fork| Verdict::Reassert { snapshot: true, fork };
        assert_eq!(lineage(20, 5), reassert(false));
        assert_eq!(lineage(20, 7), reassert(false));
        assert_eq!(lineage(10, 3), reassert(false));
        assert_eq!(lineage(20, 8), reassert(true));
        assert_eq!(lineage(9, 3), reassert(true));
        assert_eq!(judge(&mine(), Some(&Tip::of_nothing(1))), reassert(false));
        assert_eq!(lineage(15, 3), Verdict::Fenced { lost: true });
    }

    #[test]
    fn a_foreign_line_that_was_gone_on_with_fences() {
        let fenced = Verdict::Fenced { lost: true };
        let by = |epoch, continues, seq| {
            let tip = Tip { continues, ..tip(epoch, seq) };
            judge(&mine(), Some(&tip))
        };
        assert_eq!(by(25, None, 12), fenced);
        assert_eq!(by(26, Some(25), 12), fenced);
        assert_eq!(by(25, Some(20), 7), Verdict::Reassert { snapshot: true, fork: false });
        assert_eq!(by(25, Some(20), 12), Verdict::Reassert { snapshot: true, fork: true });
        assert_eq!(by(20, Some(10), 7), Verdict::Reassert { snapshot: true, fork: false });
    }

    #[test]
    fn a_reassertion_does_not_raise_its_holder_before_it_is_confirmed() {
        let over = Tip { continues: Some(25), ..tip(40, 12) };
        let quiet = Mine { stands_for: 20, ..mine() };
        assert_eq!(judge(&quiet, Some(&over)), Verdict::Fenced { lost: false });
        let confirmed = judge(&mine(), Some(&over));
        assert_eq!(confirmed, Verdict::Reassert { snapshot: true, fork: true });
    }

    #[test]
    fn a_newer_tip_fences_unless_it_continues_less() {
        assert_eq!(judge(&mine(), Some(&tip(40, 9))), Verdict::Fenced { lost: false });
        assert_eq!(judge(&mine(), Some(&tip(40, 8))), Verdict::Fenced { lost: true });
        let by = |continues, seq| Tip { continues: Some(continues), ..tip(40, seq) };
        let over = |fork| Verdict::Reassert { snapshot: true, fork };
        assert_eq!(judge(&mine(), Some(&by(20, 7))), over(false));
        assert_eq!(judge(&mine(), Some(&by(20, 12))), over(true));
        assert_eq!(judge(&mine(), Some(&by(30, 9))), Verdict::Fenced { lost: false });
        let lost_answer = Mine { reasserting: Some(77), ..mine() };
        assert_eq!(judge(&lost_answer, Some(&by(30, 9))), Verdict::Reasserted(40));
    }
}
