//! What `show_images` takes: images in any collection, or a batch in a tensor.

use image::{Rgb, RgbImage};
use tch::{Device, Kind, Tensor};

use crate::images::transforms::{IMAGENET_MEAN, IMAGENET_STD};
use crate::images::{FloatImage, Image};
use crate::{Error, Result};

/// Images that [`show_images`](super::show_images) takes: a collection of them or of references
/// (`images`, `&images`, `&[&image]`, `a.iter().chain(&b)`), where each is an [`Image`] or a tensor; or
/// one tensor, `[N, 3, H, W]`, `[N, 1, H, W]`, `[3, H, W]`, `[1, H, W]` or `[H, W]`.
///
/// A tensor has values from 0 to 255 (`Uint8`) or from 0 to 1. Other values of three channels are taken to
/// be normalised as ImageNet's are; those of one channel are shown from the least, black, to the
/// greatest, white.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no images to show",
    label = "expected images, as `&images` or `[&image]`, or a tensor",
    note = "give `&images`, `&[&image]`, an iterator of images or of tensors, or a tensor of [N, 3, H, W], [3, H, W] or [H, W]"
)]
pub trait Images<Form> {
    /// Hands the images on, each by itself.
    #[doc(hidden)]
    fn each(self, show: &mut dyn FnMut(&[&dyn Showable]) -> Result<()>) -> Result<()>;
}

/// The form of [`Images`] that is one tensor.
#[derive(Debug)]
pub enum OneTensor {}

/// The form of [`Images`] that is a collection.
#[derive(Debug)]
pub enum Collection {}

impl<I> Images<Collection> for I
where
    I: IntoIterator,
    I::Item: Showable,
{
    fn each(self, show: &mut dyn FnMut(&[&dyn Showable]) -> Result<()>) -> Result<()> {
        let images: Vec<I::Item> = self.into_iter().collect();
        show(&images.iter().map(|image| image as &dyn Showable).collect::<Vec<_>>())
    }
}

impl Images<OneTensor> for &Tensor {
    fn each(self, show: &mut dyn FnMut(&[&dyn Showable]) -> Result<()>) -> Result<()> {
        let images = if self.dim() == 4 { self.f_unbind(0)? } else { vec![self.shallow_clone()] };
        show(&images.iter().map(|image| image as &dyn Showable).collect::<Vec<_>>())
    }
}

impl Images<OneTensor> for Tensor {
    fn each(self, show: &mut dyn FnMut(&[&dyn Showable]) -> Result<()>) -> Result<()> {
        (&self).each(show)
    }
}

/// One image: an [`Image`], or a tensor of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an image",
    label = "expected `Image`, `Tensor` or a reference; of a `Result`, what `?` gives",
    note = "in a collection of `Result<Image>`, collect them first: `.collect::<Result<Vec<_>>>()?`"
)]
pub trait Showable {
    /// Its pixels.
    #[doc(hidden)]
    fn pixels(&self) -> Result<RgbImage>;
}

impl<T: Showable + ?Sized> Showable for &T {
    fn pixels(&self) -> Result<RgbImage> {
        (**self).pixels()
    }
}

impl Showable for Image {
    fn pixels(&self) -> Result<RgbImage> {
        Ok(match self {
            Image::Pixels(picture) => picture.clone(),
            Image::Float(numbers) => in_colour(numbers),
        })
    }
}

impl Showable for Tensor {
    fn pixels(&self) -> Result<RgbImage> {
        let refused = |expected: &str, todo: &str| {
            let found = format!("a tensor {:?} of {:?}", self.size(), self.kind());
            Err(Error::invalid("show_images", found, expected, todo))
        };
        let (channels, height, width) = match *self.size() {
            [channels @ (1 | 3), height, width] => (channels, height, width),
            [height, width] => (1, height, width),
            _ => {
                let expected = "[N, 3, H, W], [N, 1, H, W], [3, H, W], [1, H, W] or [H, W]";
                let todo =
                    "permute its dimensions so that channels come first, or narrow them to 1 or 3";
                return refused(expected, todo);
            }
        };
        let kinds =
            [Kind::Uint8, Kind::Bool, Kind::Float, Kind::Double, Kind::Half, Kind::BFloat16];
        if !kinds.contains(&self.kind()) {
            let todo = "convert it: `t.to_kind(Kind::Uint8)` where its values are 0 to 255";
            return refused("values of Uint8, Bool or floating point", todo);
        }
        let numbers = self.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
        let numbers =
            if self.kind() == Kind::Uint8 { numbers.f_div_scalar(255.)? } else { numbers };
        let rows =
            numbers.f_reshape([channels, -1])?.f_transpose(0, 1)?.f_expand([-1, 3], false)?;
        let data: Vec<f32> = Vec::try_from(rows.f_contiguous()?.f_view([-1])?)?;
        let (pixels, _) = data.as_chunks::<3>();
        let pixels = if channels == 1 { stretched(pixels) } else { pixels.to_vec() };
        Ok(in_colour(&FloatImage::new(height as usize, width as usize, pixels)?))
    }
}

/// Grey values of which some are not from 0 to 1, from the least to the greatest.
fn stretched(pixels: &[[f32; 3]]) -> Vec<[f32; 3]> {
    let values = || pixels.iter().map(|pixel| pixel[0]).filter(|value| value.is_finite());
    let (low, high) =
        (values().fold(f32::INFINITY, f32::min), values().fold(f32::NEG_INFINITY, f32::max));
    if low >= 0. && high <= 1. {
        return pixels.to_vec();
    }
    // A half of each: the whole distance may be more than the largest number.
    let distance = (high / 2. - low / 2.).max(f32::MIN_POSITIVE);
    pixels
        .iter()
        .map(|pixel| pixel.map(|value| ((value / 2. - low / 2.) / distance).clamp(0., 1.)))
        .collect()
}

/// Numbers as colours: those that are not from 0 to 1 are taken to be normalised as ImageNet's are.
fn in_colour(numbers: &FloatImage) -> RgbImage {
    let (data, width) = (numbers.data(), numbers.width());
    let normalised = data.iter().flatten().any(|x| !(0. ..=1.).contains(x));
    RgbImage::from_fn(width as u32, numbers.height() as u32, |x, y| {
        let pixel = data[y as usize * width + x as usize];
        Rgb(std::array::from_fn(|c| {
            let value = pixel[c];
            let value = if normalised { value * IMAGENET_STD[c] + IMAGENET_MEAN[c] } else { value };
            (value * 255.).round() as u8
        }))
    })
}
