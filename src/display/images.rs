//! Images in a grid (d2l: section 4.2, `show_images`).

use tch::Tensor;

use super::boxes::BBox;
use super::grid::ImageGrid;
use super::showable::Images;
use crate::Result;
use crate::images::transforms::Transform;
use crate::images::{FloatImage, Image};
use crate::jupyter::complain;

/// Shows images in a grid, row by row, each with its own ratio of width to height (d2l:
/// `show_images`). `scale` is the book's: 1.5 makes a cell 108 pixels wide.
///
/// What the images may be is said at [`Images`].
///
/// The book: [*The Image Classification Dataset*](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html).
///
/// # Errors
/// No rows or no columns, fewer places than images, a scale that makes a cell smaller than a pixel or
/// larger than 4,000, or a grid of more than 100 million pixels; a tensor that is not an image.
pub fn show_images<Form>(
    images: impl Images<Form>,
    num_rows: usize,
    num_cols: usize,
    scale: f64,
) -> Result<()> {
    ImageGrid::new(images, num_rows, num_cols)?.scale(scale).show()
}

/// As [`show_images`], with a title above each image. [`ImageGrid`] has titles of rows, coloured titles
/// and boxes.
///
/// The book: [*The Image Classification Dataset*](https://d2l.ai/chapter_linear-classification/image-classification-dataset.html).
///
/// # Errors
/// As [`show_images`], or another number of titles than of images.
pub fn show_images_with_titles<Form>(
    images: impl Images<Form>,
    num_rows: usize,
    num_cols: usize,
    titles: &[impl AsRef<str>],
    scale: f64,
) -> Result<()> {
    ImageGrid::new(images, num_rows, num_cols)?.titles(titles).scale(scale).show()
}

/// Shows an image with numbers of its pixels beside it, and boxes over it, `[n, 4]` corners in pixels (d2l:
/// section 14.4, `show_bboxes`). The first boxes have the labels, as many as there are; colours go round,
/// and without any, boxes of one image have different ones. [`ImageGrid::bboxes`] has boxes over several
/// images, [`BBox::detections`] those of a detector.
///
/// The book: [*Anchor Boxes*](https://d2l.ai/chapter_computer-vision/anchor.html).
///
/// # Errors
/// Another shape; numbers that are not finite, or a box that is turned; a colour that has no such name.
///
/// ```
/// use d2l::prelude::*;
/// let image = Image::from(d2l::image::RgbImage::new(728, 561));
/// let boxes = Tensor::from_slice2(&[[60f32, 45., 378., 516.], [400., 112., 655., 493.]]);
/// # if false {
/// show_bboxes(&image, &boxes, &["dog", "cat"], &["blue", "red"])?;
/// # }
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn show_bboxes(image: &Image, bboxes: &Tensor, labels: &[&str], colors: &[&str]) -> Result<()> {
    let boxes = BBox::from_tensor(bboxes)?.into_iter().enumerate().map(|(i, mut bbox)| {
        if let Some(label) = labels.get(i) {
            bbox = bbox.label(label);
        }
        if let Some(color) = colors.get(i % colors.len().max(1)) {
            bbox = bbox.color(color);
        }
        bbox
    });
    ImageGrid::new([image], 1, 1)?.scale(6.).axis(true).bboxes(0, boxes).show()
}

/// Shows what a transform makes of an image, as many times as the grid has places (d2l: section
/// 14.1.1, `apply`). Each call draws other random numbers; [`manual_seed`](crate::data::manual_seed)
/// begins them anew.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// As [`show_images`], or the transform fails.
pub fn apply(
    image: &Image,
    aug: &dyn Transform,
    num_rows: usize,
    num_cols: usize,
    scale: f64,
) -> Result<()> {
    ImageGrid::new([image], num_rows, num_cols)?.scale(scale).cell()?;
    let images = (0..num_rows * num_cols).map(|_| aug.call(image));
    let images = images.collect::<Result<Vec<Image>>>()?;
    show_images(&images, num_rows, num_cols, scale)
}

crate::jupyter::show_with!(Image, |image| {
    // A cell's last expression has nobody to return an error to.
    if let Err(error) = show_images([image], 1, 1, 2.5) {
        complain(error);
    }
});

crate::jupyter::show_with!(FloatImage, |numbers| Image::Float(numbers.clone()).evcxr_display());
