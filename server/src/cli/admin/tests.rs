//! Questions to a listener of the test's own: what is read of its answers, and what is sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::{Body as Stream, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::actor::envelope::CallError;
use crate::admin::rebuild::{Rebuild, Status};
use crate::admin::{self, AdminState};
use crate::clock::Clock;
use crate::store::memory::Memory;

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    at
}

/// Answers the one connection with these bytes.
async fn say(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 1024];
        let _ = stream.read(&mut asked).await;
        stream.write_all(bytes).await.unwrap();
    });
    at
}

fn node(admin: impl Into<String>) -> NodeAt {
    NodeAt {
        admin: Some(admin.into()),
        store: StoreChoice::Embedded("none".into()),
        data_dir: "none".into(),
    }
}

async fn refused(at: &NodeAt, path: &str) -> String {
    // The answer itself may be long.
    Admin::new(at).get(path).await.map(|_| ()).unwrap_err().to_string()
}

#[tokio::test]
async fn an_answer_of_any_shape_is_read_and_a_question_is_sent_whole() {
    let pieces = || async {
        let pieces = ["[1,", "2]"].map(|piece| Ok::<_, io::Error>(Bytes::from(piece)));
        Stream::from_stream(stream::iter(pieces))
    };
    let echo = |headers: HeaderMap, request: Request| async move {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let kind = headers.get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        Json(json!({"query": query, "kind": kind, "body": body}))
    };
    let router = Router::new().route("/pieces", get(pieces)).route("/echo", post(echo));
    let at = node(format!("http://{}/", serve(router).await));
    let pieces = Admin::new(&at).get("/pieces").await.unwrap();
    assert_eq!((pieces.text(), pieces.json::<Vec<u8>>().unwrap()), ("[1,2]", vec![1, 2]));
    let path = format!("/echo?who={}", escaped("a b&c=ä/:"));
    let echo: Value =
        Admin::new(&at).post(&path, Some(&json!({"n": 1}))).await.unwrap().json().unwrap();
    assert_eq!(
        echo,
        json!({"query": "who=a%20b%26c%3D%C3%A4%2F:", "kind": "application/json", "body": {"n": 1}})
    );
    let empty: Value = Admin::new(&at).post("/echo", None).await.unwrap().json().unwrap();
    assert_eq!(empty, json!({"query": "", "kind": null, "body": null}));
}

#[tokio::test]
async fn a_refusal_is_a_sentence_and_a_strange_answer_is_named() {
    let error = || async {
        let body = json!({"error": {"code": "no_such_actor", "message": "no such actor"}});
        (StatusCode::NOT_FOUND, Json(body)).into_response()
    };
    let at = node(serve(Router::new().route("/a", get(error))).await);
    assert_eq!(refused(&at, "/a").await, "the node refused: no such actor (no_such_actor)");
    assert!(refused(&at, "/b").await.contains("status 404 to GET /b"));
    let of = |bytes| async move { refused(&node(say(bytes).await), "/").await };
    let cut = of(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1,2").await;
    assert!(cut.contains("cut short"), "{cut}");
    let redis = of(b"-ERR unknown command 'GET'\r\n").await;
    assert!(redis.contains("not HTTP") && redis.contains("a node of this version"), "{redis}");
    let text = Admin::new(&node(say(b"HTTP/1.0 200 OK\r\n\r\nhello").await)).get("/").await;
    let not_json = text.unwrap().json::<Value>().unwrap_err().to_string();
    assert!(not_json.contains("is not understood"), "{not_json}");
}

#[tokio::test]
async fn what_is_too_long_is_not_read_whole() {
    let long = || async { "x".repeat(ANSWER_BYTES_MAX) };
    let at = node(serve(Router::new().route("/", get(long))).await);
    let error = refused(&at, "/").await;
    assert!(error.contains("more than 33554432 bytes"), "{error}");
}

#[tokio::test]
async fn a_change_is_not_sent_to_a_second_node() {
    let dir = tempfile::tempdir().unwrap();
    let heard = Arc::new(Mutex::new(BTreeMap::<&str, u32>::new()));
    let count = {
        let heard = heard.clone();
        move |method| {
            *heard.lock().unwrap().entry(method).or_default() += 1;
            async { "1" }
        }
    };
    let on_get = count.clone();
    let router = Router::new().route("/", get(move || on_get("GET")).post(move || count("POST")));
    let good = serve(router).await.parse().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = NodeAt {
        admin: None,
        store: StoreChoice::Redis("redis://localhost".parse().unwrap()),
        data_dir: dir.path().into(),
    };
    file::announce(&dir.path().join("gw-1"), silent.local_addr().unwrap()).unwrap();
    file::announce(&dir.path().join("gw-2"), good).unwrap();
    // Takes the question and closes without an answer's first byte.
    tokio::spawn(async move {
        while let Ok((stream, _)) = silent.accept().await {
            stream.set_zero_linger().unwrap();
        }
    });
    let lost = Admin::new(&at).post("/", None).await.unwrap_err();
    assert!(matches!(&lost, CliError::NoNode { .. } | CliError::Foreign { .. }), "{lost}");
    assert!(heard.lock().unwrap().is_empty(), "the change may have been made by the first");
    Admin::new(&at).get("/").await.unwrap();
    assert_eq!(*heard.lock().unwrap(), BTreeMap::from([("GET", 1)]));
}

/// Nobody asks for a rebuild here.
#[derive(Debug)]
struct Idle;

impl Rebuild for Idle {
    fn start(
        &self,
        _: Option<u32>,
    ) -> futures::future::BoxFuture<'static, Result<Status, CallError>> {
        Box::pin(async { Err(CallError::Busy) })
    }

    fn status(&self) -> futures::future::BoxFuture<'static, Result<Status, CallError>> {
        Box::pin(async { Err(CallError::Busy) })
    }
}

#[tokio::test]
async fn the_admin_listener_shows_metrics_and_refuses_web_pages() {
    let store = Arc::new(Memory::new(Clock::system()));
    let state = AdminState::alone(store, Arc::new(Idle));
    let at = node(serve(admin::router(state)).await);
    let page = Admin::new(&at).get("/metrics").await.unwrap();
    assert!(page.text().contains("holdfast_append_seconds_count 0"), "{}", page.text());
    assert!(Admin::new(&at).get("/").await.unwrap().text().contains("/leaderboard/rebuild"));
    assert!(refused(&at, "/actors/player:nobody").await.ends_with("(no_such_actor)"));
    assert!(refused(&at, "/actors/nobody").await.ends_with("(bad_args)"));
    let question = "GET /metrics HTTP/1.0\r\norigin: http://evil.example\r\n\r\n";
    let page = exchange(at.admin.as_deref().unwrap(), question.as_bytes()).await.ok().unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(page.starts_with("HTTP/1.0 403"), "{page}");
    let zero = Admin::new(&at).post("/leaderboard/rebuild?rate=0", None).await.unwrap_err();
    assert!(zero.to_string().ends_with("(bad_args)"), "{zero}");
    let busy = Admin::new(&at).post("/leaderboard/rebuild", None).await.unwrap_err();
    assert!(busy.to_string().ends_with("(busy)"), "{busy}");
}
