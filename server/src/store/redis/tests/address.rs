//! What an operator may write, and what is said to what can't be read.

use crate::store::redis::address::{Access, Address, Login};

fn node(host: &str, port: u16) -> (String, u16) {
    (host.to_owned(), port)
}

fn login(user: Option<&str>, password: Option<&str>) -> Login {
    Login { user: user.map(Into::into), password: password.map(Into::into) }
}

fn parsed(text: &str) -> Address {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_form_is_read() {
    let plain = Access::default();
    let table = [
        ("redis://h", Address::Single { at: node("h", 6379), access: plain.clone() }),
        ("redis://h:7", Address::Single { at: node("h", 7), access: plain.clone() }),
        ("redis://[::1]:7/", Address::Single { at: node("::1", 7), access: plain.clone() }),
        (
            "rediss://u:p%40ss@h:7/3?ca=/etc/ca.pem",
            Address::Single {
                at: node("h", 7),
                access: Access {
                    tls: true,
                    ca: Some("/etc/ca.pem".into()),
                    login: login(Some("u"), Some("p@ss")),
                    db: 3,
                },
            },
        ),
        (
            "redis+sentinel://:pw@a:1,b/game/2?sentinel-password=x&sentinel-user=y",
            Address::Sentinel {
                sentinels: vec![node("a", 1), node("b", 26379)],
                service: "game".into(),
                access: Access { login: login(None, Some("pw")), db: 2, ..plain.clone() },
                sentinel_login: login(Some("y"), Some("x")),
            },
        ),
        (
            "rediss+cluster://a:1,b",
            Address::Cluster {
                seeds: vec![node("a", 1), node("b", 6379)],
                access: Access { tls: true, ..plain },
            },
        ),
    ];
    for (text, expected) in table {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn refusals_say_what_to_write() {
    let table = [
        ("localhost:6379", "write redis://host:port"),
        ("http://h", "write redis://host:port"),
        ("redis-sentinel://h/s", "redis+sentinel://"),
        ("redis://", "a host is missing"),
        ("redis://h:x", "write host:port"),
        ("redis://h:0", "write host:port"),
        ("redis://h:70000", "write host:port"),
        ("redis://::1", "IPv6 in brackets"),
        ("redis://a,b", "redis+cluster://"),
        ("redis://h/x", "write its number"),
        ("redis://h?ca=/x", "write rediss"),
        ("rediss://h?insecure=1", "?insecure= is unknown: write ?ca="),
        ("rediss://h?ca=", "write ?ca="),
        ("redis://:a%2@h", "write %25"),
        ("redis+sentinel://h", "redis+sentinel://host:port,host:port/service"),
        ("redis+cluster://h/1", "leave out"),
        ("redis://h?sentinel-password=x", "redis+sentinel://"),
    ];
    for (text, hint) in table {
        let refused = text.parse::<Address>().expect_err(text).to_string();
        assert!(refused.contains(hint), "{text}: {refused}");
    }
}

#[test]
fn a_password_is_never_shown() {
    for text in [
        "redis://u:hidden@h:7/3",
        "rediss+sentinel://u:hidden@a:1,b:2/game?sentinel-password=hidden",
        "redis+cluster://:hidden@a:1,[::1]:2",
    ] {
        let address = parsed(text);
        assert!(!format!("{address} {address:?}").contains("hidden"), "{address:?}");
    }
    assert_eq!(parsed("redis://u:hidden@h:7/3").to_string(), "redis://u@h:7/3");
    assert_eq!(parsed("redis://u@h:7/3").to_string(), "redis://u@h:7/3");
    let shown = parsed("redis+cluster://:hidden@a:1,[::1]:2").to_string();
    assert_eq!(shown, "redis+cluster://a:1,[::1]:2");
}
