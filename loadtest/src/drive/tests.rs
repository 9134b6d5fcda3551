//! The driver against the echo, and against scripted servers that do wrong.

use super::*;
use crate::echo;
use crate::fake::{Act, Close, Fake, Hear, say, welcome};

async fn start_echo() -> String {
    let listener = echo::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("ws://{}{}", listener.local_addr().unwrap(), echo::PATH);
    tokio::spawn(echo::serve(listener));
    url
}

fn plan(pace: Pace) -> Plan {
    Plan { ask: Ask::Input, pace, span: Duration::from_millis(300) }
}

#[tokio::test]
async fn a_closed_loop_ends_with_everything_answered() {
    let guests = Guests::new(start_echo().await, 10);
    let mut crowd = Crowd::at_echo(&guests).await.unwrap();
    let tally = Tally::new().unwrap();
    crowd.run(plan(Pace::Closed { window: 4 }), &tally).await.unwrap();
    let report = tally.report();
    assert!(report.sent >= 40, "{} sent", report.sent);
    assert_eq!((report.answered, report.heard), (report.sent, report.sent));
    assert_eq!(report.latency.len(), report.sent);
    assert_eq!(crowd.connections().iter().map(Connection::steps).sum::<u64>(), report.sent);
}

#[tokio::test]
async fn an_open_loop_sends_what_was_due() {
    let guests = Guests::new(start_echo().await, 10);
    let mut crowd = Crowd::at_echo(&guests).await.unwrap();
    let tally = Tally::new().unwrap();
    crowd.run(plan(Pace::Open { hz: 50.0 }), &tally).await.unwrap();
    let report = tally.report();
    assert_eq!((report.sent, report.answered), (150, 150));
}

#[tokio::test]
async fn who_is_set_aside_is_driven_no_more() {
    let guests = Guests { narrow: Some((5, 4_096)), ..Guests::new(start_echo().await, 10) };
    let mut crowd = Crowd::at_echo(&guests).await.unwrap();
    let aside = crowd.set_aside(5);
    assert_eq!((aside.len(), crowd.connections().len()), (2, 8));
    let tally = Tally::new().unwrap();
    crowd.run(plan(Pace::Open { hz: 50.0 }), &tally).await.unwrap();
    assert_eq!(tally.report().answered, 120);
    for connection in aside {
        assert_eq!(connection.fate().await, Fate::Open);
    }
}

/// One player of a server that answers its first input so.
async fn answered_by(answer: &str) -> Error {
    let script = vec![
        Hear("hello"),
        welcome("welcome", 1, None),
        Hear("join_room"),
        say(r#"{"id":1,"ok":{},"seq":2}"#),
        Hear("input"),
        say(answer),
    ];
    let fake = Fake::start(vec![script]).await;
    let mut crowd = Crowd::at_server(&Guests::new(&fake.url, 1), 1).await.unwrap();
    let tally = Tally::new().unwrap();
    crowd.run(plan(Pace::Closed { window: 1 }), &tally).await.unwrap_err()
}

#[tokio::test]
async fn a_refusal_ends_the_run_in_the_servers_words() {
    let error = r#"{"id":null,"err":{"code":"rate_limited","message":"slow down","retry":true}}"#;
    let said = answered_by(error).await.to_string();
    assert_eq!(said, "the server refused input: rate_limited: slow down");
}

/// A run that goes on, of one player of a server that answers its first input so.
async fn gone_on(answer: Vec<Act>) -> (Lost, Report, Crowd) {
    let mut script = vec![
        Hear("hello"),
        welcome("welcome", 1, None),
        Hear("join_room"),
        say(r#"{"id":1,"ok":{},"seq":2}"#),
        Hear("input"),
    ];
    script.extend(answer);
    let fake = Fake::start(vec![script]).await;
    let mut crowd = Crowd::at_server(&Guests::new(&fake.url, 1), 1).await.unwrap();
    let (tally, patience) = (Tally::new().unwrap(), Duration::from_millis(200));
    let lost = crowd.run_on(plan(Pace::Open { hz: 20.0 }), &tally, patience).await.unwrap();
    (lost, tally.report(), crowd)
}

#[tokio::test]
async fn a_run_that_goes_on_counts_what_is_refused() {
    let error = r#"{"id":null,"err":{"code":"rate_limited","message":"slow down","retry":true}}"#;
    let (lost, report, crowd) = gone_on(vec![say(error)]).await;
    assert!(lost.is_empty(), "{lost}");
    assert_eq!((report.sent, report.answered, report.refused), (6, 0, 1));
    assert_eq!(crowd.connections().iter().map(Connection::refused).sum::<u64>(), 1);
}

#[tokio::test]
async fn a_run_that_goes_on_counts_who_is_lost() {
    let (lost, _, crowd) = gone_on(vec![Close(4503)]).await;
    assert_eq!((lost.len(), lost.silent, crowd.connections().len()), (1, 0, 0));
    assert!(lost.to_string().contains("(1: the server closed a socket with 4503)"), "{lost}");
    let (lost, _, crowd) = gone_on(vec![]).await;
    assert_eq!((lost.len(), lost.silent, crowd.connections().len()), (1, 1, 0));
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_ends_the_run() {
    let error = answered_by(r#"{"ev":"room","tick":1,"in":2,"e":[],"gone":[]}"#).await;
    assert!(matches!(error, Error::NotAsked { answer: 2, asked: 1 }), "{error}");
}

#[tokio::test]
async fn nobody_at_home_is_said_with_the_address() {
    let listener = echo::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    drop(listener);
    let said = Crowd::at_echo(&Guests::new(&url, 1)).await.unwrap_err().to_string();
    assert!(said.starts_with(&format!("connection 0 to {url} could not be opened: ")), "{said}");
}
