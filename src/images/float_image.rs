//! An image in numbers: what `ToTensor` makes, and what the loader writes into a batch.

use image::RgbImage;
use image::imageops::{crop_imm, flip_horizontal_in_place};

use crate::{Error, Result};

/// An image in numbers (`f32`), one pixel's channels side by side.
///
/// As long as each number follows from its pixel alone, the pixels are kept beside a table of what
/// their 256 values stand for, and the numbers are made when they are asked for: where they go to.
#[derive(Clone)]
pub struct FloatImage {
    height: usize,
    width: usize,
    numbers: Numbers,
}

#[derive(Clone)]
enum Numbers {
    /// A table for each channel.
    Table(RgbImage, Box<[[f32; 256]; 3]>),
    /// `[height * width, 3]`, row by row.
    Each(Vec<[f32; 3]>),
}

impl FloatImage {
    /// An image of these pixels: red, green and blue of each, row by row.
    ///
    /// # Errors
    /// `data` has another length.
    pub fn new(height: usize, width: usize, data: Vec<[f32; 3]>) -> Result<FloatImage> {
        if height.checked_mul(width) != Some(data.len()) {
            let found = format!("{} pixels for {width}×{height}", data.len());
            let todo = "give the pixels of all rows";
            return Err(Error::invalid("FloatImage", found, "as many as its size says", todo));
        }
        Ok(FloatImage { height, width, numbers: Numbers::Each(data) })
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Red, green and blue of each pixel, row by row.
    pub fn data(&self) -> Vec<[f32; 3]> {
        let mut data = Vec::with_capacity(self.height * self.width);
        self.each(|pixel| data.push(pixel));
        data
    }

    /// Hands out the pixels, row by row.
    pub(crate) fn each(&self, mut take: impl FnMut([f32; 3])) {
        match &self.numbers {
            Numbers::Table(picture, table) => {
                let [red, green, blue] = &**table;
                for &[r, g, b] in picture.as_raw().as_chunks().0 {
                    take([red[usize::from(r)], green[usize::from(g)], blue[usize::from(b)]]);
                }
            }
            Numbers::Each(data) => data.iter().copied().for_each(take),
        }
    }

    /// Puts `each(channel, number)` in the place of each number; the channels are 0, 1 and 2.
    pub fn map(mut self, each: impl Fn(usize, f32) -> f32) -> FloatImage {
        match &mut self.numbers {
            Numbers::Table(_, table) => {
                for (channel, numbers) in table.iter_mut().enumerate() {
                    numbers.iter_mut().for_each(|number| *number = each(channel, *number));
                }
            }
            Numbers::Each(data) => {
                for pixel in data {
                    *pixel = std::array::from_fn(|channel| each(channel, pixel[channel]));
                }
            }
        }
        self
    }

    /// The part of these rows and columns, which must lie in the image.
    pub(super) fn crop(&self, top: usize, left: usize, height: usize, width: usize) -> FloatImage {
        let numbers = match &self.numbers {
            Numbers::Table(picture, table) => {
                Numbers::Table(crop_pixels(picture, top, left, height, width), table.clone())
            }
            Numbers::Each(data) => {
                let rows = data.chunks(self.width.max(1)).skip(top).take(height);
                Numbers::Each(
                    rows.flat_map(|row| row.iter().skip(left).take(width)).copied().collect(),
                )
            }
        };
        FloatImage { height, width, numbers }
    }

    /// Left and right exchanged.
    pub(super) fn flip_horizontal(mut self) -> FloatImage {
        match &mut self.numbers {
            Numbers::Table(picture, _) => flip_horizontal_in_place(picture),
            Numbers::Each(data) => data.chunks_mut(self.width.max(1)).for_each(<[_]>::reverse),
        }
        self
    }
}

/// The part of these rows and columns, which must lie in the image.
pub(super) fn crop_pixels(
    picture: &RgbImage,
    top: usize,
    left: usize,
    height: usize,
    width: usize,
) -> RgbImage {
    // An image's sides are `u32`.
    let [left, top, width, height] = [left, top, width, height].map(|length| length as u32);
    crop_imm(picture, left, top, width, height).to_image()
}

impl From<RgbImage> for FloatImage {
    /// Numbers from 0 to 1.
    fn from(picture: RgbImage) -> FloatImage {
        let numbers = std::array::from_fn(|value| value as f32 / 255.);
        FloatImage {
            height: picture.height() as usize,
            width: picture.width() as usize,
            numbers: Numbers::Table(picture, Box::new([numbers; 3])),
        }
    }
}
