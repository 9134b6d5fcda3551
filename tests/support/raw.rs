//! A socket without a bot's manners: says anything, and hears what comes of it.

use loadtest::socket::{Handshake, Incoming, JSON, Socket};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::{PATIENCE, Server};

/// See the module.
pub struct Raw(pub Socket);

/// How a message was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The id that the error names; none in words.
    pub id: Option<u64>,
    pub code: String,
    pub message: String,
    /// As it came, for failures.
    pub whole: String,
}

impl Refused {
    /// Reads `{"id":…,"err":{…}}` or `! code: message`.
    pub fn read(text: &str) -> Option<Self> {
        if let Some(words) = text.strip_prefix("! ") {
            let (code, message) = words.split_once(": ")?;
            let (code, message) = (code.to_owned(), message.trim_end().to_owned());
            return Some(Self { id: None, code, message, whole: text.to_owned() });
        }
        let value: Value = serde_json::from_str(text).ok()?;
        let (code, message) = (value["err"]["code"].as_str()?, value["err"]["message"].as_str()?);
        Some(Self {
            id: value["id"].as_u64(),
            code: code.to_owned(),
            message: message.to_owned(),
            whole: text.to_owned(),
        })
    }
}

impl Raw {
    /// A socket under JSON rules.
    pub async fn open(server: &Server) -> Self {
        Self::open_as(server, Some(JSON)).await
    }

    /// A socket that asks for a subprotocol, or for none: then text rules hold.
    pub async fn open_as(server: &Server, subprotocol: Option<&str>) -> Self {
        let handshake = Handshake { subprotocol, origin: None };
        Self(Socket::open(&server.ws(), handshake, PATIENCE).await.unwrap())
    }

    /// A session under JSON rules.
    pub async fn enter(server: &Server, player: &str) -> Self {
        Self::enter_as(server, Some(JSON), player).await
    }

    /// A session that JSON opened, under the rules of a subprotocol.
    pub async fn enter_as(server: &Server, subprotocol: Option<&str>, player: &str) -> Self {
        let mut raw = Self::open_as(server, subprotocol).await;
        raw.say(&json!({"do": "hello", "args": {"player": player}}).to_string()).await;
        raw.hear(|message| message["ev"] == "welcome").await;
        raw
    }

    pub async fn say(&mut self, text: &str) {
        self.0.send_text(text).await.unwrap();
    }

    /// A text frame of any bytes.
    pub async fn say_bytes(&mut self, bytes: Vec<u8>) {
        let frame = Frame::message(bytes, OpCode::Data(Data::Text), true);
        self.0.send(Message::Frame(frame)).await.unwrap();
    }

    /// The next text.
    pub async fn text(&mut self) -> String {
        match self.0.next(PATIENCE).await.unwrap() {
            Incoming::Text(text) => text,
            other => panic!("{other:?} instead of a text"),
        }
    }

    /// The next JSON message that `fits`; words are passed over.
    pub async fn hear(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let text = self.text().await;
            match serde_json::from_str(&text) {
                Ok(message) if fits(&message) => return message,
                _ => {}
            }
        }
    }

    /// Says something and hears the error to it.
    pub async fn error(&mut self, text: &str) -> Value {
        self.say(text).await;
        self.hear(|message| message.get("err").is_some()).await
    }

    /// The next refusal, in either form.
    pub async fn refused(&mut self) -> Refused {
        loop {
            if let Some(refused) = Refused::read(&self.text().await) {
                return refused;
            }
        }
    }

    /// What was refused until the server closed, and its code.
    pub async fn end(&mut self) -> (Vec<Refused>, Option<u16>) {
        let mut refused = Vec::new();
        loop {
            match self.0.next(PATIENCE).await.unwrap() {
                Incoming::Closed(code) => return (refused, code),
                Incoming::Text(text) => refused.extend(Refused::read(&text)),
                Incoming::Binary(_) => {}
            }
        }
    }

    /// The code that the server closes with.
    pub async fn closed(&mut self) -> Option<u16> {
        self.end().await.1
    }
}
