//! The two ways to write a box, and the overlap of boxes (d2l: sections 14.3 and 14.4).

use tch::{Kind, Tensor};

use super::corners::{corners, shape, wrong_shape};
use crate::Result;

/// From corners to centres: `x1, y1, x2, y2` to `cx, cy, width, height`, `[…, 4]` to `[…, 4]` (d2l:
/// `box_corner_to_center`).
///
/// The book: [*Object Detection and Bounding Boxes*](https://d2l.ai/chapter_computer-vision/bounding-box.html).
///
/// # Errors
/// The last dimension is not 4.
///
/// ```
/// use d2l::prelude::*;
/// let dog_and_cat = Tensor::from_slice2(&[[60f32, 45., 378., 516.], [400., 112., 655., 493.]]);
/// let centers = box_corner_to_center(&dog_and_cat)?;
/// assert_eq!(Vec::<f32>::try_from(centers.get(0))?, [219., 280.5, 318., 471.]);
/// assert_eq!(box_center_to_corner(&centers)?, dog_and_cat);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn box_corner_to_center(boxes: &Tensor) -> Result<Tensor> {
    let [left, top, right, bottom] = columns("box_corner_to_center: boxes", boxes)?;
    let middle = |from: &Tensor, to: &Tensor| from.f_add(to)?.f_div_scalar(2);
    let center = [middle(&left, &right)?, middle(&top, &bottom)?];
    let size = [right.f_sub(&left)?, bottom.f_sub(&top)?];
    Ok(Tensor::f_stack(&[&center[0], &center[1], &size[0], &size[1]], -1)?)
}

/// From centres to corners: `cx, cy, width, height` to `x1, y1, x2, y2`, `[…, 4]` to `[…, 4]` (d2l:
/// `box_center_to_corner`).
///
/// The book: [*Object Detection and Bounding Boxes*](https://d2l.ai/chapter_computer-vision/bounding-box.html).
///
/// # Errors
/// The last dimension is not 4.
pub fn box_center_to_corner(boxes: &Tensor) -> Result<Tensor> {
    let [x, y, width, height] = columns("box_center_to_corner: boxes", boxes)?;
    let (half_width, half_height) = (width.f_mul_scalar(0.5)?, height.f_mul_scalar(0.5)?);
    let upper = [x.f_sub(&half_width)?, y.f_sub(&half_height)?];
    let lower = [x.f_add(&half_width)?, y.f_add(&half_height)?];
    Ok(Tensor::f_stack(&[&upper[0], &upper[1], &lower[0], &lower[1]], -1)?)
}

/// Intersection over union of each box of `boxes1` `[n, 4]` with each of `boxes2` `[m, 4]`: `[n, m]`, 0 to
/// 1 (d2l: `box_iou`; torchvision: `ops.box_iou`). Of two boxes without area it is NaN, as there.
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html).
///
/// # Errors
/// Another shape; a box is turned or not finite.
///
/// ```
/// use d2l::prelude::*;
/// let a = Tensor::from_slice2(&[[0f32, 0., 3., 1.]]);
/// let b = Tensor::from_slice2(&[[1f32, 0., 4., 1.], [5., 5., 6., 6.]]);
/// assert_eq!(box_iou(&a, &b)?, Tensor::from_slice2(&[[0.5f32, 0.]]));
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn box_iou(boxes1: &Tensor, boxes2: &Tensor) -> Result<Tensor> {
    corners("box_iou: boxes1", boxes1)?;
    corners("box_iou: boxes2", boxes2)?;
    let float = |boxes: &Tensor| {
        if boxes.is_floating_point() {
            Ok(boxes.shallow_clone())
        } else {
            boxes.f_to_kind(Kind::Float)
        }
    };
    let (boxes1, boxes2) = (float(boxes1)?, float(boxes2)?);
    let upper = |boxes: &Tensor| boxes.f_narrow(1, 0, 2);
    let lower = |boxes: &Tensor| boxes.f_narrow(1, 2, 2);
    let areas =
        |boxes: &Tensor| lower(boxes)?.f_sub(&upper(boxes)?)?.f_prod_dim_int(1, false, None);
    let (area1, area2) = (areas(&boxes1)?.f_unsqueeze(1)?, areas(&boxes2)?);
    let from = upper(&boxes1)?.f_unsqueeze(1)?.f_maximum(&upper(&boxes2)?)?;
    let to = lower(&boxes1)?.f_unsqueeze(1)?.f_minimum(&lower(&boxes2)?)?;
    let both = to.f_sub(&from)?.f_clamp_min(0)?.f_prod_dim_int(2, false, None)?;
    Ok(both.f_div(&area1.f_add(&area2)?.f_sub(&both)?)?)
}

/// The four columns of boxes.
fn columns(subject: &str, boxes: &Tensor) -> Result<[Tensor; 4]> {
    let size = shape(subject, boxes)?;
    match boxes.f_unbind(-1).ok().and_then(|columns| <[Tensor; 4]>::try_from(columns).ok()) {
        Some(columns) => Ok(columns),
        None => Err(wrong_shape(subject, &size, "[…, 4]", "give four numbers for each box")),
    }
}
