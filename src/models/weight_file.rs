//! Weights in files, and back (d2l: section 6.6, *File I/O*).

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, View};
use sha2::Sha256;
use tch::{Device, Kind, Tensor};

use super::torch_zip;
use crate::hub::digest::file_digest;
use crate::nn::Module;
use crate::{Error, Result};

/// Tensors by name, and what else a file says about itself.
pub(crate) type Contents = (Vec<(String, Tensor)>, HashMap<String, String>);

/// Loads a state dict into a net, by name: `.safetensors`, what `torch.save` writes (`.pth`, `.pt`),
/// or what tch's `VarStore::save` does (`.ot`), told by its content.
///
/// Half precision is widened to the net's `f32`. A prefix of all names is dropped, such as the
/// `module.` of a net that was trained on several devices, and a state dict inside of a checkpoint
/// is found. No code in a file is run.
///
/// The book: [*File I/O*](https://d2l.ai/chapter_builders-guide/read-write.html).
///
/// # Errors
/// The file is missing, cut off, of another kind (torch before 1.6 wrote one that is not read here),
/// it is not the one that the digits in its name promise (`resnet18-f37072fd.pth`), or its keys and
/// shapes are not the net's, all named at once; the net is then unchanged.
pub fn load_weights(net: &dyn Module, path: impl AsRef<Path>) -> Result<()> {
    load_state(net, path.as_ref(), read(path.as_ref())?.0)
}

pub(crate) fn load_state(
    net: &dyn Module,
    path: &Path,
    state: Vec<(String, Tensor)>,
) -> Result<()> {
    net.load_state_dict(&without_prefix(state, net)).map_err(|error| {
        Error::file(
            path,
            error.summary(),
            "weights of this net",
            "name a file of the same architecture with the same number of classes",
        )
    })
}

/// Writes a net's state dict as `.safetensors`, which PyTorch reads, too (d2l: `torch.save` of
/// `net.state_dict()`).
///
/// The new file is written beside its place and then takes it: an older one is whole until then.
///
/// The book: [*File I/O*](https://d2l.ai/chapter_builders-guide/read-write.html).
///
/// # Errors
/// The folder cannot be written, or the disk is full.
pub fn save_weights(net: &dyn Module, path: impl AsRef<Path>) -> Result<()> {
    write(path.as_ref(), net.state_dict(), HashMap::new())
}

/// All of a file, whatever its kind.
pub(crate) fn read(path: &Path) -> Result<Contents> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(9).read_to_end(&mut start))
        .map_err(Error::io("read the weights", path))?;
    let unreadable = |found: String| {
        Error::file(
            path,
            found,
            "a .safetensors file, a .pth file of torch 1.6 or newer, or tch's .ot",
            "fetch the file again, or save the net's state_dict() anew with torch.save or \
             safetensors.torch.save_file",
        )
    };
    check_name(path)?;
    if start.starts_with(b"PK") {
        Ok((torch_zip::read(path).map_err(unreadable)?, HashMap::new()))
    } else if start.len() == 9 && start[8] == b'{' {
        let content = std::fs::read(path).map_err(Error::io("read the weights", path))?;
        safe_tensors(&content).map_err(|error| unreadable(format!("damaged or cut off ({error})")))
    } else if start.starts_with(&[0x80]) {
        Err(unreadable("a pickle as torch wrote before version 1.6".into()))
    } else {
        let text = String::from_utf8_lossy(&start).into_owned();
        Err(unreadable(format!("no weights: the file starts with {text:?}")))
    }
}

fn safe_tensors(content: &[u8]) -> std::result::Result<Contents, Box<dyn std::error::Error>> {
    let (_, metadata) = SafeTensors::read_metadata(content)?;
    let notes = metadata.metadata().clone().unwrap_or_default();
    let mut tensors = vec![];
    for (name, view) in SafeTensors::deserialize(content)?.tensors() {
        let tensor = Tensor::try_from(view).map_err(Error::from)?;
        tensors.push((name, tensor));
    }
    Ok((tensors, notes))
}

/// A name such as `resnet18-f37072fd.pth` ends in the first digits of the content's SHA-256.
fn check_name(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(expected) = promised_hash(&name) else { return Ok(()) };
    let found = file_digest::<Sha256>(path)?;
    if found.starts_with(expected) {
        return Ok(());
    }
    Err(Error::file(
        path,
        format!("its SHA-256 is {found}"),
        format!("one that starts with {expected}, as the name says"),
        "remove the file, it is damaged; or rename it if these digits are no checksum",
    ))
}

/// Eight digits or more of a hash behind the last dash. A date has no letters.
pub(crate) fn promised_hash(name: &str) -> Option<&str> {
    let (_, hash) = name.split('.').next()?.rsplit_once('-')?;
    let is_hash = (8..=64).contains(&hash.len())
        && hash.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
        && hash.chars().any(|c| c.is_ascii_lowercase());
    is_hash.then_some(hash)
}

/// Drops what stands before the net's own names, if none of them occurs as it is.
fn without_prefix(state: Vec<(String, Tensor)>, net: &dyn Module) -> Vec<(String, Tensor)> {
    let own: HashSet<String> = net.state_dict().into_iter().map(|(name, _)| name).collect();
    if state.iter().any(|(name, _)| own.contains(name)) {
        return state;
    }
    let prefix = state.iter().find_map(|(name, _)| {
        let mut dots = name.match_indices('.').map(|(dot, _)| dot + 1);
        dots.find(|&end| own.contains(&name[end..])).map(|end| name[..end].to_string())
    });
    let Some(prefix) = prefix else { return state };
    let strip = |name: String| name.strip_prefix(&prefix).map(str::to_string).unwrap_or(name);
    state.into_iter().map(|(name, tensor)| (strip(name), tensor)).collect()
}

/// Writes tensors and notes about them, whole or not at all.
pub(crate) fn write(
    path: &Path,
    tensors: Vec<(String, Tensor)>,
    notes: HashMap<String, String>,
) -> Result<()> {
    let entries = tensors.iter().map(|(name, tensor)| Ok((name.as_str(), Bytes::of(tensor)?)));
    let entries: Vec<_> = entries.collect::<Result<_>>()?;
    let part = crate::hub::beside(path)?;
    safetensors::serialize_to_file(entries, &Some(notes), part.path()).map_err(
        |error| match error {
            safetensors::SafeTensorError::IoError(error) => Error::io("write", path)(error),
            other => Error::Torch(other.to_string()),
        },
    )?;
    part.persist(path).map_err(|error| Error::io("write", path)(error.error))?;
    Ok(())
}

/// A tensor as a file of safetensors wants it.
struct Bytes {
    kind: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl Bytes {
    fn of(tensor: &Tensor) -> Result<Bytes> {
        let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
        let kind: Kind = tensor.f_kind()?;
        let mut data = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut data, tensor.numel())?;
        let shape = tensor.size().iter().map(|&length| length as usize).collect();
        Ok(Bytes { kind: kind.try_into()?, shape, data })
    }
}

impl View for Bytes {
    fn dtype(&self) -> Dtype {
        self.kind
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.data.as_slice().into()
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

#[cfg(test)]
mod tests {
    use super::promised_hash;

    #[test]
    fn only_a_hash_is_a_promise() {
        assert_eq!(promised_hash("resnet18-f37072fd.pth"), Some("f37072fd"));
        for name in ["net.pth", "net-best.pth", "net-20261125.pth", "net-abcdef.pth", "a-b/c"] {
            assert_eq!(promised_hash(name), None, "{name}");
        }
    }
}
