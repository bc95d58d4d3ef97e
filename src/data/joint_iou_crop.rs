//! A part of an image in which something is seen well enough (Liu and others, 2016, as SSD is trained; an
//! exercise of d2l: section 14.6).

use rand::RngExt;
use tch::Tensor;

use super::joint::{NO_BOX, Row};
use super::{Rng, Sample};
use crate::{Error, Result};

/// Of a part that holds a box's centre, the least overlap with a box; from 1 on the whole image is taken.
const LEAST_OVERLAPS: [f64; 7] = [0., 0.1, 0.3, 0.5, 0.7, 0.9, 1.];
const TRIALS: usize = 40;

impl Sample {
    /// Cuts a random part out of the image, 0.3 to 1 of its height and width and at most twice as long one
    /// way as the other, that holds the centre of a box and overlaps with a box by some IoU, itself random
    /// (torchvision: `v2.RandomIoUCrop` and `v2.SanitizeBoundingBoxes`). Boxes end at the new edges; those
    /// whose centre is outside become rows of class −1. Now and then, and where there are no boxes, the
    /// image stays whole. Resize it afterwards.
    ///
    /// # Errors
    /// The target is no table of boxes `[M, 5]`; or as [`flip_horizontal`](Self::flip_horizontal).
    pub fn random_iou_crop(self, rng: &mut Rng) -> Result<Sample> {
        let target = self.target.tensor()?;
        let &[_, 5] = &target.size()[..] else {
            let found = format!("the target {}", self.target);
            let todo = "crop other targets with random_crop";
            return Err(Error::invalid("random_iou_crop", found, "boxes [M, 5]", todo));
        };
        let rows = super::joint::rows(target, "random_iou_crop")?;
        let Some([top, left, height, width]) = part(self.image.size(), &rows, rng) else {
            return Ok(self);
        };
        let (columns, lines) = self.image.size();
        let (columns, lines) = (columns as f64, lines as f64);
        let part = [left, top, left + width, top + height].map(|edge| edge as f64);
        let part = [part[0] / columns, part[1] / lines, part[2] / columns, part[3] / lines];
        let inside = rows.iter().map(|row| if holds(&part, row) { *row } else { NO_BOX });
        let inside: Vec<Row> = inside.collect();
        let boxes = Tensor::f_from_slice(inside.as_flattened())?.f_view([-1, 5])?;
        let boxes = boxes.f_to_kind(target.f_kind()?)?;
        Sample::new(self.image, boxes).crop(top, left, height, width)
    }
}

/// Top, left, height and width of a part; `None` for the whole image.
fn part((columns, lines): (usize, usize), rows: &[Row], rng: &mut Rng) -> Option<[usize; 4]> {
    if !rows.iter().any(|row| row[0] >= 0.) {
        return None;
    }
    loop {
        let least = LEAST_OVERLAPS[rng.random_range(0..LEAST_OVERLAPS.len())];
        if least >= 1. {
            return None;
        }
        for _ in 0..TRIALS {
            let mut shorter = |length: usize| (length as f64 * rng.random_range(0.3..1.)) as usize;
            let (width, height) = (shorter(columns), shorter(lines));
            let ratio = width as f64 / height as f64;
            if !(0.5..=2.).contains(&ratio) {
                continue;
            }
            let left = rng.random_range(0..=columns - width);
            let top = rng.random_range(0..=lines - height);
            let across = [left, left + width].map(|x| x as f64 / columns as f64);
            let down = [top, top + height].map(|y| y as f64 / lines as f64);
            let part = [across[0], down[0], across[1], down[1]];
            let overlaps = rows.iter().filter(|row| holds(&part, row)).map(|row| iou(&part, row));
            if overlaps.fold(-1., f64::max) >= least {
                return Some([top, left, height, width]);
            }
        }
    }
}

/// Whether the centre of a box lies in a part of the image.
fn holds(part: &[f64; 4], &[class, left, top, right, bottom]: &Row) -> bool {
    let (x, y) = ((left + right) / 2., (top + bottom) / 2.);
    class >= 0. && part[0] < x && x < part[2] && part[1] < y && y < part[3]
}

fn iou(part: &[f64; 4], &[_, left, top, right, bottom]: &Row) -> f64 {
    let width = part[2].min(right) - part[0].max(left);
    let height = part[3].min(bottom) - part[1].max(top);
    let both = width.max(0.) * height.max(0.);
    let areas = (part[2] - part[0]) * (part[3] - part[1]) + (right - left) * (bottom - top);
    both / (areas - both)
}
