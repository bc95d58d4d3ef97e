//! What layers for images say of an input that is none.

use std::fmt::Display;

use tch::Tensor;

use super::check_numbers;
use crate::{Error, Result};

/// An error for an input of this shape, where so many channels are taken.
pub(crate) fn misfit(layer: &dyn Display, shape: &[i64], channels: i64) -> Error {
    let found = format!("an input of shape {shape:?}");
    let expected = format!("{channels} channels: [N, {channels}, H, W]");
    Error::invalid(layer, found, expected, make_fit(shape, channels)).of_shape(shape)
}

/// An error for what is no batch of images with so many channels, where this is a model's first
/// layer. libtorch takes one image, too, and a later layer would speak of a shape that nobody has
/// given.
pub(crate) fn check_batch(layer: &dyn Display, channels: i64, x: &Tensor) -> Result<()> {
    match x.size()[..] {
        [_, found, height, width] if found == channels && height > 0 && width > 0 => {
            check_numbers(layer, x)
        }
        ref shape => Err(misfit(layer, shape, channels)),
    }
}

/// An error for what is neither an image nor a batch of images, whatever the number of channels.
pub(crate) fn check_images(layer: &dyn Display, x: &Tensor) -> Result<()> {
    let shape = x.size();
    if let [_, height, width] | [_, _, height, width] = shape[..]
        && height > 0
        && width > 0
    {
        return check_numbers(layer, x);
    }
    let error = Error::invalid(
        layer,
        format!("an input of shape {shape:?}"),
        "images of a pixel or more: [N, C, H, W]",
        match shape[..] {
            [1, _, _, _, _] => "this is a batch in a batch: x.squeeze_dim(0)",
            [_, _] | [_] | [] => "leave images as they are before it, without flattening them",
            _ => "take larger images, or fewer layers before it that make them smaller",
        },
    );
    Err(error.of_shape(&shape))
}

/// What to do with an input of this shape, where a batch of images of so many channels is needed.
fn make_fit(shape: &[i64], channels: i64) -> String {
    match shape {
        [_, _, _, last] if *last == channels => {
            "put the channels first: x.permute([0, 3, 1, 2])".to_string()
        }
        [_, found, _, _] if *found == channels => "give it images of a pixel or more".to_string(),
        [_, 1, _, _] => {
            format!("repeat the channel of grey images: x.repeat([1, {channels}, 1, 1])")
        }
        [_, found, _, _] => format!("give it images of {channels} channels; these have {found}"),
        [1, _, _, _, _] => "this is a batch in a batch: x.squeeze_dim(0)".to_string(),
        [_, _, _] => "one image is a batch of one: x.unsqueeze(0)".to_string(),
        _ => "leave images as they are before it, without flattening them".to_string(),
    }
}
