//! Text inside HTML and SVG.

/// Text for an SVG's content or attribute.
pub(crate) fn escape(text: &str) -> String {
    plain(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Text on one line, of characters that XML can hold.
pub(crate) fn plain(text: &str) -> String {
    let is_plain = |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if is_plain(c) { c } else { ' ' }).collect()
}
