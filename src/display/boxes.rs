//! Rectangles over an image (d2l: sections 14.3 and 14.4).

use plotters::style::RGBColor;
use tch::Tensor;

use super::canvas::{TEXT, finite_numbers, shortened, text_width};
use super::colours::{COLOURS, css, is_light, named};
use crate::jupyter::escape;
use crate::{Error, Result};

/// A rectangle over an image, with or without a label (d2l: section 14.3, `bbox_to_rect`).
///
/// Its corners are `[x1, y1, x2, y2]` in pixels of the image, from its upper left corner to the right
/// and downwards. What gives one: an array of these; a pair with a label; a triple with a label and a
/// colour.
///
/// The book: [*Object Detection and Bounding Boxes*](https://d2l.ai/chapter_computer-vision/bounding-box.html).
///
/// ```
/// use d2l::display::BBox;
/// use d2l::prelude::*;
/// let image = Image::from(d2l::image::RgbImage::new(100, 80));
/// let boxes = [([10., 20., 60., 70.], "dog", "blue"), ([50., 5., 95., 75.], "cat", "red")];
/// ImageGrid::new([&image], 1, 1)?.bboxes(0, boxes).figure()?;
///
/// let many = Tensor::from_slice2(&[[10f32, 20., 60., 70.], [50., 5., 95., 75.]]);
/// let many = BBox::from_tensor(&many)?.into_iter().map(|bbox| bbox.color("w"));
/// ImageGrid::new([&image], 1, 1)?.bboxes(0, many).figure()?;
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BBox {
    corners: [f64; 4],
    label: String,
    color: Option<String>,
}

impl BBox {
    /// The boxes of a tensor `[n, 4]`.
    ///
    /// # Errors
    /// Another shape, or numbers that are not finite.
    pub fn from_tensor(boxes: &Tensor) -> Result<Vec<BBox>> {
        let &[_, 4] = boxes.size().as_slice() else {
            let todo = "give a row x1, y1, x2, y2 for each box";
            return Err(Error::invalid("bboxes", format!("{:?}", boxes.size()), "[n, 4]", todo));
        };
        let numbers = finite_numbers("bboxes", boxes)?;
        Ok(numbers.as_chunks().0.iter().map(|&corners: &[f64; 4]| corners.into()).collect())
    }

    /// What a detector says of an image: rows `[n, 6]` as `multibox_detection` returns them for each
    /// image, those of a confidence from `threshold` on. The image is `size` wide and high, as
    /// [`Image::size`](crate::data::Image::size) says; a box's label is its class's name and its confidence,
    /// its colour is that of its class.
    ///
    /// # Errors
    /// Another shape, or numbers that are not finite.
    ///
    /// ```
    /// use d2l::display::BBox;
    /// use d2l::prelude::*;
    /// let image = Image::from(d2l::image::RgbImage::new(200, 100));
    /// let found = Tensor::from_slice2(&[[0f32, 0.97, 0.1, 0.2, 0.5, 0.8], [-1., 0.9, 0., 0., 1., 1.]]);
    /// let boxes = BBox::detections(&found, &["banana"], image.size(), 0.5)?;
    /// assert_eq!(boxes.len(), 1);
    /// ImageGrid::new([&image], 1, 1)?.bboxes(0, boxes).figure()?;
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn detections(
        rows: &Tensor,
        classes: &[impl AsRef<str>],
        size: (usize, usize),
        threshold: f64,
    ) -> Result<Vec<BBox>> {
        let rows = table::<6>("detections", rows)?;
        let sure = rows.into_iter().filter(|row| row[0] >= 0. && row[1] >= threshold);
        let named = sure.map(|[class, confidence, corners @ ..]| {
            let name = class_name(classes, class);
            let label = format!("{name} {confidence:.2}");
            BBox::of_class(class, corners, size).label(label.trim_start())
        });
        Ok(named.collect())
    }

    /// The true boxes of an image: rows `[m, 5]` as data sets have them, without those that fill up. What
    /// size, labels and colours are is said at [`detections`](Self::detections).
    ///
    /// # Errors
    /// Another shape, or numbers that are not finite.
    pub fn labels(
        rows: &Tensor,
        classes: &[impl AsRef<str>],
        size: (usize, usize),
    ) -> Result<Vec<BBox>> {
        let rows = table::<5>("labels", rows)?;
        let boxes = rows.into_iter().filter(|row| row[0] >= 0.).map(|[class, corners @ ..]| {
            BBox::of_class(class, corners, size).label(&class_name(classes, class))
        });
        Ok(boxes.collect())
    }

    /// Corners in parts of an image.
    fn of_class(class: f64, [x1, y1, x2, y2]: [f64; 4], size: (usize, usize)) -> BBox {
        let (width, height) = (size.0 as f64, size.1 as f64);
        let bbox = BBox::from([x1 * width, y1 * height, x2 * width, y2 * height]);
        bbox.color(&css(COLOURS[class as usize % COLOURS.len()]))
    }

    /// Text at the box's upper left corner.
    pub fn label(mut self, label: &str) -> BBox {
        self.label = label.to_string();
        self
    }

    /// The colour by its name, matplotlib's letter, or its digits: `"blue"`, `"b"`, `"#0072b2"`. Without
    /// this, boxes of one image have different ones.
    pub fn color(mut self, color: &str) -> BBox {
        self.color = Some(color.to_string());
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.label
    }

    /// SVG of the box over an image of this many pixels that is shown as `(width, height)`. It is the
    /// image's box of this number.
    pub(super) fn svg(
        &self,
        number: usize,
        pixels: (u32, u32),
        size: (f64, f64),
    ) -> Result<String> {
        let [x1, y1, x2, y2] = self.corners;
        if !(x1 <= x2 && y1 <= y2 && self.corners.iter().all(|corner| corner.is_finite())) {
            let todo = "give the upper left corner, then the lower right one, in pixels";
            let found = format!("{:?}", self.corners);
            let expected = "x1, y1, x2, y2 with x1 ≤ x2 and y1 ≤ y2";
            return Err(Error::invalid("bboxes", found, expected, todo));
        }
        let colour = self.colour(number)?;
        let [left, top, right, bottom] = self.sides(pixels, size);
        // Below it a wider line that differs in brightness, for grounds of any colour
        let around = if is_light(colour) { "black" } else { "white" };
        let rect = |colour: &str, thick: f64, seen: f64| {
            let (wide, high) = (right - left, bottom - top);
            format!(
                r#"<rect x="{left:.2}" y="{top:.2}" width="{wide:.2}" height="{high:.2}" fill="none" stroke="{colour}" stroke-width="{thick}" stroke-opacity="{seen}"/>"#
            )
        };
        Ok(rect(around, 4., 0.7) + &rect(&css(colour), 2., 1.))
    }

    /// SVG of the label: above the box, or in it where that is outside of the image; at its right end, in
    /// it or below it where another label is in the way. `taken` are the labels' places so far.
    pub(super) fn label_svg(
        &self,
        number: usize,
        pixels: (u32, u32),
        size: (f64, f64),
        taken: &mut Vec<[f64; 4]>,
    ) -> Result<String> {
        if self.label.is_empty() {
            return Ok(String::new());
        }
        const LINE: f64 = TEXT + 3.;
        let colour = self.colour(number)?;
        let text = shortened(&self.label, TEXT - 1., size.0 - 6.);
        let width = text_width(&text, TEXT - 1.) + 6.;
        let [left, top, right, bottom] = self.sides(pixels, size);
        let (within, x_right) = (top.max(0.), right + 1. - width);
        let above = if top >= LINE { top - LINE } else { within };
        let places = [
            (left - 1., above),
            (x_right, above),
            (left - 1., within),
            (x_right, within),
            (left - 1., bottom),
        ];
        let places = places.map(|(x, y)| {
            let x = x.clamp(0., (size.0 - width).max(0.));
            let y = y.min((size.1 - LINE).max(0.));
            [x, y, x + width, y + LINE]
        });
        let is_free = |place: &&[f64; 4]| taken.iter().all(|other| !overlap(place, other));
        let place = *places.iter().find(is_free).unwrap_or(&places[0]);
        taken.push(place);
        let [x, y, ..] = place;
        Ok(format!(
            r#"<rect x="{x:.2}" y="{y:.2}" width="{width:.2}" height="{LINE}" fill="{}"/><text x="{:.2}" y="{:.2}" font-size="{}" text-anchor="middle" fill="{}">{}</text>"#,
            css(colour),
            x + width / 2.,
            y + LINE - 4.,
            TEXT - 1.,
            if is_light(colour) { "black" } else { "white" },
            escape(&text)
        ))
    }

    fn colour(&self, number: usize) -> Result<RGBColor> {
        match &self.color {
            Some(name) => named(name),
            None => Ok(COLOURS[number % COLOURS.len()]),
        }
    }

    /// Left, top, right and bottom as they are shown. A box may reach far beyond the image: only its edges
    /// near the image are drawn.
    fn sides(&self, pixels: (u32, u32), (width, height): (f64, f64)) -> [f64; 4] {
        let [x1, y1, x2, y2] = self.corners;
        let across = |x: f64| (x / f64::from(pixels.0.max(1)) * width).clamp(-9., width + 9.);
        let down = |y: f64| (y / f64::from(pixels.1.max(1)) * height).clamp(-9., height + 9.);
        [across(x1), down(y1), across(x2), down(y2)]
    }
}

/// Whether two places (left, top, right, bottom) have a part in common.
fn overlap(one: &[f64; 4], other: &[f64; 4]) -> bool {
    (0..2).all(|i| one[i] < other[i + 2] && other[i] < one[i + 2])
}

/// The rows of a tensor `[n, N]`.
fn table<const N: usize>(subject: &str, rows: &Tensor) -> Result<Vec<[f64; N]>> {
    match rows.size()[..] {
        [_, columns] if columns == N as i64 => {
            Ok(finite_numbers(subject, rows)?.as_chunks().0.to_vec())
        }
        _ => {
            let todo = "give the rows of one image, as found.get(0)";
            let (found, expected) = (format!("{:?}", rows.size()), format!("[n, {N}]"));
            Err(Error::invalid(subject, found, expected, todo))
        }
    }
}

fn class_name(classes: &[impl AsRef<str>], class: f64) -> String {
    classes.get(class as usize).map_or_else(String::new, |name| name.as_ref().to_string())
}

impl<T: Into<f64>> From<[T; 4]> for BBox {
    fn from(corners: [T; 4]) -> BBox {
        BBox { corners: corners.map(Into::into), label: String::new(), color: None }
    }
}

impl<T: Into<f64>, S: AsRef<str>> From<([T; 4], S)> for BBox {
    fn from((corners, label): ([T; 4], S)) -> BBox {
        BBox::from(corners).label(label.as_ref())
    }
}

impl<T: Into<f64>, S: AsRef<str>> From<([T; 4], S, &str)> for BBox {
    fn from((corners, label, color): ([T; 4], S, &str)) -> BBox {
        BBox::from((corners, label)).color(color)
    }
}
