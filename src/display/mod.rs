//! Figures: pictures in a grid, curves, progress, the values of tensors, and the way to the notebook
//! (d2l: sections 4.2 and 14.1).
//!
//! In a cell a figure is shown inline, under the kernel "Rust (d2l)" at once and as many as there
//! are; in a program it becomes a file, and a line names it.

mod animator;
mod axis;
mod clip;
mod figure;
mod images;
pub(crate) mod jupyter;
mod progress;
mod show;
mod values;

use std::fmt::Display;
use std::io::{self, Write};

pub use animator::Animator;
pub use figure::Figure;
pub use images::{apply, show_images, show_images_with_titles};
pub use jupyter::clear_output;
pub use progress::Progress;
pub use show::{Show, Shown};

/// Prints a line as `println!` does, which panics when nobody reads any more, as in `program | head`.
/// The work whose progress is told goes on then.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// The same on standard error.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Shows text: what a cell's last expression is worth.
pub(crate) fn show_text(text: &str) {
    if jupyter::in_notebook() {
        jupyter::show_as_result(&[("text/plain", text.to_string())]);
    } else {
        say(text);
    }
}

/// For a type with `Display`: `Debug` that says the same, and `evcxr_display` for a cell's end.
macro_rules! show_as_text {
    ($type:ty) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl $type {
            /// Shows the value as the last expression of a cell.
            pub fn evcxr_display(&self) {
                $crate::display::show_text(&self.to_string());
            }
        }
    };
}
pub(crate) use show_as_text;
