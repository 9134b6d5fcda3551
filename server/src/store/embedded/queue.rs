//! The bounded queue between the store's callers and its threads.
//!
//! Overflow behaviour: *callers wait*. A call that finds the queue full keeps its job in its own
//! future; jobs that wait so enter in the order of the calls, before any later one. A future
//! that is dropped while it waits takes its job back.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// A queue of jobs that weigh something.
#[derive(Debug)]
pub(super) struct Queue<J> {
    state: Mutex<State<J>>,
    ready: Condvar,
    weight_max: usize,
}

#[derive(Debug)]
struct State<J> {
    jobs: VecDeque<(usize, J)>,
    weight: usize,
    outside: VecDeque<(usize, Weak<Slot<J>>)>,
    takers_idle: usize,
    closed: bool,
}

type Slot<J> = Mutex<Option<J>>;

/// Where a call's job is while the queue is full; belongs into the call's future.
#[derive(Debug)]
pub(super) struct Place<J> {
    _outside: Option<Arc<Slot<J>>>,
}

impl<J> Queue<J> {
    /// A queue that takes jobs until their weight reaches `weight_max`.
    pub fn new(weight_max: usize) -> Self {
        let state = State {
            jobs: VecDeque::new(),
            weight: 0,
            outside: VecDeque::new(),
            takers_idle: 0,
            closed: false,
        };
        Self { state: Mutex::new(state), ready: Condvar::new(), weight_max }
    }

    /// Puts a job in, or in its order before the door. A closed queue drops it.
    pub fn push(&self, weight: usize, job: J) -> Place<J> {
        let mut state = self.state();
        if state.closed {
            return Place { _outside: None };
        }
        // While the weight is below the bound nothing waits outside: `let_in` sees to that.
        if state.weight >= self.weight_max {
            let slot = Arc::new(Mutex::new(Some(job)));
            state.outside.push_back((weight, Arc::downgrade(&slot)));
            return Place { _outside: Some(slot) };
        }
        state.enter(weight, job);
        if state.takers_idle > 0 {
            self.ready.notify_one();
        }
        Place { _outside: None }
    }

    /// Takes what waits, up to `weight_max` or one job; sleeps while there is none. `None` once
    /// the queue is closed and empty.
    pub fn take(&self, weight_max: usize) -> Option<Vec<J>> {
        self.take_within(weight_max, None)
    }

    /// As [`Queue::take`], but takes nothing if there is nothing for so long.
    pub fn take_within(&self, weight_max: usize, patience: Option<Duration>) -> Option<Vec<J>> {
        let (mut state, mut impatient) = (self.state(), false);
        while state.jobs.is_empty() && !impatient {
            if state.closed {
                return None;
            }
            state.takers_idle += 1;
            (state, impatient) = self.wait(state, patience);
            state.takers_idle -= 1;
        }
        let taken = state.take(weight_max);
        state.let_in(self.weight_max);
        Some(taken)
    }

    /// Takes nothing more; what is in is still served.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.let_in(usize::MAX);
        self.ready.notify_all();
    }

    /// Closes, and drops every job unserved.
    pub fn abandon(&self) {
        self.close();
        let jobs = std::mem::take(&mut self.state().jobs);
        drop(jobs);
    }

    /// Sleeps until it is woken, or for so long: then the second answer is true.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State<J>>,
        patience: Option<Duration>,
    ) -> (MutexGuard<'a, State<J>>, bool) {
        let Some(patience) = patience else {
            return (self.ready.wait(state).unwrap_or_else(PoisonError::into_inner), false);
        };
        let woken = self.ready.wait_timeout(state, patience);
        let (state, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
        (state, timeout.timed_out())
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> State<J> {
    fn enter(&mut self, weight: usize, job: J) {
        self.weight += weight;
        self.jobs.push_back((weight, job));
    }

    fn take(&mut self, weight_max: usize) -> Vec<J> {
        let (mut taken, mut weight) = (Vec::with_capacity(self.jobs.len().min(64)), 0);
        while let Some((next, _)) = self.jobs.front() {
            if !taken.is_empty() && weight + next > weight_max {
                break;
            }
            weight += next;
            taken.extend(self.jobs.pop_front().map(|(_, job)| job));
        }
        self.weight = self.weight.saturating_sub(weight);
        taken
    }

    fn let_in(&mut self, weight_max: usize) {
        while self.weight < weight_max {
            let Some((weight, slot)) = self.outside.pop_front() else { return };
            let slot = slot.upgrade();
            let job = slot.and_then(|slot| slot.lock().ok().and_then(|mut slot| slot.take()));
            if let Some(job) = job {
                self.enter(weight, job);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_keeps_callers_in_order_outside() {
        let queue = Queue::new(2);
        let places: Vec<_> = (0..5).map(|n| queue.push(1, n)).collect();
        assert_eq!(queue.state().jobs.len(), 2, "the bound holds");
        assert_eq!(queue.take(8), Some(vec![0, 1]));
        let _late = queue.push(1, 5);
        assert_eq!(queue.take(1), Some(vec![2]));
        assert_eq!(queue.take(8), Some(vec![3, 4]));
        assert_eq!(queue.take(8), Some(vec![5]));
        drop(places);
    }

    #[test]
    fn a_caller_that_gives_up_takes_its_job_back() {
        let queue = Queue::new(1);
        let _first = queue.push(1, 1);
        let given_up = queue.push(1, 2);
        let _third = queue.push(1, 3);
        drop(given_up);
        queue.close();
        assert_eq!(queue.take(8), Some(vec![1, 3]));
        assert_eq!(queue.take(8), None);
    }

    #[test]
    fn an_impatient_taker_gets_nothing_from_an_empty_queue() {
        let queue = Queue::new(1);
        let soon = Some(Duration::from_millis(1));
        assert_eq!(queue.take_within(8, soon), Some(vec![]));
        let _place = queue.push(1, 1);
        assert_eq!(queue.take_within(8, soon), Some(vec![1]));
        queue.close();
        assert_eq!(queue.take_within(8, soon), None);
    }

    #[test]
    fn a_heavy_job_goes_alone_and_an_abandoned_queue_is_empty() {
        let queue = Queue::new(100);
        let _places = [queue.push(50, 1), queue.push(1, 2)];
        assert_eq!(queue.take(8), Some(vec![1]));
        queue.abandon();
        assert_eq!(queue.take(8), None);
        queue.push(1, 3);
        assert_eq!(queue.take(8), None);
    }
}
