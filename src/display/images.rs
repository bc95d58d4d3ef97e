//! Images in a grid (d2l: section 4.2, `show_images`).

use base64::Engine;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::replace;
use image::{Rgb, RgbImage};

use super::figure::{FONTS, Figure};
use super::showable::{Images, Showable};
use crate::images::transforms::{Transform, fit};
use crate::images::{FloatImage, Image};
use crate::jupyter::{complain, escape};
use crate::random::{generator, global_seed};
use crate::{Error, Result};

/// Screen pixels for one unit of the book's scale, as many as an inch has in matplotlib's SVG, so
/// that eight images fit into a laptop's window. Each has two pixels of the image, for sharp
/// screens.
const UNIT: f64 = 72.;
const DENSITY: f64 = 2.;
const GAP: u32 = 8;
const TITLE: u32 = 20;
/// What a JPEG file can be, and what a page can hold.
const MAX_SIDE: u64 = 65_535;
const MAX_PIXELS: u64 = 100_000_000;

/// Shows images in a grid, row by row, each with its own ratio of width to height (d2l:
/// `show_images`). `scale` is the book's: 1.5 makes a cell 108 pixels wide. The images can be in any
/// collection, or in a tensor: see [`Images`].
///
/// ```
/// use d2l::prelude::*;
/// # if std::env::var_os("EVCXR_IS_RUNTIME").is_some() {
/// let (hotdogs, others) = (vec![image()], vec![image()]);
/// show_images(hotdogs.iter().chain(&others), 1, 2, 1.4)?;
/// show_images(&hotdogs, 1, 1, 1.4)?;
/// show_images(&Tensor::rand([8, 3, 32, 32], (Kind::Float, Device::Cpu)), 2, 4, 1.0)?;
/// # }
/// # fn image() -> Image { d2l::image::RgbImage::new(8, 8).into() }
/// # Ok::<(), d2l::Error>(())
/// ```
///
/// The book: [*The Image Classification Dataset*](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html).
///
/// # Errors
/// No rows or no columns, fewer places than images, a scale that makes a cell smaller than a pixel or
/// larger than 4,000, or a grid of more than 100 million pixels; a tensor that is no image.
pub fn show_images<Form>(
    images: impl Images<Form>,
    num_rows: usize,
    num_cols: usize,
    scale: f64,
) -> Result<()> {
    images.each(&mut |images| grid(images, num_rows, num_cols, &[], scale)?.show())
}

/// As [`show_images`], with a title above each image.
///
/// The book: [*The Image Classification Dataset*](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html).
///
/// # Errors
/// As [`show_images`].
pub fn show_images_with_titles<Form>(
    images: impl Images<Form>,
    num_rows: usize,
    num_cols: usize,
    titles: &[impl AsRef<str>],
    scale: f64,
) -> Result<()> {
    let titles: Vec<&str> = titles.iter().map(AsRef::as_ref).collect();
    images.each(&mut |images| grid(images, num_rows, num_cols, &titles, scale)?.show())
}

/// Shows what a transform makes of an image, as many times as the grid has places (d2l: section
/// 14.1.1, `apply`). The random numbers are the same each time that it is called.
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
    let places = Grid::new(1, num_rows, num_cols, scale, false)?.places;
    let each = |i| aug.apply(image.clone(), &mut generator(global_seed(), 0, i));
    let images = (0..places).map(each).collect::<Result<Vec<Image>>>()?;
    show_images(&images, num_rows, num_cols, scale)
}

/// Sizes in pixels of the image.
struct Grid {
    places: u64,
    columns: u64,
    /// Width and height of a cell, without its title.
    cell: u32,
    title: u32,
    width: u32,
    height: u32,
}

impl Grid {
    fn new(
        count: usize,
        num_rows: usize,
        num_cols: usize,
        scale: f64,
        has_titles: bool,
    ) -> Result<Grid> {
        let refused = |expected: &str, todo: &str| {
            let found = format!("{count} images, {num_rows} × {num_cols} places, scale {scale}");
            Err(Error::invalid("show_images", found, expected, todo))
        };
        let cell = (scale * UNIT).round();
        if !(1. ..=4000.).contains(&cell) {
            let expected = "a scale at which a cell is 1 to 4000 pixels wide";
            return refused(expected, "give a scale of about 1.5");
        }
        let (rows, columns) = (num_rows as u64, num_cols as u64);
        let places = rows.saturating_mul(columns);
        if places < count.max(1) as u64 {
            return refused("a place for each image", "give more rows or columns");
        }
        let cell = (cell * DENSITY) as u32;
        let title = if has_titles { TITLE * DENSITY as u32 } else { 0 };
        let width = columns.saturating_mul((cell + GAP).into());
        let height = rows.saturating_mul((cell + GAP + title).into());
        if width.max(height) > MAX_SIDE || width.saturating_mul(height) > MAX_PIXELS {
            let expected = "at most 65535 pixels either way and 100 million in all";
            let found =
                format!("{num_rows} × {num_cols} places at scale {scale}: {width}×{height} pixels");
            let todo = "show fewer images, or give a smaller scale";
            return Err(Error::invalid("show_images", found, expected, todo));
        }
        // Both are at most MAX_SIDE.
        Ok(Grid { places, columns, cell, title, width: width as u32, height: height as u32 })
    }
}

fn grid(
    images: &[&dyn Showable],
    num_rows: usize,
    num_cols: usize,
    titles: &[&str],
    scale: f64,
) -> Result<Figure> {
    let Grid { columns, cell, title, width, height, .. } =
        Grid::new(images.len(), num_rows, num_cols, scale, !titles.is_empty())?;
    let mut canvas = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut labels = String::new();
    for (i, image) in (0u64..).zip(images) {
        let picture = fit(&image.pixels()?, cell)?;
        let x = (i % columns) as u32 * (cell + GAP);
        let y = (i / columns) as u32 * (cell + GAP + title);
        let left = x + (cell - picture.width()) / 2;
        let top = y + title + (cell - picture.height()) / 2;
        replace(&mut canvas, &picture, left.into(), top.into());
        if let Some(text) = titles.get(i as usize) {
            labels += &format!(
                r#"<text x="{}" y="{}" text-anchor="middle">{}</text>"#,
                f64::from(x + cell / 2) / DENSITY,
                f64::from(y + title) / DENSITY - 6.,
                escape(text)
            );
        }
    }
    let mut jpeg = vec![];
    JpegEncoder::new_with_quality(&mut jpeg, 85).encode_image(&canvas).map_err(|error| {
        let todo = "show fewer or smaller images";
        Error::invalid("show_images", error.to_string(), "an image of moderate size", todo)
    })?;
    let mut description = match images.len() {
        1 => "an image".to_string(),
        count => format!("{count} images in a grid"),
    };
    if !titles.is_empty() {
        description += &format!(": {}", escape(&titles.join(", ")));
    }
    let data = base64::engine::general_purpose::STANDARD.encode(jpeg);
    let (width, height) = (f64::from(width) / DENSITY, f64::from(height) / DENSITY);
    Ok(Figure::new(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" font-family="{fonts}" font-size="12"><title>{description}</title><rect width="100%" height="100%" fill="white"/><image width="{width}" height="{height}" href="data:image/jpeg;base64,{data}"/>{labels}</svg>"#,
        fonts = FONTS,
    )))
}

crate::jupyter::show_with!(Image, |image| {
    // A cell's last expression has nobody to return an error to.
    if let Err(error) = show_images([image], 1, 1, 2.5) {
        complain(error);
    }
});

crate::jupyter::show_with!(FloatImage, |numbers| Image::Float(numbers.clone()).evcxr_display());
