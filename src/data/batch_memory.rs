//! The one module with `unsafe`: a batch's images are written where libtorch keeps them.
//!
//! tch makes a tensor of a slice by filling memory with zeros and copying the slice over them; a batch
//! of the lesson is 77 MB.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use tch::{Device, Kind, Tensor};

use crate::Result;

/// A tensor `[N, height, width, 3]`, `f32`, on the processor; `write` is given its pixels to set, all of
/// them.
pub(super) fn pixels(
    size: [usize; 3],
    write: impl FnOnce(&mut [MaybeUninit<[f32; 3]>]),
) -> Result<Tensor> {
    let [count, height, width] = size.map(|length| length as i64);
    let tensor = Tensor::f_empty([count, height, width, 3], (Kind::Float, Device::Cpu))?;
    let length = tensor.numel() / 3;
    let pixels = match length {
        // An empty tensor has no memory.
        0 => &mut [],
        // SAFETY: libtorch has just made this tensor, dense and aligned for more than `f32`, with
        // `3 * length` numbers in it. No other handle to its memory exists while the slice lives, and
        // nothing is read from the slice. Numbers that `write` left out would be arbitrary, but any
        // bits are an `f32`, and libtorch, not Rust, reads them.
        _ => unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), length) },
    };
    write(pixels);
    Ok(tensor)
}
