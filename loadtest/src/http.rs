//! HTTP/1.1 as far as simulated players and the verifier need it: small requests, whole answers,
//! connections that are kept and shared.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::http::{Method, Request, StatusCode, header};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer. Reacts: whoever asked, by asking again where that is safe.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No request can be made of it.
    #[error("{0} can't be asked for")]
    Request(String),
    /// The connection failed.
    #[error("{url}: {cause}")]
    Broken {
        /// What was asked for.
        url: String,
        /// Why.
        cause: String,
    },
    /// Nothing came.
    #[error("{0} did not answer within {PATIENCE:?}")]
    Silent(String),
    /// It answered with another status than 200.
    #[error("{url} answered {status}: {body}")]
    Status {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
        /// The answer's beginning.
        body: String,
    },
    /// The answer has not the form.
    #[error("{url} answered what is not understood: {why}")]
    Form {
        /// What was asked for.
        url: String,
        /// What is wrong.
        why: String,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Cheap to clone; all clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
}

impl Default for Client {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { pool: Pool::builder(TokioExecutor::new()).build(connector) }
    }
}

impl Client {
    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answer, Error> {
        let url = request.uri().to_string();
        let broken = |cause: String| Error::Broken { url: url.clone(), cause };
        let whole = async {
            let answer = self.pool.request(request).await.map_err(|e| broken(e.to_string()))?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.map_err(|e| broken(e.to_string()))?;
            Ok(Answer { status, body: body.to_bytes() })
        };
        timeout(PATIENCE, whole).await.map_err(|_| Error::Silent(url.clone()))?
    }

    /// Reads.
    ///
    /// # Errors
    /// [`Error`]; every status but 200 is one.
    pub async fn get(&self, url: &str) -> Result<Bytes, Error> {
        let request = Request::get(url).body(Full::default());
        let answer = self.ask(request.map_err(|_| Error::Request(url.to_owned()))?).await?;
        if answer.status == StatusCode::OK.as_u16() {
            return Ok(answer.body);
        }
        let text: String = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
        Err(Error::Status { url: url.to_owned(), status: answer.status, body: text })
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn get_json<T: DeserializeOwned>(&self, url: &str) -> Result<T, Error> {
        let body = self.get(url).await?;
        serde_json::from_slice(&body)
            .map_err(|why| Error::Form { url: url.to_owned(), why: why.to_string() })
    }

    /// Posts JSON, with a token and an `Idempotency-Key` where given.
    ///
    /// # Errors
    /// [`Error`]; a status is none.
    pub async fn post(
        &self,
        url: &str,
        token: Option<&str>,
        key: Option<&str>,
        body: &Value,
    ) -> Result<Answer, Error> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::from(body.to_string()));
        self.ask(request.map_err(|_| Error::Request(url.to_owned()))?).await
    }
}

/// The HTTP origin beside a gateway's WebSocket.
#[must_use]
pub fn origin(socket_url: &str) -> String {
    let rest = socket_url.trim_start_matches("ws://");
    let host = rest.split('/').next().unwrap_or(rest);
    format!("http://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_beside_the_socket() {
        assert_eq!(origin("ws://127.0.0.1:8080/ws"), "http://127.0.0.1:8080");
        assert_eq!(origin("ws://gw-1"), "http://gw-1");
    }
}
