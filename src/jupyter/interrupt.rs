//! The stop button of a notebook.
//!
//! The kernel "Rust (d2l)" asks the cell first: it makes a file, whose path it has given to the
//! program, and the crate's loops look for it between two batches. So nothing is lost: the loop
//! returns [`Error::Interrupted`], and every variable is as it was at that moment.
//!
//! A training (`Summary::train`, in `train/ch13.rs`) that has something to return when it is stopped returns it, and leaves the press to
//! whoever looks next: what follows it in its cell does not go on as if nothing had been pressed. The
//! kernel removes the file when the cell has ended.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use d2l_common::display_line::Kind;
use d2l_common::program_output::INTERRUPTED;
use d2l_common::variables;

use super::display_lines::{is_live, send};
use crate::{Error, Result, settings};

static FILE: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| is_live().then(settings::interrupt_file)?);

/// For a loop of your own: an error if the stop button was pressed, so that `check_interrupt()?;`
/// ends the cell and keeps its variables.
///
/// A [`DataLoader`](crate::data::DataLoader) calls it before each batch, and so do training, testing
/// and downloads. It takes a microsecond; outside a notebook it does nothing.
///
/// # Errors
/// [`Error::Interrupted`], once each time that the button was pressed.
///
/// ```
/// use d2l::prelude::*;
/// for _ in 0..3 {
///     check_interrupt()?;
/// }
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn check_interrupt() -> Result<()> {
    let Some(file) = &*FILE else { return Ok(()) };
    tell_that_we_look();
    // Whoever removes it has seen it: one press is one error.
    if file.exists() && fs::remove_file(file).is_ok() {
        return Err(Error::Interrupted);
    }
    Ok(())
}

/// Runs work that calls functions of cells, such as a layer of the reader's own. These look at the
/// button, too, and unwind; here that becomes [`Error::Interrupted`], and the press has been seen.
pub(crate) fn stoppable<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(file) = &*FILE else { return work() };
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        if payload.downcast_ref::<&str>() != Some(&INTERRUPTED) {
            resume_unwind(payload);
        }
        let _ = fs::remove_file(file);
        Err(Error::Interrupted)
    })
}

/// Whether there is a press that nobody has seen.
pub(crate) fn is_pressed() -> bool {
    FILE.as_ref().is_some_and(|file| file.exists())
}

/// Leaves a press that was seen to whoever looks next.
pub(crate) fn pass_on() {
    if let Some(file) = &*FILE {
        // Should the disk be full, this press stops the training alone.
        let _ = fs::write(file, "");
    }
}

/// Which cell of the notebook runs. `None` in a program, and under a kernel that does not tell.
pub(crate) fn running_cell() -> Option<String> {
    let file = FILE.as_ref()?.with_file_name(variables::CELL_FILE);
    fs::read_to_string(file).ok()
}

/// A kernel waits longer for a cell that looks for the stop button. It forgets this at a cell's end.
fn tell_that_we_look() {
    const AGAIN: Duration = Duration::from_secs(1);
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_none_or(|time| time.elapsed() > AGAIN) {
        *last = Some(Instant::now());
        send(Kind::Listening, &serde_json::json!({}));
    }
}
