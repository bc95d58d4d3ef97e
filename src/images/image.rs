//! One image, as pixels or as numbers.

use std::fmt;
use std::path::Path;

use image::RgbImage;
use tch::Tensor;

use super::decode::decode;
use crate::{Error, Result};

/// An image on its way through transforms: pixels first, numbers after `ToTensor`.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Clone)]
pub enum Image {
    /// Red, green and blue from 0 to 255.
    Pixels(RgbImage),
    /// What `ToTensor` makes of it.
    Float(FloatImage),
}

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
}

impl Image {
    /// Reads an image file: JPEG, PNG, GIF, BMP, WebP, TIFF or PNM, told by its content; of an
    /// animation the first image.
    ///
    /// Like PIL's `convert("RGB")` it always has three channels of 8 bits: greyscale is
    /// expanded, alpha dropped, and 16-bit channels keep their high byte; 16-bit greyscale is clamped
    /// to 255, as in Pillow, so rescale it first. The orientation that a camera notes is not applied, as in
    /// torchvision; see [`ImageFolder::exif_transpose`](crate::data::ImageFolder::exif_transpose).
    /// That of a TIFF is applied always, as Pillow does while it loads one.
    ///
    /// # Errors
    /// The file is missing, is no image, is cut off, or has more pixels than
    /// [`set_max_image_pixels`](super::set_max_image_pixels) allows; the message names it.
    pub fn open(path: impl AsRef<Path>) -> Result<Image> {
        Ok(Image::Pixels(decode(path.as_ref(), false)?))
    }

    /// Width and height.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Image::Pixels(picture) => (picture.width() as usize, picture.height() as usize),
            Image::Float(numbers) => (numbers.width, numbers.height),
        }
    }

    /// The image as a tensor `[3, H, W]`, `f32`: from 0 to 1 if it is still pixels.
    ///
    /// # Errors
    /// libtorch is out of memory.
    pub fn to_tensor(&self) -> Result<Tensor> {
        let numbers = match self {
            Image::Pixels(picture) => &FloatImage::from(picture.clone()),
            Image::Float(numbers) => numbers,
        };
        let size = [numbers.height as i64, numbers.width as i64, 3];
        let tensor = Tensor::f_from_slice(numbers.data().as_flattened())?.f_view(size)?;
        Ok(tensor.f_permute([2, 0, 1])?.f_contiguous()?)
    }
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

impl From<RgbImage> for Image {
    fn from(picture: RgbImage) -> Image {
        Image::Pixels(picture)
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (width, height) = self.size();
        let kind = match self {
            Image::Pixels(_) => "pixels, 0 to 255",
            Image::Float(_) => "f32",
        };
        write!(f, "Image({width}×{height}, RGB, {kind})")
    }
}
