//! Rounds in which all contenders take turns, and what came of each.

use std::time::Duration;

/// Times of one contender, a round each.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn fastest(&self) -> Duration {
        self.0.iter().min().copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    /// How far the median lies above the fastest, as a part of it.
    pub(crate) fn noise(&self) -> f64 {
        self.median().as_secs_f64() / self.fastest().as_secs_f64() - 1.0
    }

    /// This one's fastest round over another's.
    pub(crate) fn over(&self, other: &Self) -> f64 {
        self.fastest().as_secs_f64() / other.fastest().as_secs_f64()
    }

    /// GB/s of the fastest round.
    pub(crate) fn gigabytes_s(&self, bytes: u64) -> f64 {
        bytes as f64 / self.fastest().as_secs_f64() / 1e9
    }
}

/// One that runs in every round; says how long it took.
pub(crate) type Contender<'a> = (&'a str, &'a mut dyn FnMut() -> anyhow::Result<Duration>);

/// Runs all contenders `rounds` times, in turns; the first one starts each second round, the last one the others.
/// `warm` runs before each round. One more round before all is not counted.
pub(crate) fn take_turns(
    rounds: usize,
    warm: &mut dyn FnMut() -> anyhow::Result<()>,
    contenders: &mut [Contender<'_>],
) -> anyhow::Result<Vec<Times>> {
    let mut times: Vec<_> = contenders.iter().map(|_| Times(Vec::new())).collect();
    for round in 0..=rounds {
        warm()?;
        let mut order: Vec<_> = contenders.iter_mut().zip(&mut times).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        for ((_, contender), times) in order {
            let took = contender()?;
            if round > 0 {
                times.0.push(took);
            }
        }
    }
    Ok(times)
}

/// One line a contender: fastest, median, noise, GB/s where bytes are given, ratio to the contender `to`.
pub(crate) fn print(names: &[&str], times: &[Times], bytes: Option<u64>, to: usize) {
    let width = names
        .iter()
        .map(|name| name.len())
        .max()
        .unwrap_or_default();
    for (name, time) in names.iter().zip(times) {
        let speed = bytes.map_or_else(String::new, |bytes| {
            format!("  {:5.2} GB/s", time.gigabytes_s(bytes))
        });
        let ratio = times.get(to).map_or(0.0, |to| time.over(to));
        println!(
            "  {name:width$}  best {:8.2} ms  median {:8.2} ms  noise {:4.0} %{speed}  {ratio:.2} x",
            time.fastest().as_secs_f64() * 1e3,
            time.median().as_secs_f64() * 1e3,
            time.noise() * 100.0,
        );
    }
}
