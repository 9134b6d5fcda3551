//! `loadtest echo`: serves the bare echo until it is killed.

use std::net::SocketAddr;

use loadtest::echo;

use super::{Outcome, say};

/// Serves a bare WebSocket echo with the server's settings of sockets
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// Prints where it listens, and serves.
///
/// # Errors
/// The address can't be listened on.
pub fn run(args: &Args) -> Outcome {
    tokio::runtime::Runtime::new()?.block_on(serve(args.listen))
}

async fn serve(address: SocketAddr) -> Outcome {
    let listener = echo::bind(address).map_err(|error| {
        format!("can't listen on {address}: {error}; choose another address with --listen")
    })?;
    say(&format!("echo ws://{}{}", listener.local_addr()?, echo::PATH));
    Ok(echo::serve(listener).await?)
}
