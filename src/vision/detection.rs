//! From a network's predictions to detections (d2l: section 14.4).

use std::collections::BTreeSet;

use tch::{Kind, Tensor};

use super::assign::tensor_on;
use super::corners::{
    Corners, check_corners, check_part, check_scores, numbers, shape, wrong_shape,
};
use super::nms::{falling, suppress_per_class};
use super::offsets::offset_inverse;
use super::soft_nms::{check_sigma, soften};
use super::target::anchor_boxes;
use crate::Result;

/// Detections in a batch (d2l: `multibox_detection`), with the book's settings, which
/// [`MultiboxDetection`] can change: probabilities `[B, C + 1, A]`, of which the first is background's,
/// offsets `[B, 4·A]` and anchors `[1, A, 4]` to `[B, A, 6]` (`f32`), a row class, confidence, x1, y1, x2,
/// y2 for each anchor. Classes count from 0, background left out; the confidence is the largest of
/// theirs.
///
/// Detections come first, by falling confidence; then the anchors that are none, in their order: class −1,
/// with their confidence if it is high enough, or else that in background, 1 minus it.
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html).
///
/// # Errors
/// The shapes do not fit; an anchor has no area; a probability is NaN, or a box is not finite.
pub fn multibox_detection(
    cls_probs: &Tensor,
    offset_preds: &Tensor,
    anchors: &Tensor,
) -> Result<Tensor> {
    MultiboxDetection::new().detect(cls_probs, offset_preds, anchors)
}

/// How detections are made of predictions. Without further settings as [`multibox_detection`] does it.
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html).
///
/// ```
/// use d2l::prelude::*;
/// let anchors = Tensor::from_slice2(&[[0f32, 0., 1., 1.], [0., 0., 1., 0.95]]).unsqueeze(0);
/// let probs = [[0.05f32, 0.1], [0.9, 0.1], [0.05, 0.8]]; // background, dog, cat
/// let (probs, offsets) = (Tensor::from_slice2(&probs).unsqueeze(0), Tensor::zeros([1, 8], (Kind::Float, Device::Cpu)));
/// let classes = |rows: Tensor| Vec::<f32>::try_from(rows.i((0, .., 0)));
/// assert_eq!(classes(multibox_detection(&probs, &offsets, &anchors)?)?, [0., -1.]);
/// let per_class = MultiboxDetection::new().per_class(true);
/// assert_eq!(classes(per_class.detect(&probs, &offsets, &anchors)?)?, [0., 1.]);
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MultiboxDetection {
    nms_threshold: f64,
    pos_threshold: f64,
    per_class: bool,
    soft: Option<f64>,
}

impl Default for MultiboxDetection {
    fn default() -> MultiboxDetection {
        MultiboxDetection::new()
    }
}

impl MultiboxDetection {
    /// The book's settings.
    pub fn new() -> MultiboxDetection {
        // Just below 0.01, so that 0.01 counts.
        MultiboxDetection {
            nms_threshold: 0.5,
            pos_threshold: 0.009999999,
            per_class: false,
            soft: None,
        }
    }

    /// Above which IoU a box takes another away; 0.5 without this.
    ///
    /// # Errors
    /// It is not from 0 to 1.
    pub fn nms_threshold(mut self, nms_threshold: f64) -> Result<MultiboxDetection> {
        self.nms_threshold = check_part("MultiboxDetection: nms_threshold", nms_threshold)?;
        Ok(self)
    }

    /// From which confidence on an anchor is a detection; 0.01 without this. Those below are left out
    /// before boxes are compared, so a higher one is faster, too.
    ///
    /// # Errors
    /// It is not from 0 to 1.
    pub fn pos_threshold(mut self, pos_threshold: f64) -> Result<MultiboxDetection> {
        self.pos_threshold = check_part("MultiboxDetection: pos_threshold", pos_threshold)?;
        Ok(self)
    }

    /// Whether a box takes away only boxes of its own class, as torchvision's detectors do. Without this,
    /// as in the book, a cat close to a more certain dog is no detection.
    pub fn per_class(mut self, per_class: bool) -> MultiboxDetection {
        self.per_class = per_class;
        self
    }

    /// Lowers confidences as [`soft_nms`](super::soft_nms()) does, with its `sigma`, instead of taking
    /// boxes away. Those that fall below the threshold of confidence are none.
    ///
    /// # Errors
    /// `sigma` is not above 0.
    pub fn soft(mut self, sigma: f64) -> Result<MultiboxDetection> {
        self.soft = Some(check_sigma("MultiboxDetection: soft", sigma)?);
        Ok(self)
    }

    /// Detections in a batch; shapes and rows as [`multibox_detection`] has them.
    ///
    /// # Errors
    /// As [`multibox_detection`].
    pub fn detect(
        &self,
        cls_probs: &Tensor,
        offset_preds: &Tensor,
        anchors: &Tensor,
    ) -> Result<Tensor> {
        let count = anchor_boxes("multibox_detection: anchors", anchors)?.len() as i64;
        let size = shape("multibox_detection: cls_probs", cls_probs)?;
        let (batch, classes) = match size[..] {
            [batch, classes, n] if n == count && classes >= 2 => (batch, classes as usize - 1),
            _ => {
                let expected = format!("[B, C + 1, {count}], as there are {count} anchors");
                let todo = "give softmax(cls_preds, -1).permute([0, 2, 1])";
                let subject = "multibox_detection: cls_probs";
                return Err(wrong_shape(subject, &size, &expected, todo));
            }
        };
        let offset_size = shape("multibox_detection: offset_preds", offset_preds)?;
        if offset_size != [batch, 4 * count] {
            let expected = format!("[{batch}, {}], four for each anchor", 4 * count);
            let todo = "give what the network predicts for the same batch";
            let subject = "multibox_detection: offset_preds";
            return Err(wrong_shape(subject, &offset_size, &expected, todo));
        }
        let device = cls_probs.device();
        let probs = numbers(cls_probs)?;
        check_scores("multibox_detection: cls_probs", &probs)?;
        let anchors = anchors.f_reshape([count, 4])?.f_to_kind(Kind::Float)?;
        let offsets = offset_preds.f_detach()?.f_reshape([batch, count, 4])?;
        let boxes = numbers(&offset_inverse(&anchors, &offsets.f_to_kind(Kind::Float)?)?)?;
        let boxes: &[Corners] = boxes.as_chunks().0;
        check_corners("multibox_detection: offset_preds", boxes)?;
        let count = count as usize;
        let mut rows: Vec<[f32; 6]> = Vec::with_capacity(boxes.len());
        for image in 0..batch as usize {
            let probs = &probs[image * (classes + 1) * count..][..(classes + 1) * count];
            self.detect_in(probs, &boxes[image * count..][..count], &mut rows);
        }
        let rows = tensor_on(device, rows.as_flattened())?;
        Ok(rows.f_view([batch, count as i64, 6])?)
    }

    /// The rows of one image; `probs` are `[C + 1, A]`.
    fn detect_in(&self, probs: &[f32], boxes: &[Corners], rows: &mut Vec<[f32; 6]>) {
        let count = boxes.len();
        let mut best = vec![(0usize, f32::NEG_INFINITY); count];
        // Background, the first row, is none.
        for (class, probs) in probs.chunks(count.max(1)).skip(1).enumerate() {
            for (best, &prob) in best.iter_mut().zip(probs) {
                if prob > best.1 {
                    *best = (class, prob);
                }
            }
        }
        let is_high = |confidence: f32| f64::from(confidence) >= self.pos_threshold;
        let likely: Vec<usize> = (0..count).filter(|&i| is_high(best[i].1)).collect();
        let (kept, confidences) = self.kept(&likely, &best, boxes);
        let row = |class: f32, confidence: f32, [left, top, right, bottom]: Corners| {
            [class, confidence, left, top, right, bottom]
        };
        let mut is_left = vec![true; count];
        for (i, confidence) in kept.into_iter().zip(confidences) {
            is_left[i] = false;
            rows.push(row(best[i].0 as f32, confidence, boxes[i]));
        }
        for i in (0..count).filter(|&i| is_left[i]) {
            let confidence = if is_high(best[i].1) { best[i].1 } else { 1. - best[i].1 };
            rows.push(row(-1., confidence, boxes[i]));
        }
    }

    /// Of the likely anchors those that are kept, with their confidences, which fall.
    fn kept(
        &self,
        likely: &[usize],
        best: &[(usize, f32)],
        boxes: &[Corners],
    ) -> (Vec<usize>, Vec<f32>) {
        let corners: Vec<Corners> = likely.iter().map(|&i| boxes[i]).collect();
        let scores: Vec<f32> = likely.iter().map(|&i| best[i].1).collect();
        let classes: Vec<usize> =
            likely.iter().map(|&i| if self.per_class { best[i].0 } else { 0 }).collect();
        let Some(sigma) = self.soft else {
            let kept = suppress_per_class(&corners, &scores, &classes, self.nms_threshold as f32);
            return kept.into_iter().map(|i| (likely[i], scores[i])).unzip();
        };
        let mut all: Vec<(usize, f32)> = vec![];
        let distinct: BTreeSet<usize> = classes.iter().copied().collect();
        for class in distinct {
            let of_class: Vec<usize> = (0..likely.len()).filter(|&i| classes[i] == class).collect();
            let corners: Vec<Corners> = of_class.iter().map(|&i| corners[i]).collect();
            let scores: Vec<f32> = of_class.iter().map(|&i| scores[i]).collect();
            let (kept, lowered) = soften(&corners, scores, sigma, self.pos_threshold);
            all.extend(kept.into_iter().map(|i| likely[of_class[i]]).zip(lowered));
        }
        all.sort_by(|a, b| falling(a.1, b.1).then(a.0.cmp(&b.0)));
        all.into_iter().unzip()
    }
}
