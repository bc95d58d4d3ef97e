//! A finished figure.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend, WHITE};

use crate::{Error, Result, jupyter, settings};

/// What a figure's width and height can be.
const SIDES: std::ops::RangeInclusive<u32> = 1..=10_000;

/// A finished figure, as SVG: [`Animator::figure`](super::Animator::figure), one that plotters draws, or
/// SVG of any other origin.
///
/// As the last expression of a cell it is shown inline.
///
/// ```
/// use d2l::plotters::prelude::*;
/// use d2l::prelude::*;
///
/// let heights = [3, 5, 2];
/// let figure = Figure::draw(300, 200, |root| {
///     let mut chart = ChartBuilder::on(&root)
///         .margin(8)
///         .set_all_label_area_size(24)
///         .build_cartesian_2d((0..2).into_segmented(), 0..6)?;
///     chart.configure_mesh().draw()?;
///     let bars = (0..).zip(heights);
///     chart.draw_series(Histogram::vertical(&chart).style(BLUE.filled()).margin(4).data(bars))?;
///     Ok(())
/// })?;
/// assert!(figure.svg().starts_with("<svg"));
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Clone)]
pub struct Figure {
    svg: String,
}

impl Figure {
    pub(super) fn new(svg: String) -> Figure {
        Figure { svg }
    }

    /// A figure of SVG's text, which begins with `<svg`; an XML declaration, a document type and
    /// comments before that are left out.
    ///
    /// # Errors
    /// It is no SVG, or its `<svg>` lacks the `xmlns` without which browsers show nothing.
    ///
    /// ```
    /// use d2l::prelude::*;
    /// let circle = r#"<circle cx="10" cy="10" r="9" fill="green"/>"#;
    /// let svg = format!(r#"<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{circle}</svg>"#);
    /// assert_eq!(Figure::from_svg(&svg)?.svg(), svg);
    /// assert!(Figure::from_svg(circle).is_err());
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn from_svg(text: impl Into<String>) -> Result<Figure> {
        checked(text.into())
    }

    /// What `plot` draws with plotters; `width` and `height` are in screen pixels. The closure is one that
    /// plotters' `evcxr_figure` takes, too. This draws on white; there the closure begins with
    /// `root.fill(&WHITE)?`, or black text stands on a dark page.
    ///
    /// # Errors
    /// A width or a height of 0 or of more than 10,000; an error that the closure returns.
    pub fn draw(
        width: u32,
        height: u32,
        plot: impl FnOnce(DrawingArea<SVGBackend, Shift>) -> std::result::Result<(), Box<dyn StdError>>,
    ) -> Result<Figure> {
        if !SIDES.contains(&width) || !SIDES.contains(&height) {
            let expected = "a width and a height of 1 to 10,000 pixels";
            let todo = "give a size like 600, 400";
            return Err(Error::invalid("Figure", format!("{width}×{height}"), expected, todo));
        }
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        area.fill(&WHITE).map_err(|error| not_drawn(error.into()))?;
        plot(area).map_err(not_drawn)?;
        Ok(Figure::new(svg.trim().to_string()))
    }

    /// This figure with another one on its right, as one.
    ///
    /// # Errors
    /// A figure does not begin with its width and height in screen pixels, as those of this crate do.
    ///
    /// ```
    /// use d2l::prelude::*;
    /// let mut curve = Animator::new("epoch", &["loss"]);
    /// curve.add(1., &[Some(0.5)]);
    /// let image = ImageGrid::new([&Image::from(d2l::image::RgbImage::new(64, 64))], 1, 1)?.scale(3.);
    /// curve.figure()?.beside(&image.figure()?)?.save(std::env::temp_dir().join("both.svg"))?;
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn beside(&self, other: &Figure) -> Result<Figure> {
        const GAP: f64 = 12.;
        let (left, right) = (Part::of(self)?, Part::of(other)?);
        let (width, height) = (left.width + GAP + right.width, left.height.max(right.height));
        let place = |part: &Part, x: f64| part.at(x, (height - part.height) / 2.);
        let (left, right) = (place(&left, 0.), place(&right, left.width + GAP));
        Ok(Figure::new(format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" style="max-width:100%;height:auto"><rect width="100%" height="100%" fill="white"/>{left}{right}</svg>"#
        )))
    }

    /// The SVG's text.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// Writes the figure to an `.svg` file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write(path.as_ref())
    }

    fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, &self.svg).map_err(Error::io("write the figure", path))
    }

    /// Shows the figure: inline in a notebook, as a file named by a line elsewhere.
    ///
    /// # Errors
    /// Outside a notebook: the file cannot be written.
    pub fn show(&self) -> Result<()> {
        if jupyter::in_notebook() {
            jupyter::show(&self.data());
            return Ok(());
        }
        let path = next_path()?;
        self.write(&path)?;
        jupyter::say(format_args!("figure: {}", path.display()));
        Ok(())
    }

    pub(super) fn data(&self) -> [(&'static str, String); 2] {
        [("image/svg+xml", self.svg.clone()), ("text/plain", format!("{self:?}"))]
    }
}

jupyter::show_with!(Figure, |figure| jupyter::show_as_result(&figure.data()));

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Figure(SVG, {} KB)", self.svg.len().div_ceil(1000))
    }
}

/// A figure that becomes a part of another.
struct Part<'a> {
    width: f64,
    height: f64,
    /// Its first tag's attributes, and what follows that tag.
    attributes: &'a str,
    rest: &'a str,
}

impl Part<'_> {
    fn of(figure: &Figure) -> Result<Part<'_>> {
        let parts = || {
            let (attributes, rest) = figure.svg.strip_prefix("<svg")?.split_once('>')?;
            let length = |name: &str| attribute(attributes, name)?.parse::<f64>().ok();
            let (width, height) = (length("width")?, length("height")?);
            let is_size = |length: f64| length.is_finite() && length > 0.;
            let is_right = is_size(width) && is_size(height) && !attributes.ends_with('/');
            is_right.then_some(Part { width, height, attributes, rest })
        };
        parts().ok_or_else(|| {
            let start: String = figure.svg.chars().take(60).collect();
            let todo =
                "give the <svg> a width and a height, as in <svg width=\"300\" height=\"200\" …>";
            let expected = "a figure that says how large it is";
            Error::invalid("Figure::beside", format!("{start:?} …"), expected, todo)
        })
    }

    /// The same at a place of another figure. There a style such as `height:auto` would mean all of it.
    fn at(&self, x: f64, y: f64) -> String {
        let style = attribute(self.attributes, "style").map(|style| format!(r#" style="{style}""#));
        let attributes = self.attributes.replace(style.as_deref().unwrap_or_default(), "");
        format!(r#"<svg x="{x}" y="{y}"{attributes}>{}"#, self.rest)
    }
}

/// The value of an attribute of a tag.
fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = attributes.split_once(&format!(" {name}=\""))?;
    Some(value.split_once('"')?.0)
}

/// SVG's text from `<svg` on, if it is whole.
fn checked(text: String) -> Result<Figure> {
    let refused = |found: &str, expected: &str, todo: &str| {
        Err(Error::invalid("Figure::from_svg", found, expected, todo))
    };
    let mut svg = text.trim_start_matches('\u{feff}').trim();
    // What may stand before the element
    while let Some(end) = [("<?", "?>"), ("<!--", "-->"), ("<!", ">")]
        .into_iter()
        .find_map(|(start, end)| svg.starts_with(start).then_some(end))
    {
        svg = svg.split_once(end).map_or("", |(_, rest)| rest.trim_start());
    }
    let after_name = |c: char| c.is_whitespace() || matches!(c, '>' | '/');
    if !svg.strip_prefix("<svg").is_some_and(|rest| rest.starts_with(after_name)) {
        let start: String = svg.chars().take(30).collect();
        let found = if start.is_empty() { "no text".into() } else { format!("{start:?} ...") };
        return refused(&found, "<svg xmlns=... > ... </svg>", "give the text of an SVG file");
    }
    let is_empty = svg.ends_with("/>") && svg.matches('<').count() == 1;
    if !svg.ends_with("</svg>") && !is_empty {
        return refused("no </svg> at its end", "a whole SVG", "give all of its text");
    }
    if !svg.contains("http://www.w3.org/2000/svg") {
        let todo = r#"begin it with <svg xmlns="http://www.w3.org/2000/svg" "#;
        return refused("<svg> without its namespace", "one that browsers show", todo);
    }
    if svg.lines().any(|line| line.starts_with("EVCXR_")) {
        let todo = "indent that line";
        return refused("a line that begins as evcxr's marks do", "lines of SVG", todo);
    }
    Ok(Figure::new(svg.to_string()))
}

/// An error of a closure that draws: the crate's own as it is.
fn not_drawn(error: Box<dyn StdError>) -> Error {
    error.downcast::<Error>().map_or_else(
        |error| {
            let todo = "look at what the closure draws: plotters, or the closure, refused it";
            Error::invalid("Figure::draw", error.to_string(), "a drawing without an error", todo)
        },
        |error| *error,
    )
}

/// `D2L_FIGURE_DIR`, else a folder of this process among the temporary files.
fn next_path() -> Result<PathBuf> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let folder = match settings::figure_dir() {
        Some(folder) => folder,
        None => std::env::temp_dir().join(format!("d2l-figures-{}", std::process::id())),
    };
    std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
    Ok(folder.join(format!("figure-{}.svg", COUNT.fetch_add(1, Ordering::Relaxed) + 1)))
}

/// Fonts that have Latin letters and kana and kanji, on whatever system shows the figure.
pub(super) const FONTS: &str = "sans-serif";
