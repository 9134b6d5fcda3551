//! What tells a process to stop.

/// Waits until someone wants this process to stop, or its terminal is shut, and says how.
pub async fn stop_or_hang_up() -> &'static str {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut hang_up) = signal(SignalKind::hangup()) {
            return tokio::select! {
                _ = hang_up.recv() => "SIGHUP",
                how = stop() => how,
            };
        }
    }
    stop().await
}

/// Waits until someone wants this process to stop, and says how.
pub async fn stop() -> &'static str {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                _ = tokio::signal::ctrl_c() => "Ctrl-C",
                _ = terminate.recv() => "SIGTERM",
            };
        }
    }
    // Without a handler the default action of the signal ends the process: nothing to wait for.
    let _ = tokio::signal::ctrl_c().await;
    "Ctrl-C"
}
