//! HTTP/1.1 as far as tests need it: one request after the other on one connection, and
//! server-sent events.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// A response.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("status {}, {error}: {}", self.status, self.body))
    }
}

/// What a response's body is when it is a stream of events.
pub const EVENTS: &str = "text/event-stream";

/// A server-sent event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    pub kind: String,
    pub id: Option<String>,
    pub data: String,
}

/// A connection that stays open between requests.
pub struct Connection {
    stream: BufStream<TcpStream>,
    host: SocketAddr,
    /// Text of events that has not been read.
    events: String,
}

impl Connection {
    pub async fn open(host: SocketAddr) -> std::io::Result<Self> {
        let tcp = TcpStream::connect(host).await?;
        tcp.set_nodelay(true)?;
        Ok(Self { stream: BufStream::new(tcp), host, events: String::new() })
    }

    pub async fn get(&mut self, path: &str) -> std::io::Result<Response> {
        self.request("GET", path, &[], "").await
    }

    pub async fn post(&mut self, path: &str, body: &str) -> std::io::Result<Response> {
        self.request("POST", path, &[("content-type", "application/json")], body).await
    }

    /// Sends one request and reads its response.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> std::io::Result<Response> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let exchange = async {
            self.stream.write_all(head.as_bytes()).await?;
            self.stream.flush().await?;
            self.read().await
        };
        timeout(PATIENCE, exchange).await.map_err(|_| bad("no response in time"))?
    }

    async fn read(&mut self) -> std::io::Result<Response> {
        let status_line = self.line().await?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| bad("no status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: String::new() };
        if response.header("content-type") == Some(EVENTS) {
            return Ok(response);
        }
        let body = if response.header("transfer-encoding") == Some("chunked") {
            self.chunks().await?
        } else {
            let len = response.header("content-length").and_then(|len| len.parse().ok());
            self.bytes(len.unwrap_or(0)).await?
        };
        response.body = String::from_utf8(body).map_err(|_| bad("the body is not UTF-8"))?;
        Ok(response)
    }

    /// The next event of a stream; comments are passed over. `None`: the stream has ended.
    pub async fn event(&mut self) -> std::io::Result<Option<Event>> {
        timeout(PATIENCE, self.next_event()).await.map_err(|_| bad("no event in time"))?
    }

    async fn next_event(&mut self) -> std::io::Result<Option<Event>> {
        loop {
            while let Some((block, rest)) = self.events.split_once("\n\n") {
                let event = event(block);
                self.events = rest.to_owned();
                if event.is_some() {
                    return Ok(event);
                }
            }
            let Some(chunk) = self.chunk().await? else { return Ok(None) };
            let text = String::from_utf8(chunk).map_err(|_| bad("an event is not UTF-8"))?;
            self.events.push_str(&text);
        }
    }

    /// One chunk of a body; `None`: its end.
    async fn chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let size = usize::from_str_radix(&self.line().await?, 16);
        let chunk = self.bytes(size.map_err(|_| bad("no chunk size"))?).await?;
        self.line().await?;
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
    }

    async fn chunks(&mut self) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend(chunk);
        }
        Ok(body)
    }

    async fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(bad("the connection ended"));
        }
        Ok(line.trim_end().to_owned())
    }

    async fn bytes(&mut self, len: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).await?;
        Ok(bytes)
    }
}

/// What a block of lines says; `None`: a comment.
fn event(block: &str) -> Option<Event> {
    let mut event = Event::default();
    for line in block.lines() {
        match line.split_once(':') {
            Some(("event", kind)) => kind.trim().clone_into(&mut event.kind),
            Some(("id", id)) => event.id = Some(id.trim().to_owned()),
            Some(("data", data)) => event.data.push_str(data.trim()),
            _ => {}
        }
    }
    (!event.data.is_empty()).then_some(event)
}

fn bad(why: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, why)
}
