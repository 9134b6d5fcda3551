//! One WebSocket, client side: opens, sends, reads with a deadline, and can be dropped without
//! a farewell.

use std::io;
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};

/// The JSON subprotocol.
pub const JSON: &str = "holdfast.v1.json";
/// The subprotocol of MessagePack.
pub const PACKED: &str = "holdfast.v1.msgpack";
/// The text subprotocol.
pub const TEXT: &str = "holdfast.v1.text";
/// Read buffer of a connection, in bytes.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Why a socket could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is no `ws://host:port/path`.
    #[error("{0} is no ws:// URL")]
    Url(String),
    /// No TCP connection. Tried again while a server restarts.
    #[error("can't connect: {0}")]
    Connect(#[source] io::Error),
    /// The upgrade was refused with this HTTP status. Final.
    #[error("the upgrade was refused with status {0}")]
    Refused(u16),
    /// The connection broke. Resume.
    #[error("the connection broke: {0}")]
    Broken(#[source] Box<tungstenite::Error>),
    /// Nothing came in time.
    #[error("nothing came within {0:?}")]
    Deadline(Duration),
}

impl From<tungstenite::Error> for Error {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Http(response) => Self::Refused(response.status().as_u16()),
            error => Self::Broken(Box::new(error)),
        }
    }
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// The server closed, with its code if it gave one. Nothing follows.
    Closed(Option<u16>),
}

/// How to open a socket.
#[derive(Debug, Clone, Copy, Default)]
pub struct Handshake<'a> {
    /// The subprotocol to ask for.
    pub subprotocol: Option<&'a str>,
    /// The `Origin` header.
    pub origin: Option<&'a str>,
}

/// An open socket. Dropping it drops the TCP stream without a close frame.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

impl Socket {
    /// Connects and upgrades within `patience`.
    ///
    /// # Errors
    /// [`Error`], each with what to do about it.
    pub async fn open(
        url: &str,
        handshake: Handshake<'_>,
        patience: Duration,
    ) -> Result<Self, Error> {
        let open = Self::open_now(url, handshake, None);
        timeout(patience, open).await.map_err(|_| Error::Deadline(patience))?
    }

    /// As [`Socket::open`], with a kernel's receive buffer of about so many bytes: the server
    /// soon notices when nothing is read.
    ///
    /// # Errors
    /// As [`Socket::open`].
    pub async fn open_narrow(
        url: &str,
        handshake: Handshake<'_>,
        patience: Duration,
        receive_bytes: u32,
    ) -> Result<Self, Error> {
        let open = Self::open_now(url, handshake, Some(receive_bytes));
        timeout(patience, open).await.map_err(|_| Error::Deadline(patience))?
    }

    async fn open_now(
        url: &str,
        handshake: Handshake<'_>,
        receive_bytes: Option<u32>,
    ) -> Result<Self, Error> {
        let bad_url = || Error::Url(url.to_owned());
        let mut request = url.into_client_request().map_err(|_| bad_url())?;
        let headers = [
            (HeaderName::from_static("sec-websocket-protocol"), handshake.subprotocol),
            (HeaderName::from_static("origin"), handshake.origin),
        ];
        for (name, value) in headers {
            let Some(value) = value else { continue };
            let value = HeaderValue::from_str(value).map_err(|_| bad_url())?;
            request.headers_mut().insert(name, value);
        }
        let authority = request.uri().authority().ok_or_else(bad_url)?.as_str().to_owned();
        let tcp = match receive_bytes {
            None => TcpStream::connect(authority).await,
            Some(bytes) => connect_narrow(&authority, bytes).await,
        }
        .map_err(Error::Connect)?;
        tcp.set_nodelay(true).map_err(Error::Connect)?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
        let opened = tokio_tungstenite::client_async_with_config(request, tcp, Some(config)).await;
        let (stream, _) = opened?;
        Ok(Self { stream })
    }

    /// Sends one text message.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub async fn send_text(&mut self, text: impl Into<String>) -> Result<(), Error> {
        self.send(Message::text(text.into())).await
    }

    /// Sends any message, also one that no well-behaved client sends.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        Ok(self.stream.send(message).await?)
    }

    /// Writes one message into the socket's buffer; it leaves with the next flush at the latest.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub async fn feed(&mut self, message: Message) -> Result<(), Error> {
        Ok(self.stream.feed(message).await?)
    }

    /// Sends what was fed.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        Ok(self.stream.flush().await?)
    }

    /// Waits for the next message as it came, without a copy; the end of the stream is a close
    /// without a frame. Nothing is lost when the wait is given up.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub async fn hear(&mut self) -> Result<Message, Error> {
        loop {
            match self.stream.next().await.transpose()? {
                None => return Ok(Message::Close(None)),
                Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Some(message) => return Ok(message),
            }
        }
    }

    /// Waits for the next message; pings are answered on the way.
    ///
    /// # Errors
    /// [`Error::Broken`], or [`Error::Deadline`] after `patience`.
    pub async fn next(&mut self, patience: Duration) -> Result<Incoming, Error> {
        timeout(patience, self.next_ever()).await.map_err(|_| Error::Deadline(patience))?
    }

    /// The next message if it is here already.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn ready(&mut self) -> Result<Option<Incoming>, Error> {
        self.next_ever().now_or_never().transpose()
    }

    async fn next_ever(&mut self) -> Result<Incoming, Error> {
        Ok(match self.hear().await? {
            Message::Text(text) => Incoming::Text(text.as_str().to_owned()),
            Message::Close(frame) => Incoming::Closed(frame.map(|frame| frame.code.into())),
            other => Incoming::Binary(other.into_data().to_vec()),
        })
    }

    /// Says goodbye with code 1000 and does not wait for the answer.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub async fn close(mut self) -> Result<(), Error> {
        Ok(self.stream.close(None).await?)
    }
}

async fn connect_narrow(authority: &str, receive_bytes: u32) -> io::Result<TcpStream> {
    let address = lookup_host(authority).await?.next();
    let address = address.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_recv_buffer_size(receive_bytes)?;
    socket.connect(address).await
}
