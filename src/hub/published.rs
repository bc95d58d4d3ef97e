//! Files of weights that torchvision publishes (d2l: section 14.2.2).

use std::path::{Path, PathBuf};

use d2l_common::files;
use sha2::Sha256;

use super::checksum::{Checksum, file_digest};
use super::{fetch, folders, writable_folder};
use crate::{Error, Result, settings};

/// Where torchvision's files are.
const TORCHVISION: &str = "https://download.pytorch.org/models/";

/// A file's name and its SHA-256, whose first digits are in the name.
pub(crate) type Published = (&'static str, &'static str);

pub(crate) const RESNET18: Published =
    (files::RESNET18, "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec");
pub(crate) const RESNET34: Published =
    ("resnet34-b627a593.pth", "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f");
pub(crate) const RESNET50: Published =
    ("resnet50-0676ba61.pth", "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a");

/// An error for another file under one of these names.
pub(crate) fn check_published(path: &Path) -> Result<()> {
    let is_named = |(name, _): &Published| path.file_name().is_some_and(|found| found == *name);
    let Some((name, hash)) = [RESNET18, RESNET34, RESNET50].into_iter().find(is_named) else {
        return Ok(());
    };
    let found = file_digest::<Sha256>(path)?;
    if found == hash {
        return Ok(());
    }
    let reason = Error::file(
        path,
        format!("its SHA-256 is {found}"),
        format!("{hash}, as torchvision's {name} has"),
        "remove the file, it is damaged; or rename it if it is no file of torchvision's",
    );
    Err(Error::Checksum { reason: Box::new(reason) })
}

/// From the data folders, PyTorch's own cache, or the network. Its checksum is compared when
/// it is loaded.
pub(crate) fn published_file((name, hash): Published) -> Result<PathBuf> {
    for folder in folders().into_iter().chain(settings::folders().torch) {
        let path = folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    fetch(&format!("{TORCHVISION}{name}"), &writable_folder()?, Checksum::Sha256(hash))
}
