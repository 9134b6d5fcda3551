//! The OpenAPI document is what the server does: requests made from it, right and wrong ones, get
//! only documented statuses and shapes, and what it does not list does not exist.

mod schema;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::services::{SERVICE, tokens};
use crate::support::http::{Connection, EVENTS, Response};
use crate::support::{Options, Server, seed};
use schema::{Document, junk, spoiled};

/// Requests to each operation that reads, and to each that changes something.
const REQUESTS: (usize, usize) = (60, 800);
const LONG: &str = "a-player-whose-name-is-longer-than-any-player-may-have";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One operation of the document.
struct Operation {
    method: String,
    path: String,
    about: Value,
}

fn operations(document: &Document) -> Vec<Operation> {
    let paths = document.0["paths"].as_object().expect("paths");
    let of = |(path, item): (&String, &Value)| {
        let methods = item.as_object().cloned().unwrap_or_default().into_iter();
        let path = path.clone();
        methods
            .filter(|(method, _)| METHODS.contains(&method.as_str()))
            .map(move |(method, about)| Operation { method, path: path.clone(), about })
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

/// A request that was made up.
#[derive(Debug, Clone)]
struct Made {
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn runner(seed: u64) -> TestRunner {
    let bytes: Vec<u8> = (0..4).flat_map(|_| seed.to_le_bytes()).collect();
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Text as a query holds it.
fn escape(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// A query such as `?read=durable`, from the operation's parameters and beyond them.
fn query(document: &Document, about: &Value) -> BoxedStrategy<String> {
    let mut whole = Just(String::new()).boxed();
    for parameter in about["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] != "query" {
            continue;
        }
        let name = parameter["name"].as_str().unwrap().to_owned();
        let plain = |value: Value| escape(&value.as_str().map_or(value.to_string(), str::to_owned));
        let odd = select(&["", "0", "-1", "101", "junk", "%00", "%ff", "durable&x=1"][..]);
        let value = prop_oneof![
            3 => document.valid(&parameter["schema"]).prop_map(plain),
            1 => odd.prop_map(str::to_owned),
        ];
        whole = (whole, proptest::option::of(value))
            .prop_map(move |(whole, value)| match value {
                Some(value) => format!("{whole}&{name}={value}"),
                None => whole,
            })
            .boxed();
    }
    whole.prop_map(|query| query.replacen('&', "?", 1)).boxed()
}

fn body(document: &Document, about: &Value) -> BoxedStrategy<String> {
    let schema = &about["requestBody"]["content"]["application/json"]["schema"];
    if schema.is_null() {
        return Just(String::new()).boxed();
    }
    let valid = document.valid(schema);
    let torn =
        (document.valid(schema), any::<proptest::sample::Index>()).prop_map(|(value, at)| {
            let text: Vec<char> = value.to_string().chars().collect();
            text[..at.index(text.len())].iter().collect()
        });
    prop_oneof![
        6 => valid.clone().prop_map(|value| value.to_string()),
        3 => spoiled(valid).prop_map(|value| value.to_string()),
        1 => junk().prop_map(|value| value.to_string()),
        1 => torn,
        1 => Just("[".repeat(3_000)),
    ]
    .boxed()
}

fn made(document: &Document, operation: &Operation, alice: &str) -> BoxedStrategy<Made> {
    let id = prop_oneof![
        6 => Just("alice"),
        1 => select(&["bob", "ghost", "A", "%ff", "%00", "a%20b", LONG][..]),
    ];
    let who = prop_oneof![
        4 => Just(Some(format!("Bearer {SERVICE}"))),
        4 => Just(Some(format!("Bearer {alice}"))),
        1 => select(vec![None, Some("Bearer x.y.z".into()), Some("Basic x".into())]),
    ];
    let key = prop_oneof![
        3 => Just(None),
        1 => any::<u32>().prop_map(|n| Some(n.to_string())),
        1 => select(vec![Some("same".to_owned()), Some("k".repeat(65))]),
    ];
    let kind = prop_oneof![12 => Just("application/json"), 1 => Just("text/plain")];
    let (path, about) = (operation.path.clone(), &operation.about);
    (id, query(document, about), who, key, kind, body(document, about))
        .prop_map(move |(id, query, who, key, kind, body)| {
            let mut headers = vec![("content-type".to_owned(), kind.to_owned())];
            headers.extend(who.map(|who| ("authorization".to_owned(), who)));
            headers.extend(key.map(|key| ("idempotency-key".to_owned(), key)));
            Made { path: path.replace("{id}", id) + &query, headers, body }
        })
        .boxed()
}

async fn send(http: &mut Connection, method: &str, made: &Made) -> Response {
    let headers: Vec<(&str, &str)> =
        made.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sent = http.request(&method.to_uppercase(), &made.path, &headers, &made.body).await;
    sent.unwrap_or_else(|error| panic!("{method} {made:?}: {error}"))
}

/// Why an answer is not what the document says; `None`: it is.
fn misfit(document: &Document, about: &Value, answer: &Response) -> Option<String> {
    let documented = &about["responses"][answer.status.to_string()];
    if documented.is_null() {
        return Some(format!("status {} is not documented: {}", answer.status, answer.body));
    }
    if answer.header("content-type") == Some(EVENTS) {
        let undocumented = documented["content"][EVENTS].is_null();
        return undocumented.then(|| "a stream of events is not documented".to_owned());
    }
    if answer.status >= 500 {
        return Some(format!("nothing is wrong with the server, but: {}", answer.body));
    }
    let schema = &documented["content"]["application/json"]["schema"];
    if schema.is_null() {
        return (!answer.body.is_empty()).then(|| "a body is not documented".to_owned());
    }
    document.misfit(schema, &answer.json())
}

async fn start() -> (Server, tempfile::TempDir) {
    let (dir, file) = tokens();
    let args =
        ["--service-token-file", &file, "--commands-per-s", "10000", "--says-per-s", "10000"];
    (Server::start_with(Options::default().with(&args)).await, dir)
}

async fn token(http: &mut Connection, player: &str) -> String {
    let made = http.post("/v1/sessions", &json!({ "player": player }).to_string()).await.unwrap();
    made.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_made_from_the_document_are_answered_as_it_says() {
    let (server, _dir) = start().await;
    let mut http = Connection::open(server.addr()).await.unwrap();
    let document = Document(server.get("/v1/openapi.json").await.json());
    token(&mut http, "bob").await;
    let alice = token(&mut http, "alice").await;
    let mut runner = runner(seed());
    let mut seen: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    let mut done: BTreeSet<String> = BTreeSet::new();
    for operation in operations(&document) {
        let strategy = made(&document, &operation, &alice);
        let name = format!("{} {}", operation.method, operation.path);
        let count = if operation.method == "get" { REQUESTS.0 } else { REQUESTS.1 };
        for _ in 0..count {
            let made = strategy.new_tree(&mut runner).unwrap().current();
            let answer = send(&mut http, &operation.method, &made).await;
            if answer.header("content-type") == Some(EVENTS) {
                // It has no end.
                http = Connection::open(server.addr()).await.unwrap();
            }
            if let Some(why) = misfit(&document, &operation.about, &answer) {
                panic!("{name}, {made:?}: {why}");
            }
            seen.entry(name.clone()).or_default().insert(answer.status);
            let verb = serde_json::from_str::<Value>(&made.body).unwrap_or_default()["do"].clone();
            if let (true, Some(verb)) = (answer.status < 300, verb.as_str()) {
                done.insert(verb.to_owned());
            }
        }
    }
    for (name, statuses) in &seen {
        let well = if name == "get /ws" { 426 } else { 200 };
        assert!(statuses.contains(&well), "{name} answered only {statuses:?}");
    }
    let commands = &seen["post /v1/players/{id}/commands"];
    for status in [200, 202, 400, 401, 404, 415] {
        assert!(commands.contains(&status), "never {status}: {commands:?}");
    }
    // An item is of use only to the wounded.
    let verbs = ["join_room", "leave_room", "execute_move", "say", "logout", "notify"];
    let missing: Vec<_> = verbs.iter().filter(|verb| !done.contains(**verb)).collect();
    assert!(missing.is_empty(), "documented, but never done: {missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_document_does_not_list_does_not_exist() {
    let (server, _dir) = start().await;
    let mut http = Connection::open(server.addr()).await.unwrap();
    let document = Document(server.get("/v1/openapi.json").await.json());
    let listed = operations(&document);
    assert!(listed.len() >= 13, "only {} operations", listed.len());
    for operation in &listed {
        let path = operation.path.replace("{id}", "alice");
        for method in METHODS {
            if listed.iter().any(|o| o.path == operation.path && o.method == method) {
                continue;
            }
            let answer = http.request(&method.to_uppercase(), &path, &[], "").await.unwrap();
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.json()["error"]["code"], "method_not_allowed");
        }
        for beside in [format!("{path}/"), format!("{path}x/y"), format!("/v2{path}")] {
            for method in METHODS {
                let answer = http.request(&method.to_uppercase(), &beside, &[], "").await.unwrap();
                assert_eq!(answer.status, 404, "{method} {beside}");
                assert_eq!(answer.json()["error"]["code"], "not_found");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_viewer_comes_from_the_server_alone() {
    let (server, _dir) = start().await;
    let page = server.get("/api.html").await;
    assert_eq!(page.status, 200);
    let script = server.get("/ui/api.js").await;
    assert_eq!((script.status, page.body.contains("ui/api.js")), (200, true));
    assert!(script.body.contains("v1/openapi.json"));
    for text in [&page.body, &script.body] {
        assert!(!text.contains("https://") && !text.contains("http://"), "it needs a network");
    }
}
