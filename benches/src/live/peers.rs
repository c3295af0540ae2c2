//! Side by side.

use crate::Bench;
use crate::outcome::Outcome;

pub(crate) fn run(_bench: &Bench, _outcome: &mut Outcome) -> anyhow::Result<()> {
    Ok(())
}
