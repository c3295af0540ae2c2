//! What is on the other end of standard output and standard error: colour, width, and messages that no file name
//! can turn into an escape sequence.

use std::ffi::OsStr;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use crate::cli::Color;
use crate::exit::Status;

/// Columns where nothing says how many there are.
pub const DEFAULT_WIDTH: u16 = 80;

/// Whether standard output gets colours. `NO_COLOR` counts when it is set and not empty (no-color.org).
pub fn colored(asked: Color) -> bool {
    match asked {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == OsStr::new("dumb"));
            io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
        }
    }
}

/// Columns of the terminal on standard output, else `COLUMNS`, else [`DEFAULT_WIDTH`].
pub fn width() -> u16 {
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    rustix::termios::tcgetwinsize(io::stdout())
        .ok()
        .map(|size| size.ws_col)
        .or(columns)
        .filter(|columns| *columns > 0)
        .unwrap_or(DEFAULT_WIDTH)
}

/// One line on standard error. A standard error that is closed is nobody's business.
pub fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "whodunit: {}", printable(message));
}

/// The text with control characters (file names may hold any) made visible: no line break, no escape sequence,
/// no reversed writing direction.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                printable.extend(character.escape_unicode());
            }
            control if control.is_control() => printable.extend(control.escape_default()),
            other => printable.push(other),
        }
    }
    printable
}

/// Standard output, buffered. When nobody reads it any more (`| head`) the program ends there and then, without
/// complaint: what it still would read could be long.
pub struct StandardOutput(BufWriter<StdoutLock<'static>>);

impl StandardOutput {
    /// Locks standard output.
    pub fn new() -> Self {
        Self(BufWriter::with_capacity(64 * 1024, io::stdout().lock()))
    }
}

impl Default for StandardOutput {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        ending_on_broken_pipe(self.0.write(bytes))
    }

    // JSON comes in many small pieces: straight into the buffer with each.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        ending_on_broken_pipe(self.0.write_all(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        ending_on_broken_pipe(self.0.flush())
    }
}

fn ending_on_broken_pipe<T>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            std::process::exit(i32::from(Status::Finished.number()))
        }
        other => other,
    }
}

/// Whether the locale's characters are Unicode's: of these variables the first that is set decides (locale(7)). With
/// none of them set, nearly every terminal of today still shows it.
pub fn unicode() -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .is_none_or(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
}
