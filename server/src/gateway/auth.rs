//! Who may be whom: signed tokens, the service token, and pages that may connect.
//!
//! A session token says that its bearer is a player, for 24 h. A resume token names a player's
//! session and has no end of its own: the actor judges it. Neither passes for the other, and
//! neither is ever logged.

use std::fmt;

use holdfast_protocol::client::Verb;
use holdfast_protocol::edge::Proof;
use holdfast_protocol::ids::PlayerId;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::actor::envelope::SessionId;

/// How long a session token lives unless a setting says otherwise, in milliseconds.
pub const TOKEN_LIFE_MS: u64 = 24 * 60 * 60 * 1000;
const AUDIENCE: &str = "holdfast";

/// Whether callers may name themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guests {
    /// Names are not protected.
    Open,
    /// The first hello makes a name the caller's; later ones need its token.
    Claim,
    /// Tokens only.
    Off,
}

/// Who is refused, for people. Reacts: the session, with `unauthorized`; HTTP, with 401.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The signature, the shape or the purpose is wrong.
    #[error("the token is not valid here")]
    Invalid,
    /// It was valid once.
    #[error("the token has expired; get a new one")]
    Expired,
    /// The token is somebody else's.
    #[error("the token is for another player")]
    OtherPlayer,
    /// A token is needed.
    #[error("this server needs a token")]
    Missing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Purpose {
    Session,
    Resume,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    typ: Purpose,
    sub: PlayerId,
    /// Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    /// The session's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
}

/// A verified session token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Whose.
    pub player: PlayerId,
    /// Its end, in Unix milliseconds.
    pub expires_ms: u64,
}

/// Why a hello may be its player, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// Who is meant.
    pub player: PlayerId,
    /// For the rules.
    pub proof: Proof,
    /// The token's end, in Unix milliseconds; `None` where there is no token.
    pub expires_ms: Option<u64>,
}

/// Signs and reads tokens.
pub struct Auth {
    signs: EncodingKey,
    reads: DecodingKey,
    validation: Validation,
    guests: Guests,
    services: Vec<[u8; 32]>,
    token_life_ms: u64,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("guests", &self.guests).finish_non_exhaustive()
    }
}

impl Auth {
    /// With the key that every gateway of the cluster has.
    #[must_use]
    pub fn new(key: &[u8], guests: Guests, service_tokens: &[String]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.required_spec_claims = ["aud".to_owned(), "sub".to_owned()].into();
        // The end is judged by the node's clock, below.
        validation.validate_exp = false;
        Self {
            signs: EncodingKey::from_secret(key),
            reads: DecodingKey::from_secret(key),
            validation,
            guests,
            services: service_tokens.iter().map(|token| hash(token)).collect(),
            token_life_ms: TOKEN_LIFE_MS,
        }
    }

    /// With another life of session tokens, in milliseconds.
    #[must_use]
    pub fn token_life_ms(self, token_life_ms: u64) -> Self {
        Self { token_life_ms, ..self }
    }

    /// Whether callers may name themselves.
    #[must_use]
    pub fn guests(&self) -> Guests {
        self.guests
    }

    /// A session token from now on, and its end in Unix milliseconds.
    #[must_use]
    pub fn issue(&self, player: &PlayerId, now_ms: u64) -> (String, u64) {
        let expires_s = now_ms.saturating_add(self.token_life_ms) / 1000;
        let token = self.sign(player, Purpose::Session, Some(expires_s), None);
        (token, expires_s.saturating_mul(1000))
    }

    /// The resume token of a session.
    #[must_use]
    pub fn issue_resume(&self, player: &PlayerId, session: SessionId) -> String {
        self.sign(player, Purpose::Resume, None, Some(session))
    }

    fn sign(
        &self,
        player: &PlayerId,
        typ: Purpose,
        exp: Option<u64>,
        sid: Option<SessionId>,
    ) -> String {
        let claims = Claims { aud: AUDIENCE.to_owned(), typ, sub: player.clone(), exp, sid };
        // The claims are plain JSON and the key takes any length: signing can't fail.
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signs)
            .unwrap_or_default()
    }

    fn read(&self, token: &str, typ: Purpose) -> Result<Claims, AuthError> {
        let read = jsonwebtoken::decode::<Claims>(token, &self.reads, &self.validation);
        let claims = read.map_err(|_| AuthError::Invalid)?.claims;
        if claims.typ == typ { Ok(claims) } else { Err(AuthError::Invalid) }
    }

    /// Reads a session token.
    ///
    /// # Errors
    /// [`AuthError`] when it is none, or has expired at `now_ms`.
    pub fn verify(&self, token: &str, now_ms: u64) -> Result<Bearer, AuthError> {
        let claims = self.read(token, Purpose::Session)?;
        let expires_ms = claims.exp.ok_or(AuthError::Invalid)?.saturating_mul(1000);
        if expires_ms <= now_ms {
            return Err(AuthError::Expired);
        }
        Ok(Bearer { player: claims.sub, expires_ms })
    }

    /// Reads a resume token.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] when it is none.
    pub fn verify_resume(&self, token: &str) -> Result<(PlayerId, SessionId), AuthError> {
        let claims = self.read(token, Purpose::Resume)?;
        Ok((claims.sub, claims.sid.ok_or(AuthError::Invalid)?))
    }

    /// Which service's token that is. Takes the same time whatever was sent.
    #[must_use]
    pub fn service(&self, token: &str) -> Option<usize> {
        let asked = hash(token);
        let equal = |known: &[u8; 32]| {
            known.iter().zip(asked).fold(0, |differs, (left, right)| differs | (left ^ right)) == 0
        };
        // All are compared, so that the time does not tell which one it is.
        let mut found = None;
        for (at, known) in self.services.iter().enumerate() {
            found = if equal(known) { Some(at) } else { found };
        }
        found
    }

    /// Judges a hello.
    ///
    /// # Errors
    /// [`AuthError`] when its token is wrong, or missing where one is needed.
    pub fn judge(
        &self,
        token: Option<&str>,
        player: Option<&PlayerId>,
        now_ms: u64,
    ) -> Result<Granted, AuthError> {
        if let Some(token) = token {
            let Bearer { player: bearer, expires_ms } = self.verify(token, now_ms)?;
            if player.is_some_and(|player| *player != bearer) {
                return Err(AuthError::OtherPlayer);
            }
            let (proof, expires_ms) = (Proof::Token, Some(expires_ms));
            return Ok(Granted { player: bearer, proof, expires_ms });
        }
        let player = player.ok_or(AuthError::Missing)?.clone();
        let proof = match self.guests {
            Guests::Open => Proof::Open,
            Guests::Claim => Proof::Claim,
            Guests::Off => return Err(AuthError::Missing),
        };
        Ok(Granted { player, proof, expires_ms: None })
    }

    /// Judges a hello that came as a verb.
    pub(super) fn judge_hello(&self, hello: &Verb, now_ms: u64) -> Result<Granted, AuthError> {
        match hello {
            Verb::Hello { token, player, .. } => {
                self.judge(token.as_deref(), player.as_ref(), now_ms)
            }
            _ => Err(AuthError::Missing),
        }
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The pages that may connect and read: the request's own host, and those that are named.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    named: Vec<String>,
}

impl Origins {
    /// The hosts of `urls`: `--allow-origin` and the advertised addresses.
    #[must_use]
    pub fn new<'a>(urls: impl IntoIterator<Item = &'a str>) -> Self {
        Self { named: urls.into_iter().filter_map(authority).collect() }
    }

    /// True when a page of `origin` may ask a server that was called `host`. Schemes don't count.
    #[must_use]
    pub fn allow(&self, origin: &str, host: Option<&str>) -> bool {
        let Some(origin) = authority(origin) else { return false };
        host.is_some_and(|host| plain(host) == origin) || self.named.contains(&origin)
    }
}

/// `host:port` of a URL, without the port that its scheme implies.
fn authority(url: &str) -> Option<String> {
    let (_, rest) = url.trim().split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    (!host.is_empty()).then(|| plain(host))
}

/// Lowercase, without the web's own ports.
fn plain(host: &str) -> String {
    let host = host.trim().to_ascii_lowercase();
    let short = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443"));
    short.map_or(host.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(guests: Guests) -> Auth {
        Auth::new(&[7; 32], guests, &["s3rvice".to_owned(), "another".to_owned()])
    }

    fn player(name: &str) -> PlayerId {
        PlayerId::new(name).unwrap()
    }

    #[test]
    fn a_token_is_its_players_for_a_day() {
        let auth = auth(Guests::Off);
        let (token, expires_ms) = auth.issue(&player("alice"), 1_000);
        assert_eq!(expires_ms, TOKEN_LIFE_MS + 1_000);
        let bearer = auth.verify(&token, expires_ms - 1).unwrap();
        assert_eq!(bearer, Bearer { player: player("alice"), expires_ms });
        assert_eq!(auth.verify(&token, expires_ms), Err(AuthError::Expired));
    }

    #[test]
    fn tokens_serve_their_own_purpose_only() {
        let auth = auth(Guests::Off);
        let resume = auth.issue_resume(&player("alice"), 7);
        assert_eq!(auth.verify_resume(&resume).unwrap(), (player("alice"), 7));
        assert_eq!(auth.verify(&resume, 0), Err(AuthError::Invalid));
        let (token, _) = auth.issue(&player("alice"), 0);
        assert_eq!(auth.verify_resume(&token), Err(AuthError::Invalid));
    }

    #[test]
    fn a_forged_token_is_refused() {
        let (token, _) = Auth::new(&[8; 32], Guests::Off, &[]).issue(&player("alice"), 0);
        assert_eq!(auth(Guests::Off).verify(&token, 0), Err(AuthError::Invalid));
        let none = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJob2xkZmFzdCIsInR5cCI6InNlc3Npb24iLCJzdWIiOiJh\
                    bGljZSIsImV4cCI6OTk5OTk5OTk5OX0.";
        assert_eq!(auth(Guests::Off).verify(none, 0), Err(AuthError::Invalid));
        assert_eq!(auth(Guests::Off).verify("", 0), Err(AuthError::Invalid));
    }

    #[test]
    fn guests_name_themselves_where_they_may() {
        let alice = player("alice");
        let judged = |guests| auth(guests).judge(None, Some(&alice), 0).map(|held| held.proof);
        assert_eq!(judged(Guests::Open), Ok(Proof::Open));
        assert_eq!(judged(Guests::Claim), Ok(Proof::Claim));
        assert_eq!(judged(Guests::Off), Err(AuthError::Missing));
    }

    #[test]
    fn a_token_speaks_for_its_own_player() {
        let auth = auth(Guests::Open);
        let (token, expires_ms) = auth.issue(&player("alice"), 0);
        let granted = auth.judge(Some(&token), None, 0).unwrap();
        assert_eq!((granted.proof, granted.expires_ms), (Proof::Token, Some(expires_ms)));
        let bob = player("bob");
        assert_eq!(auth.judge(Some(&token), Some(&bob), 0), Err(AuthError::OtherPlayer));
    }

    #[test]
    fn a_service_token_is_compared_whole() {
        let auth = auth(Guests::Off);
        assert_eq!((auth.service("s3rvice"), auth.service("another")), (Some(0), Some(1)));
        assert_eq!((auth.service("s3rvic"), auth.service("")), (None, None));
        assert_eq!(Auth::new(&[7; 32], Guests::Off, &[]).service(""), None);
    }

    #[test]
    fn a_debug_print_holds_no_secret() {
        assert_eq!(format!("{:?}", auth(Guests::Off)), "Auth { guests: Off, .. }");
    }

    #[test]
    fn pages_of_the_own_host_and_of_named_ones_may_connect() {
        let origins = Origins::new(["https://play.example", "wss://gw-2.example:9000/ws"]);
        assert!(origins.allow("http://localhost:8080", Some("localhost:8080")));
        assert!(origins.allow("https://game.example", Some("Game.Example:443")));
        assert!(origins.allow("https://play.example", Some("10.0.0.1:8080")));
        assert!(origins.allow("https://gw-2.example:9000", None));
        for foreign in ["https://evil.example", "null", "", "http://localhost:8081"] {
            assert!(!origins.allow(foreign, Some("localhost:8080")), "{foreign}");
        }
    }
}
