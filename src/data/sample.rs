//! What a data set is asked for: an image, and what a network is to say of it (d2l: section 14.6, where it
//! is boxes, and 14.9, where it is a class for each pixel).

use std::fmt;

use tch::Tensor;

use super::Image;
use crate::{Error, Result};

/// An image and its target.
///
/// The book: [*The Object Detection Dataset*](https://d2l.ai/chapter_computer-vision/object-detection-dataset.html).
pub struct Sample {
    /// The image, which may be pixels or numbers; a loader takes numbers.
    pub image: Image,
    /// What a network is to say of it.
    pub target: Target,
}

impl Sample {
    /// A sample: `Sample::new(image, 1)` of class 1, `Sample::new(image, boxes)` with a tensor.
    pub fn new(image: Image, target: impl Into<Target>) -> Sample {
        Sample { image, target: target.into() }
    }
}

/// What a network is to say of an image.
///
/// The book: [*The Object Detection Dataset*](https://d2l.ai/chapter_computer-vision/object-detection-dataset.html).
pub enum Target {
    /// The number of a class; a loader makes `[N]` (`i64`) of them.
    Class(i64),
    /// Anything else, as boxes `[M, 5]` (`f32`), a mask `[H, W]` (`i64` or `u8`), numbers `[K]` or one
    /// number `[]`. A loader stacks them to `[N, …]`, so all of a batch need one shape.
    Tensor(Tensor),
}

impl Target {
    /// The number of the class.
    ///
    /// # Errors
    /// The target is a tensor.
    pub fn class(&self) -> Result<i64> {
        match self {
            Target::Class(class) => Ok(*class),
            Target::Tensor(_) => {
                let todo = "take target.tensor()";
                Err(Error::invalid("target", format!("{self}"), "the number of a class", todo))
            }
        }
    }

    /// The tensor.
    ///
    /// # Errors
    /// The target is a class.
    pub fn tensor(&self) -> Result<&Tensor> {
        match self {
            Target::Tensor(tensor) => Ok(tensor),
            Target::Class(_) => {
                let todo = "take target.class()";
                Err(Error::invalid("target", format!("{self}"), "a tensor", todo))
            }
        }
    }
}

impl From<i64> for Target {
    fn from(class: i64) -> Target {
        Target::Class(class)
    }
}

impl From<Tensor> for Target {
    fn from(tensor: Tensor) -> Target {
        Target::Tensor(tensor)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Target::Class(class) => write!(f, "class {class}"),
            Target::Tensor(tensor) if !tensor.defined() => f.write_str("a tensor without values"),
            Target::Tensor(tensor) => match tensor.f_kind() {
                Ok(kind) => write!(f, "{kind:?} {:?}", tensor.size()),
                Err(_) => write!(f, "a tensor {:?}", tensor.size()),
            },
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Sample({:?}, {})", self.image, self.target)
    }
}

crate::jupyter::show_as_text!(Target);
crate::jupyter::show_as_text!(Sample);
