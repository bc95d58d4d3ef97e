//! What is done to an image before a network sees it (d2l: section 14.1), under torchvision's names.

mod colour;
mod crop;
mod flip;
mod resize;
mod tensor;

use std::fmt::{self, Debug};
use std::sync::Arc;

pub use colour::{ColorJitter, adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation};
pub use crop::{CenterCrop, RandomResizedCrop};
pub(crate) use flip::probability;
pub use flip::{RandomHorizontalFlip, RandomVerticalFlip};
pub(crate) use resize::fit;
pub use resize::{Resize, Size};
pub use tensor::{Normalize, ToTensor};

use super::Image;
use crate::random::{Rng, next_generator};
use crate::{Error, Result};

/// The mean of ImageNet's red, green and blue.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// The standard deviation of ImageNet's red, green and blue.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// One step. Transforms run on several threads at a time; all randomness must come from `rng`.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
pub trait Transform: Debug + Send + Sync {
    /// Returns the changed image.
    ///
    /// # Errors
    /// The step needs pixels and got numbers, or the other way round, or the image is too small.
    fn apply(&self, image: Image, rng: &mut Rng) -> Result<Image>;

    /// The same for an image that stays as it is (torchvision: calling the transform). A random one gives
    /// another image each time; after [`manual_seed`](crate::data::manual_seed) the same calls give
    /// the same images.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    fn call(&self, image: &Image) -> Result<Image> {
        self.apply(image.clone(), &mut next_generator())
    }
}

/// Steps one after the other (torchvision: `Compose`); [`compose!`](crate::compose) writes one.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// ```
/// use d2l::prelude::*;
/// let augs = compose![RandomResizedCrop::new(224)?, RandomHorizontalFlip::new(0.5)?, ToTensor];
/// # let _ = augs;
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Clone)]
pub struct Compose(Arc<[Box<dyn Transform>]>);

impl Compose {
    /// The steps in their order.
    pub fn new(steps: Vec<Box<dyn Transform>>) -> Compose {
        Compose(steps.into())
    }
}

impl Transform for Compose {
    fn apply(&self, image: Image, rng: &mut Rng) -> Result<Image> {
        self.0.iter().try_fold(image, |image, step| step.apply(image, rng))
    }
}

impl fmt::Display for Compose {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let steps: Vec<String> = self.0.iter().map(|step| format!("{step:?}")).collect();
        write!(f, "Compose({})", steps.join(", "))
    }
}

crate::jupyter::show_as_text!(Compose);

/// A [`Compose`](crate::data::transforms::Compose) of the steps named.
#[macro_export]
macro_rules! compose {
    ($($step:expr),+ $(,)?) => {
        $crate::data::transforms::Compose::new(vec![$(Box::new($step)),+])
    };
}

/// The pixels of an image, for a step that works on pixels.
fn pixels(image: Image, step: &dyn Debug) -> Result<image::RgbImage> {
    match image {
        Image::Pixels(picture) => Ok(picture),
        Image::Float(_) => Err(Error::invalid(
            format!("{step:?}"),
            "numbers",
            "an image in pixels",
            "put this step before ToTensor",
        )),
    }
}
