//! The numbers of a run, second by second and put together.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::result::{Process, Quantiles, Sample, Second};
use crate::stage::process::Roll;
use crate::stats::{Measure, Stats};

/// See the module.
#[derive(Debug)]
pub struct Meter {
    roll: Roll,
    /// Whether what comes counts as that of the hold.
    holding: bool,
    all: Stats,
    held: Stats,
    /// Since the last second ended.
    current: Stats,
    /// By generator process.
    connected: BTreeMap<usize, u64>,
    finished: BTreeMap<usize, u64>,
    processes: Vec<Process>,
    /// By process: its id and CPU microseconds at the last look.
    used: BTreeMap<String, (u32, f64)>,
    looked: Instant,
}

impl Meter {
    /// Nothing yet; the processes are those of the roll.
    #[must_use]
    pub fn new(roll: Roll) -> Self {
        Self {
            roll,
            holding: false,
            all: Stats::default(),
            held: Stats::default(),
            current: Stats::default(),
            connected: BTreeMap::new(),
            finished: BTreeMap::new(),
            processes: Vec::new(),
            used: BTreeMap::new(),
            looked: Instant::now(),
        }
    }

    /// Whether what comes from now on counts as that of the hold.
    pub fn hold(&mut self, holding: bool) {
        self.holding = holding;
    }

    /// Adds numbers that belong to no second.
    pub fn add(&mut self, stats: &Stats) {
        self.all.add(stats);
    }

    /// Takes a generator process's second.
    pub fn take(&mut self, nth: usize, connected: u64, finished: u64, stats: &Stats) {
        self.connected.insert(nth, connected);
        self.finished.insert(nth, finished);
        self.current.add(stats);
        self.all.add(stats);
        if self.holding {
            self.held.add(stats);
        }
    }

    /// Players with a session on a socket.
    #[must_use]
    pub fn connected(&self) -> u64 {
        self.connected.values().sum()
    }

    /// Players who have done all that they were to do.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.finished.values().sum()
    }

    /// Ends a second, and looks at the processes.
    pub fn second(&mut self, at_ms: u64) -> Second {
        self.look(at_ms);
        let current = self.current.take();
        let of = |measure| Some((measure, quantiles(&current, measure)?));
        Second {
            at_ms,
            connected: self.connected(),
            counts: current.counts().clone(),
            times: Measure::ALL.into_iter().filter_map(of).collect(),
        }
    }

    fn look(&mut self, at_ms: u64) {
        let span = self.looked.elapsed().max(Duration::from_millis(1));
        self.looked = Instant::now();
        for (name, id, look) in self.roll.looks() {
            let before = self.used.insert(name.clone(), (id, look.cpu_micros));
            // One that was started anew has used nothing before.
            let before = before.filter(|(before, _)| *before == id).map_or(0.0, |(_, used)| used);
            let cores = (look.cpu_micros - before).max(0.0) / 1e6 / span.as_secs_f64();
            let sample = Sample { at_ms, cores, resident: look.resident };
            match self.processes.iter_mut().find(|process| process.name == name) {
                Some(process) => process.samples.push(sample),
                None => self.processes.push(Process { name, samples: vec![sample] }),
            }
        }
    }

    /// The whole run's numbers.
    #[must_use]
    pub const fn all(&self) -> &Stats {
        &self.all
    }

    /// Those of the hold.
    #[must_use]
    pub const fn held(&self) -> &Stats {
        &self.held
    }

    /// What was seen of the processes.
    #[must_use]
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }
}

/// A time's quantiles in milliseconds; `None`: it was not measured.
#[must_use]
pub fn quantiles(stats: &Stats, measure: Measure) -> Option<Quantiles> {
    let times = stats.times(measure)?;
    #[expect(clippy::cast_precision_loss, reason = "microseconds, far below 2^52")]
    let ms = |micros: u64| micros as f64 / 1e3;
    let at = |share| ms(times.value_at_quantile(share));
    let (count, max) = (times.len(), ms(times.max()));
    Some(Quantiles { count, p50: at(0.5), p90: at(0.9), p99: at(0.99), max })
}
