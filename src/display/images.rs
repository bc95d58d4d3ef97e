//! Pictures in a grid (d2l: section 4.2, `show_images`).

use base64::Engine;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::replace;
use image::{Rgb, RgbImage};

use super::figure::{Figure, escape};
use crate::data::Image;
use crate::data::transforms::{Transform, fit};
use crate::data::{generator, global_seed};
use crate::{Error, Result};

/// Screen pixels for one unit of the book's scale, as many as an inch has in matplotlib's SVG, so
/// that eight pictures fit into a laptop's window. Each has two pixels of the picture, for sharp
/// screens.
const UNIT: f64 = 72.;
const DENSITY: f64 = 2.;
const GAP: u32 = 8;
const TITLE: u32 = 20;

/// Shows pictures in a grid, row by row, each with its own ratio of width to height (d2l:
/// `show_images`). `scale` is the book's: 1.5 makes a cell 108 pixels wide.
///
/// The book: [*The Image Classification Dataset*](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html).
///
/// # Errors
/// No rows or no columns, or fewer places than pictures.
pub fn show_images(
    images: &[impl std::borrow::Borrow<Image>],
    num_rows: usize,
    num_cols: usize,
    scale: f64,
) -> Result<()> {
    grid(images, num_rows, num_cols, &[], scale)?.show()
}

/// As [`show_images`], with a title above each picture.
///
/// The book: [*The Image Classification Dataset*](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html).
///
/// # Errors
/// As [`show_images`].
pub fn show_images_with_titles(
    images: &[impl std::borrow::Borrow<Image>],
    num_rows: usize,
    num_cols: usize,
    titles: &[impl AsRef<str>],
    scale: f64,
) -> Result<()> {
    let titles: Vec<&str> = titles.iter().map(AsRef::as_ref).collect();
    grid(images, num_rows, num_cols, &titles, scale)?.show()
}

/// Shows what a transform makes of a picture, as many times as the grid has places (d2l: section
/// 14.1.1, `apply`). Chance is the same each time that it is called.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// As [`show_images`], or the transform fails.
pub fn apply(
    image: &Image,
    aug: &dyn Transform,
    num_rows: usize,
    num_cols: usize,
    scale: f64,
) -> Result<()> {
    let each = |i| aug.apply(image.clone(), &mut generator(global_seed(), 0, i));
    let images = (0..(num_rows * num_cols) as u64).map(each).collect::<Result<Vec<Image>>>()?;
    show_images(&images, num_rows, num_cols, scale)
}

fn grid(
    images: &[impl std::borrow::Borrow<Image>],
    num_rows: usize,
    num_cols: usize,
    titles: &[&str],
    scale: f64,
) -> Result<Figure> {
    let cell = (scale * UNIT).round();
    if num_rows * num_cols < images.len().max(1) || !(1. ..=4000.).contains(&cell) {
        return Err(Error::invalid(
            "show_images",
            format!("{} pictures, {num_rows} × {num_cols} places, scale {scale}", images.len()),
            "a place for each picture, and a scale of about 1.5",
            "give more rows or columns",
        ));
    }
    let pixels = (cell * DENSITY) as u32;
    let title = if titles.is_empty() { 0 } else { TITLE * DENSITY as u32 };
    let (step_x, step_y) = (pixels + GAP, pixels + GAP + title);
    let (width, height) = (num_cols as u32 * step_x, num_rows as u32 * step_y);
    let mut canvas = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut labels = String::new();
    for (i, image) in images.iter().enumerate() {
        let picture = fit(&image.borrow().to_pixels(), pixels)?;
        let (x, y) = ((i % num_cols) as u32 * step_x, (i / num_cols) as u32 * step_y);
        let left = x + (pixels - picture.width()) / 2;
        let top = y + title + (pixels - picture.height()) / 2;
        replace(&mut canvas, &picture, left.into(), top.into());
        if let Some(text) = titles.get(i) {
            labels += &format!(
                r#"<text x="{}" y="{}" text-anchor="middle">{}</text>"#,
                f64::from(x + pixels / 2) / DENSITY,
                f64::from(y + title) / DENSITY - 6.,
                escape(text)
            );
        }
    }
    let mut jpeg = vec![];
    JpegEncoder::new_with_quality(&mut jpeg, 85).encode_image(&canvas).map_err(|error| {
        let todo = "show fewer or smaller pictures";
        Error::invalid("show_images", error.to_string(), "a picture of moderate size", todo)
    })?;
    let mut description = match images.len() {
        1 => "a picture".to_string(),
        count => format!("{count} pictures in a grid"),
    };
    if !titles.is_empty() {
        description += &format!(": {}", escape(&titles.join(", ")));
    }
    let data = base64::engine::general_purpose::STANDARD.encode(jpeg);
    let (width, height) = (f64::from(width) / DENSITY, f64::from(height) / DENSITY);
    Ok(Figure::new(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" font-family="{fonts}" font-size="12"><title>{description}</title><rect width="100%" height="100%" fill="white"/><image width="{width}" height="{height}" href="data:image/jpeg;base64,{data}"/>{labels}</svg>"#,
        fonts = super::figure::FONTS,
    )))
}
