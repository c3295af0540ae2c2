//! Being asked to stop: SIGINT and SIGTERM as something to poll.

use std::io;
use std::os::fd::OwnedFd;

use signal_hook::consts::{SIGINT, SIGTERM};

/// Readable once a signal asked this program to stop. A second one ends it at once.
pub fn requested() -> io::Result<OwnedFd> {
    let (read, write) = std::io::pipe()?;
    for signal in [SIGINT, SIGTERM] {
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, asked.clone())?;
        signal_hook::flag::register(signal, asked)?;
        signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
    }
    Ok(read.into())
}
