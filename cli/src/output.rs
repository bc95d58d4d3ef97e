//! What this program prints, whether or not somebody reads it.

use std::fmt::Display;
use std::io::{ErrorKind, Write, stderr, stdout};

/// The status of a program whose reader has gone, as in `cargo d2l doctor | head -1`: that of SIGPIPE.
pub const READER_GONE: i32 = 141;

/// Writes a line on standard output. Ends the program quietly if its reader has gone.
pub fn line(text: impl Display) {
    if let Err(error) = writeln!(stdout(), "{text}") {
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(READER_GONE);
        }
        note(format!("error: cannot write on standard output: {error}"));
        std::process::exit(1);
    }
}

/// Writes a line on standard error. It tells of the work, which goes on if nobody reads it.
pub fn note(text: impl Display) {
    let _ = writeln!(stderr(), "{text}");
}
