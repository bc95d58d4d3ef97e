//! Boxes as plain numbers, checked, and how much two of them overlap.

use tch::{Device, Kind, Tensor};

use crate::{Error, Result};

/// Left, top, right and bottom of a box.
pub(super) type Corners = [f32; 4];

pub(super) fn area([left, top, right, bottom]: Corners) -> f32 {
    (right - left) * (bottom - top)
}

/// Intersection over union.
pub(super) fn iou(a: Corners, b: Corners) -> f32 {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.);
    let both = width * height;
    both / (area(a) + area(b) - both)
}

/// A tensor's shape; one without values has none.
pub(super) fn shape(subject: &str, tensor: &Tensor) -> Result<Vec<i64>> {
    if tensor.defined() {
        return Ok(tensor.size());
    }
    Err(Error::invalid(subject, "a tensor without values", "numbers", "fill it first"))
}

pub(super) fn wrong_shape(subject: &str, shape: &[i64], expected: &str, todo: &str) -> Error {
    Error::invalid(subject, format!("the shape {shape:?}"), expected, todo).of_shape(shape)
}

/// A tensor's numbers, row by row.
pub(super) fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
    Ok(Vec::<f32>::try_from(flat.f_contiguous()?.f_view([-1])?)?)
}

/// The boxes of a tensor `[n, 4]`: finite, and not turned.
pub(super) fn corners(subject: &str, boxes: &Tensor) -> Result<Vec<Corners>> {
    let size = shape(subject, boxes)?;
    let &[_, 4] = &size[..] else {
        let todo = "give a row x1, y1, x2, y2 for each box";
        return Err(wrong_shape(subject, &size, "[n, 4]", todo));
    };
    let boxes = numbers(boxes)?.as_chunks().0.to_vec();
    check_corners(subject, &boxes)?;
    Ok(boxes)
}

pub(super) fn check_corners(subject: &str, boxes: &[Corners]) -> Result<()> {
    boxes.iter().enumerate().try_for_each(|(row, corners)| check_box(subject, row, corners))
}

pub(super) fn check_box(subject: &str, row: usize, corners: &Corners) -> Result<()> {
    let [left, top, right, bottom] = corners;
    let is_finite = corners.iter().all(|edge| edge.is_finite());
    if is_finite && left <= right && top <= bottom {
        return Ok(());
    }
    let todo = if is_finite {
        "give the upper left corner first, then the lower right one"
    } else {
        "look for where it comes from: a division by 0, or a training that diverged"
    };
    let expected = "finite numbers x1 ≤ x2 and y1 ≤ y2";
    Err(Error::invalid(subject, format!("the box {corners:?}, row {row}"), expected, todo))
}

/// The scores of a tensor, one for each of `count` boxes, none of them NaN.
pub(super) fn scores(subject: &str, scores: &Tensor, count: usize) -> Result<Vec<f32>> {
    let size = shape(subject, scores)?;
    if size != [count as i64] {
        let expected = format!("[{count}], one for each box");
        return Err(wrong_shape(subject, &size, &expected, "give a score for each box"));
    }
    let scores = numbers(scores)?;
    check_scores(subject, &scores)?;
    Ok(scores)
}

pub(super) fn check_scores(subject: &str, scores: &[f32]) -> Result<()> {
    match scores.iter().position(|score| score.is_nan()) {
        None => Ok(()),
        Some(place) => {
            let todo = "look for where it comes from: a division by 0, or a training that diverged";
            let found = format!("NaN at place {place}");
            Err(Error::invalid(subject, found, "numbers to compare", todo))
        }
    }
}

/// A number from 0 to 1, such as a threshold.
pub(super) fn check_part(subject: &str, number: f64) -> Result<f64> {
    if (0. ..=1.).contains(&number) {
        return Ok(number);
    }
    Err(Error::invalid(subject, number.to_string(), "a number from 0 to 1", "give one such as 0.5"))
}
