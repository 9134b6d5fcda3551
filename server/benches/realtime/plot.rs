//! Small panels of lines over a logarithmic axis of players, as one SVG that stands on its own.
//! Pure.
//!
//! Colours follow the reader's light or dark scheme; the background is the page's own colour in
//! each, so that a reader whose scheme is not told has contrast as well.

use std::fmt::Write as _;

const WIDTH: f64 = 920.0;
/// A panel with its margins.
const PANEL: (f64, f64) = (450.0, 292.0);
const COLUMNS: usize = 2;
/// Above the first panel: title and legend.
const TOP: f64 = 84.0;
const LEFT: f64 = 10.0;
const BOTTOM: f64 = 10.0;
/// The axes' square within a panel: left, top, width, height.
const AXES: (f64, f64, f64, f64) = (62.0, 54.0, 366.0, 182.0);
/// The outermost points stand off the edge by this factor.
const AIR: f64 = 1.25;
/// A letter's width in the legend, about.
const LETTER: f64 = 6.9;
/// Lines across a linear axis, about.
const TICKS: f64 = 5.0;

const STYLE: &str = "\
svg{--page:#ffffff;--ink:#1f2328;--soft:#59636e;--grid:#d9dee3;--embedded:#0969da;\
--redis:#cf222e;--echo:#6e7781;--goal:#1a7f37}
@media (prefers-color-scheme:dark){svg{--page:#0d1117;--ink:#f0f6fc;--soft:#9198a1;--grid:#2a313a;\
--embedded:#58a6ff;--redis:#ff7b72;--echo:#9198a1;--goal:#3fb950}}
text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:var(--soft)}
.title{font-size:17px;font-weight:600;fill:var(--ink)}
.head{font-size:14px;font-weight:600;fill:var(--ink)}
.page{fill:var(--page)}
.grid{stroke:var(--grid);stroke-width:1}
.axis{stroke:var(--soft);stroke-width:1}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.dashed{stroke-dasharray:6 5}
.embedded{stroke:var(--embedded)}.redis{stroke:var(--redis)}.echo{stroke:var(--echo)}
.dot{stroke-width:2}
.dot.embedded{fill:var(--embedded)}.dot.redis{fill:var(--redis)}.dot.echo{fill:var(--echo)}
.dot.hollow{fill:var(--page)}
.goal{stroke:var(--goal);stroke-width:1.5;stroke-dasharray:2 4}
.said{fill:var(--goal)}
";

/// Whose line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ink {
    /// The server on the embedded store.
    Embedded,
    /// The server on Redis.
    Redis,
    /// The bare echo.
    Echo,
}

impl Ink {
    const fn class(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
            Self::Echo => "echo",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "server, embedded store",
            Self::Redis => "server on Redis",
            Self::Echo => "bare echo",
        }
    }
}

/// One measured number.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Players.
    pub x: f64,
    /// In the panel's unit.
    pub y: f64,
    /// Drawn hollow: the machine was full.
    pub hollow: bool,
}

/// One line of a panel.
#[derive(Debug, Clone)]
pub struct Line {
    /// Whose it is.
    pub ink: Ink,
    /// The second measure of the same one.
    pub dashed: bool,
    /// In the order of players.
    pub points: Vec<Point>,
}

/// The scale of a panel's upright axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From 0 to at least this.
    Linear(f64),
    /// Logarithmic, by the numbers.
    Log,
}

/// One panel.
#[derive(Debug, Clone)]
pub struct Panel {
    /// What is measured.
    pub title: &'static str,
    /// In which unit.
    pub unit: &'static str,
    /// What solid and dashed lines are.
    pub note: &'static str,
    /// Of the upright axis.
    pub scale: Scale,
    /// Its lines.
    pub lines: Vec<Line>,
    /// A goal, with its words.
    pub bound: Option<(f64, &'static str)>,
}

/// One axis: from which number to which, along how many pixels.
struct Axis {
    least: f64,
    most: f64,
    len: f64,
    log: bool,
}

impl Axis {
    /// How far along a number is, in pixels.
    fn at(&self, number: f64) -> f64 {
        let scale = |number: f64| if self.log { number.max(1e-9).log10() } else { number };
        let [least, most, number] = [self.least, self.most, number].map(scale);
        (number - least) / (most - least) * self.len
    }

    fn log(numbers: impl Iterator<Item = f64>, len: f64) -> Self {
        let (least, most) = numbers.fold((f64::INFINITY, 1.0_f64), |(least, most), number| {
            (least.min(number.max(1e-3)), most.max(number))
        });
        Self { least: least.min(most) / AIR, most: most * AIR, len, log: true }
    }

    fn linear(numbers: impl Iterator<Item = f64>, floor: f64, len: f64) -> Self {
        let most = numbers.fold(floor, f64::max).max(1e-9);
        let step = step(most);
        Self { least: 0.0, most: (most / step).ceil() * step, len, log: false }
    }

    /// Where the lines across are.
    fn ticks(&self) -> Vec<f64> {
        if !self.log {
            let step = step(self.most);
            return (0..)
                .map(|nth| step * f64::from(nth))
                .take_while(|at| *at <= self.most * 1.001)
                .collect();
        }
        // The wider the axis, the fewer in a decade.
        let within: &[f64] = match self.most / self.least {
            wide if wide > 1e3 => &[1.0],
            middling if middling > 1e1 => &[1.0, 2.0, 5.0],
            _ => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
        };
        let decades = (-3..9).map(|decade| 10_f64.powi(decade));
        let every = decades.flat_map(|decade| within.iter().map(move |one| one * decade));
        every.filter(|at| (self.least..=self.most).contains(at)).collect()
    }
}

/// The distance of the lines across a linear axis.
fn step(most: f64) -> f64 {
    let decade = 10_f64.powf((most / TICKS).log10().floor());
    let fits = |times: &f64| times * decade * TICKS >= most;
    [1.0, 2.0, 2.5, 5.0].into_iter().find(fits).unwrap_or(10.0) * decade
}

/// A number with commas between thousands.
fn label(number: f64) -> String {
    if number < 1.0 && number > 0.0 {
        return format!("{number}");
    }
    let digits = format!("{number:.0}");
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

/// All panels in one SVG.
pub fn draw(title: &str, panels: &[Panel]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a few panels")]
    let height = (panels.len().div_ceil(COLUMNS) as f64).mul_add(PANEL.1, TOP + BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\n\
         <text class=\"title\" x=\"24\" y=\"34\">{title}</text>\n"
    );
    legend(&mut svg, panels);
    for (nth, panel) in panels.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a few panels")]
        let (column, row) = ((nth % COLUMNS) as f64, (nth / COLUMNS) as f64);
        let (x, y) = (column.mul_add(PANEL.0, LEFT), row.mul_add(PANEL.1, TOP));
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
        fill(&mut svg, panel);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String, panels: &[Panel]) {
    let lines = || panels.iter().flat_map(|panel| &panel.lines);
    let mut inks: Vec<Ink> = lines().map(|line| line.ink).collect();
    inks.sort_unstable();
    inks.dedup();
    let (mut x, y) = (24.0, 60.0);
    for ink in inks {
        let class = ink.class();
        let _ = writeln!(
            svg,
            "<path class=\"line {class}\" d=\"M{x} {y}h26\"/>\
             <circle class=\"dot {class}\" cx=\"{}\" cy=\"{y}\" r=\"3.5\"/>\
             <text x=\"{}\" y=\"{}\">{}</text>",
            x + 13.0,
            x + 34.0,
            y + 4.0,
            ink.name()
        );
        #[expect(clippy::cast_precision_loss, reason = "the letters of a name")]
        let letters = ink.name().len() as f64;
        x += LETTER.mul_add(letters, 58.0);
    }
    if lines().any(|line| line.points.iter().any(|point| point.hollow)) {
        let _ = writeln!(
            svg,
            "<circle class=\"dot echo hollow\" cx=\"{}\" cy=\"{y}\" r=\"3.5\"/>\
             <text x=\"{}\" y=\"{}\">hollow: full (below 95 % in time)</text>",
            x + 6.0,
            x + 18.0,
            y + 4.0
        );
    }
}

fn fill(svg: &mut String, panel: &Panel) {
    let (left, top, width, height) = AXES;
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let across = Axis::log(points().map(|point| point.x), width);
    let numbers = points().map(|point| point.y).chain(panel.bound.map(|(bound, _)| bound));
    let up = match panel.scale {
        Scale::Linear(floor) => Axis::linear(numbers, floor, height),
        Scale::Log => Axis::log(numbers, height),
    };
    let Panel { title, unit, note, .. } = panel;
    let _ = writeln!(
        svg,
        "<text class=\"head\" x=\"14\" y=\"20\">{title}, {unit}</text>\
         <text x=\"14\" y=\"38\">{note}</text>\n<g transform=\"translate({left} {top})\">"
    );
    for tick in up.ticks() {
        let y = height - up.at(tick);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M0 {y:.1}h{width}\"/>\
             <text x=\"-8\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            y + 4.0,
            label(tick)
        );
    }
    foot(svg, &across, panel);
    if let Some((bound, words)) = panel.bound {
        let y = height - up.at(bound);
        let _ = writeln!(
            svg,
            "<path class=\"goal\" d=\"M0 {y:.1}h{width}\"/>\
             <text class=\"said\" x=\"6\" y=\"{:.1}\">{words}</text>",
            y - 6.0
        );
    }
    for line in &panel.lines {
        trace(svg, line, &across, &up);
    }
    svg.push_str("</g>\n");
}

/// The axis of players: a tick at each number that was measured.
fn foot(svg: &mut String, across: &Axis, panel: &Panel) {
    let (_, _, width, height) = AXES;
    let mut sizes: Vec<f64> =
        panel.lines.iter().flat_map(|line| &line.points).map(|point| point.x).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let _ = writeln!(svg, "<path class=\"axis\" d=\"M0 {height}h{width}\"/>");
    for size in sizes {
        let x = across.at(size);
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{x:.1} {height}v5\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            height + 19.0,
            label(size)
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">players</text>",
        width / 2.0,
        height + 36.0
    );
}

fn trace(svg: &mut String, line: &Line, across: &Axis, up: &Axis) {
    let place = |point: &Point| (across.at(point.x), up.len - up.at(point.y));
    let class = line.ink.class();
    let mut way = String::new();
    for (nth, (x, y)) in line.points.iter().map(place).enumerate() {
        let _ = write!(way, "{}{x:.1} {y:.1}", if nth == 0 { 'M' } else { 'L' });
    }
    let dashed = if line.dashed { " dashed" } else { "" };
    let _ = writeln!(svg, "<path class=\"line {class}{dashed}\" d=\"{way}\"/>");
    for point in &line.points {
        let (x, y) = place(point);
        let hollow = if point.hollow { " hollow" } else { "" };
        let _ = writeln!(
            svg,
            "<circle class=\"dot {class}{hollow}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"
        );
    }
}
