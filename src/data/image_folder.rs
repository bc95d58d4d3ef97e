//! A folder of pictures, one sub-folder a class (d2l: section 14.2.1, `ImageFolder`).

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::rng::{generator, global_seed};
use super::transforms::{Compose, Transform};
use super::{Image, Rng};
use crate::{Error, Result};

const EXTENSIONS: [&str; 10] =
    ["jpg", "jpeg", "png", "ppm", "pgm", "bmp", "tif", "tiff", "webp", "gif"];

/// Pictures with labels, as torchvision's `ImageFolder` reads them: `root/class/…/picture.jpg`.
///
/// Classes are the sub-folders sorted by name, pictures are sorted by path within a class. Names
/// that start with a dot are passed over, so that `.ipynb_checkpoints` is no class.
#[derive(Clone)]
pub struct ImageFolder {
    root: PathBuf,
    classes: Vec<String>,
    samples: Vec<(PathBuf, i64)>,
    transform: Option<Compose>,
}

impl ImageFolder {
    /// Lists the pictures below `root`; none is opened yet.
    ///
    /// # Errors
    /// The folder is missing, has no sub-folders, or a class has no picture.
    pub fn new(root: impl AsRef<Path>) -> Result<ImageFolder> {
        let root = root.as_ref();
        let layout =
            "one sub-folder a class, with pictures: root/hotdog/1.jpg, root/not-hotdog/2.jpg";
        let folders: Vec<_> = list(root)?.into_iter().filter(|path| path.is_dir()).collect();
        if folders.is_empty() {
            let todo = "check the path: it may be the folder above or below";
            return Err(Error::file(root, "no class folders in it", layout, todo));
        }
        let mut classes = vec![];
        let mut samples = vec![];
        let mut empty = vec![];
        for (label, folder) in folders.iter().enumerate() {
            let before = samples.len();
            let mut seen = HashSet::new();
            collect(folder, &mut seen, &mut |path| samples.push((path, label as i64)))?;
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if samples.len() == before {
                empty.push(name.clone());
            }
            classes.push(name);
        }
        if !empty.is_empty() {
            return Err(Error::file(
                root,
                format!("no picture for the classes {}", empty.join(", ")),
                format!("{layout} (extensions: {})", EXTENSIONS.join(", ")),
                "add pictures or remove these folders",
            ));
        }
        Ok(ImageFolder { root: root.to_path_buf(), classes, samples, transform: None })
    }

    /// As [`new`](Self::new); each picture goes through `transform` (torchvision:
    /// `ImageFolder(root, transform=…)`).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_transform(root: impl AsRef<Path>, transform: &Compose) -> Result<ImageFolder> {
        Ok(ImageFolder { transform: Some(transform.clone()), ..ImageFolder::new(root)? })
    }

    /// The number of pictures.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no picture; never so, as [`new`](Self::new) is an error then.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The classes' names; a label is a place in this list.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// All files with their labels.
    pub fn samples(&self) -> &[(PathBuf, i64)] {
        &self.samples
    }

    /// Picture and label number `index`; a negative one counts from the end, as in Python.
    ///
    /// # Errors
    /// The index is out of range, or the file is no whole picture.
    pub fn get(&self, index: isize) -> Result<(Image, i64)> {
        let len = self.samples.len();
        let from_start = if index < 0 { index + len as isize } else { index };
        let place = usize::try_from(from_start).ok().filter(|&i| i < len).ok_or_else(|| {
            Error::invalid(
                "ImageFolder::get",
                format!("index {index}"),
                format!("-{len} to {}", len - 1),
                format!("{} has {len} pictures", self.root.display()),
            )
        })?;
        self.sample(place, &mut generator(global_seed(), 0, place as u64))
    }

    /// Picture and label number `index` of a training; randomness comes from `rng`.
    pub(super) fn sample(&self, index: usize, rng: &mut Rng) -> Result<(Image, i64)> {
        let (path, label) = &self.samples[index];
        let image = Image::open(path)?;
        let image = match &self.transform {
            Some(transform) => transform.apply(image, rng)?,
            None => image,
        };
        Ok((image, *label))
    }
}

impl fmt::Debug for ImageFolder {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (count, root) = (self.samples.len(), self.root.display());
        write!(f, "ImageFolder({root}: {count} pictures, classes {})", self.classes.join(", "))?;
        match &self.transform {
            Some(transform) => write!(f, ", transform {transform:?})"),
            None => Ok(()),
        }
    }
}

/// The visible entries of a folder, by name.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = vec![];
    for entry in fs::read_dir(folder).map_err(Error::io("read the folder", folder))? {
        let entry = entry.map_err(Error::io("read the folder", folder))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Hands out all pictures below a folder; `seen` keeps links from leading in a circle.
fn collect(
    folder: &Path,
    seen: &mut HashSet<PathBuf>,
    each: &mut dyn FnMut(PathBuf),
) -> Result<()> {
    let real = folder.canonicalize().map_err(Error::io("read the folder", folder))?;
    if !seen.insert(real) {
        return Ok(());
    }
    for path in list(folder)? {
        if path.is_dir() {
            collect(&path, seen, each)?;
        } else if is_picture(&path) {
            each(path);
        }
    }
    Ok(())
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}
