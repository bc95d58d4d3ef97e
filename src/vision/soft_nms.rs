//! Suppression that lowers scores instead of dropping boxes (Bodla and others, 2017; an exercise of d2l:
//! section 14.4).

use tch::Tensor;

use super::assign::tensor_on;
use super::corners::{Corners, iou};
use super::nms::{as_indices, boxes_and_scores};
use crate::{Error, Result};

/// Soft non-maximum suppression: the box with the highest score is kept, and the scores of all that are
/// left are multiplied by `exp(−IoU² / sigma)`; then again, as long as a score is above
/// `score_threshold`. Of equal scores the first box is taken.
///
/// Boxes `[n, 4]` and scores `[n]` to the numbers of those kept, `[k]` (`i64`), and their new scores,
/// `[k]` (`f32`), which fall. The paper takes 0.5 for `sigma`.
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html), exercise 4.
///
/// # Errors
/// As [`nms`](super::nms()); `sigma` is not above 0, or `score_threshold` is NaN.
///
/// ```
/// use d2l::prelude::*;
/// let boxes = Tensor::from_slice2(&[[0f32, 0., 1., 1.], [0., 0., 1., 0.5]]);
/// let (kept, scores) = soft_nms(&boxes, &Tensor::from_slice(&[0.9f32, 0.8]), 0.5, 0.01)?;
/// assert_eq!(kept.size(), [2]);
/// assert!((scores.double_value(&[1]) - 0.8 * (-0.5f64).exp()).abs() < 1e-6);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn soft_nms(
    boxes: &Tensor,
    scores: &Tensor,
    sigma: f64,
    score_threshold: f64,
) -> Result<(Tensor, Tensor)> {
    let (corners, values) = boxes_and_scores("soft_nms", boxes, scores)?;
    let sigma = check_sigma("soft_nms: sigma", sigma)?;
    if score_threshold.is_nan() {
        let todo = "give one such as 0.01";
        return Err(Error::invalid("soft_nms: score_threshold", "NaN", "a number", todo));
    }
    let (kept, lowered) = soften(&corners, values, sigma, score_threshold);
    let device = boxes.device();
    Ok((tensor_on(device, &as_indices(kept))?, tensor_on(device, &lowered)?))
}

pub(super) fn check_sigma(subject: &str, sigma: f64) -> Result<f64> {
    if sigma > 0. {
        return Ok(sigma);
    }
    Err(Error::invalid(subject, sigma.to_string(), "a number above 0", "give one such as 0.5"))
}

/// The places of the boxes that are kept, and their lowered scores.
pub(super) fn soften(
    boxes: &[Corners],
    mut scores: Vec<f32>,
    sigma: f64,
    score_threshold: f64,
) -> (Vec<usize>, Vec<f32>) {
    let mut left: Vec<usize> = (0..boxes.len()).collect();
    let (mut kept, mut lowered) = (vec![], vec![]);
    let first = |a: usize, b: usize, scores: &[f32], left: &[usize]| {
        if scores[left[b]] > scores[left[a]] { b } else { a }
    };
    while let Some(place) = (0..left.len()).reduce(|a, b| first(a, b, &scores, &left)) {
        let best = left.remove(place);
        if f64::from(scores[best]) <= score_threshold {
            break;
        }
        kept.push(best);
        lowered.push(scores[best]);
        for &other in &left {
            let overlap = f64::from(iou(boxes[best], boxes[other]));
            // Of two boxes without area it is no number.
            if overlap > 0. {
                scores[other] *= (-overlap * overlap / sigma).exp() as f32;
            }
        }
    }
    (kept, lowered)
}
