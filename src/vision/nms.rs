//! Of boxes that show the same thing the most certain one (d2l: section 14.4).

use std::cmp::Ordering;

use tch::{Device, Kind, Tensor};

use super::assign::tensor_on;
use super::corners::{Corners, area, check_part, corners, scores, shape, wrong_shape};
use crate::Result;

/// Non-maximum suppression: from the highest score down, a box is kept unless its IoU with one that is
/// kept is above the threshold (d2l: `nms`; torchvision: `ops.nms`). Boxes `[n, 4]` and scores `[n]` to
/// the numbers of those kept, by falling score, `[k]` (`i64`). Of equal scores the first box comes first;
/// of no boxes none are kept.
///
/// It knows no classes: a cat close to a more certain dog is taken away. See [`batched_nms`].
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html).
///
/// # Errors
/// Another shape; a box is turned or not finite, a score is NaN; the threshold is not from 0 to 1.
///
/// ```
/// use d2l::prelude::*;
/// let boxes = Tensor::from_slice2(&[[0f32, 0., 1., 1.], [0., 0., 1., 0.9], [2., 2., 3., 3.]]);
/// let kept = nms(&boxes, &Tensor::from_slice(&[0.8f32, 0.9, 0.1]), 0.5)?;
/// assert_eq!(Vec::<i64>::try_from(kept)?, [1, 2]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn nms(boxes: &Tensor, scores: &Tensor, iou_threshold: f64) -> Result<Tensor> {
    let (corners, values) = boxes_and_scores("nms", boxes, scores)?;
    let threshold = check_part("nms: iou_threshold", iou_threshold)?;
    let kept = suppress(&corners, &values, threshold as f32);
    Ok(tensor_on(boxes.device(), &as_indices(kept))?)
}

/// [`nms`] of each class by itself: a box takes away only boxes of its class (torchvision:
/// `ops.batched_nms`). `idxs` `[n]` are the classes; the numbers of those kept come by falling score.
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html).
///
/// # Errors
/// As [`nms`], or `idxs` has another shape.
///
/// ```
/// use d2l::prelude::*;
/// let boxes = Tensor::from_slice2(&[[0f32, 0., 1., 1.], [0., 0., 1., 0.95]]);
/// let (scores, classes) = (Tensor::from_slice(&[0.9f32, 0.8]), Tensor::from_slice(&[0i64, 1]));
/// assert_eq!(nms(&boxes, &scores, 0.5)?.size(), [1]);
/// assert_eq!(batched_nms(&boxes, &scores, &classes, 0.5)?.size(), [2]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn batched_nms(
    boxes: &Tensor,
    scores: &Tensor,
    idxs: &Tensor,
    iou_threshold: f64,
) -> Result<Tensor> {
    let (corners, values) = boxes_and_scores("batched_nms", boxes, scores)?;
    let threshold = check_part("batched_nms: iou_threshold", iou_threshold)?;
    let size = shape("batched_nms: idxs", idxs)?;
    if size != [corners.len() as i64] {
        let expected = format!("[{}], one for each box", corners.len());
        let todo = "give the class of each box";
        return Err(wrong_shape("batched_nms: idxs", &size, &expected, todo));
    }
    let classes = idxs.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
    let classes = Vec::<f64>::try_from(classes.f_contiguous()?)?;
    let kept = suppress_per_class(&corners, &values, &classes, threshold as f32);
    Ok(tensor_on(boxes.device(), &as_indices(kept))?)
}

pub(super) fn boxes_and_scores(
    name: &str,
    boxes: &Tensor,
    values: &Tensor,
) -> Result<(Vec<Corners>, Vec<f32>)> {
    let boxes = corners(&format!("{name}: boxes"), boxes)?;
    let values = scores(&format!("{name}: scores"), values, boxes.len())?;
    Ok((boxes, values))
}

pub(super) fn as_indices(places: Vec<usize>) -> Vec<i64> {
    places.into_iter().map(|place| place as i64).collect()
}

/// Places from the highest score down, equal ones in their order.
pub(super) fn by_score(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| falling(scores[a], scores[b]));
    order
}

pub(super) fn falling(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}

/// The places of the boxes that are kept, by falling score.
fn suppress(boxes: &[Corners], scores: &[f32], threshold: f32) -> Vec<usize> {
    let order = by_score(scores);
    // Each edge by itself, so that the inner loop takes several boxes at once
    let [lefts, tops, rights, bottoms] =
        [0, 1, 2, 3].map(|edge| order.iter().map(|&i| boxes[i][edge]).collect::<Vec<f32>>());
    let areas: Vec<f32> = order.iter().map(|&i| area(boxes[i])).collect();
    let mut dropped = vec![0u32; order.len()];
    let mut kept = vec![];
    for i in 0..order.len() {
        if dropped[i] != 0 {
            continue;
        }
        kept.push(order[i]);
        let (left, top, right, bottom, area) = (lefts[i], tops[i], rights[i], bottoms[i], areas[i]);
        let later = i + 1..;
        let edges = lefts[later.clone()].iter().zip(&tops[later.clone()]);
        let edges = edges.zip(rights[later.clone()].iter().zip(&bottoms[later.clone()]));
        for (((&l, &t), (&r, &b)), (dropped, &other)) in
            edges.zip(dropped[later.clone()].iter_mut().zip(&areas[later]))
        {
            let (from_x, from_y) = (larger(left, l), larger(top, t));
            let (width, height) = (smaller(right, r) - from_x, smaller(bottom, b) - from_y);
            let both = larger(width, 0.) * larger(height, 0.);
            *dropped |= u32::from(both / (area + other - both) > threshold);
        }
    }
    kept
}

/// Without `f32::max`'s rule for NaN, of which there is none, this is one instruction.
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The same for each class by itself.
pub(super) fn suppress_per_class<C: PartialOrd>(
    boxes: &[Corners],
    scores: &[f32],
    classes: &[C],
    threshold: f32,
) -> Vec<usize> {
    let mut by_class: Vec<usize> = (0..classes.len()).collect();
    let order = |a: usize, b: usize| classes[a].partial_cmp(&classes[b]).unwrap_or(Ordering::Equal);
    by_class.sort_by(|&a, &b| order(a, b));
    let mut kept: Vec<usize> = vec![];
    for class in by_class.chunk_by(|&a, &b| classes[a] == classes[b]) {
        let boxes: Vec<Corners> = class.iter().map(|&i| boxes[i]).collect();
        let scores: Vec<f32> = class.iter().map(|&i| scores[i]).collect();
        kept.extend(suppress(&boxes, &scores, threshold).into_iter().map(|i| class[i]));
    }
    kept.sort_by(|&a, &b| falling(scores[a], scores[b]).then(a.cmp(&b)));
    kept
}
