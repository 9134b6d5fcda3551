//! Input frames of one connection, waiting for the next beat. Pure.
//!
//! Frames that follow one another become one run; a gap begins a second. What overlaps steps
//! that wait already is a repeat and is dropped.
//! I7: at most [`WAITING_STEPS_MAX`] steps wait; then the oldest are kept and the newer frame is
//! refused with `rate_limited`.

use holdfast_protocol::movement::{INPUT_STEPS_MAX, Step};

/// Most steps that wait for a beat.
pub const WAITING_STEPS_MAX: usize = 4 * INPUT_STEPS_MAX;

/// Steps that a beat usually has at most, at 20 frames a second.
const BEAT_STEPS: usize = 8;

/// Steps with consecutive numbers, at most [`INPUT_STEPS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The number of the first step.
    pub first: u64,
    /// In order.
    pub steps: Vec<Step>,
}

impl Run {
    /// The number after the last step.
    fn end(&self) -> u64 {
        self.first.saturating_add(self.steps.len() as u64)
    }
}

/// What a frame that was taken says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It can wait for the beat, or is a repeat.
    Waits,
    /// A button was pressed or let go: the player feels any delay of that.
    Edge,
}

/// The batch is full; the frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// What waits.
#[derive(Debug, Default)]
pub struct Batch {
    runs: Vec<Run>,
    steps_len: usize,
    /// Of the last step that was taken, ever.
    buttons: u8,
}

impl Batch {
    /// Adds a frame whose first step has the number `first`.
    ///
    /// # Errors
    /// [`Full`]: nothing of the frame was taken.
    pub fn push(&mut self, first: u64, steps: &[Step]) -> Result<Taken, Full> {
        let end = self.runs.last().map_or(0, Run::end);
        let known = usize::try_from(end.saturating_sub(first)).unwrap_or(usize::MAX);
        let fresh = steps.get(known..).unwrap_or_default();
        let Some(last) = fresh.last() else { return Ok(Taken::Waits) };
        if self.steps_len + fresh.len() > WAITING_STEPS_MAX {
            return Err(Full);
        }
        self.steps_len += fresh.len();
        let edge = fresh.iter().any(|step| step.buttons != self.buttons);
        self.buttons = last.buttons;
        self.append(first.max(end), fresh);
        Ok(if edge { Taken::Edge } else { Taken::Waits })
    }

    /// Lengthens the last run where `first` follows it, in pieces that one command may carry.
    fn append(&mut self, mut first: u64, mut fresh: &[Step]) {
        while !fresh.is_empty() {
            let room = match self.runs.last_mut() {
                Some(last) if last.end() == first && last.steps.len() < INPUT_STEPS_MAX => last,
                _ => {
                    self.runs.push(Run { first, steps: Vec::with_capacity(BEAT_STEPS) });
                    continue;
                }
            };
            let taken = fresh.len().min(INPUT_STEPS_MAX - room.steps.len());
            let (now, later) = fresh.split_at(taken);
            room.steps.extend_from_slice(now);
            first = first.saturating_add(taken as u64);
            fresh = later;
        }
    }

    /// Takes everything, oldest first.
    pub fn take(&mut self) -> Vec<Run> {
        self.steps_len = 0;
        std::mem::take(&mut self.runs)
    }

    /// True when nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn steps(len: usize) -> Vec<Step> {
        vec![Step { dx: 1, dy: 0, buttons: 0 }; len]
    }

    fn shape(batch: &mut Batch) -> Vec<(u64, usize)> {
        batch.take().into_iter().map(|run| (run.first, run.steps.len())).collect()
    }

    #[test]
    fn frames_that_follow_one_another_become_one_run() {
        let mut batch = Batch::default();
        assert_eq!(batch.push(1, &steps(2)), Ok(Taken::Waits));
        assert_eq!(batch.push(3, &steps(1)), Ok(Taken::Waits));
        assert_eq!(shape(&mut batch), [(1, 3)]);
        assert!(batch.is_empty());
    }

    #[test]
    fn a_gap_begins_a_second_run() {
        let mut batch = Batch::default();
        batch.push(1, &steps(2)).unwrap();
        batch.push(9, &steps(2)).unwrap();
        assert_eq!(shape(&mut batch), [(1, 2), (9, 2)]);
    }

    #[test]
    fn repeats_are_dropped_and_overlaps_trimmed() {
        let mut batch = Batch::default();
        batch.push(5, &steps(4)).unwrap();
        assert_eq!(batch.push(5, &steps(4)), Ok(Taken::Waits));
        assert_eq!(batch.push(1, &steps(3)), Ok(Taken::Waits));
        batch.push(7, &steps(4)).unwrap();
        assert_eq!(shape(&mut batch), [(5, 6)]);
    }

    #[test]
    fn a_run_fits_one_command() {
        let mut batch = Batch::default();
        batch.push(1, &steps(30)).unwrap();
        batch.push(31, &steps(30)).unwrap();
        assert_eq!(shape(&mut batch), [(1, 32), (33, 28)]);
    }

    #[test]
    fn a_full_batch_keeps_the_oldest() {
        let mut batch = Batch::default();
        for frame in 0..4 {
            batch.push(1 + frame * 32, &steps(32)).unwrap();
        }
        assert_eq!(batch.push(129, &steps(1)), Err(Full));
        let len: usize = batch.take().iter().map(|run| run.steps.len()).sum();
        assert_eq!(len, WAITING_STEPS_MAX);
        assert_eq!(batch.push(129, &steps(1)), Ok(Taken::Waits));
    }

    #[test]
    fn a_button_is_an_edge_when_it_is_pressed_and_when_it_is_let_go() {
        let mut batch = Batch::default();
        let frame = |buttons: &[u8]| -> Vec<Step> {
            buttons.iter().map(|buttons| Step { dx: 1, dy: 0, buttons: *buttons }).collect()
        };
        assert_eq!(batch.push(1, &frame(&[0, 0])), Ok(Taken::Waits));
        assert_eq!(batch.push(3, &frame(&[0, 1])), Ok(Taken::Edge));
        batch.take();
        assert_eq!(batch.push(5, &frame(&[1])), Ok(Taken::Waits), "it is still held");
        assert_eq!(batch.push(5, &frame(&[0])), Ok(Taken::Waits), "a repeat says nothing");
        assert_eq!(batch.push(6, &frame(&[1, 0, 1])), Ok(Taken::Edge));
        assert_eq!(batch.push(9, &frame(&[0])), Ok(Taken::Edge));
    }

    proptest! {
        #[test]
        fn runs_rise_and_stay_within_bounds(
            frames in prop::collection::vec((1_u64..200, 1_usize..=32), 1..30)
        ) {
            let mut batch = Batch::default();
            for (first, len) in frames {
                let _ = batch.push(first, &steps(len));
            }
            let runs = batch.take();
            prop_assert!(runs.is_sorted_by(|left, right| left.end() <= right.first));
            let total: usize = runs.iter().map(|run| run.steps.len()).sum();
            prop_assert!(total <= WAITING_STEPS_MAX);
            prop_assert!(runs.iter().all(|run| (1..=INPUT_STEPS_MAX).contains(&run.steps.len())));
        }
    }
}
