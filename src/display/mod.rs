//! Figures: pictures in a grid, curves, and the way to the notebook (d2l: section 3.3 and 14.1).
//!
//! In a cell a figure is shown inline; in a program it becomes a file, and a line names it.

mod animator;
mod figure;
mod images;

pub use animator::Animator;
pub use figure::Figure;
pub use images::{show_images, show_images_with_titles};

/// Whether this process runs the cells of a notebook.
pub(crate) fn in_notebook() -> bool {
    std::env::var_os("EVCXR_IS_RUNTIME").is_some()
}

/// Shows content of a MIME type in the notebook. Its lines must not start as the kernel's marks do.
pub(crate) fn show_in_notebook(mime_type: &str, content: &str) {
    println!("EVCXR_BEGIN_CONTENT {mime_type}\n{content}\nEVCXR_END_CONTENT");
}

/// Shows text: what a cell's last expression is worth.
pub(crate) fn show_text(text: &str) {
    if in_notebook() {
        show_in_notebook("text/plain", text);
    } else {
        println!("{text}");
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
