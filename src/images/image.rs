//! One image, as pixels or as numbers.

use std::fmt;
use std::path::Path;

use image::RgbImage;
use image::imageops::{flip_horizontal_in_place, replace};
use tch::{Device, Kind, Tensor};

use super::decode::decode;
use super::float_image::{FloatImage, crop_pixels};
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

    /// The image that a tensor holds: `[3, H, W]`, or `[H, W]` and `[1, H, W]` for grey.
    ///
    /// Bytes (`u8`) are pixels from 0 to 255; `f32` are numbers from 0 to 1, or normalised ones, and
    /// stay as they are. [`to_tensor`](Self::to_tensor) is the way back.
    ///
    /// # Errors
    /// The tensor has another shape or kind, or a number is NaN or infinite.
    ///
    /// ```
    /// use d2l::prelude::*;
    /// let grey = Image::from_tensor(&Tensor::from_slice2(&[[0f32, 0.5, 1.], [1., 0.5, 0.]]))?;
    /// assert_eq!(grey.size(), (3, 2));
    /// assert_eq!(grey.to_tensor()?.size(), [3, 2, 3]);
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn from_tensor(tensor: &Tensor) -> Result<Image> {
        let refused = |found: String, expected: &str, todo: &str| {
            Err(Error::invalid("Image::from_tensor", found, expected, todo))
        };
        if !tensor.defined() {
            let todo = "fill it first, as with Tensor::zeros";
            return refused("a tensor without values".into(), "[3, H, W] or [H, W]", todo);
        }
        let size = tensor.size();
        let (&[1 | 3, height, width] | &[height, width]) = &size[..] else {
            let todo = "give one image of a batch, as x.get(0), and its channels first, as with \
                        x.permute([2, 0, 1])";
            return refused(format!("the shape {size:?}"), "[3, H, W], [1, H, W] or [H, W]", todo);
        };
        let (Ok(rows), Ok(columns)) = (u32::try_from(height), u32::try_from(width)) else {
            let todo = "cut it into parts";
            return refused(format!("the shape {size:?}"), "sides below 4 294 967 296", todo);
        };
        if tensor.numel() == 0 {
            let todo = "look at what made it";
            return refused(format!("the shape {size:?}"), "one pixel or more", todo);
        }
        // Grey is spread over three channels, which then lie side by side.
        let pixels = tensor
            .f_detach()?
            .f_to_device(Device::Cpu)?
            .f_expand([3, height, width], false)?
            .f_permute([1, 2, 0])?
            .f_contiguous()?
            .f_view([-1])?;
        match pixels.f_kind() {
            Ok(Kind::Uint8) => {
                let bytes = Vec::<u8>::try_from(&pixels)?;
                // As many bytes as the size says.
                Ok(RgbImage::from_raw(columns, rows, bytes).unwrap_or_default().into())
            }
            Ok(Kind::Float) => {
                let numbers = Vec::<f32>::try_from(&pixels)?;
                if !numbers.iter().all(|number| number.is_finite()) {
                    let todo = "look for a division by 0 in what made it";
                    return refused("NaN or infinite values".into(), "finite numbers", todo);
                }
                let pixels = numbers.as_chunks().0.to_vec();
                Ok(Image::Float(FloatImage::new(rows as usize, columns as usize, pixels)?))
            }
            kind => {
                let found = kind.map_or_else(|error| error.to_string(), |kind| format!("{kind:?}"));
                let expected = "numbers (Kind::Float) or bytes (Kind::Uint8)";
                refused(found, expected, "convert it with .to_kind(Kind::Float)")
            }
        }
    }

    /// Width and height.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Image::Pixels(picture) => (picture.width() as usize, picture.height() as usize),
            Image::Float(numbers) => (numbers.width(), numbers.height()),
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
        let size = [numbers.height() as i64, numbers.width() as i64, 3];
        let tensor = Tensor::f_from_slice(numbers.data().as_flattened())?.f_view(size)?;
        Ok(tensor.f_permute([2, 0, 1])?.f_contiguous()?)
    }

    /// Cuts a rectangle out, whose upper left corner is at row `top` and column `left` (torchvision:
    /// `functional.crop`). See [`Sample::crop`](crate::data::Sample::crop) for an image with its boxes
    /// or its mask.
    ///
    /// # Errors
    /// The rectangle is empty, or does not lie in the image.
    pub fn crop(&self, top: usize, left: usize, height: usize, width: usize) -> Result<Image> {
        let (columns, rows) = self.size();
        let lies_in = |start: usize, length: usize, all: usize| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= all)
        };
        if !(lies_in(top, height, rows) && lies_in(left, width, columns)) {
            return Err(Error::invalid(
                "crop",
                format!("{width}×{height} pixels from row {top}, column {left}"),
                format!("a rectangle in an image of {columns}×{rows} pixels"),
                "give top, left, height, width; resize images that are too small, or leave them out",
            ));
        }
        Ok(match self {
            Image::Pixels(picture) => crop_pixels(picture, top, left, height, width).into(),
            Image::Float(numbers) => Image::Float(numbers.crop(top, left, height, width)),
        })
    }

    /// Puts the image on a ground of one colour, `height`×`width` pixels, with its upper left corner at row
    /// `top` and column `left` (torchvision: `functional.pad`). In numbers, a ground of 0 to 1.
    ///
    /// # Errors
    /// The image does not fit at that place.
    pub fn pad_to(
        &self,
        height: usize,
        width: usize,
        top: usize,
        left: usize,
        fill: [u8; 3],
    ) -> Result<Image> {
        let (columns, rows) = self.size();
        let fits = |start: usize, length: usize, all: usize| {
            start.checked_add(length).is_some_and(|end| end <= all)
        };
        let sides = (u32::try_from(width), u32::try_from(height));
        let (true, true, (Ok(wide), Ok(high))) =
            (fits(top, rows, height), fits(left, columns, width), sides)
        else {
            return Err(Error::invalid(
                "pad_to",
                format!("{width}×{height} pixels, the image from row {top}, column {left}"),
                format!("room for an image of {columns}×{rows} pixels"),
                "give height, width, top, left; the ground is larger than the image",
            ));
        };
        Ok(match self {
            Image::Pixels(picture) => {
                let mut ground = RgbImage::from_pixel(wide, high, image::Rgb(fill));
                replace(&mut ground, picture, left as i64, top as i64);
                ground.into()
            }
            Image::Float(numbers) => {
                let fill = fill.map(|value| f32::from(value) / 255.);
                let mut ground = vec![fill; height * width];
                let pixels = numbers.data();
                for (row, pixels) in pixels.chunks(columns.max(1)).enumerate() {
                    let start = (top + row) * width + left;
                    ground[start..start + columns].copy_from_slice(pixels);
                }
                Image::Float(FloatImage::new(height, width, ground)?)
            }
        })
    }

    /// Exchanges left and right (torchvision: `functional.hflip`). See
    /// [`Sample::flip_horizontal`](crate::data::Sample::flip_horizontal) for an image with its boxes or
    /// its mask.
    pub fn flip_horizontal(self) -> Image {
        match self {
            Image::Pixels(mut picture) => {
                flip_horizontal_in_place(&mut picture);
                picture.into()
            }
            Image::Float(numbers) => Image::Float(numbers.flip_horizontal()),
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
