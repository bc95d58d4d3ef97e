//! Crops, at random and from the middle.

use rand::RngExt;

use super::resize::resize_box;
use super::{Image, Rng, Transform, pixels};
use crate::images::decode::check_pixels;
use crate::{Error, Result};

/// Cuts a random box out and resizes it to a square (torchvision: `RandomResizedCrop`).
///
/// The box has 8 % to 100 % of the image's area and a ratio of width to height between 3/4 and
/// 4/3, drawn on a logarithmic scale. After ten boxes that do not fit it takes one from the middle.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Debug, Clone, Copy)]
pub struct RandomResizedCrop {
    size: u32,
    scale: (f64, f64),
    ratio: (f64, f64),
}

impl RandomResizedCrop {
    /// A new step that returns images of `size`×`size` pixels.
    pub fn new(size: u32) -> RandomResizedCrop {
        RandomResizedCrop { size, scale: (0.08, 1.), ratio: (3. / 4., 4. / 3.) }
    }

    /// Changes the range of the area. Parts that are not above 0, or in the wrong order, are an error
    /// when the step is used; those of the ratio, too.
    pub fn scale(self, low: f64, high: f64) -> RandomResizedCrop {
        RandomResizedCrop { scale: (low, high), ..self }
    }

    /// Changes the range of width to height.
    pub fn ratio(self, low: f64, high: f64) -> RandomResizedCrop {
        RandomResizedCrop { ratio: (low, high), ..self }
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

impl Transform for RandomResizedCrop {
    fn apply(&self, image: Image, rng: &mut Rng) -> Result<Image> {
        let picture = pixels(image, self)?;
        for (name, (low, high)) in [("scale", self.scale), ("ratio", self.ratio)] {
            if !(0. < low && low <= high && high.is_finite()) {
                return Err(Error::invalid(
                    format!("{self:?}"),
                    format!("{name} from {low} to {high}"),
                    "two numbers above 0, the smaller one first",
                    "torchvision's are scale(0.08, 1.) and ratio(3. / 4., 4. / 3.)",
                ));
            }
        }
        let area = self.get_params(picture.width(), picture.height(), rng);
        Ok(resize_box(&picture, area, self.size, self.size)?.into())
    }
}

fn between(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Cuts a square from the middle; what the image lacks is black (torchvision: `CenterCrop`).
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
#[derive(Debug, Clone, Copy)]
pub struct CenterCrop(u32);

impl CenterCrop {
    /// A new step that returns images of `size`×`size` pixels.
    pub fn new(size: u32) -> CenterCrop {
        CenterCrop(size)
    }
}

impl Transform for CenterCrop {
    fn apply(&self, image: Image, _: &mut Rng) -> Result<Image> {
        let picture = pixels(image, self)?;
        if self.0 == 0 {
            let todo = "give the size that the model takes, such as 224";
            return Err(Error::invalid(format!("{self:?}"), "a size of 0", "1 or more", todo));
        }
        check_pixels(&format!("{self:?}"), self.0.into(), self.0.into())?;
        // Too small an image is padded first: half of what lacks before it, rounded down.
        let origin = |length: u32| match i64::from(length) - i64::from(self.0) {
            spare if spare < 0 => -(-spare / 2),
            spare => (spare as f64 / 2.).round_ties_even() as i64,
        };
        let (left, top) = (origin(picture.width()), origin(picture.height()));
        let mut cropped = image::RgbImage::new(self.0, self.0);
        image::imageops::replace(&mut cropped, &picture, -left, -top);
        Ok(cropped.into())
    }
}
