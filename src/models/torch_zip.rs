//! The zip that `torch.save` (since version 1.6), TorchScript and tch's `VarStore::save` write: a
//! pickle, and one entry for the numbers of each storage.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use tch::Tensor;
use zip::ZipArchive;

use super::pickle::{self, Plan, Storage};

type Archive = ZipArchive<BufReader<File>>;

/// More than the longest list of tensors needs.
const MOST_PICKLE_BYTES: u64 = 64 << 20;

/// The tensors by name. The text of an error says what was found.
pub(super) fn read(path: &Path) -> Result<Vec<(String, Tensor)>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let top = archive
        .file_names()
        .flatten()
        .find_map(|name| Some(name.strip_suffix("/data.pkl")?.to_string()))
        .ok_or("a zip without weights in it")?;
    if let Ok(order) = entry(&mut archive, &format!("{top}/byteorder"), 16)
        && order != b"little"
    {
        return Err("numbers in the byte order of another kind of machine".into());
    }
    let code = entry(&mut archive, &format!("{top}/data.pkl"), MOST_PICKLE_BYTES)?;
    let plans = pickle::state_dict(&code)?;
    let mut storages: HashMap<Rc<str>, Tensor> = HashMap::new();
    let mut tensors = vec![];
    for (name, plan) in plans {
        let key = plan.storage.key.clone();
        if !storages.contains_key(&key) {
            let values = numbers(&mut archive, &top, &plan.storage)?;
            storages.insert(key.clone(), values);
        }
        let tensor = view(&storages[&key], &plan).map_err(|found| format!("{name}: {found}"))?;
        tensors.push((name, tensor));
    }
    Ok(tensors)
}

/// All numbers of a storage, `[count]`.
fn numbers(archive: &mut Archive, top: &str, storage: &Storage) -> Result<Tensor, String> {
    let bytes = storage.count.checked_mul(storage.kind.elt_size_in_bytes());
    let bytes = bytes.ok_or("a storage of impossible length")?;
    let content = entry(archive, &format!("{top}/data/{}", storage.key), bytes as u64)?;
    if content.len() != bytes {
        return Err(format!("a storage of {} bytes where {bytes} should be", content.len()));
    }
    Tensor::f_from_data_size(&content, &[storage.count as i64], storage.kind)
        .map_err(|error| crate::Error::from(error).to_string())
}

/// A tensor in its storage, which must hold all of it.
fn view(storage: &Tensor, plan: &Plan) -> Result<Tensor, String> {
    let outside = || "a tensor that is not within its storage".to_string();
    let Plan { offset, size, stride, .. } = plan;
    let dimensions = size.iter().zip(stride);
    if size.len() != stride.len()
        || *offset < 0
        || dimensions.clone().any(|(&n, &s)| n < 0 || s < 0)
    {
        return Err(outside());
    }
    let last = dimensions
        .into_iter()
        .try_fold(*offset, |last, (&n, &step)| last.checked_add((n - 1).max(0).checked_mul(step)?));
    let is_empty = size.contains(&0);
    if !last.is_some_and(|last| last < storage.numel() as i64 || is_empty) {
        return Err(outside());
    }
    let view = if is_empty {
        storage.f_narrow(0, 0, 0).and_then(|nothing| nothing.f_view(&size[..]))
    } else {
        storage.f_as_strided(&size[..], &stride[..], *offset)
    };
    view.map_err(|error| crate::Error::from(error).to_string())
}

/// An entry's content, at most `limit` bytes and one: a small zip may hold a large one.
fn entry(archive: &mut Archive, name: &str, limit: u64) -> Result<Vec<u8>, String> {
    let mut content = vec![];
    let entry = archive.by_name(name).map_err(damaged)?;
    entry.take(limit + 1).read_to_end(&mut content).map_err(|error| damaged(error.into()))?;
    Ok(content)
}

fn damaged(error: zip::result::ZipError) -> String {
    format!("damaged or cut off ({error})")
}
