//! What has happened to players, as the edge shows it: the archive, and who follows it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::actor::archive::Archive;

/// Followers of histories that one node serves; more are asked to come later. I7.
pub const FOLLOWERS_MAX: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Past {
    pub archive: Archive,
    followers: Arc<Semaphore>,
}

impl Past {
    pub fn new(archive: Archive) -> Self {
        Self { archive, followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)) }
    }

    /// A follower's place, until it is dropped; `None`: all are taken.
    pub fn follow(&self) -> Option<OwnedSemaphorePermit> {
        self.followers.clone().try_acquire_owned().ok()
    }
}
