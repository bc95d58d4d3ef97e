//! Resizing as Pillow does it: bilinear, averaging over all pixels that fall together.

use std::fmt;

use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images};
use image::RgbImage;

use super::{Image, Rng, Transform, pixels};
use crate::images::decode::check_pixels;
use crate::{Error, Result};

/// The size of what a step returns.
#[derive(Debug, Clone, Copy)]
pub enum Size {
    /// One length: for [`Resize`] of the shorter edge, the ratio is kept; for crops of both edges.
    Edge(u32),
    /// Exactly this height and width.
    Exact([u32; 2]),
}

impl Size {
    /// Height and width of what a crop returns.
    pub(super) fn of_a_crop(self, step: &str) -> Result<[u32; 2]> {
        self.check(step)?;
        Ok(match self {
            Size::Edge(edge) => [edge; 2],
            Size::Exact(size) => size,
        })
    }

    fn check(self, step: &str) -> Result<()> {
        if !matches!(self, Size::Edge(0) | Size::Exact([0, _] | [_, 0])) {
            return Ok(());
        }
        let todo = "give the size that the model takes, such as 224";
        Err(Error::invalid(step, "a size of 0", "1 or more", todo))
    }
}

impl From<u32> for Size {
    fn from(edge: u32) -> Size {
        Size::Edge(edge)
    }
}

impl From<[u32; 2]> for Size {
    fn from(size: [u32; 2]) -> Size {
        Size::Exact(size)
    }
}

/// Resizes: `Resize::new(256)?` by the shorter edge, `Resize::new([256, 256])?` exactly (torchvision:
/// `Resize`; the book's section 14.2 squashes test images to `[256, 256]`).
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
#[derive(Clone, Copy)]
pub struct Resize(Size);

impl Resize {
    /// A new step.
    ///
    /// # Errors
    /// The size is 0.
    pub fn new(size: impl Into<Size>) -> Result<Resize> {
        let size = size.into();
        size.check("Resize")?;
        Ok(Resize(size))
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            Size::Edge(edge) => write!(f, "Resize(size={edge})"),
            Size::Exact([height, width]) => write!(f, "Resize(size=[{height}, {width}])"),
        }
    }
}

crate::jupyter::show_as_text!(Resize);

impl Transform for Resize {
    fn apply(&self, image: Image, _: &mut Rng) -> Result<Image> {
        let picture = pixels(image, self)?;
        let (width, height) = picture.dimensions();
        let [new_height, new_width] = match self.0 {
            Size::Exact(size) => size,
            Size::Edge(edge) => {
                let long = |long: u32, short: u32| {
                    let length = u64::from(edge) * u64::from(long) / u64::from(short.max(1));
                    u32::try_from(length).unwrap_or(u32::MAX)
                };
                if width <= height {
                    [long(height, width), edge]
                } else {
                    [edge, long(width, height)]
                }
            }
        };
        let whole = (0, 0, width, height);
        Ok(resize_box(&picture, whole, new_width, new_height)?.into())
    }
}

/// Cuts the box (left, top, width, height) out and resizes it.
pub(super) fn resize_box(
    picture: &RgbImage,
    (left, top, width, height): (u32, u32, u32, u32),
    new_width: u32,
    new_height: u32,
) -> Result<RgbImage> {
    let refused = |found: String| {
        Error::invalid(
            "resize",
            found,
            "an image and a target of at least 1×1",
            "check the size that Resize or RandomResizedCrop was given",
        )
    };
    if [width, height, new_width, new_height].contains(&0) {
        return Err(refused(format!("{width}×{height} to {new_width}×{new_height} pixels")));
    }
    for height in [height, new_height] {
        check_pixels("resize", new_width.into(), height.into())?;
    }
    let (full_width, full_height) = picture.dimensions();
    let source = images::ImageRef::new(full_width, full_height, picture.as_raw(), PixelType::U8x3)
        .map_err(|error| refused(error.to_string()))?;
    // Cut first: the filter must not see what lies outside of the box, as in torchvision.
    let source = images::CroppedImage::new(&source, left, top, width, height)
        .map_err(|error| refused(error.to_string()))?;
    // Across, then down, as Pillow does; in one call the library goes down first, and rounds otherwise.
    let mut across = images::Image::new(new_width, height, PixelType::U8x3);
    let mut target = images::Image::new(new_width, new_height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let mut resizer = Resizer::new();
    resizer
        .resize(&source, &mut across, &options)
        .and_then(|()| resizer.resize(&across, &mut target, &options))
        .map_err(|error| refused(error.to_string()))?;
    RgbImage::from_raw(new_width, new_height, target.into_vec())
        .ok_or_else(|| refused(format!("{new_width}×{new_height}")))
}

/// Makes an image fit into a square of `size` pixels, the ratio kept.
pub(crate) fn fit(picture: &RgbImage, size: u32) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    let scale = f64::from(size) / f64::from(width.max(height).max(1));
    let scaled = |length: u32| ((f64::from(length) * scale).round() as u32).clamp(1, size);
    resize_box(picture, (0, 0, width, height), scaled(width), scaled(height))
}
