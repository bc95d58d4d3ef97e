//! Changes of colour, as torchvision makes them of Pillow's images.

use std::fmt;

use image::{Rgb, RgbImage};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::{Image, Rng, Transform, pixels};
use crate::{Error, Result};

/// Changes brightness, contrast, saturation and hue randomly, in a random order (torchvision:
/// `ColorJitter`).
///
/// The first three are multiplied by a factor between 1 − amount, 0 at least, and 1 + amount; the
/// hue is turned by a part of its circle between −amount and amount. With an amount of 0 a property
/// stays as it is.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Clone, Copy)]
pub struct ColorJitter {
    brightness: f64,
    contrast: f64,
    saturation: f64,
    hue: f64,
}

impl ColorJitter {
    /// A new step; amounts are 0 or more, that of the hue 0.5 at most.
    ///
    /// # Errors
    /// An amount is less, more, or no number.
    pub fn new(brightness: f64, contrast: f64, saturation: f64, hue: f64) -> Result<ColorJitter> {
        for (name, amount, most) in [
            ("brightness", brightness, f64::MAX),
            ("contrast", contrast, f64::MAX),
            ("saturation", saturation, f64::MAX),
            ("hue", hue, 0.5),
        ] {
            if !(0. ..=most).contains(&amount) {
                let found = format!("{name} {amount}");
                let expected = if name == "hue" { "0 to 0.5" } else { "0 or more" };
                let todo = "0 leaves the image as it is";
                return Err(Error::invalid("ColorJitter", found, expected, todo));
            }
        }
        Ok(ColorJitter { brightness, contrast, saturation, hue })
    }
}

impl fmt::Display for ColorJitter {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let ColorJitter { brightness, contrast, saturation, hue } = self;
        write!(
            f,
            "ColorJitter(brightness={brightness}, contrast={contrast}, saturation={saturation}, hue={hue})"
        )
    }
}

crate::jupyter::show_as_text!(ColorJitter);

impl Transform for ColorJitter {
    fn apply(&self, image: Image, rng: &mut Rng) -> Result<Image> {
        // The factor that changes nothing, the amount, the lowest factor.
        type Step = (f64, f64, f64, fn(Image, f64) -> Result<Image>);
        let mut steps: [Step; 4] = [
            (1., self.brightness, 0., adjust_brightness),
            (1., self.contrast, 0., adjust_contrast),
            (1., self.saturation, 0., adjust_saturation),
            (0., self.hue, -0.5, adjust_hue),
        ];
        steps.shuffle(rng);
        steps.into_iter().try_fold(image, |image, (middle, amount, least, adjust)| {
            if amount == 0. {
                return Ok(image);
            }
            let low = f64::max(least, middle - amount);
            adjust(image, low + (middle + amount - low) * rng.random::<f64>())
        })
    }
}

/// Makes an image darker (a factor below 1) or lighter (torchvision: `adjust_brightness`).
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// The factor is negative or no number, or the image is numbers already.
pub fn adjust_brightness(image: Image, factor: f64) -> Result<Image> {
    away_from(image, factor, "adjust_brightness", |_| |_| [0; 3])
}

/// Moves an image's colours away from its mean grey, or towards it with a factor below 1 (torchvision:
/// `adjust_contrast`).
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// As [`adjust_brightness`].
pub fn adjust_contrast(image: Image, factor: f64) -> Result<Image> {
    away_from(image, factor, "adjust_contrast", |picture| {
        let sum: u64 = picture.pixels().map(|pixel| u64::from(grey(pixel))).sum();
        let count = picture.width() as f64 * picture.height() as f64;
        let mean = (sum as f64 / count + 0.5) as u8;
        move |_| [mean; 3]
    })
}

/// Makes an image's colours stronger, or greyer with a factor below 1 (torchvision:
/// `adjust_saturation`).
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// As [`adjust_brightness`].
pub fn adjust_saturation(image: Image, factor: f64) -> Result<Image> {
    away_from(image, factor, "adjust_saturation", |_| |pixel| [grey(pixel); 3])
}

/// Turns all hues by a part of the circle, from −0.5 to 0.5 (torchvision: `adjust_hue`).
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// The part is larger, or the image is numbers already.
pub fn adjust_hue(image: Image, factor: f64) -> Result<Image> {
    if !(-0.5..=0.5).contains(&factor) {
        let todo = "half a circle is the most";
        return Err(Error::invalid("adjust_hue", format!("{factor}"), "-0.5 to 0.5", todo));
    }
    let mut picture = pixels(image, &"adjust_hue")?;
    // torchvision cuts the fraction off and lets the byte overflow, as hues go round.
    let turn = (factor * 255.) as i32 as u8;
    for pixel in picture.pixels_mut() {
        let [hue, saturation, value] = to_hsv(pixel.0);
        pixel.0 = from_hsv([hue.wrapping_add(turn), saturation, value]);
    }
    Ok(picture.into())
}

/// The image, `factor` times as far from what `base` makes of it and its pixels.
fn away_from<F: Fn(&Rgb<u8>) -> [u8; 3]>(
    image: Image,
    factor: f64,
    name: &'static str,
    base: impl Fn(&RgbImage) -> F,
) -> Result<Image> {
    if !(factor >= 0. && factor.is_finite()) {
        let todo = "1 leaves the image as it is";
        return Err(Error::invalid(name, format!("{factor}"), "a factor of 0 or more", todo));
    }
    let mut picture = pixels(image, &name)?;
    let base = base(&picture);
    let factor = factor as f32;
    for pixel in picture.pixels_mut() {
        let origins = base(pixel);
        for (value, origin) in pixel.0.iter_mut().zip(origins) {
            let origin = f32::from(origin);
            // Rounded down, and kept from 0 to 255
            *value = (origin + factor * (f32::from(*value) - origin)) as u8;
        }
    }
    Ok(picture.into())
}

/// ITU-R 601, in fixed point as Pillow has it.
fn grey(pixel: &Rgb<u8>) -> u8 {
    let [red, green, blue] = pixel.0.map(u32::from);
    ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16) as u8
}

/// Hue, saturation and value, from 0 to 255 each, rounded as Pillow does.
fn to_hsv([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let lacks = |value: u8| f32::from(most - value) / range;
    let hue = if red == most {
        lacks(blue) - lacks(green)
    } else if green == most {
        (2. + f64::from(lacks(red)) - f64::from(lacks(blue))) as f32
    } else {
        (4. + f64::from(lacks(green)) - f64::from(lacks(red))) as f32
    };
    let hue = ((f64::from(hue) / 6. + 1.) % 1.) as f32;
    let saturation = range / f32::from(most);
    [(f64::from(hue) * 255.) as u8, (f64::from(saturation) * 255.) as u8, most]
}

/// The inverse.
fn from_hsv([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    let sector = (f64::from(hue) * 6. / 255.).floor();
    let within = f64::from((f64::from(hue) * 6. / 255. - sector) as f32);
    let saturation = f64::from((f64::from(saturation) / 255.) as f32);
    let part = |lack: f64| (f64::from(value) * (1. - lack)).round() as u8;
    let (least, falling, rising) =
        (part(saturation), part(saturation * within), part(saturation * (1. - within)));
    match sector as u8 % 6 {
        0 => [value, rising, least],
        1 => [falling, value, least],
        2 => [least, value, rising],
        3 => [least, falling, value],
        4 => [rising, least, value],
        _ => [value, least, falling],
    }
}
