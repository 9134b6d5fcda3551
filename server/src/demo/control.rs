//! The buttons of the page, over HTTP on a loopback listener of its own. Who presses them has read
//! the token in the path from a node of the show, and is a page of the show or no page at all.
//!
//! It carries wishes to the show, which grants them one after the other.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    CACHE_CONTROL, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::DemoError;
use super::keeper;
use super::network::Shape;

/// I7: wishes that wait to be granted; who comes then waits to be heard.
const WISHES_MAX: usize = 16;
const BODY_LEN_MAX: usize = 1024;
/// Bounds of what a page may wish.
const CUT_MS_MAX: u64 = 60_000;
const DELAY_MS_MAX: u64 = 5_000;

/// What a page wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// To see how everything is.
    Show,
    /// A gateway killed.
    Kill(String),
    /// A gateway drained.
    Drain(String),
    /// The visitors' network cut for so many milliseconds.
    Cut(u64),
    /// So much delay and jitter added to the visitors' round trips, in milliseconds.
    Delay(u64, u64),
}

/// A wish, and where the answer goes.
#[derive(Debug)]
pub struct Order {
    /// What is wished.
    pub wish: Wish,
    /// The answer; nobody may wait for it any more.
    pub answer: oneshot::Sender<Result<Done, Refused>>,
}

/// A wish that was granted.
#[derive(Debug, Serialize)]
pub struct Done {
    /// When that was, in Unix milliseconds.
    pub done_at_ms: u64,
    /// How everything is since then.
    pub show: Show,
}

/// How everything is.
#[derive(Debug, Serialize)]
pub struct Show {
    /// All gateways, gone or not.
    pub gateways: Vec<Gateway>,
    /// The visitors' network.
    pub network: Shape,
    /// `embedded` or `redis`.
    pub store: &'static str,
    /// Simulated players.
    pub bots: u32,
    /// How long a gateway that is gone stays away.
    pub returns_after_ms: u64,
}

/// One gateway.
#[derive(Debug, Serialize)]
pub struct Gateway {
    /// Its name.
    pub node: String,
    /// Where it stands.
    pub state: keeper::State,
    /// The id of its process.
    pub pid: Option<u32>,
    /// Where visitors reach it.
    pub url: String,
}

/// A wish that is not granted, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: StatusCode,
    /// For programs.
    pub code: &'static str,
    /// A sentence.
    pub message: String,
}

impl Refused {
    /// A refusal.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_args", message)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let error = serde_json::json!({"code": self.code, "message": self.message});
        (self.status, Json(serde_json::json!({"error": error}))).into_response()
    }
}

/// See the module. It is closed when this is dropped.
#[derive(Debug)]
pub struct Control {
    /// Where the buttons are.
    pub url: String,
    door: Door,
    listener: TcpListener,
}

/// The control, open.
#[derive(Debug)]
pub struct Open {
    /// What pages wish.
    pub orders: mpsc::Receiver<Order>,
    _task: AbortOnDropHandle<()>,
}

/// What is asked of every request.
#[derive(Debug, Clone)]
struct Door {
    token: Arc<str>,
    /// How the listener is called.
    host: Arc<str>,
    origins: Arc<[String]>,
    orders: mpsc::Sender<Order>,
}

impl Control {
    /// Takes a free port; [`Control::open`] lets pages in.
    ///
    /// # Errors
    /// [`DemoError::Start`].
    pub async fn bind() -> Result<Self, DemoError> {
        let failed = |cause| DemoError::Start { what: "a port for the buttons".to_owned(), cause };
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await;
        let listener = listener.map_err(failed)?;
        let token: Arc<str> = format!("{:032x}", rand::random::<u128>()).into();
        let host: Arc<str> = listener.local_addr().map_err(failed)?.to_string().into();
        let url = format!("http://{host}/{token}");
        let door = Door { token, host, origins: Arc::default(), orders: mpsc::channel(1).0 };
        Ok(Self { url, door, listener })
    }

    /// Serves pages of these origins.
    #[must_use]
    pub fn open(self, origins: Vec<String>) -> Open {
        let (sender, orders) = mpsc::channel(WISHES_MAX);
        let door = Door { origins: origins.into(), orders: sender, ..self.door };
        let served = async move {
            // It can't fail once it listens.
            let _ = axum::serve(self.listener, router(door)).await;
        };
        Open { orders, _task: AbortOnDropHandle::new(tokio::spawn(served)) }
    }
}

fn router(door: Door) -> Router {
    let token = door.token.clone();
    let buttons = Router::new()
        .route("/show", get(show))
        .route("/kill", post(kill))
        .route("/drain", post(drain))
        .route("/cut", post(cut))
        .route("/delay", post(delay));
    Router::new()
        .nest(&format!("/{token}"), buttons)
        .fallback(|| async { Refused::new(StatusCode::NOT_FOUND, "not_found", "nothing is here") })
        .method_not_allowed_fallback(|| async {
            let message = "show is read by GET, the buttons are pressed by POST";
            Refused::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        })
        .layer(from_fn_with_state(door.clone(), admit))
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .with_state(door)
}

/// Lets in who has no origin, or one of the show's, and knows the address; answers preflights.
async fn admit(State(door): State<Door>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let own = |origin: &HeaderValue| {
        origin.to_str().is_ok_and(|origin| door.origins.iter().any(|own| own == origin))
    };
    if origin.as_ref().is_some_and(|origin| !own(origin)) {
        let message = "these buttons are for pages of this demo";
        return Refused::new(StatusCode::FORBIDDEN, "forbidden_origin", message).into_response();
    }
    // A name that was made to mean this address is not how it was told to anybody.
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if host != Some(&*door.host) {
        let message = "these buttons are reached by their own address alone";
        return Refused::new(StatusCode::FORBIDDEN, "forbidden_host", message).into_response();
    }
    let mut response = if request.method() == Method::OPTIONS {
        let head = [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        ];
        (StatusCode::NO_CONTENT, head).into_response()
    } else {
        next.run(request).await
    };
    let head = response.headers_mut();
    head.insert(VARY, HeaderValue::from_static("origin"));
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        head.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

impl Door {
    async fn ask(&self, wish: Wish) -> Result<Done, Refused> {
        let (answer, answered) = oneshot::channel();
        let ends =
            || Refused::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "this demo is about to end");
        self.orders.send(Order { wish, answer }).await.map_err(|_| ends())?;
        answered.await.map_err(|_| ends())?
    }
}

type Body<T> = Result<Json<T>, JsonRejection>;

/// The body, or what it should have been.
fn read<T>(body: Body<T>, form: &str) -> Result<T, Refused> {
    match body {
        Ok(Json(body)) => Ok(body),
        Err(JsonRejection::MissingJsonContentType(_)) => Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "bad_message",
            "the content type has to be application/json",
        )),
        Err(_) => Err(Refused::bad(format!("the body has to be {form}"))),
    }
}

#[derive(Debug, Deserialize)]
struct Node {
    node: String,
}

const NODE: &str = r#"{"node": "gw-1"}"#;

#[derive(Debug, Deserialize)]
struct Span {
    ms: u64,
}

#[derive(Debug, Deserialize)]
struct Delay {
    delay_ms: u64,
    #[serde(default)]
    jitter_ms: u64,
}

async fn show(State(door): State<Door>) -> Result<Json<Show>, Refused> {
    door.ask(Wish::Show).await.map(|done| Json(done.show))
}

async fn kill(State(door): State<Door>, body: Body<Node>) -> Result<Json<Done>, Refused> {
    let Node { node } = read(body, NODE)?;
    door.ask(Wish::Kill(node)).await.map(Json)
}

async fn drain(State(door): State<Door>, body: Body<Node>) -> Result<Json<Done>, Refused> {
    let Node { node } = read(body, NODE)?;
    door.ask(Wish::Drain(node)).await.map(Json)
}

async fn cut(State(door): State<Door>, body: Body<Span>) -> Result<Json<Done>, Refused> {
    let Span { ms } = read(body, r#"{"ms": 5000}"#)?;
    if !(1..=CUT_MS_MAX).contains(&ms) {
        return Err(Refused::bad(format!("ms has to be from 1 to {CUT_MS_MAX}")));
    }
    door.ask(Wish::Cut(ms)).await.map(Json)
}

async fn delay(State(door): State<Door>, body: Body<Delay>) -> Result<Json<Done>, Refused> {
    let Delay { delay_ms, jitter_ms } = read(body, r#"{"delay_ms": 100, "jitter_ms": 20}"#)?;
    if delay_ms > DELAY_MS_MAX {
        return Err(Refused::bad(format!("delay_ms has to be from 0 to {DELAY_MS_MAX}")));
    }
    if jitter_ms > delay_ms {
        return Err(Refused::bad("jitter_ms can't be more than delay_ms"));
    }
    door.ask(Wish::Delay(delay_ms, jitter_ms)).await.map(Json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadtest::http::Client;
    use serde_json::{Value, json};

    async fn opened() -> (String, Open) {
        let control = Control::bind().await.unwrap();
        let url = control.url.clone();
        (url, control.open(vec!["http://127.0.0.1:8080".to_owned()]))
    }

    /// Answers the next order, and says what it was.
    async fn grant(open: &mut Open) -> Wish {
        let Order { wish, answer } = open.orders.recv().await.unwrap();
        let (gateways, network) = (Vec::new(), Shape::default());
        let (store, bots, returns_after_ms) = ("embedded", 6, 1_000);
        let show = Show { gateways, network, store, bots, returns_after_ms };
        let _ = answer.send(Ok(Done { done_at_ms: 7, show }));
        wish
    }

    async fn press(url: &str, body: &Value) -> (u16, Value) {
        let answer = Client::default().post(url, None, None, body).await.unwrap();
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    #[tokio::test]
    async fn each_button_is_a_wish() {
        let (url, mut open) = opened().await;
        for (button, body, wish) in [
            ("kill", json!({"node": "gw-1"}), Wish::Kill("gw-1".into())),
            ("drain", json!({"node": "gw-2"}), Wish::Drain("gw-2".into())),
            ("cut", json!({"ms": 5_000}), Wish::Cut(5_000)),
            ("delay", json!({"delay_ms": 100, "jitter_ms": 20}), Wish::Delay(100, 20)),
            ("delay", json!({"delay_ms": 0}), Wish::Delay(0, 0)),
        ] {
            let target = format!("{url}/{button}");
            let (answer, granted) = tokio::join!(press(&target, &body), grant(&mut open));
            assert_eq!((answer.0, granted), (200, wish));
            assert_eq!(
                (&answer.1["done_at_ms"], &answer.1["show"]["bots"]),
                (&json!(7), &json!(6))
            );
        }
        let shown = format!("{url}/show");
        let http = Client::default();
        let (show, wish) = tokio::join!(http.get_json::<Value>(&shown), grant(&mut open));
        assert_eq!((&show.unwrap()["store"], wish), (&json!("embedded"), Wish::Show));
    }

    #[tokio::test]
    async fn what_is_out_of_bounds_is_a_sentence_and_no_wish() {
        let (url, mut open) = opened().await;
        for (button, body, words) in [
            ("kill", json!({}), "{\"node\": \"gw-1\"}"),
            ("cut", json!({"ms": 0}), "from 1 to 60000"),
            ("cut", json!({"ms": 60_001}), "from 1 to 60000"),
            ("cut", json!({"ms": -1}), "{\"ms\": 5000}"),
            ("delay", json!({"delay_ms": 10, "jitter_ms": 11}), "more than delay_ms"),
            ("delay", json!({"delay_ms": 5_001}), "from 0 to 5000"),
        ] {
            let (status, answer) = press(&format!("{url}/{button}"), &body).await;
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(status == 400 && message.contains(words), "{button} {body}: {answer}");
        }
        assert!(open.orders.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_wrong_token_finds_nothing() {
        let (url, mut open) = opened().await;
        let (base, token) = url.rsplit_once('/').unwrap();
        assert_eq!(token.len(), 32);
        for wrong in ["", "/0", &format!("/{}0", &token[1..])] {
            let (status, answer) =
                press(&format!("{base}{wrong}/kill"), &json!({"node": "gw-1"})).await;
            assert_eq!((status, &answer["error"]["code"]), (404, &json!("not_found")), "{wrong}");
        }
        assert!(open.orders.try_recv().is_err());
    }
}
