//! Regions of interest: rows batch index, x1, y1, x2, y2, checked (d2l: section 14.8).

use tch::Tensor;

use super::corners::{numbers, shape, wrong_shape};
use crate::{Error, Result};

/// A region: the number of its image in the batch, and its corners.
pub(super) struct Roi {
    pub image: usize,
    pub corners: [f64; 4],
}

/// What both ways of pooling are given, checked.
pub(super) struct Input {
    pub rois: Vec<Roi>,
    /// N, C, H, W.
    pub size: [i64; 4],
    pub bins: [usize; 2],
    pub scale: f64,
}

impl Input {
    pub fn new(
        name: &str,
        input: &Tensor,
        boxes: &Tensor,
        output_size: [i64; 2],
        spatial_scale: f64,
    ) -> Result<Input> {
        let subject = format!("{name}: input");
        let size = shape(&subject, input)?;
        let &[n, channels, height, width] = &size[..] else {
            let todo = "give a batch of feature maps";
            return Err(wrong_shape(&subject, &size, "[N, C, H, W]", todo));
        };
        if !input.is_floating_point() || height == 0 || width == 0 {
            let found = format!("{:?} {size:?}", input.kind());
            let todo = "give what a convolution puts out, or x.to_kind(Kind::Float)";
            return Err(Error::invalid(subject, found, "feature maps of numbers", todo));
        }
        let [rows, columns] = output_size;
        if !(1..=10_000).contains(&rows) || !(1..=10_000).contains(&columns) {
            let found = format!("{output_size:?}");
            let todo = "give rows and columns such as [7, 7]";
            let expected = "two numbers from 1 to 10000";
            return Err(Error::invalid(format!("{name}: output_size"), found, expected, todo));
        }
        if !(spatial_scale.is_finite() && spatial_scale > 0.) {
            let found = spatial_scale.to_string();
            let todo = "give the feature map's width over the image's, such as 0.1";
            let subject = format!("{name}: spatial_scale");
            return Err(Error::invalid(subject, found, "a number above 0", todo));
        }
        Ok(Input {
            rois: rois(name, boxes, n)?,
            size: [n, channels, height, width],
            bins: [rows as usize, columns as usize],
            scale: spatial_scale,
        })
    }

    /// `[K, C, bins]` without regions.
    pub fn nothing(&self, input: &Tensor) -> Result<Tensor> {
        let [rows, columns] = self.bins.map(|bins| bins as i64);
        let options = (input.kind(), input.device());
        Ok(Tensor::f_zeros([0, self.size[1], rows, columns], options)?)
    }
}

fn rois(name: &str, boxes: &Tensor, images: i64) -> Result<Vec<Roi>> {
    let subject = format!("{name}: boxes");
    let size = shape(&subject, boxes)?;
    let &[_, 5] = &size[..] else {
        let todo = "give a row batch index, x1, y1, x2, y2 for each region";
        return Err(wrong_shape(&subject, &size, "[K, 5]", todo));
    };
    let numbers = numbers(boxes)?;
    let mut rois = vec![];
    for (row, &[image, x1, y1, x2, y2]) in numbers.as_chunks().0.iter().enumerate() {
        let found = format!("{:?}, row {row}", [image, x1, y1, x2, y2]);
        if ![x1, y1, x2, y2].iter().all(|edge| edge.is_finite()) {
            let todo = "look for where it comes from: a division by 0, or a training that diverged";
            return Err(Error::invalid(subject, found, "finite numbers x1, y1, x2, y2", todo));
        }
        if image.fract() != 0. || !(image >= 0. && image < images as f32) {
            let expected =
                format!("first the number of an image of the batch, from 0: there are {images}");
            let todo = "the first number is not the region's class";
            return Err(Error::invalid(subject, found, expected, todo));
        }
        rois.push(Roi { image: image as usize, corners: [x1, y1, x2, y2].map(f64::from) });
    }
    Ok(rois)
}
