//! Colours that a colour-blind reader can tell apart (Okabe and Ito), and their names.

use plotters::style::RGBColor;

use crate::{Error, Result};

pub(super) const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// Names and matplotlib's letters.
const NAMES: [(&str, &str, RGBColor); 9] = [
    ("blue", "b", COLOURS[0]),
    ("red", "r", COLOURS[1]),
    ("green", "g", COLOURS[2]),
    ("magenta", "m", COLOURS[3]),
    ("yellow", "y", COLOURS[4]),
    ("cyan", "c", COLOURS[5]),
    ("black", "k", RGBColor(0, 0, 0)),
    ("white", "w", RGBColor(255, 255, 255)),
    ("gray", "grey", RGBColor(90, 90, 90)),
];

/// A colour by its name, or by its digits as in `#0072b2`.
pub(super) fn named(name: &str) -> Result<RGBColor> {
    let known = NAMES.iter().find(|(long, short, _)| *long == name || *short == name);
    if let Some((_, _, colour)) = known {
        return Ok(*colour);
    }
    let digits = name.strip_prefix('#').filter(|digits| digits.len() == 6);
    if let Some(Ok(number)) = digits.map(|digits| u32::from_str_radix(digits, 16)) {
        let [_, r, g, b] = number.to_be_bytes();
        return Ok(RGBColor(r, g, b));
    }
    let names: Vec<_> = NAMES.iter().map(|(long, short, _)| format!("{long} ({short})")).collect();
    let expected = format!("the name of a colour: {}", names.join(", "));
    let todo = "take one of these, or six digits as in \"#0072b2\"";
    Err(Error::invalid("color", format!("{name:?}"), expected, todo))
}

/// A colour that can be read as text on white.
pub(super) fn readable(RGBColor(r, g, b): RGBColor) -> RGBColor {
    let dark = |channel: u8| (f64::from(channel) * 0.72) as u8;
    RGBColor(dark(r), dark(g), dark(b))
}

/// Whether black can be read on it better than white.
pub(super) fn is_light(RGBColor(r, g, b): RGBColor) -> bool {
    0.3 * f64::from(r) + 0.59 * f64::from(g) + 0.11 * f64::from(b) > 150.
}

pub(super) fn css(RGBColor(r, g, b): RGBColor) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
