//! Changes of an image's size together with its target: boxes, which are in parts of the image, and masks
//! (d2l: sections 14.6 and 14.7, exercises).

use rand::RngExt;
use tch::Tensor;

use super::{Rng, Sample};
use crate::images::transforms::{Resize, Transform, probability};
use crate::{Error, Result};

/// What a mask has where an image was enlarged: as on the borders of VOC, which a loss can leave out.
const NO_CLASS: i64 = 255;

impl Sample {
    /// Resizes the image, and its target with it (torchvision: `v2.Resize`): boxes, in parts of the image,
    /// stay as they are; a mask keeps its values, each new pixel that of the nearest old one.
    ///
    /// # Errors
    /// A size of 0; the image is in numbers already; or as
    /// [`flip_horizontal`](Self::flip_horizontal).
    ///
    /// ```
    /// use d2l::prelude::*;
    /// let image = Image::from(d2l::image::RgbImage::new(20, 10));
    /// let boxes = Tensor::from_slice2(&[[0f32, 0., 0.5, 0.25, 1.]]);
    /// let larger = Sample::new(image, boxes.shallow_clone()).resize(30, 30)?;
    /// assert_eq!((larger.image.size(), larger.target.tensor()?), ((30, 30), &boxes));
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn resize(self, height: usize, width: usize) -> Result<Sample> {
        let side = |name: &str, length: usize| {
            u32::try_from(length).ok().filter(|length| *length > 0).ok_or_else(|| {
                let expected = "a number of pixels from 1 up";
                let todo = "give height and width, such as 256, 256";
                Error::invalid(format!("resize: {name}"), length.to_string(), expected, todo)
            })
        };
        let size = [side("height", height)?, side("width", width)?];
        let target = self.change_target(
            "resize",
            |mask| {
                let nearest = |mask: &Tensor, dim: i64, new: usize| -> Result<Tensor> {
                    let old = mask.size().get(dim as usize).copied().unwrap_or(0);
                    let places: Vec<i64> = (0..new as i64).map(|i| i * old / new as i64).collect();
                    let places = Tensor::f_from_slice(&places)?.f_to_device(mask.device())?;
                    Ok(mask.f_index_select(dim, &places)?)
                };
                nearest(&nearest(mask, 0, height)?, 1, width)
            },
            |row| row,
        )?;
        // No random numbers are drawn.
        let mut unused = crate::random::generator(0, 0, 0);
        Ok(Sample { image: Resize::new(size)?.apply(self.image, &mut unused)?, target })
    }

    /// Puts the image on a larger ground of one colour, `height`×`width` pixels, with its corner at row
    /// `top` and column `left` (torchvision: `v2.functional.pad`). Boxes go with it; a mask has 255, no
    /// class, on the ground.
    ///
    /// # Errors
    /// The image does not fit at that place; or as [`flip_horizontal`](Self::flip_horizontal).
    ///
    /// ```
    /// use d2l::prelude::*;
    /// let image = Image::from(d2l::image::RgbImage::new(10, 10));
    /// let boxes = Tensor::from_slice2(&[[0f32, 0., 0., 1., 1.]]);
    /// let smaller = Sample::new(image, boxes).zoom_out(20, 40, 10, 0, [124, 116, 104])?;
    /// assert_eq!(smaller.image.size(), (40, 20));
    /// let expected = Tensor::from_slice2(&[[0f32, 0., 0.5, 0.25, 1.]]);
    /// assert_eq!(smaller.target.tensor()?, &expected);
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn zoom_out(
        self,
        height: usize,
        width: usize,
        top: usize,
        left: usize,
        fill: [u8; 3],
    ) -> Result<Sample> {
        let (columns, rows) = self.image.size();
        let image = self.image.pad_to(height, width, top, left, fill)?;
        let [across, down] = [(columns, left, width), (rows, top, height)].map(|lengths| {
            let (all, start, length) = lengths;
            move |edge: f64| (edge * all as f64 + start as f64) / length as f64
        });
        let target = self.change_target(
            "zoom_out",
            |mask| {
                let options = (mask.f_kind()?, mask.device());
                let size = [height as i64, width as i64];
                let larger = Tensor::f_full(size, NO_CLASS, options)?;
                let rows = larger.f_narrow(0, top as i64, rows as i64)?;
                rows.f_narrow(1, left as i64, columns as i64)?.f_copy_(mask)?;
                Ok(larger)
            },
            |[class, left, top, right, bottom]| {
                [class, across(left), down(top), across(right), down(bottom)]
            },
        )?;
        Ok(Sample { image, target })
    }

    /// With probability `p`, puts the image in a random place of a ground that is up to `most` times as
    /// high and wide (torchvision: `v2.RandomZoomOut`, `side_range=(1, most)`), so that what is in it
    /// becomes small once it is resized; see [`zoom_out`](Self::zoom_out).
    ///
    /// # Errors
    /// `p` is not from 0 to 1, `most` is not from 1 to 100; or as [`zoom_out`](Self::zoom_out).
    pub fn random_zoom_out(
        self,
        p: f64,
        most: f64,
        fill: [u8; 3],
        rng: &mut Rng,
    ) -> Result<Sample> {
        let p = probability("random_zoom_out", p)?;
        if !(1. ..=100.).contains(&most) {
            let todo = "4 makes things up to four times smaller";
            let (subject, found) = ("random_zoom_out: most", most.to_string());
            return Err(Error::invalid(subject, found, "1 to 100", todo));
        }
        if rng.random::<f64>() >= p {
            return Ok(self);
        }
        let (columns, rows) = self.image.size();
        let times = 1. + (most - 1.) * rng.random::<f64>();
        let larger = |length: usize| (length as f64 * times) as usize;
        let (width, height) = (larger(columns).max(columns), larger(rows).max(rows));
        let left = rng.random_range(0..=width - columns);
        let top = rng.random_range(0..=height - rows);
        self.zoom_out(height, width, top, left, fill)
    }
}
