//! What a loader takes images from (d2l: section 4.2, *The Image Classification Dataset*).

use std::fmt::{Debug, Display};

use super::{Image, Rng};
use crate::images::transforms::{Compose, Transform};
use crate::random::next_generator;
use crate::{Error, Result};

/// Images with labels (PyTorch: `Dataset`).
///
/// A set of your own says how many images it has, what they are, and which transform they go
/// through; the rest follows.
///
/// The book: [*The Image Classification Dataset*](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html).
pub trait Dataset: Debug + Send + Sync {
    /// The number of images.
    fn len(&self) -> usize;

    /// The classes' names; a label is a place in this list.
    fn classes(&self) -> &[String];

    /// What messages call image number `index`, such as its file's path.
    fn name(&self, index: usize) -> String;

    /// Image and label number `index`, from 0, as they are kept.
    ///
    /// # Errors
    /// The image cannot be read.
    fn open(&self, index: usize) -> Result<(Image, i64)>;

    /// What each image goes through before a network sees it.
    fn transform(&self) -> Option<&Compose> {
        None
    }

    /// Whether there is no image.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Image and label number `index` after the transform, whose randomness comes from `rng`.
    ///
    /// # Errors
    /// The image cannot be read, or the transform fails.
    fn sample(&self, index: usize, rng: &mut Rng) -> Result<(Image, i64)> {
        let (image, label) = self.open(index)?;
        let image = match self.transform() {
            Some(transform) => {
                transform.apply(image, rng).map_err(|error| error.during(self.name(index)))?
            }
            None => image,
        };
        Ok((image, label))
    }

    /// Image and label number `index`; a negative one counts from the end, as in Python.
    ///
    /// A random transform gives another image each time, as in torchvision; after
    /// [`manual_seed`](super::manual_seed) the same calls give the same images.
    ///
    /// # Errors
    /// The index is out of range, or the image cannot be read.
    fn get(&self, index: isize) -> Result<(Image, i64)> {
        let len = self.len();
        let from_start = if index < 0 { index.saturating_add_unsigned(len) } else { index };
        let place = usize::try_from(from_start).ok().filter(|&i| i < len).ok_or_else(|| {
            let expected =
                if len == 0 { "images".into() } else { format!("-{len} to {}", len - 1) };
            out_of_range("get", index, expected, self, len)
        })?;
        self.sample(place, &mut next_generator())
    }
}

/// An error if there is no image number `index`.
pub(super) fn check_index(dataset: &(impl Dataset + ?Sized), index: usize) -> Result<()> {
    let len = dataset.len();
    if index < len {
        return Ok(());
    }
    let expected = if len == 0 { "images".into() } else { format!("0 to {}", len - 1) };
    Err(out_of_range("open", index, expected, dataset, len))
}

fn out_of_range(
    subject: &str,
    index: impl Display,
    expected: String,
    dataset: &(impl Debug + ?Sized),
    len: usize,
) -> Error {
    let todo = format!("{dataset:?} has {len} images");
    Error::invalid(subject, format!("index {index}"), expected, todo)
}
