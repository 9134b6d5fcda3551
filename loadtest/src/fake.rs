//! A scripted server for the bots' own tests: each connection it accepts plays its acts in
//! order, then reads on until the client goes.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::socket::JSON;

/// One thing a connection does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Waits for a message and checks that it contains this.
    Hear(&'static str),
    /// Sends this.
    Say(String),
    /// Closes with this code.
    Close(u16),
    /// Drops the TCP stream.
    Drop,
}

pub use Act::{Close, Hear};

/// A message to send.
pub fn say(text: impl Into<String>) -> Act {
    Act::Say(text.into())
}

/// An answer to hello or resume at journal position `seq`.
pub fn welcome(ev: &str, seq: u64, replayed: Option<u64>) -> Act {
    let replayed = replayed.map_or(String::new(), |count| format!(r#","replayed":{count}"#));
    say(format!(
        r#"{{"ev":"{ev}","player":"alice","session":"s1","resume":"r1","node":"gw-1","epoch":5,
        "seq":{seq},"state":{{"player_id":"alice","display_name":"Alice","status":"online",
        "current_room":null,"inventory":[],"gold":100,"health":100,"max_health":100,"xp":0,
        "level":1,"score":0,"x":0,"y":0,"buffs":[],"cooldowns":[],"session_actions_count":0,
        "total_actions_count":0,"pending_notifications":[]}},"limits":{{}},"step_ms":50,"now":1,
        "gateways":[]{replayed}}}"#
    ))
}

/// A server that plays one script per connection and then accepts no more.
pub struct Fake {
    /// Where it is.
    pub url: String,
    task: JoinHandle<()>,
}

impl Fake {
    /// Listens on a free port.
    pub async fn start(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/ws", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            for script in scripts {
                let (tcp, _) = listener.accept().await.unwrap();
                serve(tcp, script).await;
            }
        });
        Self { url, task }
    }

    /// Waits for the last script's end; an act that failed fails here.
    pub async fn done(self) {
        timeout(Duration::from_secs(10), self.task).await.expect("the script to end").unwrap();
    }
}

#[expect(clippy::result_large_err, reason = "tungstenite's callback type")]
fn agree(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    assert_eq!(request.headers()["sec-websocket-protocol"], JSON);
    response.headers_mut().insert("sec-websocket-protocol", JSON.parse().unwrap());
    Ok(response)
}

async fn serve(tcp: TcpStream, script: Vec<Act>) {
    let mut socket = tokio_tungstenite::accept_hdr_async(tcp, agree).await.unwrap();
    for act in script {
        match act {
            Act::Hear(what) => hear(&mut socket, what).await,
            Act::Say(text) => socket.send(Message::text(text)).await.unwrap(),
            Act::Close(code) => {
                let frame = CloseFrame { code: code.into(), reason: "".into() };
                socket.close(Some(frame)).await.unwrap();
            }
            Act::Drop => return,
        }
    }
    while let Some(Ok(_)) = socket.next().await {}
}

async fn hear(socket: &mut WebSocketStream<TcpStream>, what: &str) {
    let message = timeout(Duration::from_secs(5), socket.next()).await.expect("a message");
    let text = message.unwrap().unwrap().into_text().unwrap();
    assert!(text.as_str().contains(what), "heard {text}, not {what}");
}
