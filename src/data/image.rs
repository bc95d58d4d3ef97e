//! One picture, as pixels or as numbers.

use std::fmt;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, ImageReader, RgbImage};
use tch::Tensor;

use crate::{Error, Result};

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
    /// Reads a picture file: JPEG, PNG, GIF, BMP, WebP, TIFF or PNM, told by its content.
    ///
    /// Like PIL's `convert("RGB")` it always has three channels: grey is spread, transparency
    /// dropped. The orientation that a camera notes is not applied, as in torchvision.
    ///
    /// # Errors
    /// The file is missing, is no picture, or is cut off; the message names it.
    pub fn open(path: impl AsRef<Path>) -> Result<Image> {
        let path = path.as_ref();
        let content = fs::read(path).map_err(Error::io("read the picture", path))?;
        let reader = ImageReader::new(Cursor::new(&content))
            .with_guessed_format()
            .map_err(Error::io("read the picture", path))?;
        if reader.format().is_none() {
            return Err(Error::file(
                path,
                "this file is no picture",
                "a JPEG, PNG, GIF, BMP, WebP, TIFF or PNM file",
                "move it out of the folder",
            ));
        }
        let damaged = |reason: String| {
            Error::file(
                path,
                format!("the picture cannot be decoded ({reason})"),
                "a whole picture",
                "replace the file, or remove it: it may have been cut off while it was copied",
            )
        };
        // The decoder fills what a JPEG lacks with grey.
        if reader.format() == Some(ImageFormat::Jpeg) && is_cut_off(&content) {
            return Err(damaged("the JPEG has no end".into()));
        }
        let picture = reader.decode().map_err(|error| damaged(error.to_string()))?;
        Ok(Image::Pixels(picture.into_rgb8()))
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

/// Whether a JPEG's last scan is not followed by the mark of the end; neither mark occurs in a scan.
fn is_cut_off(jpeg: &[u8]) -> bool {
    let pairs = || jpeg.windows(2);
    let last_scan = pairs().rposition(|pair| pair == [0xff, 0xda]).unwrap_or(0);
    !pairs().skip(last_scan).any(|pair| pair == [0xff, 0xd9])
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
