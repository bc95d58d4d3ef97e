//! Looking at all images before a training starts.

use std::path::PathBuf;

use super::parallel::on_all_cores;
use super::{Dataset, ImageFolder};
use crate::{Error, Result};

/// Decodes every image of a folder, and lists those that cannot be read, each with its reason
/// (fastai: `verify_images`).
///
/// A training ends at the first bad image; this finds all of them beforehand. It changes nothing: look
/// at the reasons before you move a file away, as one may be a network drive that was not there.
///
/// # Errors
/// The stop button was pressed.
///
/// ```no_run
/// use d2l::prelude::*;
/// let train_imgs = ImageFolder::new("hotdog/train")?;
/// for (_, reason) in verify_images(&train_imgs)? {
///     println!("{reason}");
/// }
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn verify_images(folder: &ImageFolder) -> Result<Vec<(PathBuf, Error)>> {
    let look = |index| Ok(folder.decode(index).err().map(|error| (index, error)));
    let bad = on_all_cores("looking at images", folder.len(), look)?;
    let path = |index: usize| folder.samples()[index].0.clone();
    Ok(bad.into_iter().flatten().map(|(index, error)| (path(index), error)).collect())
}
