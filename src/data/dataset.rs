//! What a loader takes samples from (d2l: section 4.2, *The Image Classification Dataset*).

use std::fmt::{Debug, Display};
use std::ops::Range;
use std::sync::Arc;

use super::{Image, Rng, Sample};
use crate::random::next_generator;
use crate::{Error, Result};

/// Images with their targets (PyTorch: `Dataset`).
///
/// A set of your own says how many samples it has and makes each; the rest follows. Threads of a loader
/// share it. A [`Tensor`](tch::Tensor) cannot be shared among threads: keep files or plain numbers, and
/// make tensors of them in [`sample`](Self::sample).
///
/// The book: [*The Image Classification Dataset*](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html).
///
/// ```
/// use d2l::prelude::*;
///
/// /// White squares on black, each with its box: class, left, top, right, bottom, from 0 to 1.
/// #[derive(Debug)]
/// struct Squares;
///
/// impl Dataset for Squares {
///     fn len(&self) -> usize {
///         100
///     }
///
///     fn sample(&self, index: usize, rng: &mut Rng) -> Result<Sample> {
///         let (left, top) = ((index % 10) as i64, (index / 10) as i64);
///         let image = Tensor::zeros([3, 16, 16], (Kind::Float, Device::Cpu));
///         let _ = image.narrow(1, top, 6).narrow(2, left, 6).fill_(1.);
///         let corners = [left, top, left + 6, top + 6].map(|edge| edge as f32 / 16.);
///         let boxes = Tensor::from_slice2(&[[&[0.], &corners[..]].concat()]);
///         Sample::new(Image::from_tensor(&image)?, boxes).random_horizontal_flip(0.5, rng)
///     }
/// }
///
/// let train_iter = DataLoader::new(Squares, 32)?.shuffle(true).drop_last(true);
/// for batch in &train_iter {
///     let (x, y) = batch?;
///     assert_eq!((x.size(), y.size()), (vec![32, 3, 16, 16], vec![32, 1, 5]));
/// }
/// # Ok::<(), d2l::Error>(())
/// ```
pub trait Dataset: Debug + Send + Sync {
    /// The number of samples.
    fn len(&self) -> usize;

    /// Sample number `index`, from 0, after the set's transforms, whose randomness comes from `rng`. A
    /// loader wants the image in numbers, so that the last transform is `ToTensor` or `Normalize`.
    ///
    /// # Errors
    /// The image cannot be read, or a transform fails.
    fn sample(&self, index: usize, rng: &mut Rng) -> Result<Sample>;

    /// What messages call sample number `index`, such as its file's path.
    fn name(&self, index: usize) -> String {
        format!("sample {index}")
    }

    /// The classes' names, if there are classes; a label is a place in this list.
    fn classes(&self) -> &[String] {
        &[]
    }

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sample number `index`; a negative one counts from the end, as in Python.
    ///
    /// A random transform gives another image each time, as in torchvision; after
    /// [`manual_seed`](super::manual_seed) the same calls give the same images.
    ///
    /// # Errors
    /// The index is out of range, or the image cannot be read.
    fn get(&self, index: isize) -> Result<Sample> {
        let place = place("get", index, self.len(), &self)?;
        let sample = self.sample(place, &mut next_generator());
        sample.map_err(|error| named(error, &self.name(place)))
    }

    /// The image of [`get`](Self::get).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    fn image(&self, index: isize) -> Result<Image> {
        Ok(self.get(index)?.image)
    }

    /// The images of a range: `0..8` are the first eight, `-8..0` the last.
    ///
    /// # Errors
    /// As [`get`](Self::get), or the range's end is before its start.
    fn images(&self, range: Range<isize>) -> Result<Vec<Image>> {
        if range.start > range.end {
            let todo = "0..8 are the first eight, -8..0 the last eight";
            return Err(Error::invalid(
                "images",
                format!("{range:?}"),
                "a start before its end",
                todo,
            ));
        }
        if !range.is_empty() {
            for end in [range.start, range.end - 1] {
                place("images", end, self.len(), &self)?;
            }
        }
        range.map(|index| self.image(index)).collect()
    }
}

/// A set that several loaders share, or one of a type that is chosen while the program runs.
macro_rules! dataset_behind {
    ($pointer:ident) => {
        impl<D: Dataset + ?Sized> Dataset for $pointer<D> {
            fn len(&self) -> usize {
                (**self).len()
            }

            fn sample(&self, index: usize, rng: &mut Rng) -> Result<Sample> {
                (**self).sample(index, rng)
            }

            fn name(&self, index: usize) -> String {
                (**self).name(index)
            }

            fn classes(&self) -> &[String] {
                (**self).classes()
            }
        }
    };
}
dataset_behind!(Arc);
dataset_behind!(Box);

/// The place of an index that may count from the end.
fn place(subject: &str, index: isize, len: usize, dataset: &dyn Debug) -> Result<usize> {
    let from_start = if index < 0 { index.saturating_add_unsigned(len) } else { index };
    usize::try_from(from_start).ok().filter(|&place| place < len).ok_or_else(|| {
        let expected = if len == 0 { "images".into() } else { format!("-{len} to {}", len - 1) };
        out_of_range(subject, index, expected, dataset, len)
    })
}

/// An error if there is no sample number `index`.
pub(super) fn check_index(subject: &str, dataset: &dyn Dataset, index: usize) -> Result<()> {
    let len = dataset.len();
    if index < len {
        return Ok(());
    }
    let expected = if len == 0 { "images".into() } else { format!("0 to {}", len - 1) };
    Err(out_of_range(subject, index, expected, &dataset, len))
}

fn out_of_range(
    subject: &str,
    index: impl Display,
    expected: String,
    dataset: &dyn Debug,
    len: usize,
) -> Error {
    let todo = format!("{} has {len} images", brief(dataset));
    Error::invalid(subject, format!("index {index}"), expected, todo)
}

/// An error of a sample, with the sample's name, unless it has that already.
pub(super) fn named(error: Error, name: &str) -> Error {
    if error.to_string().contains(name) { error } else { error.during(name) }
}

/// How messages show a data set: one that is derived may print all that it holds.
pub(super) fn brief(dataset: &dyn Debug) -> String {
    let text = format!("{dataset:?}");
    if text.len() <= 1000 {
        return text;
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_string()
}
