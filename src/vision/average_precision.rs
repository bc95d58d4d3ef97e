//! How good a detector is, as COCO counts it (beyond d2l: section 14.7, which measures anchors only).

use std::fmt;

use tch::Tensor;

use super::corners::{Corners, area, check_box, check_part, numbers, shape, wrong_shape};
use super::nms::{by_score, falling};
use crate::{Error, Result};

/// Of an image so many detections of a class count, as in COCO.
const MOST_DETECTIONS: usize = 100;

/// Average precision of a detector: for each class, and its mean over the classes (torchmetrics:
/// `MeanAveragePrecision`), by COCO's rules.
///
/// From the highest confidence down, a detection is right if its IoU with a true box of its class in its
/// image is at least a threshold and no detection before it has taken that box. After each there is a
/// recall, the part of the true boxes that is found, and a precision, the part of the detections that is
/// right. The average precision is the mean of the precision, at the best from a recall on, over the
/// recalls 0, 0.01, … 1. A class without true boxes has none, and does not count in the mean.
///
/// ```
/// use d2l::prelude::*;
/// let mut ap = MeanAveragePrecision::new(["banana"]);
/// // Class, confidence, corners: a right one, and one that takes the same banana again.
/// let found = [[0f32, 0.9, 0.1, 0.1, 0.5, 0.5], [0., 0.8, 0.1, 0.1, 0.5, 0.45]];
/// let truth = [[0f32, 0.1, 0.1, 0.5, 0.5], [0., 0.6, 0.6, 0.9, 0.9], [-1., 0., 0., 0., 0.]];
/// ap.add(&Tensor::from_slice2(&found).unsqueeze(0), &Tensor::from_slice2(&truth).unsqueeze(0))?;
/// assert_eq!(ap.precision_recall_curve(0, 0.5)?, [(0.5, 1.), (0.5, 0.5)]);
/// assert!((ap.map_50() - 51. / 101.).abs() < 1e-9);
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Clone)]
pub struct MeanAveragePrecision {
    names: Vec<String>,
    /// For each class its boxes, image by image.
    classes: Vec<Vec<InImage>>,
    /// Of which sizes true boxes count: their area, from, and below.
    areas: (f64, f64),
}

/// The boxes of one class in one image.
#[derive(Clone, Default)]
struct InImage {
    /// By falling confidence.
    found: Vec<(f32, Corners)>,
    truths: Vec<Corners>,
}

impl MeanAveragePrecision {
    /// Nothing is counted yet. `classes` are the names, in the order of their numbers.
    pub fn new<S: Into<String>>(classes: impl IntoIterator<Item = S>) -> MeanAveragePrecision {
        let names: Vec<String> = classes.into_iter().map(Into::into).collect();
        let classes = vec![vec![]; names.len()];
        MeanAveragePrecision { names, classes, areas: (0., f64::INFINITY) }
    }

    /// Counts only true boxes of an area from `least` to below `most`, in the boxes' units: of 256×256
    /// pixels and boxes from 0 to 1, those below 32×32 pixels have less than `1. / 64.`. As in COCO,
    /// detections of other boxes count neither as right nor as wrong, nor do those that take no box and
    /// have another size themselves.
    pub fn areas(mut self, least: f64, most: f64) -> MeanAveragePrecision {
        self.areas = (least, most);
        self
    }

    /// Counts a batch: detections `[B, A, 6]`, as [`multibox_detection`](super::multibox_detection())
    /// returns them, and labels `[B, M, 5]`, rows class, x1, y1, x2, y2. Rows of a negative class count in
    /// neither; of a class in an image, the 100 most certain detections count.
    ///
    /// # Errors
    /// Another shape; a class that is none of these; a box that is turned or not finite; a confidence
    /// that is NaN. Nothing of the batch is counted then.
    pub fn add(&mut self, detections: &Tensor, labels: &Tensor) -> Result<()> {
        let (subject, of_labels) =
            ("MeanAveragePrecision: detections", "MeanAveragePrecision: labels");
        let size = shape(subject, detections)?;
        let &[batch, count, 6] = &size[..] else {
            let todo = "give what multibox_detection returns";
            return Err(wrong_shape(subject, &size, "[B, A, 6]", todo));
        };
        let label_size = shape(of_labels, labels)?;
        let most = match label_size[..] {
            [images, most, 5] if images == batch => most as usize,
            _ => {
                let expected = format!("[{batch}, M, 5]");
                let todo = "give the labels of the same batch";
                return Err(wrong_shape(of_labels, &label_size, &expected, todo));
            }
        };
        let (detections, labels) = (numbers(detections)?, numbers(labels)?);
        let detections: &[[f32; 6]] = detections.as_chunks().0;
        let labels: &[[f32; 5]] = labels.as_chunks().0;
        let mut images = vec![];
        for image in 0..batch as usize {
            let mut in_image = vec![InImage::default(); self.names.len()];
            let rows = detections.iter().skip(image * count as usize).take(count as usize);
            for (row, &[class, score, left, top, right, bottom]) in rows.enumerate() {
                let subject = format!("{subject} of image {image}");
                let Some(class) = self.class(&subject, row, class)? else { continue };
                if score.is_nan() {
                    let todo = "look for a training that diverged";
                    let found = format!("NaN, row {row}");
                    return Err(Error::invalid(subject, found, "a confidence", todo));
                }
                let corners = [left, top, right, bottom];
                check_box(&subject, row, &corners)?;
                in_image[class].found.push((score, corners));
            }
            for (row, &[class, left, top, right, bottom]) in
                labels.iter().skip(image * most).take(most).enumerate()
            {
                let subject = format!("{of_labels} of image {image}");
                let Some(class) = self.class(&subject, row, class)? else { continue };
                let corners = [left, top, right, bottom];
                check_box(&subject, row, &corners)?;
                in_image[class].truths.push(corners);
            }
            images.push(in_image);
        }
        for in_image in images {
            for (class, mut boxes) in self.classes.iter_mut().zip(in_image) {
                let scores: Vec<f32> = boxes.found.iter().map(|(score, _)| *score).collect();
                let order = by_score(&scores).into_iter().take(MOST_DETECTIONS);
                boxes.found = order.map(|i| boxes.found[i]).collect();
                class.push(boxes);
            }
        }
        Ok(())
    }

    /// The place of a class; `None` for a row that fills up.
    fn class(&self, subject: &str, row: usize, class: f32) -> Result<Option<usize>> {
        if class < 0. {
            return Ok(None);
        }
        if class.fract() == 0. && class < self.names.len() as f32 {
            return Ok(Some(class as usize));
        }
        let expected = format!("a class from 0 to {}, or -1", self.names.len().saturating_sub(1));
        let todo = "name all classes in MeanAveragePrecision::new";
        Err(Error::invalid(subject, format!("the class {class}, row {row}"), expected, todo))
    }

    /// The average precision of each class at a threshold of IoU, 0 to 1; NaN for a class without true
    /// boxes.
    ///
    /// # Errors
    /// The threshold is not from 0 to 1.
    pub fn average_precision(&self, iou_threshold: f64) -> Result<Vec<f64>> {
        let threshold = check_part("average_precision: iou_threshold", iou_threshold)?;
        Ok(self.at(threshold))
    }

    fn at(&self, threshold: f64) -> Vec<f64> {
        self.classes.iter().map(|images| average(&self.curve(images, threshold))).collect()
    }

    /// The mean over the classes at an IoU of 0.5 (AP50).
    pub fn map_50(&self) -> f64 {
        mean(self.at(0.5))
    }

    /// The mean over the classes, and over the thresholds 0.5, 0.55, … 0.95: what COCO calls AP.
    pub fn map(&self) -> f64 {
        // COCO's ten numbers, to the last bit
        let step = (0.95 - 0.5) / 9.;
        mean((0..10).flat_map(|i| self.at(0.5 + f64::from(i) * step)))
    }

    /// Recall and precision of a class after each detection, from the most certain down: points for
    /// `Animator::of("recall", &[("banana", Some(&curve))])`. None without true boxes.
    ///
    /// # Errors
    /// There is no such class; the threshold is not from 0 to 1.
    pub fn precision_recall_curve(
        &self,
        class: usize,
        iou_threshold: f64,
    ) -> Result<Vec<(f64, f64)>> {
        let threshold = check_part("precision_recall_curve: iou_threshold", iou_threshold)?;
        let Some(images) = self.classes.get(class) else {
            let todo = "count the classes from 0";
            let expected = format!("a class below {}", self.classes.len());
            let subject = "precision_recall_curve: class";
            return Err(Error::invalid(subject, class.to_string(), expected, todo));
        };
        Ok(self.curve(images, threshold).unwrap_or_default())
    }

    /// Recall and precision after each detection; `None` without true boxes.
    fn curve(&self, images: &[InImage], threshold: f64) -> Option<Vec<(f64, f64)>> {
        let counts = |corners: &Corners| {
            let area = f64::from(area(*corners));
            self.areas.0 <= area && area < self.areas.1
        };
        let truths = images.iter().flat_map(|image| &image.truths).filter(|truth| counts(truth));
        let truths = truths.count();
        if truths == 0 {
            return None;
        }
        let mut found: Vec<(f32, bool)> =
            images.iter().flat_map(|image| image.hits(threshold, &counts)).collect();
        found.sort_by(|a, b| falling(a.0, b.0));
        let mut right = 0;
        let points = found.iter().enumerate().map(|(before, (_, hit))| {
            right += usize::from(*hit);
            (right as f64 / truths as f64, right as f64 / (before + 1) as f64)
        });
        Some(points.collect())
    }
}

impl InImage {
    /// The detections that count, with their confidence, and whether each is right.
    fn hits(&self, threshold: f64, counts: &impl Fn(&Corners) -> bool) -> Vec<(f32, bool)> {
        // As COCO does, so that an IoU of 1 passes a threshold of 1
        let threshold = threshold.min(1. - 1e-10);
        let mut taken = vec![false; self.truths.len()];
        let mut hits = vec![];
        for (score, corners) in &self.found {
            // One that counts before one that does not, then the largest IoU
            let free = self.truths.iter().enumerate().filter(|(truth, _)| !taken[*truth]);
            let overlaps =
                free.map(|(place, truth)| (counts(truth), overlap(*corners, *truth), place));
            let best = overlaps
                .filter(|(_, overlap, _)| *overlap >= threshold)
                .reduce(|a, b| if (b.0, b.1) > (a.0, a.1) { b } else { a });
            match best {
                Some((true, _, truth)) => {
                    taken[truth] = true;
                    hits.push((*score, true));
                }
                Some((false, _, truth)) => taken[truth] = true,
                None if counts(corners) => hits.push((*score, false)),
                None => {}
            }
        }
        hits
    }
}

/// Intersection over union, as exact as COCO has it: it is compared with thresholds that it may equal.
fn overlap(a: Corners, b: Corners) -> f64 {
    let (a, b) = (a.map(f64::from), b.map(f64::from));
    let area = |[left, top, right, bottom]: [f64; 4]| (right - left) * (bottom - top);
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.);
    let both = width * height;
    both / (area(a) + area(b) - both)
}

/// COCO's 101 points.
fn average(curve: &Option<Vec<(f64, f64)>>) -> f64 {
    let Some(points) = curve else { return f64::NAN };
    let mut best = points.clone();
    for i in (1..best.len()).rev() {
        best[i - 1].1 = best[i - 1].1.max(best[i].1);
    }
    let at = |recall: f64| {
        best.iter().find(|(reached, _)| *reached >= recall).map_or(0., |(_, precision)| *precision)
    };
    let sum: f64 = (0..100).map(|i| at(f64::from(i) * 0.01)).chain([at(1.)]).sum();
    sum / 101.
}

/// The mean of what is there.
fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

impl fmt::Display for MeanAveragePrecision {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let steps: Vec<Vec<f64>> =
            (0..10).map(|i| self.at(0.5 + f64::from(i) * ((0.95 - 0.5) / 9.))).collect();
        let width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
        writeln!(f, "{:>width$} |  AP50 AP50:95", "class")?;
        for (class, name) in self.names.iter().enumerate() {
            let all = mean(steps.iter().map(|step| step[class]));
            writeln!(f, "{name:>width$} | {:>5.3} {all:>7.3}", steps[0][class])?;
        }
        write!(f, "{:>width$} | {:>5.3} {:>7.3}", "mean", self.map_50(), self.map())
    }
}

crate::jupyter::show_as_text!(MeanAveragePrecision);
