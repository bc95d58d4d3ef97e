//! The net that the lesson starts from (d2l: section 14.2.2).

use super::{Classifier, Weights, efficientnet_lite0, resnet18};
use crate::display::say;
use crate::{Error, Result};

/// A net that has learned ImageNet: ResNet-18 where its weights can be had, else
/// EfficientNet-Lite0, whose weights come with the set-up. Prints which it took, and why.
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
///
/// # Errors
/// Neither file can be had; the message gives both reasons.
pub fn pretrained_source_model() -> Result<Classifier> {
    let reason = match resnet18(Weights::ImageNet) {
        Ok(net) => {
            say("source model: ResNet-18 with ImageNet weights, as in the book");
            return Ok(net);
        }
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        Err(error) => error,
    };
    match efficientnet_lite0(Weights::ImageNet) {
        Ok(net) => {
            say(format_args!(
                "source model: EfficientNet-Lite0 with ImageNet weights, as ResNet-18's could not \
                 be had ({})",
                reason.summary()
            ));
            Ok(net)
        }
        Err(other) => Err(Error::invalid(
            "pretrained source model",
            format!("no weights to be had ({}; {})", reason.summary(), other.summary()),
            "resnet18-f37072fd.pth, or the file that the set-up makes",
            "run `cargo d2l setup`, or put resnet18-f37072fd.pth into the folder D2L_DATA_DIR",
        )),
    }
}
