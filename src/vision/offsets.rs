//! How far a box is from its anchor, as numbers for a network (d2l: section 14.4).

use tch::Tensor;

use super::boxes::{box_center_to_corner, box_corner_to_center};
use super::corners::{shape, wrong_shape};
use crate::Result;

/// What a logarithm of 0 is kept away by, as in the book.
const EPS: f64 = 1e-6;

/// Offsets of boxes from their anchors, both `[…, 4]` corners (d2l: `offset_boxes`): `10·Δcx/w`,
/// `10·Δcy/h`, `5·ln(1e-6 + w_b/w)`, `5·ln(1e-6 + h_b/h)`, where `w` and `h` are the anchor's.
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html).
///
/// # Errors
/// The shapes differ, or their last dimension is not 4.
///
/// ```
/// use d2l::prelude::*;
/// let anchors = Tensor::from_slice2(&[[0.15f32, 0.2, 0.4, 0.4]]);
/// let boxes = Tensor::from_slice2(&[[0.1f32, 0.08, 0.52, 0.92]]);
/// let offsets = offset_boxes(&anchors, &boxes)?;
/// assert!((offsets.double_value(&[0, 1]) - 10.).abs() < 1e-5);
/// assert!((offset_inverse(&anchors, &offsets)? - boxes).abs().max().double_value(&[]) < 1e-6);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn offset_boxes(anchors: &Tensor, assigned_bb: &Tensor) -> Result<Tensor> {
    let (size, other) = (
        shape("offset_boxes: anchors", anchors)?,
        shape("offset_boxes: assigned_bb", assigned_bb)?,
    );
    if size != other {
        let expected = format!("{size:?}, as the anchors have");
        let todo = "give each anchor its box";
        return Err(wrong_shape("offset_boxes: assigned_bb", &other, &expected, todo));
    }
    let (anchors, boxes) = (box_corner_to_center(anchors)?, box_corner_to_center(assigned_bb)?);
    let size = anchors.f_narrow(-1, 2, 2)?;
    let moved = boxes.f_narrow(-1, 0, 2)?.f_sub(&anchors.f_narrow(-1, 0, 2)?)?;
    let moved = moved.f_mul_scalar(10)?.f_div(&size)?;
    let larger = boxes.f_narrow(-1, 2, 2)?.f_div(&size)?.f_add_scalar(EPS)?;
    Ok(Tensor::f_cat(&[moved, larger.f_log()?.f_mul_scalar(5)?], -1)?)
}

/// The boxes, as corners `[…, 4]`, that lie at these offsets from their anchors (d2l: `offset_inverse`).
/// Anchors `[A, 4]` serve predictions `[B, A, 4]`, too.
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html).
///
/// # Errors
/// The shapes do not fit, or their last dimension is not 4.
pub fn offset_inverse(anchors: &Tensor, offset_preds: &Tensor) -> Result<Tensor> {
    let (size, other) = (
        shape("offset_inverse: anchors", anchors)?,
        shape("offset_inverse: offset_preds", offset_preds)?,
    );
    if size.is_empty() || !other.ends_with(&size) {
        let expected = format!("{size:?}, as the anchors have, or a batch of that");
        let todo = "give each anchor its four offsets, as with offset_preds.view([-1, 4])";
        return Err(wrong_shape("offset_inverse: offset_preds", &other, &expected, todo));
    }
    let anchors = box_corner_to_center(anchors)?;
    let size = anchors.f_narrow(-1, 2, 2)?;
    let moved = offset_preds.f_narrow(-1, 0, 2)?.f_mul(&size)?.f_div_scalar(10)?;
    let center = moved.f_add(&anchors.f_narrow(-1, 0, 2)?)?;
    let larger = offset_preds.f_narrow(-1, 2, 2)?.f_div_scalar(5)?.f_exp()?.f_mul(&size)?;
    box_center_to_corner(&Tensor::f_cat(&[center, larger], -1)?)
}
