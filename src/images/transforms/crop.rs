//! Crops, at random and from the middle.

use std::fmt;

use rand::RngExt;

use super::resize::{Size, resize_box};
use super::{Image, Rng, Transform, pixels};
use crate::images::decode::check_pixels;
use crate::{Error, Result};

/// Cuts a random box out and resizes it (torchvision: `RandomResizedCrop`).
///
/// The box has 8 % to 100 % of the image's area and a ratio of width to height between 3/4 and
/// 4/3, drawn on a logarithmic scale. After ten boxes that do not fit it takes one from the middle.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Clone, Copy)]
pub struct RandomResizedCrop {
    size: [u32; 2],
    scale: (f64, f64),
    ratio: (f64, f64),
}

impl RandomResizedCrop {
    /// A new step that returns squares, `RandomResizedCrop::new(224)?`, or images of a height and a
    /// width, `RandomResizedCrop::new([320, 480])?`.
    ///
    /// # Errors
    /// The size is 0.
    pub fn new(size: impl Into<Size>) -> Result<RandomResizedCrop> {
        let size = size.into().of_a_crop("RandomResizedCrop")?;
        Ok(RandomResizedCrop { size, scale: (0.08, 1.), ratio: (3. / 4., 4. / 3.) })
    }

    /// Changes the range of the area, in parts of the image's.
    ///
    /// # Errors
    /// A part is not above 0, or they are in the wrong order.
    pub fn scale(self, low: f64, high: f64) -> Result<RandomResizedCrop> {
        Ok(RandomResizedCrop { scale: range("scale", low, high)?, ..self })
    }

    /// Changes the range of width to height.
    ///
    /// # Errors
    /// As [`scale`](Self::scale).
    pub fn ratio(self, low: f64, high: f64) -> Result<RandomResizedCrop> {
        Ok(RandomResizedCrop { ratio: range("ratio", low, high)?, ..self })
    }

    /// Draws a box for an image of this size: left, top, width, height (torchvision:
    /// `get_params`).
    pub fn get_params(&self, width: u32, height: u32, rng: &mut Rng) -> (u32, u32, u32, u32) {
        let area = f64::from(width) * f64::from(height);
        let (low, high) = (self.ratio.0.ln(), self.ratio.1.ln());
        for _ in 0..10 {
            let target = area * between(rng, self.scale.0, self.scale.1);
            let ratio = between(rng, low, high).exp();
            let w = (target * ratio).sqrt().round_ties_even() as u32;
            let h = (target / ratio).sqrt().round_ties_even() as u32;
            if 0 < w && w <= width && 0 < h && h <= height {
                let left = rng.random_range(0..=width - w);
                let top = rng.random_range(0..=height - h);
                return (left, top, w, h);
            }
        }
        let ratio = f64::from(width) / f64::from(height);
        let (mut w, mut h) = (width, height);
        if ratio < self.ratio.0 {
            h = (f64::from(w) / self.ratio.0).round_ties_even() as u32;
        } else if ratio > self.ratio.1 {
            w = (f64::from(h) * self.ratio.1).round_ties_even() as u32;
        }
        // An image may have no pixels at all.
        let (w, h) = (w.max(1).min(width), h.max(1).min(height));
        ((width - w) / 2, (height - h) / 2, w, h)
    }
}

impl fmt::Display for RandomResizedCrop {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [height, width] = self.size;
        let rounded = |(low, high): (f64, f64)| [low, high].map(|x| (x * 1e4).round() / 1e4);
        let ([small, large], [low, high]) = (rounded(self.scale), rounded(self.ratio));
        write!(
            f,
            "RandomResizedCrop(size=({height}, {width}), scale=({small}, {large}), ratio=({low}, {high}))"
        )
    }
}

crate::jupyter::show_as_text!(RandomResizedCrop);

impl Transform for RandomResizedCrop {
    fn apply(&self, image: Image, rng: &mut Rng) -> Result<Image> {
        let picture = pixels(image, self)?;
        let area = self.get_params(picture.width(), picture.height(), rng);
        let [height, width] = self.size;
        Ok(resize_box(&picture, area, width, height)?.into())
    }
}

/// A range that a box can be drawn from.
fn range(name: &str, low: f64, high: f64) -> Result<(f64, f64)> {
    if 0. < low && low <= high && high.is_finite() {
        return Ok((low, high));
    }
    Err(Error::invalid(
        "RandomResizedCrop",
        format!("{name} from {low} to {high}"),
        "two numbers above 0, the smaller one first",
        "torchvision's are scale(0.08, 1.) and ratio(3. / 4., 4. / 3.)",
    ))
}

fn between(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Cuts a rectangle from the middle; what the image lacks is black (torchvision: `CenterCrop`).
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
#[derive(Clone, Copy)]
pub struct CenterCrop([u32; 2]);

impl CenterCrop {
    /// A new step that returns squares, `CenterCrop::new(224)?`, or images of a height and a width.
    ///
    /// # Errors
    /// The size is 0.
    pub fn new(size: impl Into<Size>) -> Result<CenterCrop> {
        Ok(CenterCrop(size.into().of_a_crop("CenterCrop")?))
    }
}

impl fmt::Display for CenterCrop {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [height, width] = self.0;
        write!(f, "CenterCrop(size=({height}, {width}))")
    }
}

crate::jupyter::show_as_text!(CenterCrop);

impl Transform for CenterCrop {
    fn apply(&self, image: Image, _: &mut Rng) -> Result<Image> {
        let picture = pixels(image, self)?;
        let [height, width] = self.0;
        check_pixels(&format!("{self:?}"), width.into(), height.into())?;
        // Too small an image is padded first: half of what lacks before it, rounded down.
        let origin = |length: u32, new: u32| match i64::from(length) - i64::from(new) {
            spare if spare < 0 => -(-spare / 2),
            spare => (spare as f64 / 2.).round_ties_even() as i64,
        };
        let (left, top) = (origin(picture.width(), width), origin(picture.height(), height));
        let mut cropped = image::RgbImage::new(width, height);
        image::imageops::replace(&mut cropped, &picture, -left, -top);
        Ok(cropped.into())
    }
}
