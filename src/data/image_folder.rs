//! A folder of images, one sub-folder a class (d2l: section 14.2.1, `ImageFolder`).

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;

use super::dataset::check_index;
use super::image_cache::Kept;
use super::{Dataset, Rng, Sample};
use crate::images::decode;
use crate::images::transforms::{Compose, Transform};
use crate::{Error, Result};

/// torchvision's.
const EXTENSIONS: [&str; 9] = ["jpg", "jpeg", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp"];

const LAYOUT: &str =
    "one sub-folder a class, with images: root/hotdog/1.jpg, root/not-hotdog/2.jpg";

/// Images with labels, as torchvision's `ImageFolder` reads them: `root/class/…/image.jpg`.
///
/// Classes are the sub-folders sorted by name; within a class folders are sorted by path, and the
/// images of each by name, as in torchvision. Names that start with a dot are passed over, so that
/// `.ipynb_checkpoints` is no class; links are followed, but not in a circle.
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
#[derive(Clone)]
pub struct ImageFolder {
    root: PathBuf,
    classes: Vec<String>,
    samples: Vec<(PathBuf, i64)>,
    transform: Option<Compose>,
    upright: bool,
    kept: Option<Arc<Kept>>,
}

impl ImageFolder {
    /// Lists the images below `root`; none is opened yet.
    ///
    /// # Errors
    /// The folder is missing, has no sub-folders, or a class has no image.
    pub fn new(root: impl AsRef<Path>) -> Result<ImageFolder> {
        ImageFolder::read(root.as_ref(), false)
    }

    /// As [`new`](Self::new), but a class may have no image (torchvision: `allow_empty=True`).
    ///
    /// # Errors
    /// The folder is missing or has no sub-folders.
    pub fn allow_empty(root: impl AsRef<Path>) -> Result<ImageFolder> {
        ImageFolder::read(root.as_ref(), true)
    }

    /// As [`new`](Self::new); each image goes through `transform` (torchvision:
    /// `ImageFolder(root, transform=…)`).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_transform(root: impl AsRef<Path>, transform: &Compose) -> Result<ImageFolder> {
        let folder = ImageFolder::read(root.as_ref(), false)?;
        Ok(ImageFolder { transform: Some(transform.clone()), ..folder })
    }

    fn read(root: &Path, allow_empty: bool) -> Result<ImageFolder> {
        let folder = ImageFolder::list(root)?;
        let has_image = |label| folder.samples.iter().any(|sample| sample.1 == label);
        let empty = (0i64..).zip(&folder.classes).filter(|&(label, _)| !has_image(label));
        let empty: Vec<&str> = empty.map(|(_, name)| name.as_str()).collect();
        if allow_empty || empty.is_empty() {
            return Ok(folder);
        }
        Err(Error::file(
            root,
            format!("no image for the classes {}", empty.join(", ")),
            format!("{LAYOUT} (extensions: {})", EXTENSIONS.join(", ")),
            "add images, remove these folders, or take ImageFolder::allow_empty",
        ))
    }

    fn list(root: &Path) -> Result<ImageFolder> {
        let (_, folders) = entries(root)?;
        if folders.is_empty() {
            let todo = "check the path: it may be the folder above or below";
            return Err(Error::file(root, "no class folders in it", LAYOUT, todo));
        }
        let mut samples = vec![];
        for (label, folder) in (0..).zip(&folders) {
            let mut files = vec![];
            collect(folder, &mut vec![], &mut files)?;
            // By the folder's whole path first, as text.
            files.sort_by(|a, b| {
                (a.parent().map(Path::as_os_str), a).cmp(&(b.parent().map(Path::as_os_str), b))
            });
            samples.extend(files.into_iter().map(|path| (path, label)));
        }
        let name =
            |folder: &PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into();
        let classes = folders.iter().map(name).collect();
        let root = root.to_path_buf();
        Ok(ImageFolder { root, classes, samples, transform: None, upright: false, kept: None })
    }

    /// Turns each image as its camera notes in the EXIF data (Pillow: `ImageOps.exif_transpose`).
    /// torchvision does not, and neither does this crate unless told.
    pub fn exif_transpose(self) -> ImageFolder {
        ImageFolder { upright: true, kept: None, ..self }
    }

    /// Keeps decoded images in memory, up to `bytes` of them: from the second epoch on they need
    /// only be cropped. An image takes three bytes a pixel; clones of this folder share them. Comes after
    /// [`exif_transpose`](Self::exif_transpose), if both are asked for.
    pub fn keep_decoded(self, bytes: usize) -> ImageFolder {
        let kept = Kept::new(self.len(), bytes);
        ImageFolder { kept: Some(Arc::new(kept)), ..self }
    }

    /// All files with their labels.
    pub fn samples(&self) -> &[(PathBuf, i64)] {
        &self.samples
    }

    /// Image number `index` as it is in its file.
    pub(super) fn decode(&self, index: usize) -> Result<RgbImage> {
        decode(&self.samples[index].0, self.upright)
    }
}

impl Dataset for ImageFolder {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn sample(&self, index: usize, rng: &mut Rng) -> Result<Sample> {
        check_index("sample", self, index)?;
        let (path, label) = &self.samples[index];
        let decode = || decode(path, self.upright);
        let picture = match &self.kept {
            Some(kept) => kept.get(index, decode)?,
            None => decode()?,
        };
        let image = match &self.transform {
            Some(transform) => transform.apply(picture.into(), rng)?,
            None => picture.into(),
        };
        Ok(Sample::new(image, *label))
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn name(&self, index: usize) -> String {
        match self.samples.get(index) {
            Some((path, _)) => path.display().to_string(),
            None => {
                format!("image {index} of {}, which has none of this number", self.root.display())
            }
        }
    }
}

impl fmt::Display for ImageFolder {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (count, root) = (self.samples.len(), self.root.display());
        write!(f, "ImageFolder({root}: {count} images, classes {}", self.classes.join(", "))?;
        match &self.transform {
            Some(transform) => write!(f, ", transform {transform:?})"),
            None => f.write_str(")"),
        }
    }
}

crate::jupyter::show_as_text!(ImageFolder);

/// The visible files and folders in a folder, by name.
fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let mut paths = vec![];
    for entry in fs::read_dir(folder).map_err(Error::io("read the folder", folder))? {
        let entry = entry.map_err(Error::io("read the folder", folder))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths.into_iter().partition(|path| !path.is_dir()))
}

/// All images below a folder; `above` holds the folders around it, into which no link leads back.
fn collect(folder: &Path, above: &mut Vec<PathBuf>, paths: &mut Vec<PathBuf>) -> Result<()> {
    let real = folder.canonicalize().map_err(Error::io("read the folder", folder))?;
    if above.contains(&real) {
        return Ok(());
    }
    above.push(real);
    let (files, folders) = entries(folder)?;
    paths.extend(files.into_iter().filter(|path| is_image_file(path)));
    for folder in folders {
        collect(&folder, above, paths)?;
    }
    above.pop();
    Ok(())
}

fn is_image_file(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}
