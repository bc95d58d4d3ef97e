//! Anchor boxes of several sizes and ratios around each pixel (d2l: sections 14.4 and 14.5).

use std::sync::{Mutex, PoisonError};

use tch::{Device, Tensor};

use super::corners::{shape, wrong_shape};
use crate::{Error, Result};

/// Anchor boxes around each pixel of `data` `[…, H, W]`, in parts of the image and not cut at its edges:
/// `[1, H·W·(n + m − 1), 4]` (`f32`) for `n` sizes and `m` ratios (d2l: `multibox_prior`).
///
/// Pixels come row by row; each has the first ratio in all sizes, then the other ratios in the first
/// size. A box of size `s` and ratio `r` is `s·√r·H` wide and `s/√r·H` high, in pixels of `data`: with
/// ratio 1 a square. (As parts, that is a width of `s·√r·H/W`; the book's text leaves `H/W` out, its code
/// does not.)
///
/// On a feature map, "pixels" are those of the map. If the image has another shape, ratio 1 is no square
/// there: to have a ratio `r` in an image of `W_i×H_i`, ask for `r·(W/H)·(H_i/W_i)`.
///
/// The anchors of a small map are kept: asking for them again in each step costs a copy.
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html).
///
/// # Errors
/// `data` has fewer than two dimensions; there is no size or no ratio, or one is not above 0.
///
/// ```
/// use d2l::prelude::*;
/// let map = Tensor::zeros([1, 3, 2, 4], (Kind::Float, Device::Cpu));
/// let anchors = multibox_prior(&map, &[0.5, 0.25], &[1., 2.])?;
/// assert_eq!(anchors.size(), [1, 2 * 4 * 3, 4]);
/// assert_eq!(Vec::<f32>::try_from(anchors.i((0, 0)))?, [0., 0., 0.25, 0.5]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn multibox_prior(data: &Tensor, sizes: &[f64], ratios: &[f64]) -> Result<Tensor> {
    let size = shape("multibox_prior: data", data)?;
    let &[.., height, width] = &size[..] else {
        let todo = "give an image or a feature map";
        return Err(wrong_shape("multibox_prior: data", &size, "[…, H, W]", todo));
    };
    for (argument, numbers) in [("sizes", sizes), ("ratios", ratios)] {
        let is_right = |number: &f64| number.is_finite() && *number > 0.;
        if numbers.is_empty() || !numbers.iter().all(is_right) {
            let todo = "give some, such as &[0.75, 0.5, 0.25] and &[1., 2., 0.5]";
            let (subject, found) = (format!("multibox_prior: {argument}"), format!("{numbers:?}"));
            return Err(Error::invalid(subject, found, "one number above 0, or more", todo));
        }
    }
    let per_pixel = sizes.len() + ratios.len() - 1;
    let most = i64::MAX as usize / 16;
    let count = (height as usize).checked_mul(width as usize);
    let count = count.and_then(|pixels| pixels.checked_mul(per_pixel)).filter(|n| *n <= most);
    let Some(count) = count else {
        let todo = "take a smaller map, or fewer sizes and ratios";
        return Err(wrong_shape("multibox_prior: data", &size, "fewer pixels", todo));
    };
    let key = Key {
        map: (height, width),
        numbers: [sizes, ratios].map(|numbers| numbers.iter().map(|n| n.to_bits()).collect()),
        device: data.device(),
    };
    if let Some(anchors) = kept(&key)? {
        return Ok(anchors);
    }
    let anchors = anchors((height, width), sizes, ratios, count)?;
    let anchors = anchors.f_to_device(key.device)?;
    if count <= MOST_KEPT {
        keep(key, anchors.f_detach_copy()?);
    }
    Ok(anchors)
}

/// In `f32` and in the book's order of operations, for the same numbers to the last bit or two.
fn anchors(
    (height, width): (i64, i64),
    sizes: &[f64],
    ratios: &[f64],
    count: usize,
) -> Result<Tensor> {
    let shapes = sizes.iter().map(|size| (size, &ratios[0]));
    let shapes = shapes.chain(ratios[1..].iter().map(|ratio| (&sizes[0], ratio)));
    let halves: Vec<(f32, f32)> = shapes
        .map(|(&size, &ratio)| {
            let (size, root) = (size as f32, (ratio as f32).sqrt());
            (size * root * height as f32 / width as f32 / 2., size / root / 2.)
        })
        .collect();
    let center = |i: i64, length: i64| (i as f32 + 0.5) * (1. / length as f64) as f32;
    let mut numbers: Vec<f32> = Vec::with_capacity(count * 4);
    for row in 0..height {
        let y = center(row, height);
        for column in 0..width {
            let x = center(column, width);
            numbers.extend(halves.iter().flat_map(|(w, h)| [x - w, y - h, x + w, y + h]));
        }
    }
    Ok(Tensor::f_from_slice(&numbers)?.f_view([1, count as i64, 4])?)
}

/// Of what anchors depend on.
#[derive(PartialEq)]
struct Key {
    map: (i64, i64),
    numbers: [Vec<u64>; 2],
    device: Device,
}

/// A detector's feature maps are few, and small.
static KEPT: Mutex<Vec<(Key, Tensor)>> = Mutex::new(vec![]);
const MOST_MAPS: usize = 32;
const MOST_KEPT: usize = 100_000;

/// A copy, which may be changed. On a GPU it waits for nothing, unlike numbers that come from the CPU.
fn kept(key: &Key) -> Result<Option<Tensor>> {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let anchors = kept.iter().find(|(other, _)| other == key);
    Ok(anchors.map(|(_, anchors)| anchors.f_detach_copy()).transpose()?)
}

fn keep(key: Key, anchors: Tensor) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= MOST_MAPS {
        drop(kept.remove(0));
    }
    kept.push((key, anchors));
}
