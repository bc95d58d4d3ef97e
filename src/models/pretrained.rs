//! Pretrained weights, and the network that the lesson starts from (d2l: section 14.2.2).

use std::path::PathBuf;

use d2l_common::files::EFFICIENTNET_LITE0;

use super::{Architecture, Classifier, Weights, efficientnet_lite0, resnet18};
use crate::hub::folders;
use crate::hub::published::{RESNET18, RESNET34, RESNET50, published_file};
use crate::jupyter::say;
use crate::{Error, Result, settings};

/// A network that has learned ImageNet: ResNet-18 where its weights can be had, else
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

/// The file with the ImageNet weights of an architecture.
pub(super) fn pretrained_file(architecture: Architecture) -> Result<PathBuf> {
    match architecture {
        Architecture::ResNet18 => published_file(RESNET18),
        Architecture::ResNet34 => published_file(RESNET34),
        Architecture::ResNet50 => published_file(RESNET50),
        Architecture::EfficientNetLite0 => set_up_file(EFFICIENTNET_LITE0),
    }
}

fn set_up_file(name: &str) -> Result<PathBuf> {
    let folders = folders().into_iter().chain(settings::pretrained_dir());
    let mut candidates = folders.map(|folder| folder.join(name));
    candidates.find(|path| path.is_file()).ok_or_else(|| {
        Error::invalid(
            name,
            "not in D2L_DATA_DIR, the cache folder or D2L_PRETRAINED_DIR",
            "the file that the set-up makes",
            "run `cargo d2l setup`",
        )
    })
}
