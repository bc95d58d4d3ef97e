//! Mirroring.

use std::fmt;

use rand::RngExt;

use super::{Image, Rng, Transform, pixels};
use crate::{Error, Result};

/// The probability, if it can be one.
pub(crate) fn probability(step: &str, p: f64) -> Result<f64> {
    if (0. ..=1.).contains(&p) {
        return Ok(p);
    }
    let (found, todo) = (format!("the probability {p}"), "0.5 mirrors every second image");
    Err(Error::invalid(step, found, "0 to 1", todo))
}

/// Mirrors left and right with a probability (torchvision: `RandomHorizontalFlip`).
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Clone, Copy)]
pub struct RandomHorizontalFlip(f64);

impl RandomHorizontalFlip {
    /// A new step; torchvision's probability is 0.5.
    ///
    /// # Errors
    /// The probability is not from 0 to 1.
    pub fn new(p: f64) -> Result<RandomHorizontalFlip> {
        Ok(RandomHorizontalFlip(probability("RandomHorizontalFlip", p)?))
    }
}

impl Default for RandomHorizontalFlip {
    fn default() -> Self {
        RandomHorizontalFlip(0.5)
    }
}

impl fmt::Display for RandomHorizontalFlip {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "RandomHorizontalFlip(p={})", self.0)
    }
}

crate::jupyter::show_as_text!(RandomHorizontalFlip);

impl Transform for RandomHorizontalFlip {
    fn apply(&self, image: Image, rng: &mut Rng) -> Result<Image> {
        let mut picture = pixels(image, self)?;
        if rng.random::<f64>() < self.0 {
            image::imageops::flip_horizontal_in_place(&mut picture);
        }
        Ok(picture.into())
    }
}

/// Mirrors top and bottom with a probability (torchvision: `RandomVerticalFlip`).
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Clone, Copy)]
pub struct RandomVerticalFlip(f64);

impl RandomVerticalFlip {
    /// A new step; torchvision's probability is 0.5.
    ///
    /// # Errors
    /// The probability is not from 0 to 1.
    pub fn new(p: f64) -> Result<RandomVerticalFlip> {
        Ok(RandomVerticalFlip(probability("RandomVerticalFlip", p)?))
    }
}

impl Default for RandomVerticalFlip {
    fn default() -> Self {
        RandomVerticalFlip(0.5)
    }
}

impl fmt::Display for RandomVerticalFlip {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "RandomVerticalFlip(p={})", self.0)
    }
}

crate::jupyter::show_as_text!(RandomVerticalFlip);

impl Transform for RandomVerticalFlip {
    fn apply(&self, image: Image, rng: &mut Rng) -> Result<Image> {
        let mut picture = pixels(image, self)?;
        if rng.random::<f64>() < self.0 {
            image::imageops::flip_vertical_in_place(&mut picture);
        }
        Ok(picture.into())
    }
}
