//! Images with boxes, as the book's set of bananas has them (d2l: section 14.6).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tch::Tensor;

use super::boxes_csv::{Labelled, read_labels};
use super::dataset::check_index;
use super::download_extract::BANANAS;
use super::image_cache::Kept;
use super::{DataLoader, Dataset, Image, Rng, Sample, download_extract};
use crate::images::decode;
use crate::images::transforms::{ToTensor, Transform};
use crate::jupyter::say;
use crate::{Error, Result};

/// Decoded images are kept up to this many bytes: the book's set has 197 million.
const MOST_KEPT: usize = 500_000_000;

/// What is done to a sample before it becomes numbers.
type Change = Arc<dyn Fn(Sample, &mut Rng) -> Result<Sample> + Send + Sync>;

/// Images with the boxes of what is in them (d2l: `BananasDataset`).
///
/// A sample's image is `[3, H, W]`, from 0 to 1 (the book leaves 0 to 255), its target `[M, 5]`, rows
/// class, left, top, right, bottom, the edges in parts of the image. `M` is the largest number of boxes
/// that an image of the set has; those that have fewer are filled up with rows of class −1. Images are
/// decoded when they are first asked for, and kept.
///
/// On disk there are `bananas_train` and `bananas_val`, each with `images` and `label.csv`: a row
/// `img_name,label,xmin,ymin,xmax,ymax` for each box, in pixels. An image with several boxes has several
/// rows; one without any has one of label −1. `classes.txt` beside the two, if it is there, has a name for
/// each class, a line each.
///
/// The book: [*The Object Detection Dataset*](https://d2l.ai/chapter_computer-vision/object-detection-dataset.html).
#[derive(Clone)]
pub struct BananasDataset {
    root: PathBuf,
    is_train: bool,
    classes: Vec<String>,
    images: Arc<[Labelled]>,
    /// The largest number of boxes of an image, 1 or more.
    most: usize,
    kept: Arc<Kept>,
    change: Option<Change>,
}

impl BananasDataset {
    /// The images to learn from (`is_train`), or those to validate with: the book's, or, where these
    /// cannot be had, drawings in the same folders; see [`download_extract`]. Says how many were read.
    ///
    /// # Errors
    /// As [`download_extract`] and [`from_folder`](Self::from_folder).
    pub fn new(is_train: bool) -> Result<BananasDataset> {
        let set = BananasDataset::read(&download_extract(BANANAS)?, is_train)?;
        let which = if is_train { "training" } else { "validation" };
        say(format_args!("read {} {which} examples", set.len()));
        Ok(set)
    }

    /// The same of a folder of one's own in this layout. What the two folders' names have before `_train`
    /// and `_val` does not matter.
    ///
    /// # Errors
    /// A folder or a file is missing. In `label.csv`: another header, a row that is not a name and five
    /// numbers, a class that is not in `classes.txt`, a box that is turned, has no area or reaches more
    /// than a pixel out of its image. The message names the file and the line.
    ///
    /// ```
    /// use d2l::data::three_kinds_drawings;
    /// use d2l::prelude::*;
    /// # if false {
    /// let objects = BananasDataset::from_folder(three_kinds_drawings()?, false)?;
    /// assert_eq!(objects.classes(), ["banana", "carrot", "doughnut"]);
    /// assert_eq!(objects.get(0)?.target.tensor()?.size(), [3, 5]);
    /// # }
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn from_folder(root: impl AsRef<Path>, is_train: bool) -> Result<BananasDataset> {
        BananasDataset::read(root.as_ref(), is_train)
    }

    fn read(root: &Path, is_train: bool) -> Result<BananasDataset> {
        let classes = classes(root)?;
        let folder = split_folder(root, if is_train { "_train" } else { "_val" })?;
        let images = read_labels(&folder, &classes)?;
        let most = images.iter().map(|image| image.boxes.len()).max().unwrap_or(0).max(1);
        Ok(BananasDataset {
            root: root.into(),
            is_train,
            classes,
            kept: Arc::new(Kept::new(images.len(), MOST_KEPT)),
            images: images.into(),
            most,
            change: None,
        })
    }

    /// Each sample goes through `change` before it becomes numbers: `random_horizontal_flip`,
    /// `random_crop`, `random_zoom_out` and the like of [`Sample`], which move the boxes, too.
    ///
    /// ```no_run
    /// use d2l::prelude::*;
    /// let train = BananasDataset::new(true)?;
    /// let train = train.augment(|sample, rng| sample.random_horizontal_flip(0.5, rng));
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn augment(
        self,
        change: impl Fn(Sample, &mut Rng) -> Result<Sample> + Send + Sync + 'static,
    ) -> BananasDataset {
        BananasDataset { change: Some(Arc::new(change)), ..self }
    }
}

impl Dataset for BananasDataset {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn sample(&self, index: usize, rng: &mut Rng) -> Result<Sample> {
        check_index("sample", self, index)?;
        let Labelled { path, boxes, .. } = &self.images[index];
        let picture = self.kept.get(index, || decode(path, false))?;
        let mut table = vec![[-1f32, 0., 0., 0., 0.]; self.most];
        table.iter_mut().zip(boxes).for_each(|(row, bbox)| *row = *bbox);
        let table = Tensor::f_from_slice(table.as_flattened())?.f_view([-1, 5])?;
        let mut sample = Sample::new(picture.into(), table);
        if let Some(change) = &self.change {
            sample = change(sample, rng)?;
        }
        let image = match sample.image {
            numbers @ Image::Float(_) => numbers,
            pixels => ToTensor.apply(pixels, rng)?,
        };
        Ok(Sample { image, ..sample })
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn name(&self, index: usize) -> String {
        match self.images.get(index) {
            Some(image) => image.path.display().to_string(),
            None => format!("sample {index}"),
        }
    }
}

impl fmt::Display for BananasDataset {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let boxes: usize = self.images.iter().map(|image| image.boxes.len()).sum();
        let split = if self.is_train { "train" } else { "val" };
        let (count, root) = (self.len(), self.root.display());
        let classes = self.classes.join(", ");
        write!(
            f,
            "BananasDataset({root}, {split}: {count} images, {boxes} boxes, classes {classes}"
        )?;
        f.write_str(if self.change.is_some() { ", augmented)" } else { ")" })
    }
}

crate::jupyter::show_as_text!(BananasDataset);

/// Batches of the bananas (d2l: `load_data_bananas`): those to learn from, in an order of its own for each
/// epoch, and those to validate with. They are `[N, 3, 256, 256]` and `[N, 1, 5]`; what they hold says
/// [`BananasDataset`].
///
/// The book: [*The Object Detection Dataset*](https://d2l.ai/chapter_computer-vision/object-detection-dataset.html).
///
/// # Errors
/// As [`BananasDataset::new`], or `batch_size` is 0.
pub fn load_data_bananas(batch_size: usize) -> Result<(DataLoader, DataLoader)> {
    let train = DataLoader::new(BananasDataset::new(true)?, batch_size)?.shuffle(true);
    Ok((train, DataLoader::new(BananasDataset::new(false)?, batch_size)?))
}

/// The names in `classes.txt`; without that file there are bananas alone.
fn classes(root: &Path) -> Result<Vec<String>> {
    let path = root.join("classes.txt");
    if !path.is_file() {
        return Ok(vec!["banana".into()]);
    }
    let text = std::fs::read_to_string(&path).map_err(Error::io("read the classes", &path))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Into::into).collect())
}

/// The folder whose name ends so; the first by name.
fn split_folder(root: &Path, end: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(root).map_err(Error::io("read the folder", root))?;
    let mut found = vec![];
    for entry in entries {
        let path = entry.map_err(Error::io("read the folder", root))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(end) && path.is_dir() {
            found.push(path);
        }
    }
    found.into_iter().min().ok_or_else(|| {
        Error::file(
            root,
            format!("no folder whose name ends with {end}"),
            "bananas_train and bananas_val, each with images and label.csv",
            "check the path: it may be the folder above or below",
        )
    })
}
