//! The same change of an image and of its target: boxes move with it, masks are cut with it (d2l:
//! sections 14.7 and 14.9).
//!
//! Boxes are in parts of the image, so that resizing leaves them as they are.

use rand::RngExt;
use tch::{Kind, Tensor};

use super::{Rng, Sample, Target};
use crate::images::transforms::probability;
use crate::{Error, Result};

/// A box's class, left, top, right and bottom.
pub(super) type Row = [f64; 5];

/// What rounding may add to an edge, in parts of the image.
const SLACK: f64 = 1e-4;

/// What fills a table of boxes up, as in the book.
pub(super) const NO_BOX: Row = [-1., 0., 0., 0., 0.];

impl Sample {
    /// Exchanges left and right with probability `p`, of the image and of its target (torchvision:
    /// `v2.RandomHorizontalFlip`); see [`flip_horizontal`](Self::flip_horizontal).
    ///
    /// # Errors
    /// `p` is not from 0 to 1, or as [`flip_horizontal`](Self::flip_horizontal).
    pub fn random_horizontal_flip(self, p: f64, rng: &mut Rng) -> Result<Sample> {
        let p = probability("random_horizontal_flip", p)?;
        if rng.random::<f64>() < p { self.flip_horizontal() } else { Ok(self) }
    }

    /// Cuts the same rectangle, in a random place, out of the image and of its target (d2l: section
    /// 14.9, `voc_rand_crop`; torchvision: `v2.RandomCrop`); see [`crop`](Self::crop).
    ///
    /// # Errors
    /// As [`crop`](Self::crop).
    pub fn random_crop(self, height: usize, width: usize, rng: &mut Rng) -> Result<Sample> {
        let (columns, rows) = self.image.size();
        // A size that is too large is refused by `crop`.
        let top = rng.random_range(0..=rows.saturating_sub(height));
        let left = rng.random_range(0..=columns.saturating_sub(width));
        self.crop(top, left, height, width)
    }

    /// Exchanges left and right of the image and of its target (torchvision:
    /// `v2.functional.horizontal_flip`).
    ///
    /// A target `[M, 5]` of `f32` or `f64` is boxes: class, left, top, right, bottom, from 0 to 1, as the
    /// book has them; rows of a negative class only fill the table up. One `[H, W]`, as large as the
    /// image, is a mask. A class stays as it is.
    ///
    /// # Errors
    /// The target is another tensor, or a box does not lie in the image.
    ///
    /// ```
    /// use d2l::prelude::*;
    /// let image = Image::from_tensor(&Tensor::zeros([3, 10, 20], (Kind::Float, Device::Cpu)))?;
    /// let boxes = Tensor::from_slice2(&[[0f32, 0., 0.5, 0.25, 1.]]);
    /// let flipped = Sample::new(image, boxes).flip_horizontal()?;
    /// let expected = Tensor::from_slice2(&[[0f32, 0.75, 0.5, 1., 1.]]);
    /// assert_eq!(flipped.target.tensor()?, &expected);
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn flip_horizontal(self) -> Result<Sample> {
        let target = self.change_target(
            "flip_horizontal",
            |mask| Ok(mask.f_flip([1])?),
            |[class, left, top, right, bottom]| [class, 1. - right, top, 1. - left, bottom],
        )?;
        Ok(Sample { image: self.image.flip_horizontal(), target })
    }

    /// Cuts the same rectangle out of the image and of its target, from row `top` and column `left` on
    /// (torchvision: `v2.functional.crop`); what a target is taken for is said at
    /// [`flip_horizontal`](Self::flip_horizontal).
    ///
    /// Boxes end at the new edges. One of which nothing is left becomes a row of class −1, so that the
    /// table keeps its shape.
    ///
    /// # Errors
    /// The rectangle is empty or does not lie in the image; or as
    /// [`flip_horizontal`](Self::flip_horizontal).
    pub fn crop(self, top: usize, left: usize, height: usize, width: usize) -> Result<Sample> {
        let image = self.image.crop(top, left, height, width)?;
        let (columns, rows) = self.image.size();
        let [across, down] = [(columns, left, width), (rows, top, height)].map(|lengths| {
            let (all, start, length) = lengths;
            move |edge: f64| ((edge * all as f64 - start as f64) / length as f64).clamp(0., 1.)
        });
        let target = self.change_target(
            "crop",
            |mask| {
                let rows = mask.f_narrow(0, top as i64, height as i64)?;
                Ok(rows.f_narrow(1, left as i64, width as i64)?.f_contiguous()?)
            },
            |[class, left, top, right, bottom]| {
                let cut = [class, across(left), down(top), across(right), down(bottom)];
                if cut[1] + SLACK < cut[3] && cut[2] + SLACK < cut[4] { cut } else { NO_BOX }
            },
        )?;
        Ok(Sample { image, target })
    }

    /// The target after one of the changes, or as it was, if it is a class.
    pub(super) fn change_target(
        &self,
        step: &str,
        change_mask: impl Fn(&Tensor) -> Result<Tensor>,
        change_box: impl Fn(Row) -> Row,
    ) -> Result<Target> {
        let tensor = match &self.target {
            Target::Class(class) => return Ok(Target::Class(*class)),
            Target::Tensor(tensor) => tensor,
        };
        let (width, height) = self.image.size();
        let size = if tensor.defined() { tensor.size() } else { vec![] };
        if let (&[count, 5], Ok(kind @ (Kind::Float | Kind::Double))) = (&size[..], tensor.f_kind())
        {
            let mut rows = rows(tensor, step)?;
            for row in rows.iter_mut().filter(|row| row[0] >= 0.) {
                *row = change_box(*row);
            }
            let boxes = Tensor::f_from_slice(rows.as_flattened())?.f_view([count, 5])?;
            return Ok(boxes.f_to_kind(kind)?.into());
        }
        if size == [height as i64, width as i64] {
            return Ok(change_mask(tensor)?.into());
        }
        Err(Error::invalid(
            step,
            format!("the target {} with an image of {width}×{height} pixels", self.target),
            format!("boxes [M, 5] (f32), a mask [{height}, {width}] (i64 or u8), or a class"),
            "change image and target each by itself, and join them with Sample::new",
        ))
    }
}

/// The rows of a table of boxes, which lie in the image.
pub(super) fn rows(boxes: &Tensor, step: &str) -> Result<Vec<Row>> {
    let numbers = boxes.f_detach()?.f_to_kind(Kind::Double)?.f_contiguous()?.f_view([-1])?;
    let numbers = Vec::<f64>::try_from(numbers)?;
    let rows: Vec<Row> = numbers.as_chunks().0.to_vec();
    let lies_in = |&[class, left, top, right, bottom]: &Row| {
        let is_range = |low: f64, high: f64| -SLACK <= low && low <= high && high <= 1. + SLACK;
        class < 0. || class >= 0. && is_range(left, right) && is_range(top, bottom)
    };
    match rows.iter().position(|row| !lies_in(row)) {
        None => Ok(rows),
        Some(i) => Err(Error::invalid(
            step,
            format!("the box {:?}, row {i}", rows[i]),
            "class, left, top, right, bottom, from 0 to 1 and in this order",
            "divide pixels by the image's width and height, and leave out boxes that are none",
        )),
    }
}
