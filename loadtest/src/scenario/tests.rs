//! Scenarios that can be used, and why others can not.

use super::*;

const SMALL: &str = r#"
version = 1
name = "small"
players = 10
ramp = "1s"
hold = "10s"
bots = [{ kind = "mover", share = 3 }, { kind = "chatter", think = "250ms" }]
"#;

fn refusal(changed: &str) -> String {
    Scenario::parse(&format!("{SMALL}\n{changed}")).unwrap_err().to_string()
}

#[test]
fn what_is_not_said_has_a_default() {
    let small = Scenario::parse(SMALL).unwrap();
    assert_eq!((small.room_of, small.gateways, small.store), (20, 1, Store::Embedded));
    assert_eq!((small.echo, small.hold), (Duration::ZERO, Duration::from_secs(10)));
    let [mover, chatter] = small.bots.as_slice() else { panic!("{:?}", small.bots) };
    assert_eq!((mover.input_hz, mover.think), (20, Duration::ZERO));
    assert_eq!((chatter.input_hz, chatter.think), (0, Duration::from_millis(250)));
}

#[test]
fn every_ready_made_scenario_can_be_used_and_is_called_what_it_is() {
    for (name, text) in BUILT_IN {
        let scenario = Scenario::parse(text).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(scenario.name, name);
        assert!(!scenario.about.is_empty() && !scenario.thresholds.is_empty(), "{name}");
    }
}

#[test]
fn kinds_are_dealt_by_their_shares_and_mixed() {
    let small = Scenario::parse(SMALL).unwrap();
    let kinds: Vec<_> = (0..400).map(|nth| small.bots_of(nth).unwrap().kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Mover).count(), 300);
    for stretch in kinds.chunks(4) {
        assert_eq!(stretch.iter().filter(|kind| **kind == Kind::Chatter).count(), 1);
    }
    let arena = Scenario::parse(Scenario::built_in("arena-5000").unwrap()).unwrap();
    let brawlers = |from: u32| {
        (from..from + 100).filter(|n| arena.bots_of(*n).unwrap().kind == Kind::Brawler).count()
    };
    assert_eq!((brawlers(0), brawlers(1_300)), (8, 8));
    let first = (0..20).filter(|n| arena.bots_of(*n).unwrap().kind == Kind::Brawler).count();
    assert!((1..=3).contains(&first), "{first} of 8 brawlers among the first 20 of 100");
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence() {
    for (changed, expected) in [
        ("rooms = 3", "unknown field `rooms`"),
        ("gateways = 2", "the embedded store serves one gateway"),
        ("replicated = true", "only a Redis has a replica"),
        ("echo = \"soon\"", "echo: `soon` is no span of time"),
        ("thresholds = [\"ping < 3\"]", "`ping < 3` is not understood"),
        ("chaos = [{ at = \"1s\", do = \"explode\" }]", "`explode` is nothing that can be done"),
        ("chaos = [{ at = \"1s\", do = \"kill gateway 2\" }]", "numbered from 1 to 1"),
        ("chaos = [{ at = \"1s\", do = \"kill redis\" }]", "there is no Redis"),
        ("chaos = [{ at = \"1s\", do = \"failover\" }]", "needs a replica"),
        ("chaos = [{ at = \"1s\", do = \"proxy cut\" }]", "needs proxies"),
        ("chaos = [{ at = \"1m\", do = \"kill gateway 1\" }]", "1m is after the hold of 10s"),
    ] {
        let why = refusal(changed);
        assert!(why.contains(expected), "{changed}: {why}");
    }
    assert!(Scenario::parse(&SMALL.replace("version = 1", "version = 2")).is_err());
    let nobody = SMALL.replace("share = 3", "share = 0").replace("think", "share = 0, think");
    assert!(Scenario::parse(&nobody).unwrap_err().to_string().contains("nobody plays"));
}

#[test]
fn what_happens_again_and_again_does_so_until_its_end() {
    let chaos = |more: &str| {
        let text = format!("{SMALL}\nproxied = true\nchaos = [{{ do = \"proxy cut\", {more} }}]");
        let scenario = Scenario::parse(&text).map_err(|why| why.to_string())?;
        Ok::<_, String>(scenario.chaos.iter().map(|blow| blow.at.as_secs()).collect::<Vec<_>>())
    };
    assert_eq!(chaos("at = \"2s\", every = \"3s\"").unwrap(), [2, 5, 8]);
    assert_eq!(chaos("at = \"2s\", every = \"3s\", until = \"5s\"").unwrap(), [2, 5]);
    assert_eq!(chaos("at = \"2s\"").unwrap(), [2]);
    let why = chaos("at = \"2s\", every = \"1ms\"").unwrap_err();
    assert!(why.contains("chaos.every: it is shorter than 100ms"), "{why}");
    assert!(chaos("at = \"2s\", every = \"3s\", until = \"20s\"").is_err(), "after the hold");
}

#[test]
fn gateways_of_the_storm_are_killed_in_turn_and_both_live_when_the_store_fails_over() {
    let storm = Scenario::parse(Scenario::built_in("trade-storm").unwrap()).unwrap();
    let (mut dead, mut kills) = (Vec::new(), 0);
    for blow in &storm.chaos {
        match blow.action {
            Action::Kill(server) => {
                assert!(dead.is_empty(), "both are dead at {:?}", blow.at);
                dead.push(server);
                kills += 1;
            }
            Action::Start(server) => dead.retain(|one| *one != server),
            Action::Failover => assert!(dead.is_empty(), "{:?}", blow.at),
            _ => panic!("{blow:?}"),
        }
    }
    assert_eq!((kills, dead.len()), (100, 0));
}

#[test]
fn actions_say_what_they_were_written_as() {
    for text in [
        "kill gateway 1",
        "start redis",
        "pause redis for 2s",
        "pause gateway 3 for 1.5s",
        "drain gateway 2",
        "rolling restart",
        "failover",
        "proxy stall 300ms",
    ] {
        assert_eq!(text.parse::<Action>().unwrap().to_string(), text);
    }
    for text in ["", "drain redis", "kill gateway", "kill gateway x", "pause redis", "proxy melt"] {
        assert!(text.parse::<Action>().is_err(), "{text}");
    }
}
