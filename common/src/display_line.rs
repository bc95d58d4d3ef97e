//! Display lines: what a program prints so that the kernel "Rust (d2l)" sends a message to the page.
//!
//! A line is the record separator of JSON text sequences (RFC 7464), the name and the version of the
//! format, a kind, and the message's content in JSON (docs/kernel.md):
//!
//! ```text
//! <RS>jupyter/1 display_data {"data": {"text/plain": "…"}, "transient": {"display_id": "…"}}
//! ```

use std::fmt::Display;

/// How a display line begins.
pub const MARK: &str = "\u{1e}jupyter/1 ";

/// The format's version: the value of [`JUPYTER_WIRE`](crate::variables::JUPYTER_WIRE) under a kernel
/// that reads display lines.
pub const VERSION: &str = "1";

/// What a display line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Jupyter's message `display_data`: show something new.
    DisplayData,
    /// Jupyter's message `update_display_data`: change what is shown.
    UpdateDisplayData,
    /// Jupyter's message `clear_output`: clear what the cell has shown.
    ClearOutput,
    /// No message: the program checks for the stop button.
    Listening,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 4] =
        [Kind::DisplayData, Kind::UpdateDisplayData, Kind::ClearOutput, Kind::Listening];

    /// Its name in a display line, which is also the type of the message.
    pub fn name(self) -> &'static str {
        match self {
            Kind::DisplayData => "display_data",
            Kind::UpdateDisplayData => "update_display_data",
            Kind::ClearOutput => "clear_output",
            Kind::Listening => "listening",
        }
    }
}

/// The line that asks for a message with this content, without the newline.
pub fn line(kind: Kind, content: impl Display) -> String {
    format!("{MARK}{} {content}", kind.name())
}

/// The kind and the content of what follows a [`MARK`], if it has the form of a display line. Whether
/// the content is JSON is not checked.
pub fn parse(after_mark: &str) -> Option<(Kind, &str)> {
    let (name, content) = after_mark.split_once(' ')?;
    Some((Kind::ALL.into_iter().find(|kind| kind.name() == name)?, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_written_can_be_read() {
        for kind in Kind::ALL {
            let line = line(kind, r#"{"wait": true}"#);
            let rest = line.strip_prefix(MARK).unwrap();
            assert_eq!(parse(rest), Some((kind, r#"{"wait": true}"#)));
        }
        assert_eq!(line(Kind::Listening, "{}"), "\u{1e}jupyter/1 listening {}");
        assert!(MARK.contains(&format!("/{VERSION} ")));
        for text in ["", "listening", "hearing {}", " listening {}", "Listening {}"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
