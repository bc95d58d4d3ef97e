//! Printing, also when nobody reads the output any more.

use std::fmt::Display;
use std::io::{ErrorKind, Write, stderr, stdout};
use std::sync::OnceLock;

/// The exit status when the output's reader has ended, as in `cargo d2l doctor | head -1`: that of SIGPIPE.
pub const READER_GONE: i32 = 141;

/// How much this program prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub enum Verbosity {
    /// Results and errors.
    Quiet,
    /// Progress messages, too.
    #[default]
    Normal,
    /// Also the commands that it runs, with their full output.
    Verbose,
}

static VERBOSITY: OnceLock<Verbosity> = OnceLock::new();

/// Chooses the verbosity, once, at the start.
pub fn set_verbosity(verbosity: Verbosity) {
    let _ = VERBOSITY.set(verbosity);
}

pub fn is_normal() -> bool {
    verbosity() == Verbosity::Normal
}

pub fn is_quiet() -> bool {
    verbosity() == Verbosity::Quiet
}

pub fn is_verbose() -> bool {
    verbosity() == Verbosity::Verbose
}

fn verbosity() -> Verbosity {
    VERBOSITY.get().copied().unwrap_or_default()
}

/// Prints a result on standard output. Ends the program silently if the reader has ended.
pub fn result(text: impl Display) {
    bytes(format!("{text}\n").as_bytes());
}

/// Writes another program's output to standard output, as [`result`] does.
pub fn bytes(bytes: &[u8]) {
    let written = stdout().write_all(bytes).and_then(|()| stdout().flush());
    if let Err(error) = written {
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(READER_GONE);
        }
        self::error(format!("error: cannot write to standard output: {error}"));
        std::process::exit(1);
    }
}

/// Prints a progress message on standard error. Errors are ignored: the work goes on if nobody reads it.
pub fn note(text: impl Display) {
    if !is_quiet() {
        error(text);
    }
}

/// Prints a detail on standard error, with `-v`.
pub fn detail(text: impl Display) {
    if is_verbose() {
        error(text);
    }
}

/// Prints an error on standard error.
pub fn error(text: impl Display) {
    let _ = writeln!(stderr(), "{text}");
}
