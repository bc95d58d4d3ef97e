//! Mirroring.

use std::fmt::Debug;

use rand::RngExt;

use super::{Image, Rng, Transform, pixels};
use crate::{Error, Result};

fn check_probability(step: &dyn Debug, probability: f64) -> Result<()> {
    if (0. ..=1.).contains(&probability) {
        return Ok(());
    }
    let (found, todo) =
        (format!("the probability {probability}"), "0.5 mirrors every second image");
    Err(Error::invalid(format!("{step:?}"), found, "0 to 1", todo))
}

/// Mirrors left and right with a probability (torchvision: `RandomHorizontalFlip`).
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Debug, Clone, Copy)]
pub struct RandomHorizontalFlip(f64);

impl RandomHorizontalFlip {
    /// A new step; torchvision's probability is 0.5. One that is not from 0 to 1 is an error when the
    /// step is used.
    pub fn new(probability: f64) -> RandomHorizontalFlip {
        RandomHorizontalFlip(probability)
    }
}

impl Default for RandomHorizontalFlip {
    fn default() -> Self {
        RandomHorizontalFlip(0.5)
    }
}

impl Transform for RandomHorizontalFlip {
    fn apply(&self, image: Image, rng: &mut Rng) -> Result<Image> {
        let mut picture = pixels(image, self)?;
        check_probability(self, self.0)?;
        if rng.random::<f64>() < self.0 {
            image::imageops::flip_horizontal_in_place(&mut picture);
        }
        Ok(picture.into())
    }
}

/// Mirrors top and bottom with a probability (torchvision: `RandomVerticalFlip`).
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Debug, Clone, Copy)]
pub struct RandomVerticalFlip(f64);

impl RandomVerticalFlip {
    /// A new step; torchvision's probability is 0.5. One that is not from 0 to 1 is an error when the
    /// step is used.
    pub fn new(probability: f64) -> RandomVerticalFlip {
        RandomVerticalFlip(probability)
    }
}

impl Default for RandomVerticalFlip {
    fn default() -> Self {
        RandomVerticalFlip(0.5)
    }
}

impl Transform for RandomVerticalFlip {
    fn apply(&self, image: Image, rng: &mut Rng) -> Result<Image> {
        let mut picture = pixels(image, self)?;
        check_probability(self, self.0)?;
        if rng.random::<f64>() < self.0 {
            image::imageops::flip_vertical_in_place(&mut picture);
        }
        Ok(picture.into())
    }
}
