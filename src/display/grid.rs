//! Images in a grid, with what stands around them and over them (d2l: sections 4.2, 14.1 and 14.6).

use std::fmt;

use base64::Engine;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::replace;
use image::{Rgb, RgbImage};

use super::axis::{Axis, Marks};
use super::boxes::BBox;
use super::canvas::{GREY, INK, TEXT, shortened, shown_as_figure, text_width, widest};
use super::colours::{css, named, readable};
use super::figure::{FONTS, Figure};
use super::showable::Images;
use crate::images::transforms::fit;
use crate::jupyter::escape;
use crate::{Error, Result};

/// Screen pixels for one unit of the book's scale, as many as an inch has in matplotlib's SVG, so
/// that eight images fit into a laptop's window. Each has two pixels of the image, for sharp
/// screens.
const UNIT: f64 = 72.;
const DENSITY: f64 = 2.;
/// In screen pixels: between images; a title's line; a row's title, at most; numbers of pixels beside
/// an image and below it.
const GAP: f64 = 4.;
const TITLE: f64 = 20.;
const ROW_TITLE: f64 = 160.;
const PIXELS: (f64, f64) = (34., 20.);
/// What a JPEG file can be, and what a page can hold.
const MAX_SIDE: f64 = 65_535.;
const MAX_PIXELS: f64 = 100_000_000.;

/// Images in a grid, row by row, each with its own ratio of width to height. `show_images` and
/// `show_images_with_titles` show one; this has more that can be said about the images:
///
/// ```
/// use d2l::prelude::*;
/// # let image = Image::from(d2l::image::RgbImage::new(60, 40));
/// # let images = [image.clone(), image.clone(), image.clone(), image.clone()];
/// ImageGrid::new(&images, 2, 2)?
///     .row_titles(&["hotdog", "not-hotdog"])
///     .titles(&["", "bun? 90 %", "", "pizza"])
///     .colors(&["", "red", "", "green"])
///     .bboxes(1, [([5, 5, 30, 30], "crop")])
///     .figure()?;
/// # Ok::<(), d2l::Error>(())
/// ```
///
/// Numbers that do not fit are an error of [`figure`](Self::figure) and [`show`](Self::show); `new` refuses too small a grid.
///
/// The book: [*The Image Classification Dataset*](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html).
#[derive(Clone)]
pub struct ImageGrid {
    images: Vec<RgbImage>,
    num_rows: usize,
    num_cols: usize,
    scale: f64,
    titles: Vec<String>,
    colors: Vec<String>,
    row_titles: Vec<String>,
    boxes: Vec<(usize, BBox)>,
    axis: bool,
}

impl ImageGrid {
    /// The images, which may be all that [`Images`] is, and the grid's size.
    ///
    /// # Errors
    /// No rows or no columns, or fewer places than images; a tensor that is not an image.
    pub fn new<Form>(
        images: impl Images<Form>,
        num_rows: usize,
        num_cols: usize,
    ) -> Result<ImageGrid> {
        let mut pixels = vec![];
        images.each(&mut |images| {
            for image in images {
                pixels.push(image.pixels()?);
            }
            Ok(())
        })?;
        ImageGrid::of(pixels, num_rows, num_cols)
    }

    fn of(images: Vec<RgbImage>, num_rows: usize, num_cols: usize) -> Result<ImageGrid> {
        let count = images.len();
        if num_rows.saturating_mul(num_cols) < count.max(1) {
            let found = format!("{count} images, {num_rows} × {num_cols} places");
            let todo = "give more rows or columns";
            return Err(Error::invalid("show_images", found, "a place for each image", todo));
        }
        Ok(ImageGrid {
            images,
            num_rows,
            num_cols,
            scale: 1.5,
            titles: vec![],
            colors: vec![],
            row_titles: vec![],
            boxes: vec![],
            axis: false,
        })
    }

    /// The book's scale: 1.5, which is what it is without this, makes a cell 108 pixels wide.
    pub fn scale(mut self, scale: f64) -> ImageGrid {
        self.scale = scale;
        self
    }

    /// A title above each image; `""` for none.
    pub fn titles(mut self, titles: &[impl AsRef<str>]) -> ImageGrid {
        self.titles = owned(titles);
        self
    }

    /// The colour of each title by its name, as in [`BBox::color`]; `""` for black.
    pub fn colors(mut self, colors: &[impl AsRef<str>]) -> ImageGrid {
        self.colors = owned(colors);
        self
    }

    /// A title before each row.
    pub fn row_titles(mut self, titles: &[impl AsRef<str>]) -> ImageGrid {
        self.row_titles = owned(titles);
        self
    }

    /// Rectangles over the image of this number, which may be called again for the next image (d2l:
    /// section 14.4, `show_bboxes`). What a rectangle can be is said at [`BBox`]. What of it lies
    /// outside of the image is not seen.
    pub fn bboxes(
        mut self,
        image: usize,
        boxes: impl IntoIterator<Item = impl Into<BBox>>,
    ) -> ImageGrid {
        self.boxes.extend(boxes.into_iter().map(|bbox| (image, bbox.into())));
        self
    }

    /// Whether there are numbers of pixels beside the images and below them (matplotlib: `axis`).
    pub fn axis(mut self, axis: bool) -> ImageGrid {
        self.axis = axis;
        self
    }

    /// Draws the grid.
    ///
    /// # Errors
    /// A scale that makes a cell smaller than a pixel or larger than 4,000, or a grid of more than 100 million pixels; more or fewer titles or
    /// colours than images, or row titles than rows; a colour that has no such name; a box of an image
    /// that is not there, or whose corners are not finite or in another order.
    pub fn figure(&self) -> Result<Figure> {
        let count = self.images.len();
        let cell = self.cell()?;
        number_of("titles", &self.titles, count, "image")?;
        number_of("colors", &self.colors, count, "image")?;
        number_of("row_titles", &self.row_titles, self.num_rows, "row")?;
        if let Some((image, _)) = self.boxes.iter().find(|(image, _)| *image >= count) {
            let expected = format!("an image of the grid, from 0 on: there are {count}");
            let todo = "count the images from 0";
            return Err(Error::invalid("bboxes", format!("image {image}"), expected, todo));
        }
        let pictures: Vec<RgbImage> = self
            .images
            .iter()
            .map(|picture| fit(picture, (cell * DENSITY) as u32))
            .collect::<Result<_>>()?;

        // In screen pixels from here on
        let title = match (self.has_titles(), self.axis) {
            (true, _) => TITLE,
            // Half of the uppermost number
            (false, true) => 6.,
            (false, false) => 0.,
        };
        let (beside, below) = if self.axis { PIXELS } else { (0., 0.) };
        let rows: Vec<&str> = self.row_titles.iter().map(String::as_str).collect();
        let left = match widest(rows.iter().copied(), TEXT) {
            0. => 0.,
            widest => widest.min(ROW_TITLE) + 10.,
        };
        // Half of the last number of an axis
        let beyond = if self.axis { 12. } else { 0. };
        let width = left + (beside + cell + GAP) * self.num_cols as f64 + beyond;
        // A row is as high as its highest image.
        let heights: Vec<f64> = (0..self.num_rows)
            .map(|row| {
                let pictures = pictures.iter().skip(row * self.num_cols).take(self.num_cols);
                pictures.map(|picture| picture.height()).max().map_or(cell, screen)
            })
            .collect();
        let height: f64 = heights.iter().map(|height| title + height + below + GAP).sum();
        let (wide, high) = ((width * DENSITY).round(), (height * DENSITY).round());
        let mut canvas = RgbImage::from_pixel(wide as u32, high as u32, Rgb([255; 3]));
        let (mut over, mut y) = (String::new(), 0.);
        for (row, height) in heights.into_iter().enumerate() {
            let middle = y + title + height / 2.;
            if let Some(text) = self.row_titles.get(row) {
                let text = shortened(text, TEXT, ROW_TITLE);
                over += &text_svg((left - 8., middle + 0.35 * TEXT), "end", TEXT, INK, &text);
            }
            for column in 0..self.num_cols {
                let i = row * self.num_cols + column;
                let Some(picture) = pictures.get(i) else { break };
                let size = (screen(picture.width()), screen(picture.height()));
                let cell_left = left + beside + (beside + cell + GAP) * column as f64;
                let at = (cell_left + (cell - size.0) / 2., y + title + (height - size.1) / 2.);
                let place = ((at.0 * DENSITY) as i64, (at.1 * DENSITY) as i64);
                replace(&mut canvas, picture, place.0, place.1);
                over +=
                    &self.title_svg(i, (cell_left + cell / 2., y + TITLE - 6.), cell + beside)?;
                over += &self.over_image(i, at, size)?;
            }
            y += title + height + below + GAP;
        }
        let data = jpeg(&canvas)?;
        let (width, height) = (wide / DENSITY, high / DENSITY);
        Ok(Figure::new(format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" font-family="{FONTS}" font-size="{TEXT}" style="max-width:100%;height:auto"><title>{}</title><rect width="100%" height="100%" fill="white"/><image width="{width}" height="{height}" href="data:image/jpeg;base64,{data}"/>{over}</svg>"#,
            self.description(),
        )))
    }

    /// How wide a cell is in screen pixels, if the grid can be.
    pub(super) fn cell(&self) -> Result<f64> {
        let ImageGrid { num_rows, num_cols, scale, .. } = *self;
        let cell = (scale * UNIT).round();
        if !(1. ..=4000.).contains(&cell) {
            let expected = "a scale at which a cell is 1 to 4000 pixels wide";
            let todo = "give a scale of about 1.5";
            return Err(Error::invalid("show_images", format!("scale {scale}"), expected, todo));
        }
        let beside = if self.axis { PIXELS } else { (0., 0.) };
        let width = num_cols as f64 * (cell + GAP + beside.0) + ROW_TITLE;
        let height = num_rows as f64 * (cell + GAP + TITLE + beside.1);
        let (width, height) = (width * DENSITY, height * DENSITY);
        if width.max(height) > MAX_SIDE || width * height > MAX_PIXELS {
            let expected = "at most 65535 pixels either way and 100 million in all";
            let found =
                format!("{num_rows} × {num_cols} places at scale {scale}: {width}×{height} pixels");
            let todo = "show fewer images, or give a smaller scale";
            return Err(Error::invalid("show_images", found, expected, todo));
        }
        Ok(cell)
    }

    fn title_svg(&self, i: usize, at: (f64, f64), room: f64) -> Result<String> {
        let Some(title) = self.titles.get(i).filter(|title| !title.is_empty()) else {
            return Ok(String::new());
        };
        let colour = match self.colors.get(i) {
            Some(name) if !name.is_empty() => readable(named(name)?),
            _ => INK,
        };
        // A smaller letter rather than fewer of them
        let size = (TEXT * room / text_width(title, TEXT).max(1.)).clamp(TEXT - 3., TEXT);
        Ok(text_svg(at, "middle", size, colour, &shortened(title, size, room.max(24.))))
    }

    /// Boxes and numbers of pixels of an image that is shown in this size.
    fn over_image(&self, i: usize, (x, y): (f64, f64), size: (f64, f64)) -> Result<String> {
        let (width, height) = size;
        let pixels = self.images.get(i).map_or((0, 0), RgbImage::dimensions);
        let (mut boxes, mut labels, mut taken) = (String::new(), String::new(), vec![]);
        let of_image = self.boxes.iter().filter(|(image, _)| *image == i);
        for (number, (_, bbox)) in of_image.enumerate() {
            boxes += &bbox.svg(number, pixels, size)?;
            labels += &bbox.label_svg(number, pixels, size, &mut taken)?;
        }
        boxes += &labels; // above all boxes
        if !boxes.is_empty() {
            boxes =
                format!(r#"<svg x="{x}" y="{y}" width="{width}" height="{height}">{boxes}</svg>"#);
        }
        if self.axis {
            let marks = Marks { most: 6, whole: true };
            let across = Axis::new("width", (0., pixels.0.into()), marks)?;
            let down = Axis::new("height", (0., pixels.1.into()), marks)?;
            let bottom = y + height;
            for (place, label) in across.marks() {
                let x = across.along(*place, (x, x + width));
                boxes += &line_svg((x, bottom), (x, bottom + 3.));
                boxes += &text_svg((x, bottom + 14.), "middle", TEXT - 2., GREY, label);
            }
            for (place, label) in down.marks() {
                let y = down.along(*place, (y, y + height));
                boxes += &line_svg((x - 3., y), (x, y));
                boxes += &text_svg((x - 5., y + 4.), "end", TEXT - 2., GREY, label);
            }
        }
        Ok(boxes)
    }

    fn has_titles(&self) -> bool {
        self.titles.iter().any(|title| !title.is_empty())
    }

    /// For those who hear the figure.
    fn description(&self) -> String {
        let mut description = match self.images.len() {
            1 => "an image".to_string(),
            count => format!("{count} images in a grid"),
        };
        let boxes = self.boxes.iter().map(|(_, bbox)| bbox.name());
        let boxes: Vec<&str> = boxes.filter(|name| !name.is_empty()).collect();
        for (what, names) in [
            ("rows", self.row_titles.join(", ")),
            ("titles", if self.has_titles() { self.titles.join(", ") } else { String::new() }),
            ("boxes", boxes.join(", ")),
        ] {
            if !names.is_empty() {
                description += &format!("; {what}: {}", escape(&names));
            }
        }
        description
    }
}

shown_as_figure!(ImageGrid);

impl fmt::Debug for ImageGrid {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let ImageGrid { images, num_rows, num_cols, .. } = self;
        write!(f, "ImageGrid({} images, {num_rows} × {num_cols})", images.len())
    }
}

fn owned(texts: &[impl AsRef<str>]) -> Vec<String> {
    texts.iter().map(|text| text.as_ref().to_string()).collect()
}

/// None, or one for each.
fn number_of(name: &str, texts: &[String], count: usize, each: &str) -> Result<()> {
    if texts.is_empty() || texts.len() == count {
        return Ok(());
    }
    let (found, expected) = (texts.len().to_string(), format!("{count}, one for each {each}"));
    Err(Error::invalid(name, found, expected, "give as many, \"\" where there is nothing to say"))
}

/// Pixels of the canvas on the screen.
fn screen(pixels: u32) -> f64 {
    f64::from(pixels) / DENSITY
}

fn jpeg(canvas: &RgbImage) -> Result<String> {
    let mut jpeg = vec![];
    JpegEncoder::new_with_quality(&mut jpeg, 85).encode_image(canvas).map_err(|error| {
        let todo = "show fewer or smaller images";
        Error::invalid("show_images", error.to_string(), "an image of moderate size", todo)
    })?;
    Ok(base64::engine::general_purpose::STANDARD.encode(jpeg))
}

fn text_svg(
    (x, y): (f64, f64),
    anchor: &str,
    size: f64,
    colour: plotters::style::RGBColor,
    text: &str,
) -> String {
    format!(
        r#"<text x="{x:.2}" y="{y:.2}" text-anchor="{anchor}" font-size="{size:.1}" fill="{}">{}</text>"#,
        css(colour),
        escape(text)
    )
}

fn line_svg((x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!(r#"<line x1="{x1:.2}" y1="{y1:.2}" x2="{x2:.2}" y2="{y2:.2}" stroke="{}"/>"#, css(GREY))
}
