//! Activities: named async functions with effects outside. The types that an activity and the
//! runtime share; who runs them is the driver.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

/// Work with effects outside. At least once: an effect must bear being repeated under the same
/// [`Attempt::key`].
pub trait Activity: Send + Sync + 'static {
    /// Runs one attempt.
    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Bytes, Failure>>;
}

/// One attempt of an activity.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Idempotency key: the actor's id and the activity's number; the same for every attempt.
    pub key: String,
    /// As the rules made it.
    pub input: Bytes,
    /// From 1.
    pub attempt: u32,
    /// The last attempt's last heartbeat.
    pub heartbeat: Option<Bytes>,
    /// To say how far it is.
    pub heart: Heart,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One sentence for people.
    pub message: String,
    /// Whether another attempt may succeed.
    pub retry: bool,
}

impl Failure {
    /// A failure that may pass.
    pub fn passing(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: true }
    }

    /// A failure that no retry mends.
    pub fn lasting(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: false }
    }
}

/// Says how far an activity is, as often as its code likes.
#[derive(Clone)]
pub struct Heart(Arc<dyn Fn(Bytes) + Send + Sync>);

impl Heart {
    /// A heart whose beats `beat` takes. It must not block.
    #[must_use]
    pub fn new(beat: impl Fn(Bytes) + Send + Sync + 'static) -> Self {
        Self(Arc::new(beat))
    }

    /// One beat; the next attempt reads the newest payload that was journaled.
    pub fn beat(&self, payload: Bytes) {
        (self.0)(payload);
    }
}

impl fmt::Debug for Heart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a heart")
    }
}

/// The activities that a node can run, by name.
#[derive(Clone, Default)]
pub struct Activities(BTreeMap<&'static str, Arc<dyn Activity>>);

impl Activities {
    /// Adds an activity under its name; replaces one of the same name.
    #[must_use]
    pub fn with(mut self, name: &'static str, activity: Arc<dyn Activity>) -> Self {
        self.0.insert(name, activity);
        self
    }

    /// The activity of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<dyn Activity>> {
        self.0.get(name).cloned()
    }
}

impl fmt::Debug for Activities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
