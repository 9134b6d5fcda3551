//! The part `growth`: what real-time play costs as the players become more, at the pace and in
//! rooms as in the part `rooms`, against the echo at the same pace.
//!
//! Each number of players has a fresh echo, and then a fresh server, in each round; one of them is
//! connected at a time, so that one driver's sockets suffice. A full machine has late frames and
//! late players: limits on frames and refusals, the movement clock and the pings are off for all
//! numbers, so that a step that is missing is the server's doing and no limit's. What is refused or
//! lost even so is counted and said, and the run goes on.
//! The driver is open-loop: where fewer frames are answered a second than are due, the delay grows
//! for as long as the run lasts, and frames that are not answered before it ends are in no
//! percentile. There the share of frames in time is what counts.

use std::time::Duration;

use loadtest::drive::Pace;

use super::plot::{self, Ink, Line, Panel, Scale};
use super::rooms::{HZ, STRETCH};
use super::stage::{Bare, Kind, Measured, PATIENT, RAISED, Stage, middle};
use super::table::Table;
use super::{Args, Outcome};

/// A frame that is answered this long after it was due is in time: two and a half beats and frames
/// of a busy node.
const IN_TIME: Duration = Duration::from_millis(250);
/// Fewer frames in time than this share, and the machine is full; fewer answered at all, and it
/// does not keep up.
const FULL: f64 = 0.95;
/// Rounds are long here.
const ROUNDS_MAX: usize = 3;
/// Nobody is put out for what a full machine makes late.
const LENIENT: [&str; 2] = ["--violations-max", "1000000"];

/// What all numbers of players gave on one store.
pub struct Grown {
    kind: Kind,
    sizes: Vec<Size>,
}

/// What one number of players gave.
struct Size {
    players: usize,
    rounds: Vec<Pair>,
}

/// One round of both.
struct Pair {
    /// Of the server.
    ours: Measured,
    /// Of the echo.
    theirs: Measured,
    /// Bytes of the server for each player.
    memory: f64,
}

impl Size {
    fn mid(&self, read: impl Fn(&Pair) -> f64) -> f64 {
        middle(&self.rounds.iter().map(read).collect::<Vec<_>>())
    }

    /// The share of the server's frames that were in time.
    fn timely(&self) -> f64 {
        self.mid(|pair| timely(&pair.ours, self.players))
    }

    /// The share of the server's frames that were answered, in time or not.
    fn answered(&self) -> f64 {
        self.mid(|pair| answered(&pair.ours, self.players))
    }

    /// Whether the machine was full with the server.
    fn is_full(&self) -> bool {
        self.timely() < FULL
    }

    fn times(&self) -> f64 {
        self.mid(|pair| pair.ours.both_each() / pair.theirs.both_each())
    }
}

/// Frames due a second.
#[expect(clippy::cast_precision_loss, reason = "players")]
fn due(players: usize) -> f64 {
    HZ * players as f64
}

/// The share of the frames due that were answered in time.
#[expect(clippy::cast_precision_loss, reason = "counts of minutes, far below 2^52")]
fn timely(done: &Measured, players: usize) -> f64 {
    let in_time = done.report.answered_within(IN_TIME) as f64;
    (in_time / done.report.span.as_secs_f64() / due(players)).min(1.0)
}

/// As many as were answered, of the frames due.
fn answered(done: &Measured, players: usize) -> f64 {
    (done.report.pace() / due(players)).min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "players")]
fn kbit(done: &Measured, players: usize) -> f64 {
    done.report.heard_bits() / 1e3 / players as f64
}

/// All numbers of players on one store; rounds go through all of them.
pub async fn run(args: &Args, kind: Kind, table: &mut Table) -> Outcome<Grown> {
    println!(
        "\ngrowth: rooms of {}, {HZ} input frames a second and player, {}; limits on frames and \
         refusals, the movement clock and the pings are off; CPU in microseconds a frame or round \
         trip; in time: within {} ms of when it was due",
        args.room_of,
        kind.name(),
        IN_TIME.as_millis()
    );
    say_head();
    let one = |players: &u32| Size { players: *players as usize, rounds: Vec::new() };
    let mut sizes: Vec<Size> = args.growth_sizes.iter().map(one).collect();
    sizes.sort_by_key(|size| size.players);
    for round in 1..=args.rounds.min(ROUNDS_MAX) {
        for size in &mut sizes {
            let pair = play(args, kind, size.players, table).await?;
            say(round, size.players, &pair);
            size.rounds.push(pair);
        }
    }
    let grown = Grown { kind, sizes };
    find(&grown, table);
    Ok(grown)
}

/// A fresh echo, then a fresh server, with so many players.
async fn play(args: &Args, kind: Kind, players: usize, table: &mut Table) -> Outcome<Pair> {
    let (pace, span) = (Pace::Open { hz: HZ }, args.round() * STRETCH);
    let theirs = {
        let bare = Bare::start()?;
        let mut crowd = bare.crowd(players, args.wire()).await?;
        bare.run_on(&mut crowd, pace, span).await?
    };
    let stage = Stage::start(kind, &args.serve(&[&RAISED[..], &PATIENT, &LENIENT].concat()))?;
    let mut crowd = stage.crowd(players, args.room_of, args.wire()).await?;
    let ours = stage.run_on(&mut crowd, pace, span).await?;
    let what = format!("growth, {players} players, {}", kind.name());
    stage.check_steps(&what, &crowd, table)?;
    blame(&what, &ours, players, table);
    blame(&format!("growth, {players} connections to the echo"), &theirs, players, table);
    let memory = stage.grown(&ours, players);
    Ok(Pair { ours, theirs, memory })
}

/// Says what was refused and who was lost: a finding of a full machine, a fault of any other.
fn blame(what: &str, done: &Measured, players: usize, table: &mut Table) {
    if done.report.refused == 0 && done.lost.is_empty() {
        return;
    }
    let found = format!("{} frames refused, {}", done.report.refused, done.lost);
    println!("{what}: {found}");
    let what = format!("{what}: refused or lost");
    if timely(done, players) < FULL {
        table.note(&what, &format!("{found}; the machine is full"));
    } else {
        table.fault(&what, &found);
    }
}

fn say_head() {
    println!(
        "{:>6} {:>8} {:>9} {:>9} {:>8} {:>13} {:>7} {:>7} {:>7} {:>6} {:>8} {:>8} {:>8} {:>7} \
         {:>7}",
        "round",
        "players",
        "due/s",
        "done/s",
        "in time",
        "echo, in time",
        "server",
        "Redis",
        "echo",
        "times",
        "p50 ms",
        "p99 ms",
        "KiB each",
        "kbit/s",
        "driver"
    );
}

fn say(round: usize, players: usize, Pair { ours, theirs, memory }: &Pair) {
    println!(
        "{round:>6} {players:>8} {:>9.0} {:>9.0} {:>8.3} {:>13.3} {:>7.1} {:>7.1} {:>7.1} {:>6.2} \
         {:>8.1} {:>8.1} {:>8.1} {:>7.1} {:>7.2}",
        due(players),
        ours.report.pace(),
        timely(ours, players),
        timely(theirs, players),
        ours.server_each(),
        ours.redis_each(),
        theirs.server_each(),
        ours.both_each() / theirs.both_each(),
        ours.report.within_ms(0.5),
        ours.report.within_ms(0.99),
        memory / 1024.0,
        kbit(ours, players),
        ours.driver
    );
}

/// What the table says of each number of players, and of all together.
fn find(grown: &Grown, table: &mut Table) {
    let name = grown.kind.name();
    for size in &grown.sizes {
        table.grow(&cells(name, size));
    }
    let not_full: Vec<&Size> = grown.sizes.iter().filter(|size| !size.is_full()).collect();
    if let [first, .., last] = not_full.as_slice() {
        let both = |size: &Size| size.mid(|pair| pair.ours.both_each());
        let found = format!(
            "{:.2} times, from {} to {} players; of the echo's CPU {:.2} and {:.2} times",
            both(last) / both(first),
            first.players,
            last.players,
            first.times(),
            last.times()
        );
        table.note(&format!("growth, {name}: CPU of server and Redis a frame"), &found);
    }
    let first = |when: fn(&Size) -> bool, share: fn(&Size) -> f64| {
        let found = grown.sizes.iter().find(|size| when(size));
        found.map_or("at none of these numbers".to_owned(), |size| {
            format!("with {} players: {:.1} %", size.players, share(size) * 100.0)
        })
    };
    let what = format!("growth, {name}: fewer than {:.0} % of the frames are", FULL * 100.0);
    table.note(&format!("{what} in time"), &first(Size::is_full, Size::timely));
    let behind = |size: &Size| size.answered() < FULL;
    table.note(&format!("{what} answered a second"), &first(behind, Size::answered));
}

/// The head of the table of [`cells`].
pub fn head() -> String {
    format!(
        "| growth, players | store | frames due/s | answered/s | in time ({} ms) | echo in time \
         | server µs | Redis µs | echo µs | times the echo | p50 ms | p99 ms | KiB a player \
         | kbit/s a player | driver, cores |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        IN_TIME.as_millis()
    )
}

fn cells(name: &str, size: &Size) -> [String; 15] {
    let players = size.players;
    [
        players.to_string(),
        name.to_owned(),
        format!("{:.0}", due(players)),
        format!("{:.0}", size.mid(|pair| pair.ours.report.pace())),
        format!("{:.1} %", size.timely() * 100.0),
        format!("{:.1} %", size.mid(|pair| timely(&pair.theirs, players)) * 100.0),
        format!("{:.1}", size.mid(|pair| pair.ours.server_each())),
        format!("{:.1}", size.mid(|pair| pair.ours.redis_each())),
        format!("{:.1}", size.mid(|pair| pair.theirs.server_each())),
        format!("{:.2}", size.times()),
        format!("{:.0}", size.mid(|pair| pair.ours.report.within_ms(0.5))),
        format!("{:.0}", size.mid(|pair| pair.ours.report.within_ms(0.99))),
        format!("{:.1}", size.mid(|pair| pair.memory / 1024.0)),
        format!("{:.1}", size.mid(|pair| kbit(&pair.ours, players))),
        format!("{:.2}", size.mid(|pair| pair.ours.driver)),
    ]
}

/// The plot of all stores.
pub fn draw(grown: &[Grown]) -> String {
    let title = "What real-time play costs as the players become more";
    plot::draw(title, &[cpu(grown), delay(grown), memory(grown), share(grown)])
}

fn cpu(grown: &[Grown]) -> Panel {
    let mut lines = of_each(grown, false, |pair, _| pair.ours.server_each());
    let redis = grown.iter().filter(|one| one.kind == Kind::Redis);
    lines.extend(redis.map(|one| line(one, true, |pair, _| pair.ours.redis_each())));
    lines.extend(echo(grown, |pair, _| pair.theirs.server_each()));
    let note = "solid: server and echo, dashed: Redis itself";
    Panel { title: "CPU a frame", unit: "µs", note, scale: Scale::Linear(0.0), lines, bound: None }
}

fn delay(grown: &[Grown]) -> Panel {
    let mut lines = of_each(grown, false, |pair, _| pair.ours.report.within_ms(0.5));
    lines.extend(of_each(grown, true, |pair, _| pair.ours.report.within_ms(0.99)));
    let note = "solid: p50, dashed: p99";
    let title = "From a frame’s due time to its answer";
    Panel { title, unit: "ms", note, scale: Scale::Log, lines, bound: None }
}

fn memory(grown: &[Grown]) -> Panel {
    let lines = of_each(grown, false, |pair, _| pair.memory / 1024.0);
    let note = "resident, everybody playing";
    let bound = Some((24.0, "goal: 24 KiB"));
    Panel { title: "Memory a player", unit: "KiB", note, scale: Scale::Log, lines, bound }
}

fn share(grown: &[Grown]) -> Panel {
    let mut lines = of_each(grown, false, |pair, players| timely(&pair.ours, players) * 100.0);
    lines.extend(of_each(grown, true, |pair, players| answered(&pair.ours, players) * 100.0));
    lines.extend(echo(grown, |pair, players| timely(&pair.theirs, players) * 100.0));
    let note = "solid: within 250 ms of when it was due, dashed: answered at all";
    let scale = Scale::Linear(100.0);
    Panel { title: "Share of the frames due", unit: "%", note, scale, lines, bound: None }
}

fn of_each(grown: &[Grown], dashed: bool, read: fn(&Pair, usize) -> f64) -> Vec<Line> {
    grown.iter().map(|one| line(one, dashed, read)).collect()
}

fn line(grown: &Grown, dashed: bool, read: fn(&Pair, usize) -> f64) -> Line {
    let ink = match grown.kind {
        Kind::Embedded => Ink::Embedded,
        Kind::Redis => Ink::Redis,
    };
    let points = points(grown, Size::is_full, read);
    Line { ink, dashed, points }
}

/// The echo's line: of the first store, beside which it ran as well.
fn echo(grown: &[Grown], read: fn(&Pair, usize) -> f64) -> Option<Line> {
    let full = |size: &Size| size.mid(|pair| timely(&pair.theirs, size.players)) < FULL;
    let points = points(grown.first()?, full, read);
    Some(Line { ink: Ink::Echo, dashed: false, points })
}

fn points(
    grown: &Grown,
    full: impl Fn(&Size) -> bool,
    read: fn(&Pair, usize) -> f64,
) -> Vec<plot::Point> {
    let point = |size: &Size| plot::Point {
        #[expect(clippy::cast_precision_loss, reason = "players")]
        x: size.players as f64,
        y: size.mid(|pair| read(pair, size.players)),
        hollow: full(size),
    };
    grown.sizes.iter().map(point).collect()
}
