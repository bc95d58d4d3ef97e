//! What a detector is to say of each anchor (d2l: section 14.4).

use tch::{Kind, Tensor};

use super::assign::{assign, tensor_on};
use super::corners::{Corners, area, check_box, corners, numbers, shape, wrong_shape};
use super::offsets::offset_boxes;
use crate::{Error, Result};

/// From this IoU on an anchor is a box's, as in the book.
const IOU_THRESHOLD: f32 = 0.5;

/// Labels anchors `[1, A, 4]` by the true boxes of a batch, `labels` `[B, M, 5]` of rows class, x1, y1,
/// x2, y2 from 0 to 1 (d2l: `multibox_target`). What comes back:
///
/// * offsets of the boxes from their anchors, `[B, 4·A]` (`f32`), 0 for background;
/// * a mask, `[B, 4·A]` (`f32`): 1 for anchors that have a box, 0 for background;
/// * classes, `[B, A]` (`i64`): 0 for background, else the box's class plus 1.
///
/// Rows of a negative class fill the table up and are left out. (In the book they are matched like boxes,
/// and take anchors away from these.) An image without boxes is all background.
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html).
///
/// # Errors
/// Another shape; a box or an anchor is turned, not finite, or without area; a class is no whole number.
///
/// ```
/// use d2l::prelude::*;
/// let anchors = Tensor::from_slice2(&[[0.1f32, 0.08, 0.52, 0.92], [0.6, 0.6, 0.9, 0.9]]);
/// let labels = [[0f32, 0.1, 0.08, 0.52, 0.92], [-1., 0., 0., 0., 0.]];
/// let labels = Tensor::from_slice2(&labels).unsqueeze(0);
/// let (offset, mask, classes) = multibox_target(&anchors.unsqueeze(0), &labels)?;
/// assert_eq!(classes, Tensor::from_slice2(&[[1i64, 0]]));
/// assert_eq!((offset.size(), mask.sum(None).double_value(&[])), (vec![1, 8], 4.));
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn multibox_target(anchors: &Tensor, labels: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
    let boxes = anchor_boxes("multibox_target: anchors", anchors)?;
    let size = shape("multibox_target: labels", labels)?;
    let &[batch, most, 5] = &size[..] else {
        let todo = "give a row class, x1, y1, x2, y2 for each box, and rows of class -1 to fill up";
        return Err(wrong_shape("multibox_target: labels", &size, "[B, M, 5]", todo));
    };
    let rows = numbers(labels)?;
    let rows: &[[f32; 5]] = rows.as_chunks().0;
    let count = boxes.len();
    // Those that have a box: their places in the batch, classes and corners, and their boxes' corners
    let (mut places, mut classes) = (vec![], vec![]);
    let (mut of_anchors, mut of_boxes) = (vec![], vec![]);
    for image in 0..batch as usize {
        let table = rows.iter().skip(image * most as usize).take(most as usize);
        let truths = truths(image, table)?;
        let corners: Vec<Corners> = truths.iter().map(|(_, corners)| *corners).collect();
        for (anchor, truth) in assign(&corners, &boxes, IOU_THRESHOLD).into_iter().enumerate() {
            let Some((class, corners)) = truth.and_then(|truth| truths.get(truth)) else {
                continue;
            };
            places.push((image * count + anchor) as i64);
            classes.push(class + 1);
            of_anchors.extend(boxes[anchor]);
            of_boxes.extend(corners);
        }
    }
    let (device, count) = (anchors.device(), count as i64);
    let table = |numbers: &[f32]| tensor_on(device, numbers)?.f_view([-1, 4]);
    let places = tensor_on(device, &places)?;
    let classes = tensor_on(device, &classes)?;
    let offset = offset_boxes(&table(&of_anchors)?, &table(&of_boxes)?)?;
    // All are background, but those.
    let background = |size: &[i64], kind| Tensor::f_zeros(size, (kind, device));
    Ok((
        background(&[batch * count, 4], Kind::Float)?
            .f_index_copy_(0, &places, &offset)?
            .f_view([batch, 4 * count])?,
        background(&[batch * count, 4], Kind::Float)?
            .f_index_fill_(0, &places, 1)?
            .f_view([batch, 4 * count])?,
        background(&[batch * count], Kind::Int64)?
            .f_index_copy_(0, &places, &classes)?
            .f_view([batch, count])?,
    ))
}

/// Anchors `[1, A, 4]`, or without the 1; each has an area.
pub(super) fn anchor_boxes(subject: &str, anchors: &Tensor) -> Result<Vec<Corners>> {
    let size = shape(subject, anchors)?;
    let (&[1, count, 4] | &[count, 4]) = &size[..] else {
        let todo = "give what multibox_prior returns, joined with Tensor::f_cat(&all, 1)";
        return Err(wrong_shape(subject, &size, "[1, A, 4]", todo));
    };
    let boxes = corners(subject, &anchors.f_reshape([count, 4])?)?;
    check_areas(subject, "anchor", boxes.iter().copied().enumerate())?;
    Ok(boxes)
}

/// The boxes of an image: class and corners, without rows that fill up.
fn truths<'a>(
    image: usize,
    rows: impl Iterator<Item = &'a [f32; 5]>,
) -> Result<Vec<(i64, Corners)>> {
    let subject = format!("multibox_target: labels of image {image}");
    let mut truths = vec![];
    for (row, &[class, left, top, right, bottom]) in rows.enumerate() {
        if class < 0. {
            continue;
        }
        // Above this, f32 leaves whole numbers out.
        if class.fract() != 0. || class > (1 << 24) as f32 {
            let todo = "take classes from 0 on, and -1 for rows that fill the table up";
            let found = format!("the class {class}, row {row}");
            return Err(Error::invalid(subject, found, "a whole number", todo));
        }
        let corners = [left, top, right, bottom];
        check_box(&subject, row, &corners)?;
        check_areas(&subject, "box", [(row, corners)])?;
        truths.push((class as i64, corners));
    }
    Ok(truths)
}

/// A logarithm of 0 would spoil the loss.
fn check_areas(
    subject: &str,
    what: &str,
    boxes: impl IntoIterator<Item = (usize, Corners)>,
) -> Result<()> {
    match boxes.into_iter().find(|(_, corners)| area(*corners) <= 0.) {
        None => Ok(()),
        Some((row, corners)) => {
            let found = format!("the {what} {corners:?}, row {row}, without area");
            let todo = "leave it out, or give it a row of class -1";
            Err(Error::invalid(subject, found, "x1 < x2 and y1 < y2", todo))
        }
    }
}
