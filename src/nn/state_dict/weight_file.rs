//! Weights in files, and back (d2l: section 6.6, *File I/O*).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, View};
use tch::{Device, Kind, Tensor};

use super::numbers::{read_numbers, view};
use super::other_kinds::{Fault, other_kind};
use super::pickled;
use super::safe_tensors::Head;
use super::state_dicts::{Choice, Dictionary, Entry, Storage, Uncalled};
use super::torch_zip::TorchZip;
use crate::hub::published::check_published;
use crate::nn::Module;
use crate::{Error, Result};

/// Loads a state dict into a network, by name: `.safetensors`, what `torch.save` writes (`.pth`, `.pt`),
/// or what tch's `VarStore::save` does (`.ot`), told by its content.
///
/// Half precision is widened to the network's `f32`. Of the dictionaries of tensors in a checkpoint the one
/// is taken whose names and shapes are the network's, also where all its names have something before them,
/// such as the `module.` of a network that was trained on several devices; if there are two,
/// [`load_weights_from`] says which. Batch norm's `num_batches_tracked` may be missing, as it is in
/// older files. No code in a file is run: what its calls would give is left out, and a network that needs
/// it is not loaded.
///
/// The book: [*File I/O*](https://d2l.ai/chapter_builders-guide/read-write.html).
///
/// # Errors
/// The file is missing, damaged, or of a kind that is not read (torch before 1.6 wrote one); it bears
/// the name of one of torchvision's files that are used here and is another; or no dictionary in it has
/// the network's keys and shapes, or more than one has. The network is then unchanged.
pub fn load_weights(net: &dyn Module, path: impl AsRef<Path>) -> Result<()> {
    WeightFile::open(path.as_ref())?.load(net, None)
}

/// As [`load_weights`], from one of several state dicts in a file: `"ema"` for `checkpoint["ema"]`,
/// `"teacher.backbone"` for what starts with `backbone.` in `checkpoint["teacher"]`, and `""` for the
/// outermost dictionary.
///
/// The book: [*File I/O*](https://d2l.ai/chapter_builders-guide/read-write.html).
///
/// # Errors
/// As [`load_weights`], or the file has nothing of this name; the message lists what it has.
pub fn load_weights_from(net: &dyn Module, path: impl AsRef<Path>, key: &str) -> Result<()> {
    WeightFile::open(path.as_ref())?.load(net, Some(key))
}

/// Writes a network's state dict as `.safetensors`, which PyTorch reads, too (d2l: `torch.save` of
/// `net.state_dict()`).
///
/// The new file is written beside its place, is on the disk, and then takes its name: an older one is
/// whole until then.
///
/// The book: [*File I/O*](https://d2l.ai/chapter_builders-guide/read-write.html).
///
/// # Errors
/// The name does not end in `.safetensors`, the folder cannot be written, or the disk is full.
pub fn save_weights(net: &dyn Module, path: impl AsRef<Path>) -> Result<()> {
    write(path.as_ref(), net.state_dict(), HashMap::new())
}

/// An open file of weights, of whatever kind, of which no numbers have been read yet.
pub(crate) struct WeightFile {
    path: PathBuf,
    dictionaries: Vec<Dictionary>,
    uncalled: Uncalled,
    notes: HashMap<String, String>,
    /// The optimizer's tensors in a checkpoint.
    beside: HashMap<Rc<str>, Entry>,
    numbers: Numbers,
}

/// The note of a checkpoint about the optimizer's state.
pub(crate) const OPTIMIZER: &str = "optimizer";
/// What the names of its tensors start with.
pub(crate) const BESIDE: &str = "optimizer/";

/// Where a file's numbers come from.
enum Numbers {
    Zip(TorchZip),
    SafeTensors(File, HashMap<Rc<str>, u64>),
}

impl WeightFile {
    pub(crate) fn open(path: &Path) -> Result<WeightFile> {
        let unreadable = Error::io("read the weights", path);
        let mut start = Vec::new();
        let opened = File::open(path).and_then(|mut file| {
            let about = file.metadata()?;
            if about.is_file() {
                file.by_ref().take(512).read_to_end(&mut start)?;
                file.rewind()?;
            }
            Ok((file, about))
        });
        let (file, about) = opened.map_err(unreadable)?;
        if about.is_dir() {
            let todo = "name the file of weights that is in it";
            return Err(Fault::unsupported("a folder, not a file of weights", todo).at(path));
        }
        check_published(path)?;
        WeightFile::of_kind(path, file, about.len(), &start).map_err(|fault| fault.at(path))
    }

    fn of_kind(
        path: &Path,
        mut file: File,
        length: u64,
        start: &[u8],
    ) -> Result<WeightFile, Fault> {
        let path = path.to_path_buf();
        let is_named = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("safetensors"));
        if start.starts_with(b"PK") {
            let mut zip = TorchZip::open(file, length)?;
            let (dictionaries, uncalled) = pickled::dictionaries(&zip.pickle()?)?;
            let (notes, numbers) = (HashMap::new(), Numbers::Zip(zip));
            let beside = HashMap::new();
            Ok(WeightFile { path, dictionaries, uncalled, notes, beside, numbers })
        } else if start.get(8..10) == Some(b"{\"") || is_named && start.get(8) == Some(&b'{') {
            let Head { mut dictionary, starts, notes } = Head::read(&mut file, length)?;
            let mut beside = HashMap::new();
            if notes.contains_key(OPTIMIZER) {
                (beside, dictionary.tensors) =
                    dictionary.tensors.into_iter().partition(|(name, _)| name.starts_with(BESIDE));
            }
            let numbers = Numbers::SafeTensors(file, starts);
            Ok(WeightFile {
                path,
                dictionaries: vec![dictionary],
                uncalled: vec![],
                notes,
                beside,
                numbers,
            })
        } else {
            Err(other_kind(&path, start))
        }
    }

    /// What the file says of itself under a name.
    pub(crate) fn note(&self, name: &str) -> Option<&str> {
        self.notes.get(name).map(String::as_str)
    }

    /// The optimizer's tensors in a checkpoint.
    pub(crate) fn beside(&mut self) -> Result<BTreeMap<String, Tensor>> {
        let mut tensors = BTreeMap::new();
        for (full_name, entry) in std::mem::take(&mut self.beside) {
            let Entry::Tensor(plan) = entry else {
                return Err(Fault::damaged(format!("{full_name} is not read here")).at(&self.path));
            };
            let storage = self.numbers.read(&plan.storage);
            let tensor = storage.and_then(|storage| view(&storage, &plan));
            let name = full_name.strip_prefix(BESIDE).unwrap_or_default();
            tensors.insert(name.to_string(), tensor.map_err(|fault| fault.at(&self.path))?);
        }
        Ok(tensors)
    }

    /// Copies the tensors that are the network's into it.
    pub(crate) fn load(mut self, net: &dyn Module, wanted: Option<&str>) -> Result<()> {
        let state = self.tensors(net, wanted).map_err(|fault| fault.at(&self.path))?;
        net.load_state_dict(&state)
    }

    fn tensors(
        &mut self,
        net: &dyn Module,
        wanted: Option<&str>,
    ) -> Result<Vec<(String, Tensor)>, Fault> {
        let own = net.state_dict();
        let own: Vec<_> = own.into_iter().map(|(name, tensor)| (name, tensor.size())).collect();
        let (dictionaries, uncalled) =
            (std::mem::take(&mut self.dictionaries), std::mem::take(&mut self.uncalled));
        let chosen = Choice { own: &own, dictionaries, uncalled }.tensors(wanted)?;
        let mut storages: HashMap<Rc<str>, Tensor> = HashMap::new();
        let mut tensors = vec![];
        for (name, plan) in chosen {
            let key = &plan.storage.key;
            if !storages.contains_key(key) {
                storages.insert(key.clone(), self.numbers.read(&plan.storage)?);
            }
            let storage = &storages[key];
            if Some(storage.kind()) != plan.storage.kind || storage.numel() != plan.storage.count {
                return Err(format!("{name}: a storage of two kinds or lengths").into());
            }
            tensors.push((name, view(storage, &plan)?));
        }
        Ok(tensors)
    }
}

impl Numbers {
    fn read(&mut self, storage: &Storage) -> Result<Tensor, Fault> {
        match self {
            Numbers::Zip(zip) => zip.numbers(storage),
            Numbers::SafeTensors(file, starts) => {
                let start = starts.get(&storage.key).copied().unwrap_or_default();
                file.seek(SeekFrom::Start(start)).map_err(Fault::damaged)?;
                let width = storage.kind.map_or(1, |kind| kind.elt_size_in_bytes());
                read_numbers(file.take((storage.count * width) as u64), storage)
            }
        }
    }
}

/// Writes tensors and notes about them, whole or not at all.
pub(crate) fn write(
    path: &Path,
    tensors: Vec<(String, Tensor)>,
    notes: HashMap<String, String>,
) -> Result<()> {
    if !path.extension().is_some_and(|end| end.eq_ignore_ascii_case("safetensors")) {
        return Err(Error::file(
            path,
            "the name of another kind of file",
            "a name that ends in .safetensors, the kind that is written",
            format!(
                "name it {:?}; Python reads it with safetensors.torch.load_file, and torch.save makes a \
                 .pth of that",
                path.with_extension("safetensors").file_name().unwrap_or_default()
            ),
        ));
    }
    let mut names = HashSet::new();
    if let Some((twice, _)) = tensors.iter().find(|(name, _)| !names.insert(name)) {
        return Err(Error::file(
            path,
            format!("two tensors of the network are named {twice:?}"),
            "a name for each, as otherwise one is lost",
            "give them names of their own in Module::visit",
        ));
    }
    let entries =
        tensors.iter().map(|(name, tensor)| Ok((name.as_str(), Bytes::of(path, name, tensor)?)));
    let entries: Vec<_> = entries.collect::<Result<_>>()?;
    let part = crate::hub::beside(path)?;
    safetensors::serialize_to_file(entries, &Some(notes), part.path()).map_err(
        |error| match error {
            SafeTensorError::IoError(error) => Error::io("write", path)(error),
            other => Error::file(
                path,
                format!("cannot be written ({other})"),
                "tensors that a .safetensors file can hold",
                "look at the network's state_dict()",
            ),
        },
    )?;
    // A file system may put the name on the disk before the content.
    part.as_file().sync_all().map_err(Error::io("write", path))?;
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
    fn of(path: &Path, name: &str, tensor: &Tensor) -> Result<Bytes> {
        let kind: Kind = tensor.f_kind()?;
        let written = kind.try_into().map_err(|_| {
            Error::file(
                path,
                format!("{name} has numbers of the kind {kind:?}"),
                "numbers of a kind that a .safetensors file can hold, such as Float or Int64",
                "make it one of those with to_kind before the network is saved",
            )
        })?;
        let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
        let mut data = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut data, tensor.numel())?;
        let shape = tensor.size().iter().map(|&length| length as usize).collect();
        Ok(Bytes { kind: written, shape, data })
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
