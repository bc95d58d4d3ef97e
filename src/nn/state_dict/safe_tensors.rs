//! The head of a `.safetensors` file: which tensors lie where.
//!
//! The crate that writes these files reads them only whole in memory, and takes a file with one
//! number of a newer kind for a damaged one.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::rc::Rc;

use serde_json::{Map, Value};
use tch::Kind;

use super::other_kinds::Fault;
use super::state_dicts::{Dictionary, Entry, Plan, Storage};

/// The format's own bound.
const MOST_HEAD_BYTES: u64 = 100_000_000;

/// What is in a file, and where the numbers of each tensor start.
pub(super) struct Head {
    pub dictionary: Dictionary,
    pub starts: HashMap<Rc<str>, u64>,
    pub notes: HashMap<String, String>,
}

impl Head {
    pub(super) fn read(file: &mut File, length: u64) -> Result<Head, Fault> {
        let mut bytes = [0; 8];
        let io = |error: std::io::Error| Fault::damaged(error);
        file.read_exact(&mut bytes).map_err(io)?;
        let head_length = u64::from_le_bytes(bytes);
        if head_length > MOST_HEAD_BYTES || head_length > length.saturating_sub(8) {
            return Err(format!("a head of {head_length} bytes in a file of {length}").into());
        }
        let mut head = vec![];
        file.take(head_length).read_to_end(&mut head).map_err(io)?;
        let head: Map<String, Value> = serde_json::from_slice(&head)
            .map_err(|error| Fault::damaged(format!("its head: {error}")))?;
        let start = 8 + head_length;
        let mut found = Head {
            dictionary: Dictionary { keys: vec![], tensors: HashMap::new() },
            starts: HashMap::new(),
            notes: HashMap::new(),
        };
        let mut places = vec![];
        for (name, about) in head {
            if name == "__metadata__" {
                let notes = about.as_object().into_iter().flatten();
                let text =
                    |(key, note): (&String, &Value)| Some((key.clone(), note.as_str()?.into()));
                found.notes = notes.filter_map(text).collect();
                continue;
            }
            let about =
                About::of(&about).ok_or_else(|| format!("{name} is not described as a tensor"))?;
            places.push((about.from, about.to));
            let name: Rc<str> = name.into();
            found.starts.insert(name.clone(), start.saturating_add(about.from));
            let entry =
                about.entry(&name).ok_or_else(|| format!("{name} does not have its numbers"))?;
            found.dictionary.tensors.insert(name, entry);
        }
        // The tensors' numbers follow one another, and fill the file.
        places.sort_unstable();
        let end = places
            .into_iter()
            .try_fold(0, |end, (from, to)| (from == end && to >= from).then_some(to));
        match end.and_then(|end| start.checked_add(end)) {
            Some(end) if end == length => Ok(found),
            Some(end) => Err(format!("{length} bytes where {end} should be").into()),
            None => Err("tensors that lie in each other, or holes between them".into()),
        }
    }
}

/// What the head says of a tensor.
struct About {
    kind: String,
    size: Vec<i64>,
    from: u64,
    to: u64,
}

impl About {
    fn of(value: &Value) -> Option<About> {
        let size: Option<Vec<i64>> = value["shape"].as_array()?.iter().map(Value::as_i64).collect();
        let [from, to] = &value["data_offsets"].as_array()?[..] else { return None };
        let (from, to) = (from.as_u64()?, to.as_u64()?);
        Some(About { kind: value["dtype"].as_str()?.into(), size: size?, from, to })
    }

    fn entry(&self, name: &Rc<str>) -> Option<Entry> {
        let kind = match &*self.kind {
            "F32" => Kind::Float,
            "F64" => Kind::Double,
            "F16" => Kind::Half,
            "BF16" => Kind::BFloat16,
            "I64" => Kind::Int64,
            "I32" => Kind::Int,
            "I16" => Kind::Int16,
            "I8" => Kind::Int8,
            "U8" => Kind::Uint8,
            "BOOL" => Kind::Bool,
            other => return Some(Entry::Unreadable(format!("a tensor of {other}").into())),
        };
        let mut stride = vec![0; self.size.len()];
        let mut count: i64 = 1;
        for (step, &length) in stride.iter_mut().zip(&self.size).rev() {
            *step = count;
            count = count.checked_mul(length).filter(|_| length >= 0)?;
        }
        let count = usize::try_from(count).ok()?;
        let bytes = count.checked_mul(kind.elt_size_in_bytes())?;
        if self.to.checked_sub(self.from) != Some(bytes as u64) || self.size.len() > 64 {
            return None;
        }
        let (key, class) = (name.clone(), self.kind.as_str().into());
        Some(Entry::Tensor(Rc::new(Plan {
            storage: Rc::new(Storage { key, class, kind: Some(kind), count }),
            offset: 0,
            size: self.size.as_slice().into(),
            stride: stride.into(),
        })))
    }
}
