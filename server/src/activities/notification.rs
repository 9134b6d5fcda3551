//! Notices for players who are not connected, handed to a hook outside: mail, a phone, a chat.
//!
//! The notice itself is in the player's state and is pushed on return; the hook is a courtesy, and
//! may hear of one notice twice under the same key.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::input;
use crate::actor::activity::{Activity, Attempt, Failure};
use crate::game::notices::NotificationInput;

/// Where notices go.
pub trait Hook: Send + Sync + fmt::Debug + 'static {
    /// Hands one over. `key` is the same for every attempt.
    fn notify(
        &self,
        key: String,
        notice: NotificationInput,
    ) -> BoxFuture<'static, Result<(), Failure>>;
}

/// The hook that there is by default: a log line.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogHook;

impl Hook for LogHook {
    fn notify(
        &self,
        key: String,
        notice: NotificationInput,
    ) -> BoxFuture<'static, Result<(), Failure>> {
        let NotificationInput { player, text, from } = notice;
        tracing::info!(key, player, from, text, "notice for a player who is not connected");
        futures::future::ready(Ok(())).boxed()
    }
}

/// See the module.
pub(super) struct SendNotification(pub Arc<dyn Hook>);

impl Activity for SendNotification {
    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Bytes, Failure>> {
        let hook = Arc::clone(&self.0);
        async move {
            let notice = input(&attempt.input)?;
            hook.notify(attempt.key, notice).await.map(|()| Bytes::new())
        }
        .boxed()
    }
}
