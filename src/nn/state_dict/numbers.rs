//! Numbers from a file to tensors.

use std::io::{ErrorKind, Read};

use tch::{Device, Tensor};

use super::other_kinds::Fault;
use super::state_dicts::{OUTSIDE, Plan, Storage};

/// All numbers of a storage, `[count]`, to the end of `from`: they pass through a small buffer, so
/// that none is in memory twice.
pub(super) fn read_numbers(mut from: impl Read, storage: &Storage) -> Result<Tensor, Fault> {
    const BUFFER: usize = 1 << 20;
    let Some(kind) = storage.kind else {
        return Err(format!("a tensor of {}", storage.class).into());
    };
    let width = kind.elt_size_in_bytes();
    let tensor = Tensor::f_empty([storage.count as i64], (kind, Device::Cpu)).map_err(refused)?;
    let mut buffer = vec![0; BUFFER.min(storage.count * width)];
    let mut done = 0;
    while done < storage.count {
        let count = (storage.count - done).min(BUFFER / width);
        let piece = &mut buffer[..count * width];
        from.read_exact(piece).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Fault::damaged(format!(
                "a storage of fewer than {} bytes where {} should be",
                (done + count) * width,
                storage.count * width
            )),
            _ => Fault::damaged(error),
        })?;
        let piece = Tensor::f_from_data_size(piece, &[count as i64], kind).map_err(refused)?;
        let place = tensor.f_narrow(0, done as i64, count as i64);
        place.and_then(|mut place| place.f_copy_(&piece)).map_err(refused)?;
        done += count;
    }
    // A checksum is looked at when the end is reached.
    match from.read(&mut [0]) {
        Ok(0) => Ok(tensor),
        Ok(_) => Err(format!("a storage of more than {} bytes", storage.count * width).into()),
        Err(error) => Err(Fault::damaged(error)),
    }
}

/// A tensor in its storage, which must hold all of it.
pub(super) fn view(storage: &Tensor, plan: &Plan) -> Result<Tensor, Fault> {
    let Plan { offset, size, stride, .. } = plan;
    if !plan.is_within(storage.numel()) {
        return Err(OUTSIDE.into());
    }
    let view = if size.contains(&0) {
        storage.f_narrow(0, 0, 0).and_then(|nothing| nothing.f_view(&size[..]))
    } else {
        storage.f_as_strided(&size[..], &stride[..], *offset)
    };
    view.map_err(refused)
}

fn refused(error: tch::TchError) -> Fault {
    Fault::damaged(crate::Error::from(error))
}
