//! Which box an anchor is to find (d2l: section 14.4).

use tch::{Device, Tensor};

use super::corners::{Corners, check_part, corners, iou};
use crate::Result;

/// Assigns to each anchor the number of a true box, or −1: `[A]` (`i64`), for `ground_truth` `[M, 4]` and
/// `anchors` `[A, 4]` (d2l: `assign_anchor_to_bbox`, with 0.5 as `iou_threshold`).
///
/// First an anchor gets the box with which it overlaps most, if their IoU is at least the threshold. Then
/// each box gets an anchor of its own, even one that it does not touch: of all pairs that are left the
/// one with the largest IoU, again and again; this overrides what an anchor had. Of equal ones the first
/// is taken. More boxes than anchors leave some boxes without one.
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html).
///
/// # Errors
/// Another shape; a box or an anchor is turned or not finite; the threshold is not from 0 to 1.
///
/// ```
/// use d2l::prelude::*;
/// let truth = Tensor::from_slice2(&[[0.1f32, 0.08, 0.52, 0.92], [0.55, 0.2, 0.9, 0.88]]);
/// let anchors = Tensor::from_slice2(&[
///     [0f32, 0.1, 0.2, 0.3],
///     [0.15, 0.2, 0.4, 0.4],
///     [0.63, 0.05, 0.88, 0.98],
/// ]);
/// let boxes = assign_anchor_to_bbox(&truth, &anchors, 0.5)?;
/// assert_eq!(Vec::<i64>::try_from(boxes)?, [-1, 0, 1]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn assign_anchor_to_bbox(
    ground_truth: &Tensor,
    anchors: &Tensor,
    iou_threshold: f64,
) -> Result<Tensor> {
    let truths = corners("assign_anchor_to_bbox: ground_truth", ground_truth)?;
    let boxes = corners("assign_anchor_to_bbox: anchors", anchors)?;
    let threshold = check_part("assign_anchor_to_bbox: iou_threshold", iou_threshold)?;
    let assigned = assign(&truths, &boxes, threshold as f32);
    let assigned: Vec<i64> =
        assigned.into_iter().map(|truth| truth.map_or(-1, |truth| truth as i64)).collect();
    Ok(tensor_on(anchors.device(), &assigned)?)
}

pub(super) fn tensor_on<T: tch::kind::Element>(
    device: Device,
    numbers: &[T],
) -> Result<Tensor, tch::TchError> {
    Tensor::f_from_slice(numbers)?.f_to_device(device)
}

/// For each anchor the number of its box.
pub(super) fn assign(
    truths: &[Corners],
    anchors: &[Corners],
    threshold: f32,
) -> Vec<Option<usize>> {
    let overlaps: Vec<Vec<f32>> = truths
        .iter()
        // Of two without area there is none.
        .map(|&truth| anchors.iter().map(|&anchor| iou(anchor, truth).max(0.)).collect())
        .collect();
    let mut assigned: Vec<Option<usize>> = vec![None; anchors.len()];
    let mut most = vec![0f32; anchors.len()];
    for (truth, row) in overlaps.iter().enumerate() {
        for ((assigned, most), &overlap) in assigned.iter_mut().zip(&mut most).zip(row) {
            if overlap >= threshold && (overlap > *most || assigned.is_none()) {
                (*assigned, *most) = (Some(truth), overlap);
            }
        }
    }

    // Each box's best anchor among those that are left
    let mut taken = vec![false; anchors.len()];
    let best = |truth: usize, taken: &[bool]| -> Option<(f32, usize)> {
        let mut best = None;
        let mut most = -1.;
        for (anchor, (&overlap, taken)) in overlaps[truth].iter().zip(taken).enumerate() {
            if overlap > most && !taken {
                (best, most) = (Some(anchor), overlap);
            }
        }
        best.map(|anchor| (most, anchor))
    };
    let mut left: Vec<(usize, (f32, usize))> = (0..truths.len())
        .filter_map(|truth| best(truth, &taken).map(|pair| (truth, pair)))
        .collect();
    // Of equal pairs that with the first anchor, then that with the first box
    while let Some(place) = (0..left.len()).reduce(|a, b| {
        let ((_, (most, anchor)), (_, (overlap, other))) = (left[a], left[b]);
        if overlap > most || overlap == most && other < anchor { b } else { a }
    }) {
        let (truth, (_, anchor)) = left.remove(place);
        assigned[anchor] = Some(truth);
        taken[anchor] = true;
        for (truth, pair) in &mut left {
            if pair.1 == anchor {
                match best(*truth, &taken) {
                    Some(other) => *pair = other,
                    None => return assigned,
                }
            }
        }
    }
    assigned
}
