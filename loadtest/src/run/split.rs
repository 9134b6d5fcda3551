//! How a run is dealt out: players to processes, the echo's rate, and what a scenario leaves
//! behind. Pure.

use holdfast_protocol::ids::RoomId;

use crate::load::mind::Names;
use crate::scenario::action::{Action, Server};
use crate::scenario::{Blow, Kind, Scenario};

/// The first player of the process `nth` of `of`, and how many it has. Players of one room stay
/// together.
#[must_use]
pub fn part(nth: usize, of: usize, players: usize, room_of: usize) -> (usize, usize) {
    let (of, room_of) = (of.max(1), room_of.max(1));
    let rooms = players.div_ceil(room_of);
    let begin = |nth: usize| (rooms * nth / of * room_of).min(players);
    (begin(nth), begin(nth + 1) - begin(nth))
}

/// Connections of the echo and messages a second on each: those that send input, at their mean
/// rate; where nobody does, all, at one a second.
#[must_use]
pub fn rate(scenario: &Scenario) -> (usize, f64) {
    let hz = (0..scenario.players).filter_map(|nth| scenario.bots_of(nth));
    let hz: Vec<f64> = hz.map(|bots| f64::from(bots.input_hz)).filter(|hz| *hz > 0.0).collect();
    if hz.is_empty() {
        return (scenario.players as usize, 1.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "players, far below 2^52")]
    let len = hz.len() as f64;
    (hz.len(), hz.iter().sum::<f64>() / len)
}

/// Players who have a socket and keep it: not those who call, and not those who are thrown out.
#[must_use]
pub fn staying(scenario: &Scenario) -> u64 {
    let stays =
        |kind| !matches!(kind, Kind::Caller | Kind::Abuser | Kind::SlowReader | Kind::Flaky);
    let all = (0..scenario.players).filter_map(|nth| scenario.bots_of(nth));
    all.filter(|bots| stays(bots.kind)).count() as u64
}

/// The rooms that players of a run are in.
#[must_use]
pub fn rooms(scenario: &Scenario, names: Names) -> Vec<String> {
    let homes = 0..scenario.players.div_ceil(scenario.room_of.max(1));
    let mut rooms: Vec<RoomId> = homes.clone().filter_map(|nth| names.room(nth)).collect();
    let plays = |kind| scenario.bots.iter().any(|bots| bots.kind == kind);
    if plays(Kind::Churner) || plays(Kind::Companion) {
        rooms.extend(names.churn_rooms());
    }
    if plays(Kind::Collector) {
        rooms.extend(homes.filter_map(|nth| names.arena(nth)));
    }
    rooms.iter().map(ToString::to_string).collect()
}

/// Servers that a scenario kills or drains and does not start again.
#[must_use]
pub fn left_dead(chaos: &[Blow]) -> Vec<Server> {
    let mut dead = Vec::new();
    for blow in chaos {
        match blow.action {
            Action::Kill(server) | Action::Drain(server) => dead.push(server),
            Action::Start(server) => dead.retain(|other| *other != server),
            Action::RollingRestart => dead.clear(),
            Action::Pause(..) | Action::Failover | Action::Proxy(_) => {}
        }
    }
    dead
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(bots: &str, chaos: &str) -> Scenario {
        Scenario::parse(&format!(
            "version = 1\nname = \"t\"\nplayers = 50\nramp = \"1s\"\nhold = \"9s\"\n\
             gateways = 2\nstore = \"redis\"\nbots = [{bots}]\nchaos = [{chaos}]"
        ))
        .unwrap()
    }

    #[test]
    fn rooms_stay_together_and_nobody_is_left_out() {
        assert_eq!(part(0, 1, 50, 20), (0, 50));
        assert_eq!([part(0, 2, 50, 20), part(1, 2, 50, 20)], [(0, 20), (20, 30)]);
        assert_eq!([0, 1, 2].map(|nth| part(nth, 3, 7, 1)), [(0, 2), (2, 2), (4, 3)]);
    }

    #[test]
    fn the_echo_gets_the_rate_of_those_who_send_input() {
        let mixed = scenario("{ kind = \"mover\" }, { kind = \"chatter\" }", "");
        assert_eq!(rate(&mixed), (25, 20.0));
        let (len, hz) =
            rate(&scenario("{ kind = \"mover\" }, { kind = \"flaky\", input_hz = 10 }", ""));
        assert_eq!(len, 50);
        assert!((hz - 15.0).abs() < 1e-9);
        assert_eq!(rate(&scenario("{ kind = \"chatter\" }", "")), (50, 1.0));
    }

    #[test]
    fn those_who_call_or_are_thrown_out_are_not_waited_for() {
        let mixed =
            scenario("{ kind = \"mover\" }, { kind = \"caller\" }, { kind = \"abuser\" }", "");
        assert_eq!(staying(&mixed), 17);
    }

    #[test]
    fn all_rooms_that_anyone_may_be_in_are_looked_at() {
        let names = Names { seed: 7 };
        let len = |bots| rooms(&scenario(bots, ""), names).len();
        assert_eq!(len("{ kind = \"trader\" }"), 3);
        assert_eq!(len("{ kind = \"companion\" }"), 11);
        let all = rooms(&scenario("{ kind = \"collector\" }", ""), names);
        assert_eq!((all.len(), all[5].as_str()), (6, "arena-lt7-2"));
    }

    #[test]
    fn what_is_started_again_is_not_left_dead() {
        let chaos = "{ at = \"1s\", do = \"kill gateway 1\" }, { at = \"2s\", do = \"kill gateway 2\" }, \
                     { at = \"3s\", do = \"start gateway 1\" }";
        assert_eq!(left_dead(&scenario("{ kind = \"mover\" }", chaos).chaos), [Server::Gateway(2)]);
    }
}
