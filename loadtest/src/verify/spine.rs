//! Whether a journal is whole: its positions have no gap, its terms never fall. Pure.

use super::journal::{Entry, Page};
use super::tally::{GAPS, STALE, Tally};

/// How far a journal was read.
#[derive(Debug, Default)]
pub(super) struct Spine {
    /// The first record that there is; 0: none was read.
    pub first: u64,
    /// The last one.
    pub last: u64,
    epoch: u64,
}

impl Spine {
    /// Takes the next record.
    pub(super) fn record(&mut self, record: &Entry<'_>, tally: &mut Tally) {
        let (seq, epoch) = (record.seq, record.epoch);
        tally.looked(GAPS, 1);
        tally.looked(STALE, 1);
        if self.first == 0 {
            self.first = seq;
        } else if seq != self.last + 1 {
            let last = self.last;
            let what = format!("record {seq} follows record {last}");
            tally.broken(GAPS, what, &[last, seq]);
        }
        if let Some(problem) = &record.problem {
            tally.broken(GAPS, format!("record {seq}: {problem}"), &[seq]);
        }
        if epoch < self.epoch {
            let newest = self.epoch;
            let what =
                format!("record {seq} was written by epoch {epoch}, after one of epoch {newest}");
            tally.broken(STALE, what, &[seq]);
        }
        self.epoch = self.epoch.max(epoch);
        self.last = seq;
    }

    /// Takes the end of a journal: this page was the last.
    pub(super) fn end(&self, page: &Page<'_>, tally: &mut Tally) {
        if self.last != page.tip {
            let (last, tip) = (self.last, page.tip);
            let what = format!("the newest record is {tip}, and the journal ends with {last}");
            tally.broken(GAPS, what, &[last]);
        }
    }

    /// The journal is kept whole.
    pub(super) fn begins_at_one(&self, tally: &mut Tally) {
        if self.first > 1 {
            let what = format!("the journal begins with record {}", self.first);
            tally.broken(GAPS, what, &[self.first]);
        }
    }
}
