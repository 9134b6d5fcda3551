//! The bare echo that a run is measured against: a process of this binary.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use super::RunError;
use crate::stage::process::yielding;

/// How long it may take to listen.
const BEGIN: Duration = Duration::from_secs(20);

/// Starts one, which ends with what is given back, and says where it is.
///
/// # Errors
/// [`RunError::Echo`].
pub(super) async fn start(binary: &Path) -> Result<(Child, String), RunError> {
    let failed = |why: String| RunError::Echo(why);
    let mut child = yielding(binary)
        .arg("echo")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0)
        .spawn()
        .map_err(|why| failed(why.to_string()))?;
    let output = child.stdout.take().ok_or_else(|| failed("it says nothing".to_owned()))?;
    let mut lines = BufReader::new(output).lines();
    let line = timeout(BEGIN, lines.next_line()).await;
    let line = line.ok().and_then(Result::ok).flatten().unwrap_or_default();
    let url = line.strip_prefix("echo ").ok_or_else(|| failed(line.clone()))?;
    Ok((child, url.to_owned()))
}
