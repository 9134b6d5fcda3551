//! What happens to the servers while all play, at its times.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::scenario::Blow;
use crate::span;
use crate::stage::{Stage, StageError};

/// What takes longer than this is said to be done, too.
const LONG: Duration = Duration::from_secs(1);

/// Does to the servers what the scenario says, and says when it begins and when it is done. Gives
/// the servers back.
pub(super) async fn play(
    mut stage: Stage,
    blows: Vec<Blow>,
    hold: Instant,
    mark: mpsc::UnboundedSender<String>,
) -> (Stage, Result<(), StageError>) {
    for blow in blows {
        sleep_until(hold + blow.at).await;
        let began = Instant::now();
        let _ = mark.send(blow.action.to_string());
        if let Err(error) = stage.act(&blow.action).await {
            return (stage, Err(error));
        }
        let took = began.elapsed();
        if took > LONG {
            let tenths = u64::try_from(took.as_millis() / 100).unwrap_or(u64::MAX);
            let took = span::show(Duration::from_millis(tenths.saturating_mul(100)));
            let _ = mark.send(format!("{}: done after {took}", blow.action));
        }
    }
    (stage, Ok(()))
}
