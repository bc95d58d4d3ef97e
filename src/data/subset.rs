//! Parts of a data set (d2l: section 14.13 keeps some images to validate with).

use std::fmt;
use std::sync::Arc;

use rand::seq::SliceRandom;

use super::dataset::{brief, check_index};
use super::{Dataset, Rng, Sample};
use crate::random::next_generator;
use crate::{Error, Result};

/// Some samples of a data set, in an order of their own (PyTorch: `Subset`).
///
/// The book: [*Image Classification (CIFAR-10) on Kaggle*](https://d2l.ai/chapter_computer-vision/kaggle-cifar10.html).
#[derive(Clone)]
pub struct Subset {
    dataset: Arc<dyn Dataset>,
    indices: Arc<[usize]>,
}

impl Subset {
    /// The samples of these numbers: `Subset::new(train_imgs, 0..100)?`. A set that is needed
    /// elsewhere, too, is given as an `Arc` or a clone.
    ///
    /// # Errors
    /// The data set has no sample of a number.
    pub fn new(
        dataset: impl Dataset + 'static,
        indices: impl IntoIterator<Item = usize>,
    ) -> Result<Subset> {
        Subset::of(Arc::new(dataset), indices.into_iter().collect())
    }

    fn of(dataset: Arc<dyn Dataset>, indices: Vec<usize>) -> Result<Subset> {
        if let Some(&largest) = indices.iter().max() {
            check_index("Subset", &*dataset, largest)?;
        }
        Ok(Subset { dataset, indices: indices.into() })
    }

    /// The numbers of the samples in the data set that this is a part of.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn sample(&self, index: usize, rng: &mut Rng) -> Result<Sample> {
        check_index("sample", self, index)?;
        self.dataset.sample(self.indices[index], rng)
    }

    fn name(&self, index: usize) -> String {
        match self.indices.get(index) {
            Some(&index) => self.dataset.name(index),
            None => format!("sample {index} of {self:?}, which has none of this number"),
        }
    }

    fn classes(&self) -> &[String] {
        self.dataset.classes()
    }
}

impl fmt::Display for Subset {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Subset({} of {})", self.indices.len(), brief(&self.dataset))
    }
}

crate::jupyter::show_as_text!(Subset);

/// The size of a part for [`random_split`].
#[derive(Debug, Clone, Copy)]
pub enum Length {
    /// A part of all, from 0 to 1.
    Fraction(f64),
    /// A number of samples.
    Count(usize),
}

impl From<f64> for Length {
    fn from(fraction: f64) -> Length {
        Length::Fraction(fraction)
    }
}

impl From<usize> for Length {
    fn from(count: usize) -> Length {
        Length::Count(count)
    }
}

/// Splits a data set randomly, each sample into one part (PyTorch: `random_split`).
///
/// The lengths are fractions, whose sum is 1, or numbers of samples, whose sum is the set's. What
/// fractions leave over goes to the first parts, one sample each, as in PyTorch. After
/// [`manual_seed`](super::manual_seed) the same calls split in the same way.
///
/// The book: [*Image Classification (CIFAR-10) on Kaggle*](https://d2l.ai/chapter_computer-vision/kaggle-cifar10.html).
///
/// # Errors
/// The lengths' sum is another, a fraction is not from 0 to 1 or comes to no sample, or fractions stand
/// beside numbers.
///
/// ```no_run
/// use d2l::prelude::*;
/// let images = ImageFolder::new(download_extract("hotdog")?.join("train"))?;
/// let [train_imgs, valid_imgs] = random_split(images, [0.8, 0.2])?;
/// println!("{} and {}", train_imgs.len(), valid_imgs.len());
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn random_split<const N: usize>(
    dataset: impl Dataset + 'static,
    lengths: [impl Into<Length>; N],
) -> Result<[Subset; N]> {
    let dataset: Arc<dyn Dataset> = Arc::new(dataset);
    let mut parts = split(dataset.len(), &lengths.map(Into::into))?.into_iter();
    Ok(std::array::from_fn(|_| {
        let indices = parts.next().unwrap_or_default().into();
        Subset { dataset: dataset.clone(), indices }
    }))
}

/// The indices of each part.
fn split(len: usize, lengths: &[Length]) -> Result<Vec<Vec<usize>>> {
    let mut all: Vec<usize> = (0..len).collect();
    let counts = counts(len, lengths)?;
    all.shuffle(&mut next_generator());
    let mut rest = all.into_iter();
    Ok(counts.into_iter().map(|count| rest.by_ref().take(count).collect()).collect())
}

/// The number of samples of each part.
fn counts(len: usize, lengths: &[Length]) -> Result<Vec<usize>> {
    let refused = |found: String, expected: String| {
        let todo = "give fractions as [0.8, 0.2], or numbers of samples as [1600, 400]";
        Err(Error::invalid("random_split", found, expected, todo))
    };
    let (mut fractions, mut counts) = (vec![], vec![]);
    for length in lengths {
        match *length {
            Length::Fraction(fraction) => fractions.push(fraction),
            Length::Count(count) => counts.push(count),
        }
    }
    if fractions.is_empty() {
        let sum = counts.iter().try_fold(0usize, |sum, &count| sum.checked_add(count));
        return match sum {
            Some(sum) if sum == len => Ok(counts),
            _ => refused(
                format!("the lengths {counts:?}"),
                format!("a sum of {len}, as the data set has"),
            ),
        };
    }
    if !counts.is_empty() {
        return refused(format!("{lengths:?}"), "fractions, or numbers of samples".into());
    }
    if let Some(fraction) = fractions.iter().find(|fraction| !(0. ..=1.).contains(*fraction)) {
        return refused(format!("the fraction {fraction}"), "0 to 1".into());
    }
    let sum: f64 = fractions.iter().sum();
    if (sum - 1.).abs() > 1e-9 {
        return refused(
            format!("fractions {fractions:?}, whose sum is {sum}"),
            "a sum of 1".into(),
        );
    }
    // As PyTorch: rounded down, and the first parts get what is left over.
    let mut counts: Vec<usize> =
        fractions.iter().map(|fraction| (len as f64 * fraction).floor() as usize).collect();
    let left_over = len.saturating_sub(counts.iter().sum());
    // Less than one for each part.
    counts.iter_mut().take(left_over).for_each(|count| *count += 1);
    let is_none = |&(fraction, count): &(&f64, &usize)| *fraction > 0. && *count == 0;
    match fractions.iter().zip(&counts).find(is_none) {
        Some((fraction, _)) if len > 0 => refused(
            format!("the fraction {fraction} of {len} samples"),
            "a sample in each part".into(),
        ),
        _ => Ok(counts),
    }
}
