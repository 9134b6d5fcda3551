//! The axes of charts: from which number to which, and where their lines are. Pure.

use super::number::{fixed, real};

/// Lines across a linear axis, about.
const TICKS: f64 = 4.0;
/// Lines along an axis of time, at most.
const TIME_TICKS: f64 = 6.0;
/// Lines across a logarithmic axis before only powers of ten are kept.
const LOG_TICKS: usize = 9;
/// From this range on, an axis that may be logarithmic is.
const LOG_FROM: f64 = 50.0;
/// The least that a logarithmic axis shows: a microsecond, as milliseconds.
const LEAST: f64 = 1e-3;

/// How an upright axis is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// From 0, at least to 1, with whole numbers at its lines.
    Whole,
    /// From 0.
    Linear,
    /// From 0; logarithmic if its numbers are far apart.
    Auto,
    /// Logarithmic.
    Log,
}

/// An upright axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    least: f64,
    most: f64,
    log: bool,
    ticks: Vec<f64>,
}

impl Axis {
    /// An axis on which all these numbers are; what is not finite is left out.
    pub fn of(numbers: impl Iterator<Item = f64>, scale: Scale) -> Self {
        let numbers: Vec<f64> = numbers.filter(|number| number.is_finite()).collect();
        let most = numbers.iter().copied().fold(0.0, f64::max);
        let least = numbers.iter().copied().filter(|number| *number > 0.0).fold(most, f64::min);
        let log = match scale {
            Scale::Whole | Scale::Linear => false,
            Scale::Auto => most > 0.0 && most / least > LOG_FROM,
            Scale::Log => most > 0.0,
        };
        if log { Self::log(least.max(LEAST), most) } else { Self::linear(most, scale) }
    }

    fn linear(most: f64, scale: Scale) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = match scale {
            Scale::Whole => step(most).max(1.0),
            _ => step(most),
        };
        let steps = (most / step - 1e-9).ceil().max(1.0);
        let ticks = (0..=64).map(|nth| step * f64::from(nth));
        let most = step * steps;
        Self { least: 0.0, most, log: false, ticks: ticks.take_while(|at| *at <= most).collect() }
    }

    fn log(least: f64, most: f64) -> Self {
        let decades = || (-3..18).map(|decade| 10_f64.powi(decade));
        let all: Vec<f64> = decades().flat_map(|one| [one, 2.0 * one, 5.0 * one]).collect();
        let below = |tick: &&f64| **tick <= least * 1.000_1;
        let above = |tick: &&f64| **tick >= most * 0.999_9;
        let least = all.iter().rev().find(below).copied().unwrap_or(LEAST);
        let most = all.iter().find(above).copied().unwrap_or(most).max(least * 2.0);
        let within = |tick: &f64| (least * 0.999..=most * 1.001).contains(tick);
        let ticks: Vec<f64> = all.into_iter().filter(within).collect();
        if ticks.len() > LOG_TICKS {
            let (least, most) = (least.log10().floor() as i32, most.log10().ceil() as i32);
            let ticks: Vec<f64> = (least..=most).map(|decade| 10_f64.powi(decade)).collect();
            return Self { least: 10_f64.powi(least), most: 10_f64.powi(most), log: true, ticks };
        }
        Self { least, most, log: true, ticks }
    }

    /// How far up a number is, from 0 to 1; `None`: it can't be shown.
    #[must_use]
    pub fn share(&self, number: f64) -> Option<f64> {
        let (number, least, most) = match self.log {
            true if number > 0.0 => (number.log10(), self.least.log10(), self.most.log10()),
            true => return None,
            false => (number, self.least, self.most),
        };
        let share = (number - least) / (most - least);
        share.is_finite().then(|| share.clamp(0.0, 1.0))
    }

    /// Where its lines are, and what stands there.
    #[must_use]
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let places = |number: f64| {
            let enough = |places: &i32| {
                let scaled = number * 10_f64.powi(*places);
                (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
            };
            (0..4).find(enough).unwrap_or(3) as usize
        };
        let most = self.ticks.iter().map(|tick| places(*tick)).max().unwrap_or(0);
        let say = |tick: f64| match self.log {
            true => fixed(tick, places(tick)),
            false if tick == 0.0 => "0".to_owned(),
            false => fixed(tick, most),
        };
        self.ticks.iter().map(|tick| (*tick, say(*tick))).collect()
    }

    /// Whether equal steps are equal factors.
    #[must_use]
    pub const fn is_log(&self) -> bool {
        self.log
    }
}

/// The distance of the lines across a linear axis.
fn step(most: f64) -> f64 {
    let decade = 10_f64.powf((most / TICKS).log10().floor());
    let fits = |times: &f64| times * decade * TICKS >= most * 0.999_9;
    [1.0, 2.0, 2.5, 5.0].into_iter().find(fits).unwrap_or(10.0) * decade
}

/// The lines along an axis of time from 0 to `end_s`, in seconds, and what stands there.
#[must_use]
pub fn time_ticks(end_s: f64) -> Vec<(f64, String)> {
    const STEPS: [f64; 18] = [
        1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0,
        7_200.0, 14_400.0, 21_600.0, 43_200.0, 86_400.0,
    ];
    let days = (end_s / TIME_TICKS / 86_400.0).ceil() * 86_400.0;
    let step = STEPS.into_iter().find(|step| step * TIME_TICKS >= end_s).unwrap_or(days);
    let (unit_s, unit) = match end_s {
        end if end <= 300.0 => (1.0, "s"),
        end if end <= 10_800.0 => (60.0, "min"),
        _ => (3_600.0, "h"),
    };
    let at = (0..=8_u32).map(|nth| step * f64::from(nth));
    at.take_while(|at| *at <= end_s)
        .map(|at| {
            let number = at / unit_s;
            let places = usize::from(number.fract().abs() > 1e-9);
            (at, format!("{number:.places$} {unit}"))
        })
        .collect()
}

/// The lines along an axis of percentiles that ends with `nines`, as [`nines`] counts them.
#[must_use]
pub fn percentile_ticks(end: f64) -> Vec<(f64, String)> {
    let known =
        [(0.0, "0 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];
    known
        .into_iter()
        .map(|(share, name)| (nines(share), name.to_owned()))
        .take_while(|(at, _)| *at <= end + 1e-6)
        .collect()
}

/// Where a share is on an axis of percentiles: 0.9 at 1, 0.99 at 2, and so on.
#[must_use]
pub fn nines(share: f64) -> f64 {
    -(1.0 - share).log10()
}

/// The share at so many nines.
#[must_use]
pub fn share_at(nines: f64) -> f64 {
    1.0 - 10_f64.powf(-nines)
}

/// How many nines so many times tell of, at most `most`.
#[must_use]
pub fn nines_of(count: u64, most: f64) -> f64 {
    real(count.max(1)).log10().min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: &[(f64, String)]) -> Vec<&str> {
        ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn labels(numbers: &[f64], scale: Scale) -> Vec<String> {
        let axis = Axis::of(numbers.iter().copied(), scale);
        axis.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_linear_axis_ends_at_a_round_number() {
        assert_eq!(labels(&[12.0, 4_870.0], Scale::Linear), ["0", "2,000", "4,000", "6,000"]);
        assert_eq!(labels(&[0.37], Scale::Linear), ["0", "0.1", "0.2", "0.3", "0.4"]);
        assert_eq!(labels(&[0.3], Scale::Whole), ["0", "1"]);
        assert_eq!(labels(&[100.0], Scale::Whole), ["0", "25", "50", "75", "100"]);
    }

    #[test]
    fn an_axis_is_logarithmic_when_its_numbers_are_far_apart() {
        assert!(!Axis::of([1.0, 49.0].into_iter(), Scale::Auto).is_log());
        assert!(Axis::of([1.0, 51.0].into_iter(), Scale::Auto).is_log());
        assert_eq!(labels(&[0.6, 210.0], Scale::Auto), ["0.1", "1", "10", "100", "1,000"]);
        assert_eq!(labels(&[0.6, 51.0], Scale::Log).join(" "), "0.5 1 2 5 10 20 50 100");
        assert_eq!(labels(&[0.6, 4.0], Scale::Log), ["0.5", "1", "2", "5"]);
    }

    #[test]
    fn nothing_and_nonsense_still_make_an_axis() {
        for scale in [Scale::Whole, Scale::Linear, Scale::Auto, Scale::Log] {
            for numbers in [&[][..], &[0.0], &[f64::NAN, f64::INFINITY], &[1e-12], &[1e15]] {
                let axis = Axis::of(numbers.iter().copied(), scale);
                assert!(axis.ticks().len() >= 2, "{scale:?} {numbers:?} {axis:?}");
                assert!(axis.ticks().len() < 20, "{scale:?} {numbers:?} {axis:?}");
                let share = axis.share(0.5);
                assert!(share.is_none_or(|share| (0.0..=1.0).contains(&share)));
            }
        }
    }

    #[test]
    fn times_and_percentiles_have_round_lines() {
        assert_eq!(texts(&time_ticks(120.0)).join(" "), "0 s 20 s 40 s 60 s 80 s 100 s 120 s");
        let hour = time_ticks(3_600.0);
        assert_eq!(texts(&hour).join(" "), "0 min 10 min 20 min 30 min 40 min 50 min 60 min");
        assert_eq!(
            texts(&time_ticks(86_400.0)),
            ["0 h", "4 h", "8 h", "12 h", "16 h", "20 h", "24 h"]
        );
        assert_eq!(texts(&time_ticks(0.0)), ["0 s"]);
        assert_eq!(texts(&percentile_ticks(3.2)), ["0 %", "90 %", "99 %", "99.9 %"]);
        assert!((nines(share_at(2.5)) - 2.5).abs() < 1e-9);
    }
}
