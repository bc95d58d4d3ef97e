//! The zip that `torch.save` (since version 1.6), TorchScript and tch's `VarStore::save` write: a
//! pickle, and one entry for the numbers of each storage.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Read};

use tch::Tensor;
use zip::read::{ArchiveOffset, Config, ZipFile, ZipReadOptions};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::numbers::read_numbers;
use super::other_kinds::{Fault, other_zip};
use super::state_dicts::Storage;

/// More than the names of all tensors take, with much beside them.
const MOST_PICKLE_BYTES: u64 = 256 << 20;

/// An open file, of which each entry is read once at most.
pub(super) struct TorchZip {
    archive: ZipArchive<BufReader<File>>,
    /// The folder in it.
    top: String,
    /// How many bytes its entries can still have: torch compresses none, and none lies in another.
    left: u64,
}

impl TorchZip {
    pub(super) fn open(file: File, length: u64) -> Result<TorchZip, Fault> {
        // The zip starts where the file does. Guessed, it is taken for broken where an entry's name
        // has some lengths.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let archive = ZipArchive::with_config(config, BufReader::new(file)).map_err(fault)?;
        let names: Vec<String> =
            archive.file_names().flatten().map(|name| name.into_owned()).collect();
        let tops: Vec<&str> =
            names.iter().filter_map(|name| name.strip_suffix("/data.pkl")).collect();
        let top = match tops[..] {
            [] => return Err(other_zip(&names)),
            [top] => top.to_string(),
            [..] => {
                return Err(Fault::unsupported(
                    format!(
                        "a zip with {} files of torch's in it: {}",
                        tops.len(),
                        tops.join(", ")
                    ),
                    "unpack it, and name one of them",
                ));
            }
        };
        let mut file = TorchZip { archive, top, left: length };
        let order = format!("{}/byteorder", file.top);
        if names.contains(&order) && file.bytes("byteorder", 16)? != b"little" {
            return Err(Fault::unsupported(
                "numbers in the byte order of another kind of machine",
                "save it anew on a machine as this one, or in Python: torch.save(torch.load(path), path)",
            ));
        }
        Ok(file)
    }

    pub(super) fn pickle(&mut self) -> Result<Vec<u8>, Fault> {
        self.bytes("data.pkl", MOST_PICKLE_BYTES)
    }

    /// All numbers of a storage, `[count]`.
    pub(super) fn numbers(&mut self, storage: &Storage) -> Result<Tensor, Fault> {
        let width = storage.kind.map_or(1, |kind| kind.elt_size_in_bytes());
        let bytes = storage.count.checked_mul(width).ok_or("a storage of impossible length")?;
        let entry = self.entry(&format!("data/{}", storage.key))?;
        if entry.size() != bytes as u64 {
            return Err(
                format!("a storage of {} bytes where {bytes} should be", entry.size()).into()
            );
        }
        read_numbers(entry, storage)
    }

    fn bytes(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, Fault> {
        let entry = self.entry(name)?;
        let size = entry.size();
        if size > limit {
            return Err(Fault::unsupported(
                format!("{name} in it has {size} bytes: it holds much beside its tensors"),
                "in Python, save the model's state_dict() alone",
            ));
        }
        let mut content = vec![];
        entry.take(limit).read_to_end(&mut content).map_err(|error| fault(error.into()))?;
        Ok(content)
    }

    fn entry(&mut self, name: &str) -> Result<ZipFile<'_, BufReader<File>>, Fault> {
        let path = format!("{}/{name}", self.top);
        let missing = || Fault::damaged(format!("{name} is not in it"));
        let place = self.archive.index_for_name(&path).ok_or_else(missing)?;
        // torch.serialization.set_crc32_options(False) leaves the checksums out.
        let head = self.archive.by_index_raw(place).map_err(fault)?;
        let (has_checksum, method) = (head.crc32() != 0, head.compression());
        drop(head);
        if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(other_method(method));
        }
        let options = ZipReadOptions::new().ignore_crc32(!has_checksum);
        let entry = self.archive.by_index_with_options(place, options).map_err(fault)?;
        // A small zip may hold a large entry, or one entry many times.
        match self.left.checked_sub(entry.size()) {
            Some(left) => self.left = left,
            None => {
                return Err(Fault::unsupported(
                    format!(
                        "a zip that was compressed: {name} in it has {} bytes, which torch.save writes as \
                         they are",
                        entry.size()
                    ),
                    "in Python: torch.save(torch.load(path, weights_only=True), new_path)",
                ));
            }
        }
        Ok(entry)
    }
}

/// What a zip cannot be read for.
fn fault(error: ZipError) -> Fault {
    match error {
        ZipError::UnsupportedArchive(_)
        | ZipError::CompressionMethodNotSupported(_)
        | ZipError::InvalidPassword => other_method(error),
        error => Fault::damaged(error),
    }
}

/// A zip that is whole, and no program of torch's has written.
fn other_method(what: impl Display) -> Fault {
    Fault::unsupported(
        format!("a zip of a kind that is not read here: torch.save did not write it ({what})"),
        "unpack it, and save the weights anew with torch.save",
    )
}
