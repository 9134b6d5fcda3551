//! What an operator may write, and what is said back.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::*;

const TOML: &str = "beat_ms = 40\nroom_capacity = 5\nallow_origin = [\"https://a.example\"]\n\n\
                    [rooms.arena]\ncapacity = 50\n";

fn ask(args: &str, env: &[(&str, &str)], file: &str) -> Result<Asked, ConfigError> {
    let args: Vec<String> =
        std::iter::once("holdfast").chain(args.split_whitespace()).map(str::to_owned).collect();
    let env: BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let read = |path: &Path| match path.to_str() {
        Some("a.toml") => Ok(file.to_owned()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    };
    resolve(&args, &env, &read)
}

fn served(args: &str, env: &[(&str, &str)], file: &str) -> Resolved {
    match ask(args, env, file) {
        Ok(Asked::Serve(resolved) | Asked::Dump { resolved, .. }) => *resolved,
        other => panic!("{other:?}"),
    }
}

fn refused(args: &str, env: &[(&str, &str)], file: &str) -> String {
    ask(args, env, file).expect_err("refused").to_string()
}

#[test]
fn nothing_said_is_the_default() {
    assert_eq!(served("", &[], "").settings, Settings::default());
    assert_eq!(served("serve", &[], "").settings, Settings::default());
    assert!(served("", &[], "").warnings.is_empty());
}

#[test]
fn the_flag_wins_over_the_environment_and_the_environment_over_the_file() {
    let file_only = served("--config a.toml", &[], TOML);
    assert_eq!((file_only.settings.beat_ms, file_only.settings.room_capacity), (40, 5));
    let env = [("HOLDFAST_BEAT_MS", "30"), ("HOLDFAST_CONFIG", "a.toml")];
    let with_env = served("", &env, TOML);
    assert_eq!((with_env.settings.beat_ms, with_env.settings.room_capacity), (30, 5));
    let all = served("serve --beat-ms 20", &env, TOML);
    assert_eq!(all.settings.beat_ms, 20);
    assert_eq!(all.origin("beat_ms"), Origin::Flag("--beat-ms".into()));
    assert_eq!(all.origin("room_capacity"), Origin::File { path: "a.toml".into(), line: 2 });
    assert_eq!(all.origin("retain"), Origin::Default);
}

#[test]
fn rooms_have_their_own_capacity() {
    let settings = served("--config a.toml", &[], TOML).settings;
    assert_eq!((settings.capacity_of("arena"), settings.capacity_of("dungeon-7")), (50, 5));
}

#[test]
fn lists_are_repeated_or_separated_and_replaced_as_a_whole() {
    let two = "--allow-origin https://a.example --allow-origin https://b.example";
    let wanted = vec!["https://a.example".to_owned(), "https://b.example".to_owned()];
    assert_eq!(served(two, &[], "").settings.allow_origin, wanted);
    let env = [("HOLDFAST_ALLOW_ORIGIN", "https://a.example, https://b.example")];
    assert_eq!(served("--config a.toml", &env, TOML).settings.allow_origin, wanted);
    let unknown = refused("--lisen 127.0.0.1:9000", &[], "");
    assert!(unknown.starts_with("unexpected argument '--lisen'"), "{unknown}");
    let half = refused("leaderboard", &[], "");
    assert!(half.starts_with("this command needs another word"), "{half}");
    let error = refused("--allow-origin https://a.example/path", &[], "");
    assert!(error.starts_with("--allow-origin: ") && error.contains("without a path"), "{error}");
}

#[test]
fn guests_follow_the_address_unless_said() {
    assert_eq!(served("--listen [::1]:8080", &[], "").settings.guests, Guests::Open);
    assert_eq!(served("--listen 0.0.0.0:8080", &[], "").settings.guests, Guests::Claim);
    let open = served("--listen 0.0.0.0:8080 --guests open", &[], "");
    assert_eq!(open.settings.guests, Guests::Open);
    assert!(open.warnings.iter().any(|w| w.contains("may play as anyone")), "{:?}", open.warnings);
}

#[test]
fn contradictions_say_what_to_change() {
    let no_tokens = refused("--guests off", &[], "");
    assert!(no_tokens.contains("--service-token-file"), "{no_tokens}");
    assert_eq!(served("--guests off --service-token-file t", &[], "").settings.guests, Guests::Off);
    let same = refused("--listen 127.0.0.1:9000 --admin-listen 127.0.0.1:9000", &[], "");
    assert!(same.contains("--admin-listen off"), "{same}");
    assert!(ask("--listen 0.0.0.0:9000 --admin-listen 127.0.0.1:9000", &[], "").is_err());
    let dead = refused("--ping-every-ms 5000 --dead-after-ms 5000", &[], "");
    assert!(dead.contains("--dead-after-ms"), "{dead}");
    assert!(refused("--token-key-file a --service-token-file a", &[], "").contains("two files"));
}

#[test]
fn a_store_and_what_is_asked_of_it_must_fit() {
    for store in [
        "redis://localhost",
        "rediss://holdfast:secret@h:1/2",
        "redis+sentinel://a:1,b:2/world",
        "rediss+cluster://a,b,c",
    ] {
        let settings = served(&format!("--store {store}"), &[], "").settings;
        assert!(matches!(settings.store, StoreChoice::Redis(_)), "{store}");
    }
    let replicated = refused("--durability replicated:1", &[], "");
    assert!(replicated.contains("no") && replicated.contains("fsynced"), "{replicated}");
    assert_eq!(
        served("--durability fsynced", &[], "").settings.durability,
        Durability::Fsynced,
        "the embedded store syncs anyway"
    );
    let file = refused("--redis-password-file p", &[], "");
    assert!(file.contains("--redis-password-file") && file.contains("embedded"), "{file}");
    let plain = refused("--store redis://h --redis-ca-file ca.pem", &[], "");
    assert!(plain.contains("rediss"), "{plain}");
    let twice = refused("--store redis://u:p@h --redis-password-file p", &[], "");
    assert!(twice.contains("take it out"), "{twice}");
    let twice = refused("--store rediss://h?ca=a --redis-ca-file b", &[], "");
    assert!(twice.contains("leave one out"), "{twice}");
    let short = served("--store redis://h --hold-ms 100", &[], "");
    assert!(short.warnings.iter().any(|w| w.contains("--lease-ttl-ms")), "{:?}", short.warnings);
}

#[test]
fn no_password_is_ever_shown() {
    let resolved = served("--store rediss://holdfast:hunter2@h:1", &[], "");
    let shown = [
        dump(&resolved),
        resolved.settings.store.to_string(),
        format!("{:?}", resolved.settings),
        resolved.warnings.join("\n"),
    ];
    for text in shown {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("holdfast") || text.contains("password"), "{text}");
    }
    assert!(resolved.warnings.iter().any(|w| w.contains("--redis-password-file")));
}

#[test]
fn the_files_of_a_redis_become_part_of_its_address() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    std::fs::write(&path, " hunter2\n").unwrap();
    let args = format!(
        "--store rediss://holdfast@h:1 --redis-ca-file ca.pem --redis-password-file {}",
        path.display()
    );
    let settings = served(&args, &[], "").settings;
    let address = redis_address(&settings).unwrap().unwrap();
    let access = address.access();
    assert_eq!(access.login.user.as_deref(), Some("holdfast"));
    assert_eq!(access.login.password.as_deref(), Some("hunter2"));
    assert_eq!(access.ca.as_deref(), Some(Path::new("ca.pem")));
    std::fs::write(&path, "\n").unwrap();
    let error = redis_address(&settings).unwrap_err().to_string();
    assert!(error.contains("no password"), "{error}");
    assert_eq!(redis_address(&Settings::default()).unwrap(), None);
}

#[test]
fn nodes_that_share_a_redis_do_not_share_files() {
    let args = |node| format!("--store redis://h --data-dir d --node {node}");
    assert_eq!(served(&args("gw-1"), &[], "").settings.directory(), Path::new("d/gw-1"));
    assert_eq!(served(&args("gw-2"), &[], "").settings.directory(), Path::new("d/gw-2"));
    assert_eq!(
        served("--store embedded:e --data-dir d", &[], "").settings.directory(),
        Path::new("e")
    );
}

#[test]
fn a_doctor_is_asked_for() {
    let env = [("HOLDFAST_STORE", "redis://h"), ("HOLDFAST_REDIS_PASSWORD_FILE", "p")];
    let Ok(Asked::Task(Task::Doctor(asked))) =
        ask("doctor --json --durability replicated:2", &env, "")
    else {
        panic!()
    };
    let settings = &asked.resolved.settings;
    assert_eq!((asked.json, asked.fix), (true, false));
    assert_eq!(settings.durability, Durability::Replicated(2));
    assert_eq!(settings.store, "redis://h".parse().unwrap());
    assert_eq!(settings.redis_password_file.as_deref(), Some(Path::new("p")));
    let other = refused("doctor --beat-ms 40", &[], "");
    assert!(other.contains("--beat-ms"), "{other}");
    assert!(matches!(ask("doctor --help", &[], ""), Ok(Asked::Print(_))));
}

#[test]
fn values_out_of_bounds_name_the_place_and_the_bounds() {
    let zero = refused("--room-capacity 0", &[], "");
    assert!(zero.starts_with("--room-capacity: ") && zero.contains("from 1 to"), "{zero}");
    let env = refused("", &[("HOLDFAST_BEAT_MS", "0")], "");
    assert!(env.starts_with("HOLDFAST_BEAT_MS: ") && env.contains("from 1 to"), "{env}");
    let file = refused("--config a.toml", &[], "# hi\nbeat_ms = \"fast\"\n");
    assert!(file.starts_with("a.toml:2:1: beat_ms: "), "{file}");
    assert!(refused("--store rediz://localhost", &[], "").contains("redis+sentinel://"));
    assert!(refused("--store postgres://localhost", &[], "").contains("is not a store"));
    assert!(refused("--store redis+sentinel://localhost", &[], "").starts_with("--store: "));
    assert!(refused("--lease-ttl-ms 299", &[], "").contains("from 300 to"));
    assert!(refused("--adopt-per-s 0", &[], "").contains("from 1 to"));
    assert!(refused("--durability replicated:0", &[], "").contains("replicated:K"));
    assert!(refused("--listen nowhere", &[], "").contains("IP:PORT"));
    assert!(refused("--log =,,=", &[], "").contains("log filter"));
    assert!(refused("--admin-listen of", &[], "").starts_with("--admin-listen: "));
    assert!(refused("--node A", &[], "").contains("a-z"));
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    let flag = refused("--beet-ms 40", &[], "");
    assert!(flag.contains("--beat-ms"), "{flag}");
    let key = refused("--config a.toml", &[], "\n\nbeet_ms = 40\n");
    assert_eq!(key, "a.toml:3:1: no option is called \"beet_ms\"; did you mean beat_ms?");
    let dashes = refused("--config a.toml", &[], "beat-ms = 40\n");
    assert!(dashes.ends_with("did you mean beat_ms?"), "{dashes}");
    let variable = refused("", &[("HOLDFAST_GUETS", "off")], "");
    assert!(variable.ends_with("did you mean HOLDFAST_GUESTS?"), "{variable}");
    let room = refused("--config a.toml", &[], "[rooms.arena]\ncapacty = 3\n");
    assert!(room.starts_with("a.toml:2:1: ") && room.contains("capacity"), "{room}");
    assert!(refused("--config a.toml", &[], "beat_ms = \n").contains("not TOML"));
    assert!(refused("--config b.toml", &[], "").starts_with("b.toml: "));
    assert!(refused("sevre", &[], "").contains("sevre"));
}

#[test]
fn foreign_variables_are_named_and_ignored() {
    let resolved = served("", &[("HOLDFAST_SERVICE_HOST", "10.0.0.1")], "");
    assert_eq!(resolved.settings, Settings::default());
    assert!(resolved.warnings.iter().any(|w| w.contains("HOLDFAST_SERVICE_HOST")));
}

#[test]
fn the_dump_names_every_value_and_reads_back_as_the_same_settings() {
    let args = "--dump-config --config a.toml --listen 127.0.0.1:9000";
    let resolved = served(args, &[("HOLDFAST_RETAIN", "7")], TOML);
    let text = dump(&resolved);
    for (key, origin) in [
        ("listen", "flag --listen"),
        ("retain", "env HOLDFAST_RETAIN"),
        ("beat_ms", "file a.toml:1"),
        ("snapshot_records", "default"),
    ] {
        let line = text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        assert!(line.ends_with(&format!("# {origin}")), "{line}");
    }
    for opt in super::option::shown() {
        assert!(text.contains(&opt.key()), "{}", opt.name);
    }
    assert_eq!(served("--config a.toml", &[], &text).settings, resolved.settings);
}

#[test]
fn help_and_version_are_printed() {
    let Ok(Asked::Print(help)) = ask("--help", &[], "") else { panic!("no help") };
    assert!(help.contains("--room-capacity") && help.contains("leaderboard"), "{help}");
    let Ok(Asked::Print(version)) = ask("--version", &[], "") else { panic!("no version") };
    assert_eq!(version, format!("holdfast {}\n", env!("CARGO_PKG_VERSION")));
    assert!(matches!(ask("serve --help", &[], ""), Ok(Asked::Print(_))));
}

#[test]
fn a_rebuild_is_asked_for() {
    let Ok(Asked::Task(Task::Rebuild(asked))) = ask("leaderboard rebuild --rate 9", &[], "") else {
        panic!()
    };
    assert_eq!((asked.rate, asked.node.admin), (9, None));
    assert_eq!(asked.node.store, Settings::default().store);
    let env = [("HOLDFAST_STORE", "embedded:there")];
    let Ok(Asked::Task(Task::Rebuild(asked))) =
        ask("leaderboard rebuild --admin [::1]:9", &env, "")
    else {
        panic!()
    };
    assert_eq!(asked.node.data_dir, Settings::default().data_dir);
    assert_eq!(asked.node.store, StoreChoice::Embedded("there".into()));
    assert_eq!(asked.node.admin.as_deref(), Some("[::1]:9"));
    assert!(refused("leaderboard rebuild --rate 0", &[], "").starts_with("--rate: "));
    assert!(matches!(ask("leaderboard", &[], ""), Err(ConfigError::Usage(_))));
}

fn demo(args: &str) -> Demo {
    match ask(&format!("demo {args}"), &[], "") {
        Ok(Asked::Task(Task::Demo(demo))) => *demo,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_demo_says_what_it_needs_and_no_more() {
    let (one, two) = (demo(""), demo("--gateways 2"));
    assert_eq!((one.gateways, one.bots, one.returns_after_ms), (1, 6, 1_000));
    assert_eq!((two.gateways, two.returns_after_ms), (2, 5_000));
    assert!(one.any_port && one.listen.to_string() == "127.0.0.1:8080");
    let named = demo("--listen localhost:9000 --bots 0 --data-dir d --returns-after-ms 0");
    assert!(!named.any_port && named.listen.to_string() == "127.0.0.1:9000");
    assert_eq!((named.bots, named.data_dir, named.returns_after_ms), (0, Some("d".into()), 0));
    for (args, words) in [
        ("--gateways 9", "--gateways: \"9\" can't be used; give a whole number from 1 to 8"),
        ("--bots many", "from 0 to 16"),
        ("--listen [::]:8080", "127.0.0.1:8080"),
        ("--returns-after-ms 600001", "from 0 to 600000"),
    ] {
        let said = refused(&format!("demo {args}"), &[], "");
        assert!(said.contains(words), "{args}: {said}");
    }
}

#[test]
fn what_one_program_tells_another_is_in_no_help_and_no_dump() {
    let resolved = served("--demo-control http://127.0.0.1:1/x", &[], "");
    assert_eq!(resolved.settings.demo_control.as_deref(), Some("http://127.0.0.1:1/x"));
    assert!(!dump(&resolved).contains("demo"), "{}", dump(&resolved));
    assert!(!dump_json(&resolved).to_string().contains("demo"));
    let Ok(Asked::Print(help)) = ask("--help", &[], "") else { panic!("no help") };
    assert!(!help.contains("--demo-control") && !help.contains("warden"), "{help}");
}
