//! What the figures that plotters draws have in common: a fine canvas, text, colours, and the frame of
//! a plot.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use tch::{Kind, Tensor};
use unicode_width::UnicodeWidthChar;

use super::axis::Axis;
use super::figure::{FONTS, Figure};
use crate::jupyter::{escape, plain};
use crate::{Error, Result};

/// Steps of the canvas for one screen pixel. plotters rounds to whole steps, and lines that are rounded
/// to pixels wobble.
pub(super) const FINE: f64 = 10.;

pub(super) const INK: RGBColor = RGBColor(38, 38, 38);
pub(super) const GREY: RGBColor = RGBColor(90, 90, 90);
const GRID: RGBColor = RGBColor(226, 226, 226);

/// The size of all text but titles, in screen pixels.
pub(super) const TEXT: f64 = 12.;
pub(super) const TITLE: f64 = 14.;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Drawn<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Screen pixels in the canvas's steps.
pub(super) fn steps(pixels: f64) -> i32 {
    (pixels * FINE).round() as i32
}

/// A figure of this many screen pixels. What `draw` returns is put on top of what it has drawn, as SVG
/// in the canvas's steps.
pub(super) fn paint(
    subject: &str,
    (width, height): (u32, u32),
    description: &str,
    draw: impl FnOnce(&Area) -> Drawn<String>,
) -> Result<Figure> {
    let size = (width * FINE as u32, height * FINE as u32);
    let mut svg = String::new();
    let on_top = {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE).map_err(Into::into).and_then(|()| draw(&area)).and_then(|on_top| {
            area.present()?;
            Ok(on_top)
        })
    }
    .map_err(|error| {
        Error::invalid(subject, error.to_string(), "a figure", "please report this")
    })?;
    // The width is the page's where that has less room.
    let head = format!(
        r#"<svg width="{width}" height="{height}" viewBox="0 0 {} {}" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{}" style="max-width:100%;height:auto">"#,
        size.0,
        size.1,
        escape(description)
    );
    let body = svg.split_once('>').map_or("", |(_, body)| body).trim_end();
    let body = body.strip_suffix("</svg>").unwrap_or(body);
    Ok(Figure::new(format!("{head}{body}{on_top}</svg>")))
}

/// Where text stands beside its point.
#[derive(Clone, Copy)]
pub(super) enum At {
    Left,
    Centre,
    Right,
}

/// Text whose middle is at the height `y`; in screen pixels.
pub(super) fn text(
    area: &Area,
    text: &str,
    (x, y): (f64, f64),
    at: At,
    size: f64,
    colour: RGBColor,
) -> Drawn {
    let h_pos = match at {
        At::Left => HPos::Right,
        At::Centre => HPos::Center,
        At::Right => HPos::Left,
    };
    // plotters divides by 1.24, and puts the middle of small letters at the height.
    let style = TextStyle::from((FONTS, size * FINE * 1.24).into_font())
        .color(&colour)
        .pos(Pos::new(h_pos, VPos::Center));
    area.draw_text(&plain(text), &style, (steps(x), steps(y + 0.09 * size)))?;
    Ok(())
}

/// How wide text will be, in screen pixels, at most: Latin letters as wide as a broad font has them,
/// kana and kanji full.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| letter_width(c) * size).sum()
}

fn letter_width(c: char) -> f64 {
    match c.width() {
        None | Some(0) => 0.,
        Some(1) if " ijlftr.,:;'|()[]!-".contains(c) => 0.42,
        Some(1) if "mwMW%@".contains(c) => 0.98,
        Some(1) if c.is_uppercase() => 0.72,
        Some(1) => 0.63,
        Some(_) => 1.,
    }
}

/// The text, or as much of its start as has room, and dots.
pub(super) fn shortened(text: &str, size: f64, room: f64) -> String {
    let text = plain(text);
    if text_width(&text, size) <= room {
        return text;
    }
    let mut left = room - size;
    let fits = |c: &char| {
        left -= letter_width(*c) * size;
        left >= 0.
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Where a plot lies, in screen pixels.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// What is left of a figure of this size, beside these margins.
    pub(super) fn within(
        (width, height): (u32, u32),
        [left, right, top, bottom]: [f64; 4],
    ) -> Frame {
        let (right, bottom) = (f64::from(width) - right, f64::from(height) - bottom);
        Frame { left, right: right.max(left + 10.), top, bottom: bottom.max(top + 10.) }
    }

    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    /// Where a point of the plot is on the canvas, in its steps.
    pub(super) fn on_canvas(&self, (x, y): (&Axis, &Axis), point: (f64, f64)) -> (i32, i32) {
        let across = x.along(point.0, (self.left, self.right));
        (steps(across), steps(y.along(point.1, (self.bottom, self.top))))
    }

    /// The axes' lines, the marks' texts, and a line across the plot at each mark.
    pub(super) fn draw(&self, area: &Area, x: &Axis, y: &Axis, with_x_labels: bool) -> Drawn {
        let line = |from: (f64, f64), to: (f64, f64), colour: RGBColor| {
            let ends = [from, to].map(|(x, y)| (steps(x), steps(y)));
            area.draw(&PathElement::new(ends.to_vec(), colour.stroke_width(FINE as u32)))
        };
        let (across, up) = ((self.left, self.right), (self.bottom, self.top));
        for (place, label) in y.marks() {
            let height = y.along(*place, up);
            line((self.left, height), (self.right, height), GRID)?;
            text(area, label, (self.left - 6., height), At::Left, TEXT, INK)?;
        }
        for (place, label) in x.marks() {
            let place = x.along(*place, across);
            if x.has_lines() {
                line((place, self.top), (place, self.bottom), GRID)?;
            }
            if with_x_labels {
                text(area, label, (place, self.bottom + 12.), At::Centre, TEXT, INK)?;
            }
        }
        line((self.left, self.bottom), (self.right, self.bottom), GREY)?;
        line((self.left, self.top), (self.left, self.bottom), GREY)?;
        Ok(())
    }
}

/// What the widest of these texts takes.
pub(super) fn widest<'a>(texts: impl Iterator<Item = &'a str>, size: f64) -> f64 {
    texts.map(|text| text_width(text, size)).fold(0., f64::max)
}

/// A number with as many digits as a reader wants beside a figure.
pub(super) fn short_number(value: f64) -> String {
    match value.abs() {
        0. => "0".to_string(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.1e}"),
        size if size < 10. => format!("{value:.3}"),
        size if size < 100. => format!("{value:.2}"),
        size if size < 1000. => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A tensor's numbers, row by row, all of them finite.
pub(super) fn finite_numbers(subject: &str, tensor: &Tensor) -> Result<Vec<f64>> {
    let flat = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Double)?;
    let flat = flat.f_contiguous()?.f_view(-1)?;
    let numbers = Vec::<f64>::try_from(&flat)?;
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(number) => {
            let todo = "look for where it comes from: a division by 0, or a training that diverged";
            Err(Error::invalid(subject, number.to_string(), "finite numbers", todo))
        }
        None => Ok(numbers),
    }
}

/// For a type that has `figure`: its other ways onto the page.
macro_rules! shown_as_figure {
    ($type:ty) => {
        impl $type {
            /// Shows the figure: inline in a notebook, as a file named by a line elsewhere.
            ///
            /// # Errors
            /// As [`figure`](Self::figure), or the figure's file cannot be written.
            pub fn show(&self) -> crate::Result<()> {
                self.figure()?.show()
            }
        }

        crate::jupyter::show_with!($type, |value| match value.figure() {
            Ok(figure) => figure.evcxr_display(),
            Err(error) => crate::jupyter::complain(error),
        });
    };
}
pub(super) use shown_as_figure;
