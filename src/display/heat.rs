//! Where in an image there is much of something: a map of heat over it.

use image::{Rgb, RgbImage};
use tch::{Device, Kind, Tensor};

use super::canvas::finite_numbers;
use super::showable::Showable;
use crate::images::Image;
use crate::{Error, Result};

/// Colours from cold to hot, evenly spaced: their lightness grows (matplotlib's map *inferno* has such
/// ones), so that they say the same in grey.
const HEAT: [[f64; 3]; 5] =
    [[20., 11., 53.], [101., 21., 110.], [188., 55., 84.], [249., 142., 9.], [252., 255., 164.]];

/// The image under a map of heat, `[h, w]`: bright where it is largest, dark where it is smallest; one
/// without differences is dark everywhere. The map is resized to the image (bilinear, as
/// `torch.nn.functional.interpolate` with `align_corners=False`). `alpha` is from 0, where only the image is
/// seen, to 1, where only the map is (matplotlib: `imshow`'s `alpha`).
///
/// A class activation map says where a network has seen a class: with average pooling before its output
/// layer, it is the feature map `[C, h, w]` weighted by the class's row of `fc.weight` `[C]`.
///
/// ```
/// use d2l::prelude::*;
/// let image = Image::from(d2l::image::RgbImage::new(80, 60));
/// let map = Tensor::from_slice2(&[[0f32, 0.1, 0.2], [0.1, 0.9, 0.3]]);
/// assert_eq!(overlay_heat_map(&image, &map, 0.5)?.size(), (80, 60));
/// # Ok::<(), d2l::Error>(())
/// ```
///
/// # Errors
/// The map is not `[h, w]`, is empty, or has numbers that are not finite; `alpha` is not from 0 to 1;
/// the image has no pixels.
pub fn overlay_heat_map(image: &Image, map: &Tensor, alpha: f64) -> Result<Image> {
    const NAME: &str = "overlay_heat_map";
    let size = map.size();
    let &[h, w] = size.as_slice() else {
        let todo = "give one map: of a batch take one by `get(i)`, and sum over its channels";
        return Err(Error::invalid(NAME, format!("{size:?}"), "a map [h, w]", todo));
    };
    if !(0. ..=1.).contains(&alpha) {
        let todo = "give 0.5, say";
        return Err(Error::invalid(NAME, format!("alpha {alpha}"), "0 to 1", todo));
    }
    let picture = image.pixels()?;
    let (width, height) = picture.dimensions();
    if h == 0 || w == 0 || width == 0 || height == 0 {
        let found = format!("a map {size:?} and an image of {width}×{height} pixels");
        return Err(Error::invalid(NAME, found, "both with pixels", "look where they come from"));
    }
    finite_numbers(NAME, map)?;
    let map = map.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
    let map = map.f_view([1, 1, h, w])?;
    let map = map.f_upsample_bilinear2d([height.into(), width.into()], false, None, None)?;
    let heat = Vec::<f64>::try_from(&map.f_contiguous()?.f_view(-1)?)?;
    let low = heat.iter().copied().fold(f64::INFINITY, f64::min);
    let high = heat.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let distance = if high > low { high - low } else { f64::INFINITY };
    let pixels = picture.pixels().zip(heat).flat_map(|(pixel, heat)| {
        let colour = colour((heat - low) / distance);
        let mixed = |c: usize| f64::from(pixel[c]) * (1. - alpha) + colour[c] * alpha;
        [0, 1, 2].map(|c| mixed(c).round() as u8)
    });
    let pixels: Vec<u8> = pixels.collect();
    let none = || RgbImage::from_pixel(width, height, Rgb([0; 3]));
    Ok(RgbImage::from_raw(width, height, pixels).unwrap_or_else(none).into())
}

/// The colour of a heat from 0 to 1.
fn colour(heat: f64) -> [f64; 3] {
    let place = heat.clamp(0., 1.) * (HEAT.len() - 1) as f64;
    let first = (place as usize).min(HEAT.len() - 2);
    let part = place - first as f64;
    std::array::from_fn(|c| HEAT[first][c] * (1. - part) + HEAT[first + 1][c] * part)
}
