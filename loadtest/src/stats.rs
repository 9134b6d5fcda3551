//! What simulated players measure and count, how it is carried from one process to another, and
//! how it is put together without loss. Pure.
//!
//! Times are histograms of microseconds with three digits; two of them add up to exactly the one
//! that would have been recorded by one process. A latency counts from the time at which its
//! message was due, sent late or not, so that a server that pauses can't hide it (coordinated
//! omission).

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use serde::{Deserialize, Serialize};

/// Digits that are kept of a time.
const DIGITS: u8 = 3;

/// A time that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Until the WebSocket was open: TCP and upgrade.
    Connect,
    /// From hello to welcome.
    Hello,
    /// From the due time of an input frame to the room frame whose `in` says that it is durable.
    InputAck,
    /// From the due time of a command to its durable reply; those of trades and parties, in which
    /// others have a say, are apart.
    Command,
    /// From the due time of an HTTP command to its answer.
    Call,
    /// From the due time of an input frame to the frame that shows its step to another player.
    Seen,
    /// From one room frame of a moving player to the next.
    FrameInterval,
    /// How much two such intervals in a row differ.
    FrameJitter,
    /// From a connection that its player dropped to the session taken up again.
    Resume,
    /// From a connection that was lost or closed by the server to the next command or input that
    /// is answered by the player's actor.
    Recovery,
    /// From the due time of a command of trades or parties, but for acceptances, to its reply.
    Dealing,
    /// From the due time of the acceptance of a trade to its reply.
    Accept,
    /// From the due time of the acceptance to the event that tells the other side.
    AcceptSeen,
    /// From the due time of the acceptance until both sides have been told.
    Traded,
    /// The bare echo's round trip, from the due time of its message.
    Echo,
}

impl Measure {
    /// All, in the order in which reports show them.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::Hello,
        Self::InputAck,
        Self::Command,
        Self::Call,
        Self::Seen,
        Self::FrameInterval,
        Self::FrameJitter,
        Self::Resume,
        Self::Recovery,
        Self::Dealing,
        Self::Accept,
        Self::AcceptSeen,
        Self::Traded,
        Self::Echo,
    ];

    /// The name in scenarios and results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Hello => "hello",
            Self::InputAck => "input_ack",
            Self::Command => "command",
            Self::Call => "call",
            Self::Seen => "seen",
            Self::FrameInterval => "frame_interval",
            Self::FrameJitter => "frame_jitter",
            Self::Resume => "resume",
            Self::Recovery => "recovery",
            Self::Dealing => "dealing",
            Self::Accept => "accept",
            Self::AcceptSeen => "accept_seen",
            Self::Traded => "traded",
            Self::Echo => "echo",
        }
    }

    /// What it is, for readers of a report.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Hello => "hello → welcome",
            Self::InputAck => "input → durable ack",
            Self::Command => "command → durable reply",
            Self::Call => "HTTP command → durable answer",
            Self::Seen => "input → seen by another player",
            Self::FrameInterval => "between two room frames",
            Self::FrameJitter => "jitter of room frames",
            Self::Resume => "dropped → resumed",
            Self::Recovery => "lost → next answer",
            Self::Dealing => "offer, gift, party → durable reply",
            Self::Accept => "trade accepted → durable reply",
            Self::AcceptSeen => "trade accepted → other side told",
            Self::Traded => "trade accepted → both sides told",
            Self::Echo => "bare echo, round trip",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// Messages that were due and sent.
    Sends,
    /// Of those, sent late by the harness's own fault.
    LateSends,
    /// Input frames sent.
    Inputs,
    /// Input frames whose steps are acknowledged as durable.
    InputsAcked,
    /// Input frames refused.
    InputsRefused,
    /// Input frames that were due while there was no connection, and not sent.
    InputsUnsent,
    /// Commands and queries sent, repeats aside.
    Commands,
    /// Of those, done.
    CommandsDone,
    /// Of those, refused by the rules or for want of room.
    CommandsRefused,
    /// Commands that were due while too many were unanswered or there was no connection.
    CommandsHeld,
    /// Commands and input frames sent again after a resume.
    Repeats,
    /// Refused messages of abusers, as they should be.
    Abuses,
    /// HTTP commands answered.
    Calls,
    /// Trades and gifts that were committed; each counts once, at who made its terms.
    TradesCommitted,
    /// Trades that were called off.
    TradesCancelled,
    /// Trades whose time was over.
    TradesExpired,
    /// Sockets opened.
    Connects,
    /// Attempts to open one that failed.
    ConnectsFailed,
    /// Sockets that were lost or that the server closed.
    Losses,
    /// Sockets that their player dropped.
    Drops,
    /// Sessions taken up with nothing missed.
    Resumes,
    /// Sessions taken up from the state.
    Resyncs,
    /// Sessions that had ended, so that hello was said again.
    Hellos,
    /// WebSocket messages received.
    FramesIn,
    /// Bytes in them, without the frames' heads.
    BytesIn,
    /// WebSocket messages sent.
    FramesOut,
    /// Bytes in them.
    BytesOut,
}

/// One process's share of the numbers, of a second or of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    times: BTreeMap<Measure, Histogram<u64>>,
    counts: BTreeMap<Count, u64>,
    /// Sockets closed by the server, by code; 0: without one.
    closes: BTreeMap<u16, u64>,
    /// Refusals by the code of the error.
    errors: BTreeMap<String, u64>,
}

/// [`Stats`] as they travel: histograms in HdrHistogram's own form V2, as base64.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    times: BTreeMap<Measure, String>,
    counts: BTreeMap<Count, u64>,
    closes: BTreeMap<u16, u64>,
    errors: BTreeMap<String, u64>,
}

impl Stats {
    /// Records a time.
    pub fn time(&mut self, measure: Measure, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1);
        if let Some(times) = self.times.get_mut(&measure) {
            let _ = times.record(micros);
        } else if let Ok(mut times) = Histogram::new(DIGITS) {
            let _ = times.record(micros);
            self.times.insert(measure, times);
        }
    }

    /// Takes times over that were recorded elsewhere, in microseconds.
    pub fn adopt(&mut self, measure: Measure, times: Histogram<u64>) {
        self.times.insert(measure, times);
    }

    /// Counts `more`.
    pub fn count(&mut self, count: Count, more: u64) {
        *self.counts.entry(count).or_default() += more;
    }

    /// Counts a socket that the server closed.
    pub fn closed(&mut self, code: Option<u16>) {
        *self.closes.entry(code.unwrap_or(0)).or_default() += 1;
    }

    /// Counts a refusal.
    pub fn refused(&mut self, code: &str) {
        match self.errors.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(self.errors.insert(code.to_owned(), 1)),
        }
    }

    /// Adds another share.
    pub fn add(&mut self, other: &Self) {
        for (measure, times) in &other.times {
            match self.times.get_mut(measure) {
                // Both grow as needed, so that nothing is too long to be added.
                Some(sum) => drop(sum.add(times)),
                None => drop(self.times.insert(*measure, times.clone())),
            }
        }
        add_all(&mut self.counts, &other.counts);
        add_all(&mut self.closes, &other.closes);
        add_all(&mut self.errors, &other.errors);
    }

    /// Takes what there is and begins afresh.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// The times of a measure, in microseconds; `None`: none was recorded.
    #[must_use]
    pub fn times(&self, measure: Measure) -> Option<&Histogram<u64>> {
        self.times.get(&measure)
    }

    /// A count.
    #[must_use]
    pub fn counted(&self, count: Count) -> u64 {
        self.counts.get(&count).copied().unwrap_or(0)
    }

    /// All counts.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<Count, u64> {
        &self.counts
    }

    /// Sockets closed by the server, by code; 0: without one.
    #[must_use]
    pub const fn closes(&self) -> &BTreeMap<u16, u64> {
        &self.closes
    }

    /// Refusals by the code of the error.
    #[must_use]
    pub const fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }

    /// As it travels.
    #[must_use]
    pub fn pack(&self) -> Packed {
        Packed {
            times: self.times.iter().map(|(measure, times)| (*measure, pack(times))).collect(),
            counts: self.counts.clone(),
            closes: self.closes.clone(),
            errors: self.errors.clone(),
        }
    }
}

fn add_all<K: Ord + Clone>(sum: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *sum.entry(key.clone()).or_default() += count;
    }
}

impl Packed {
    /// As it is counted on with.
    ///
    /// # Errors
    /// A sentence when a histogram is none.
    pub fn unpack(&self) -> Result<Stats, String> {
        let mut times = BTreeMap::new();
        for (measure, text) in &self.times {
            times.insert(*measure, unpack(text)?);
        }
        let (counts, closes) = (self.counts.clone(), self.closes.clone());
        Ok(Stats { times, counts, closes, errors: self.errors.clone() })
    }
}

/// A histogram in the form V2, as base64.
#[must_use]
pub fn pack(times: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = V2Serializer::new().serialize(times, &mut bytes);
    STANDARD.encode(bytes)
}

/// A histogram from that form.
///
/// # Errors
/// A sentence when it is none.
pub fn unpack(text: &str) -> Result<Histogram<u64>, String> {
    let bytes = STANDARD.decode(text).map_err(|why| format!("a histogram is no base64: {why}"))?;
    let times = Deserializer::new().deserialize(&mut bytes.as_slice());
    let mut times = times.map_err(|why| format!("a histogram can't be read: {why}"))?;
    // What it is added to may be longer than anything in it.
    times.auto(true);
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_two_processes_measured_adds_up_to_what_one_would_have() {
        let (mut one, mut two, mut all) = (Stats::default(), Stats::default(), Stats::default());
        for n in 1..2_000 {
            let share = if n % 3 == 0 { &mut one } else { &mut two };
            for stats in [share, &mut all] {
                stats.time(Measure::InputAck, ms(n * n));
                stats.count(Count::Inputs, n);
                stats.closed((n % 7 == 0).then_some(4000));
                stats.refused(if n % 2 == 0 { "busy" } else { "cooldown" });
            }
        }
        one.add(&two.pack().unpack().unwrap());
        assert_eq!(one, all);
        let times = one.times(Measure::InputAck).unwrap();
        assert_eq!(times.len(), 1_999);
        let longest = Duration::from_micros(times.max());
        assert!(longest >= ms(1_999 * 1_999) && longest < ms(2_001 * 2_001), "{longest:?}");
    }

    #[test]
    fn what_travelled_takes_in_longer_times() {
        let [short, long] = [1, 600_000].map(|span| {
            let mut stats = Stats::default();
            stats.time(Measure::Recovery, ms(span));
            stats.pack().unpack().unwrap()
        });
        let mut sum = short;
        sum.add(&long);
        let times = sum.times(Measure::Recovery).unwrap();
        assert_eq!((times.len(), times.max() > 590_000_000), (2, true));
    }

    #[test]
    fn a_second_is_taken_once() {
        let mut stats = Stats::default();
        stats.time(Measure::Command, ms(5));
        stats.count(Count::Commands, 2);
        let second = stats.take();
        assert_eq!((second.counted(Count::Commands), stats.counted(Count::Commands)), (2, 0));
        assert_eq!(stats, Stats::default());
    }

    #[test]
    fn names_are_those_of_results() {
        for measure in Measure::ALL {
            assert_eq!(serde_json::to_value(measure).unwrap(), measure.name());
        }
        assert!(Measure::ALL.is_sorted());
    }

    #[test]
    fn what_is_no_histogram_is_said_to_be_none() {
        assert!(unpack("?").unwrap_err().contains("base64"));
        assert!(unpack("AAAA").unwrap_err().contains("can't be read"));
    }
}
