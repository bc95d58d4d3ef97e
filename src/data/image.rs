//! One picture, as pixels or as numbers.

use std::fmt;
use std::path::Path;

use image::RgbImage;
use tch::Tensor;

use super::decode::decode;
use crate::Result;

/// A picture on its way through transforms: pixels first, numbers after `ToTensor`.
#[derive(Clone)]
pub enum Image {
    /// Red, green and blue from 0 to 255.
    Pixels(RgbImage),
    /// What `ToTensor` makes of it.
    Float(FloatImage),
}

/// A picture in numbers (`f32`), one pixel's channels side by side.
#[derive(Clone)]
pub struct FloatImage {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `[height, width, 3]`, row by row.
    pub data: Vec<f32>,
}

impl Image {
    /// Reads a picture file: JPEG, PNG, GIF, BMP, WebP, TIFF or PNM, told by its content; of an
    /// animation the first picture.
    ///
    /// Like PIL's `convert("RGB")` it always has three channels of 8 bits: grey is spread, transparency
    /// dropped, of 16 bits the higher eight taken; but grey of 16 bits is cut at 255, as there, so
    /// scale such pictures beforehand. The orientation that a camera notes is not applied, as in
    /// torchvision; see [`ImageFolder::exif_transpose`](super::ImageFolder::exif_transpose).
    ///
    /// # Errors
    /// The file is missing, is no picture, is cut off, or has more pixels than
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

    /// The picture as a tensor `[3, H, W]`, `f32`: from 0 to 1 if it is still pixels.
    ///
    /// # Errors
    /// libtorch is out of memory.
    pub fn to_tensor(&self) -> Result<Tensor> {
        let numbers = match self {
            Image::Pixels(picture) => &FloatImage::from(picture),
            Image::Float(numbers) => numbers,
        };
        let size = [numbers.height as i64, numbers.width as i64, 3];
        let tensor = Tensor::f_from_slice(&numbers.data)?.f_view(size)?;
        Ok(tensor.f_permute([2, 0, 1])?.f_contiguous()?)
    }

    /// The picture to show: numbers are taken to be normalised as ImageNet's are.
    pub(crate) fn to_pixels(&self) -> RgbImage {
        use super::transforms::{IMAGENET_MEAN, IMAGENET_STD};
        let numbers = match self {
            Image::Pixels(picture) => return picture.clone(),
            Image::Float(numbers) => numbers,
        };
        let normalised = numbers.data.iter().any(|&x| !(0. ..=1.).contains(&x));
        RgbImage::from_fn(numbers.width as u32, numbers.height as u32, |x, y| {
            let start = (y as usize * numbers.width + x as usize) * 3;
            image::Rgb(std::array::from_fn(|c| {
                let value = numbers.data[start + c];
                let value =
                    if normalised { value * IMAGENET_STD[c] + IMAGENET_MEAN[c] } else { value };
                (value * 255.).round() as u8
            }))
        })
    }

    /// Shows the picture as the last expression of a cell.
    pub fn evcxr_display(&self) {
        // A cell's last expression has nobody to return an error to.
        if let Err(error) = crate::display::show_images(&[self], 1, 1, 2.5) {
            eprintln!("{error}");
        }
    }
}

impl From<&RgbImage> for FloatImage {
    fn from(picture: &RgbImage) -> FloatImage {
        FloatImage {
            height: picture.height() as usize,
            width: picture.width() as usize,
            data: picture.as_raw().iter().map(|&value| f32::from(value) / 255.).collect(),
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
