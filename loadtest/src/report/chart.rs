//! One chart as inline SVG with its legend and what its hover read-out says. Pure.
//!
//! Positions along are shares of the width, so that a chart is as wide as its place while its
//! letters keep their size; only the lines are in a nested SVG that is stretched. Numbers that
//! can't be shown are gaps.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::axis::{Axis, Scale};
use super::number::{Esc, decimal, plural};

/// Below it: what stands at the ticks.
const FOOT: f64 = 24.0;
/// Above it: a row of labels of flags, and the row of names of bands.
const ROW: f64 = 15.0;
/// Rows of labels, at most; what finds no place is told by the read-out.
const ROWS_MAX: usize = 4;
/// The plot's width on a telephone, by which labels are placed.
const NARROW: f64 = 285.0;
/// A letter's width in a label, about.
const LETTER: f64 = 6.2;
/// Letters of a label, at most.
const LABEL_MAX: usize = 20;
/// Units of the stretched SVG along.
const ALONG: f64 = 1_000.0;
/// So many steps without a number are a gap in a line.
const GAP: usize = 3;

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// As it is.
    Solid,
    /// The second measure of the same thing, or what others are measured against.
    Dashed,
    /// With what is below it.
    Area,
}

/// One line.
#[derive(Debug, Clone)]
pub struct Line {
    /// In the legend.
    pub name: String,
    /// Which colour of the page, such as `c1`.
    pub ink: &'static str,
    /// How it is drawn.
    pub stroke: Stroke,
    /// At each place along; `None`: nothing was measured.
    pub numbers: Vec<Option<f64>>,
}

/// A stretch along that is shaded.
#[derive(Debug, Clone)]
pub struct Band {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// What it is.
    pub name: String,
    /// Whether it is the one that matters.
    pub main: bool,
}

/// A moment that is marked.
#[derive(Debug, Clone)]
pub struct Flag {
    /// Where.
    pub at: f64,
    /// What happened.
    pub what: String,
}

/// The axis along.
#[derive(Debug, Clone, Default)]
pub struct Along {
    /// Where it ends; it begins at 0.
    pub end: f64,
    /// Where its lines are, and what stands there.
    pub ticks: Vec<(f64, String)>,
    /// What is shaded.
    pub bands: Vec<Band>,
    /// What is marked.
    pub flags: Vec<Flag>,
}

impl Along {
    fn share(&self, at: f64) -> f64 {
        let share = at / self.end;
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Whether a flag's label is on its left, because there is more room.
    fn leans_left(&self, flag: &Flag) -> bool {
        self.share(flag.at) > 0.5
    }

    fn percent(&self, at: f64) -> String {
        format!("{:.2}%", 100.0 * self.share(at))
    }
}

/// A chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What is shown.
    pub title: &'static str,
    /// In which unit.
    pub unit: String,
    /// The axis along.
    pub along: Along,
    /// The places along, each with its words for the read-out.
    pub places: Vec<(f64, String)>,
    /// What is measured there.
    pub lines: Vec<Line>,
    /// Of the upright axis.
    pub scale: Scale,
    /// The plot's height, in pixels.
    pub height: f64,
}

impl Chart {
    /// Whether any line has a number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.numbers.iter().all(Option::is_none))
    }

    /// The figure.
    #[must_use]
    pub fn draw(&self) -> String {
        let numbers = self.lines.iter().flat_map(|line| line.numbers.iter().copied().flatten());
        let up = Axis::of(numbers, self.scale);
        let unit = match (self.unit.as_str(), up.is_log()) {
            (unit, true) => format!("{unit}, logarithmic"),
            (unit, false) => unit.to_owned(),
        };
        let mut out = format!(
            "<figure class=\"chart\">\n<figcaption><b>{}</b> <span>{}</span></figcaption>\n",
            Esc(self.title),
            Esc(&unit)
        );
        if self.lines.len() > 1 {
            legend(&mut out, &self.lines);
        }
        let rows = rows(&self.along);
        let used = rows.iter().flatten().map(|row| row + 1).max().unwrap_or(0);
        let named = usize::from(self.along.bands.iter().any(|band| !band.name.is_empty()));
        let top = ROW.mul_add(count(used + named), 6.0);
        let _ = writeln!(
            out,
            "<div class=\"plot\"><svg class=\"axes\" width=\"100%\" height=\"{}\" role=\"img\" \
             tabindex=\"0\" aria-label=\"{}\">",
            top + self.height + FOOT,
            Esc(&self.words(&up))
        );
        self.bands(&mut out, top);
        self.grid(&mut out, &up, top);
        self.trace(&mut out, &up, top);
        self.flags(&mut out, &rows, top);
        out.push_str("</svg></div>\n");
        let _ = writeln!(
            out,
            "<script type=\"application/json\">{}</script>\n</figure>",
            self.read_out(&up, top).to_string().replace('<', "\\u003c")
        );
        out
    }

    /// For whoever does not see the chart.
    fn words(&self, up: &Axis) -> String {
        let Self { title, unit, lines, .. } = self;
        let mut words = format!("{title}, {unit}: {}", plural(lines.len() as u64, "line"));
        for Line { name, numbers, .. } in lines {
            let shown = numbers.iter().flatten().filter(|number| up.share(**number).is_some());
            if let Some(most) = shown.copied().reduce(f64::max) {
                let _ = write!(words, "; {name}: at most {}", decimal(most));
            }
        }
        words
    }

    fn bands(&self, out: &mut String, top: f64) {
        for Band { from, to, name, main } in &self.along.bands {
            let share = self.along.share(*to) - self.along.share(*from);
            let x = self.along.percent(*from);
            let main = if *main { " main" } else { "" };
            let _ = writeln!(
                out,
                "<rect class=\"band{main}\" x=\"{x}\" y=\"{}\" width=\"{:.2}%\" height=\"{}\"/>",
                top - ROW,
                100.0 * share,
                self.height + ROW
            );
            if share * NARROW > LETTER.mul_add(count(name.chars().count()), 6.0) {
                let _ = writeln!(
                    out,
                    "<text class=\"phase\" x=\"{x}\" dx=\"5\" y=\"{}\">{}</text>",
                    top - 4.0,
                    Esc(name)
                );
            }
        }
    }

    fn grid(&self, out: &mut String, up: &Axis, top: f64) {
        for (tick, text) in up.ticks() {
            let y = self.below(up, tick).unwrap_or(self.height) + top;
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"-8\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                y + 4.0
            );
        }
        let foot = top + self.height;
        for (tick, text) in &self.along.ticks {
            let x = self.along.percent(*tick);
            let _ = writeln!(
                out,
                "<line class=\"axis\" x1=\"{x}\" x2=\"{x}\" y1=\"{foot}\" y2=\"{}\"/>\
                 <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                foot + 4.0,
                foot + 18.0,
                Esc(text)
            );
        }
        let _ = writeln!(
            out,
            "<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"{foot}\" y2=\"{foot}\"/>"
        );
    }

    fn trace(&self, out: &mut String, up: &Axis, top: f64) {
        let tall = self.height;
        let _ = writeln!(
            out,
            "<svg class=\"lines\" y=\"{top}\" width=\"100%\" height=\"{tall}\" \
             viewBox=\"0 0 {ALONG} {tall}\" preserveAspectRatio=\"none\">"
        );
        for line in &self.lines {
            for piece in self.pieces(line, up) {
                let [Some((first, _)), Some((last, _))] = [piece.first(), piece.last()] else {
                    continue;
                };
                let mut way = String::new();
                for (nth, (x, y)) in piece.iter().enumerate() {
                    let _ = write!(way, "{}{x:.1} {y:.1}", if nth == 0 { 'M' } else { 'L' });
                }
                let ink = line.ink;
                if line.stroke == Stroke::Area {
                    let _ = writeln!(
                        out,
                        "<path class=\"area {ink}\" \
                         d=\"{way}L{last:.1} {tall}L{first:.1} {tall}Z\"/>"
                    );
                }
                let dashed = if line.stroke == Stroke::Dashed { " dashed" } else { "" };
                // A point of its own is a dot.
                let dot = if piece.len() == 1 { "h0" } else { "" };
                let _ = writeln!(out, "<path class=\"line {ink}{dashed}\" d=\"{way}{dot}\"/>");
            }
        }
        out.push_str("</svg>\n");
    }

    /// The points of a line between its gaps, in units of the stretched SVG.
    fn pieces(&self, line: &Line, up: &Axis) -> Vec<Vec<(f64, f64)>> {
        let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
        let mut missing = GAP;
        for ((at, _), number) in self.places.iter().zip(&line.numbers) {
            let Some(y) = number.and_then(|number| self.below(up, number)) else {
                missing += 1;
                continue;
            };
            let point = (ALONG * self.along.share(*at), y);
            match pieces.last_mut() {
                Some(piece) if missing < GAP => piece.push(point),
                _ => pieces.push(vec![point]),
            }
            missing = 0;
        }
        pieces
    }

    fn flags(&self, out: &mut String, rows: &[Option<usize>], top: f64) {
        for (Flag { at, what }, row) in self.along.flags.iter().zip(rows) {
            let x = self.along.percent(*at);
            let from = row.map_or(top, |row| ROW.mul_add(count(row), 3.0));
            let _ = writeln!(
                out,
                "<line class=\"flag\" x1=\"{x}\" x2=\"{x}\" y1=\"{from}\" y2=\"{}\">\
                 <title>{}</title></line>",
                top + self.height,
                Esc(what)
            );
        }
        for (flag, row) in self.along.flags.iter().zip(rows) {
            let Some(row) = row else { continue };
            let (anchor, dx) = if self.along.leans_left(flag) { ("end", -5) } else { ("start", 5) };
            let _ = writeln!(
                out,
                "<text class=\"flag\" x=\"{}\" dx=\"{dx}\" y=\"{}\" text-anchor=\"{anchor}\">\
                 {}</text>",
                self.along.percent(flag.at),
                ROW.mul_add(count(*row), 12.0),
                Esc(&label(&flag.what))
            );
        }
    }

    /// How far below the plot's top a number is, in pixels.
    fn below(&self, up: &Axis, number: f64) -> Option<f64> {
        up.share(number).map(|share| self.height * (1.0 - share))
    }

    /// What the page's script reads.
    fn read_out(&self, up: &Axis, top: f64) -> Value {
        let lines = self.lines.iter().map(|line| {
            let shown = |number: &Option<f64>| {
                let number = (*number)?;
                let y = self.below(up, number)? + top;
                Some(json!([(y * 10.0).round() / 10.0, decimal(number)]))
            };
            let at: Vec<Option<Value>> = line.numbers.iter().map(shown).collect();
            json!({ "name": line.name, "ink": line.ink, "at": at })
        });
        let share = |at: f64| (self.along.share(at) * 1e5).round() / 1e5;
        let places = self.places.iter().map(|(at, say)| json!([share(*at), say]));
        let flags = self.along.flags.iter().map(|flag| json!([share(flag.at), flag.what]));
        json!({
            "unit": self.unit,
            "top": top,
            "foot": top + self.height,
            "places": places.collect::<Vec<_>>(),
            "lines": lines.collect::<Vec<_>>(),
            "flags": flags.collect::<Vec<_>>(),
        })
    }
}

fn count(things: usize) -> f64 {
    super::number::real(things as u64)
}

fn label(what: &str) -> String {
    if what.chars().count() <= LABEL_MAX {
        return what.to_owned();
    }
    let kept: String = what.chars().take(LABEL_MAX - 1).collect();
    format!("{}…", kept.trim_end())
}

/// The row of each flag's label, so that none is upon another; `None`: there is no place. Labels
/// on one side are placed outwards from the flag that has others behind it, so that no line of a
/// flag goes through a label.
fn rows(along: &Along) -> Vec<Option<usize>> {
    let mut taken: Vec<Vec<(f64, f64)>> = vec![Vec::new(); ROWS_MAX];
    let mut rows = vec![None; along.flags.len()];
    let mut order: Vec<(usize, &Flag)> = along.flags.iter().enumerate().collect();
    order.sort_by(|(_, one), (_, other)| {
        let lean = along.leans_left(one);
        let by_place = if lean { other.at.total_cmp(&one.at) } else { one.at.total_cmp(&other.at) };
        lean.cmp(&along.leans_left(other)).then(by_place)
    });
    for (nth, flag) in order {
        let x = along.share(flag.at) * NARROW;
        let len = LETTER.mul_add(count(label(&flag.what).chars().count()), 10.0);
        let (from, to) = if along.leans_left(flag) { (x - len, x) } else { (x, x + len) };
        let free = |row: &Vec<(f64, f64)>| row.iter().all(|(low, high)| to < *low || from > *high);
        let found = taken.iter().position(free);
        if let (Some(place), Some(row)) =
            (found.and_then(|row| taken.get_mut(row)), rows.get_mut(nth))
        {
            place.push((from, to));
            *row = found;
        }
    }
    rows
}

fn legend(out: &mut String, lines: &[Line]) {
    out.push_str("<ul class=\"legend\">");
    for Line { name, ink, stroke, .. } in lines {
        let dashed = if *stroke == Stroke::Dashed { " dashed" } else { "" };
        let _ = write!(out, "<li><i class=\"{ink}{dashed}\"></i>{}</li>", Esc(name));
    }
    out.push_str("</ul>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(at: &[(f64, &str)]) -> Along {
        let flags = at.iter().map(|(at, what)| Flag { at: *at, what: (*what).to_owned() });
        Along { end: 100.0, flags: flags.collect(), ..Along::default() }
    }

    #[test]
    fn labels_of_flags_are_never_upon_each_other() {
        let apart = flags(&[(10.0, "kill gw-1"), (60.0, "kill gw-2")]);
        assert_eq!(rows(&apart), [Some(0), Some(0)]);
        let close = flags(&[(40.0, "kill gw-1"), (42.0, "start gw-1"), (44.0, "kill gw-2")]);
        assert_eq!(rows(&close), [Some(0), Some(1), Some(2)]);
        let late = flags(&[(80.0, "kill gw-1"), (85.0, "start gw-1")]);
        assert_eq!(
            rows(&late),
            [Some(1), Some(0)],
            "the line of the first is not in the second's way"
        );
        let crowd = flags(&[(40.0, "kill gw-1"); 6]);
        assert_eq!(rows(&crowd).iter().flatten().count(), ROWS_MAX);
        assert_eq!(label("cut all of the connections of gw-1"), "cut all of the conn…");
    }

    #[test]
    fn a_line_breaks_where_nothing_was_measured() {
        let mut numbers = vec![Some(1.0); 12];
        for missing in [2, 5, 6, 7, 9, 10, 11] {
            numbers[missing] = None;
        }
        let line = Line { name: "a".into(), ink: "c1", stroke: Stroke::Area, numbers };
        let chart = Chart {
            title: "t",
            unit: "ms".into(),
            along: flags(&[]),
            places: (0..12).map(|at| (f64::from(at), String::new())).collect(),
            lines: vec![line],
            scale: Scale::Linear,
            height: 100.0,
        };
        let up = Axis::of([1.0].into_iter(), Scale::Linear);
        let lens: Vec<usize> = chart.pieces(&chart.lines[0], &up).iter().map(Vec::len).collect();
        assert_eq!(lens, [4, 1], "one second without a number is bridged, three are a gap");
        assert!(chart.draw().contains("h0"), "a point of its own is seen");
    }
}
