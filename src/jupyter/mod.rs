//! The way to the notebook's page: text, figures while a cell runs, progress, and the stop button.
//!
//! No tensors here. In a program the same functions print to the terminal.

mod display_lines;
mod interrupt;
mod markup;
mod progress;

use std::fmt::Display;
use std::io::{self, Write};

pub use display_lines::clear_output;
pub(crate) use display_lines::{INTERVAL, Place, in_notebook, is_live, show, show_as_result};
pub use interrupt::check_interrupt;
pub(crate) use interrupt::{is_pressed, pass_on, running_cell, stoppable};
pub(crate) use markup::{escape, plain};
pub use progress::Progress;

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
    if in_notebook() {
        show_as_result(&[("text/plain", text.to_string())]);
    } else {
        say(text);
    }
}

/// Gives a type `evcxr_display`, with which evcxr shows a cell's last expression and compiles the cell
/// once: as evcxr's trait, and as a method, which cells find without a `use`.
macro_rules! show_with {
    ($type:ty, $show:expr) => {
        impl $type {
            /// Shows the value as the last expression of a cell.
            pub fn evcxr_display(&self) {
                let show: fn(&Self) = $show;
                show(self);
            }
        }

        impl evcxr_runtime::Display for $type {
            fn evcxr_display(&self) {
                <$type>::evcxr_display(self);
            }
        }
    };
}
pub(crate) use show_with;

/// For types with `Display`: `Debug` that says the same, and what a cell's end shows.
macro_rules! show_as_text {
    ($($type:ty),+ $(,)?) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        $crate::jupyter::show_with!($type, |value| $crate::jupyter::show_text(&value.to_string()));
    )+};
}
pub(crate) use show_as_text;

/// For types with `Debug` alone: a cell's end shows that.
macro_rules! show_as_debug {
    ($($type:ty),+ $(,)?) => {$(
        $crate::jupyter::show_with!($type, |value| $crate::jupyter::show_text(&format!("{value:?}")));
    )+};
}
pub(crate) use show_as_debug;
