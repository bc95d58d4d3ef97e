//! CIFAR-10: sixty thousand small images of ten kinds of things (d2l: section 14.1.2).

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;

use super::dataset::check_index;
use super::{DataLoader, Dataset, Rng, Sample, download_extract};
use crate::images::transforms::{Compose, Transform};
use crate::{Error, Result};

/// Height and width of an image.
const SIZE: u32 = 32;
const PIXELS: usize = (SIZE * SIZE) as usize;
/// Bytes of a record: the label, then all reds, all greens and all blues, row by row.
const RECORD: usize = 1 + 3 * PIXELS;

const TODO: &str = "remove the folder, so that it is fetched and unpacked again";

/// Images of 32×32 pixels in ten classes (torchvision: `CIFAR10`), held in memory.
///
/// Reads the set's binary edition: `batches.meta.txt`, `data_batch_1.bin` to `data_batch_5.bin`, and
/// `test_batch.bin`.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Clone)]
pub struct CIFAR10 {
    root: PathBuf,
    classes: Vec<String>,
    records: Arc<[u8]>,
    transform: Option<Compose>,
}

impl CIFAR10 {
    /// Reads the images to learn from (`train`), or those to test with, from a folder that
    /// [`download_extract`]`("cifar10")` has returned.
    ///
    /// # Errors
    /// A file is missing, is cut off, or has a label that is none of the classes.
    pub fn new(root: impl AsRef<Path>, train: bool) -> Result<CIFAR10> {
        CIFAR10::read(root.as_ref(), train)
    }

    /// As [`new`](Self::new); each image goes through `transform`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_transform(
        root: impl AsRef<Path>,
        train: bool,
        transform: &Compose,
    ) -> Result<CIFAR10> {
        let set = CIFAR10::read(root.as_ref(), train)?;
        Ok(CIFAR10 { transform: Some(transform.clone()), ..set })
    }

    fn read(root: &Path, train: bool) -> Result<CIFAR10> {
        let names = root.join("batches.meta.txt");
        let classes = fs::read_to_string(&names).map_err(Error::io("read the classes", &names))?;
        let classes: Vec<String> = classes
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(Into::into)
            .collect();
        let files = if train {
            (1..=5).map(|i| format!("data_batch_{i}.bin")).collect()
        } else {
            vec!["test_batch.bin".to_string()]
        };
        let mut records = vec![];
        for file in files {
            let path = root.join(file);
            let content = fs::read(&path).map_err(Error::io("read the images", &path))?;
            let (whole, rest) = content.as_chunks::<RECORD>();
            if whole.is_empty() || !rest.is_empty() {
                let found = format!("{} bytes", content.len());
                let expected = format!("records of {RECORD} bytes, a label and 32×32 pixels each");
                return Err(Error::file(&path, found, expected, TODO));
            }
            let bad = whole.iter().find(|record| usize::from(record[0]) >= classes.len());
            if let Some(record) = bad {
                let found = format!("the label {}", record[0]);
                let expected = format!("less than {}, the number of classes", classes.len());
                return Err(Error::file(&path, found, expected, TODO));
            }
            records.extend(content);
        }
        Ok(CIFAR10 { root: root.into(), classes, records: records.into(), transform: None })
    }
}

impl Dataset for CIFAR10 {
    fn len(&self) -> usize {
        self.records.len() / RECORD
    }

    fn sample(&self, index: usize, rng: &mut Rng) -> Result<Sample> {
        check_index("sample", self, index)?;
        let record = &self.records[index * RECORD..][..RECORD];
        let picture = RgbImage::from_fn(SIZE, SIZE, |x, y| {
            let pixel = 1 + (y * SIZE + x) as usize;
            image::Rgb(std::array::from_fn(|channel| record[pixel + channel * PIXELS]))
        });
        let image = match &self.transform {
            Some(transform) => transform.apply(picture.into(), rng)?,
            None => picture.into(),
        };
        Ok(Sample::new(image, i64::from(record[0])))
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn name(&self, index: usize) -> String {
        format!("image {index} of {}", self.root.display())
    }
}

impl fmt::Display for CIFAR10 {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (count, root) = (self.len(), self.root.display());
        write!(f, "CIFAR10({root}: {count} images, classes {}", self.classes.join(", "))?;
        match &self.transform {
            Some(transform) => write!(f, ", transform {transform:?})"),
            None => f.write_str(")"),
        }
    }
}

crate::jupyter::show_as_text!(CIFAR10);

/// Batches of CIFAR-10 to learn from, in an order of its own for each epoch, or to test with (d2l:
/// section 14.1.2, `load_cifar10`).
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// As [`download_extract`] and [`CIFAR10::new`], or `batch_size` is 0.
pub fn load_cifar10(is_train: bool, augs: &Compose, batch_size: usize) -> Result<DataLoader> {
    let dataset = CIFAR10::with_transform(download_extract("cifar10")?, is_train, augs)?;
    Ok(DataLoader::new(dataset, batch_size)?.shuffle(is_train))
}
