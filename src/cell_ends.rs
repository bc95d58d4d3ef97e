//! What the types that have no text of their own for it show at a cell's end: their `Debug`.
//!
//! Types with `Display` have `show_as_text!` beside them. `tests/it/cells.rs` finds those that have neither.

use crate::data::transforms::{
    CenterCrop, ColorJitter, Compose, Normalize, RandomHorizontalFlip, RandomResizedCrop,
    RandomVerticalFlip, Resize, Size, ToTensor, Transform,
};
use crate::data::{CIFAR10, DataLoader, Dataset, ImageFolder};
use crate::device::Precision;
use crate::jupyter::show_as_debug;
use crate::models::{Architecture, Weights};
use crate::nn::{ConvConfig, CrossEntropyLoss, Module};
use crate::optim::{Adam, Optimizer, ParamGroup, SGD};
use crate::train::{Accumulator, Timer};

show_as_debug!(
    Accumulator,
    Adam,
    Architecture,
    CIFAR10,
    CenterCrop,
    ColorJitter,
    Compose,
    ConvConfig,
    CrossEntropyLoss,
    DataLoader,
    ImageFolder,
    Normalize,
    ParamGroup,
    Precision,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
    SGD,
    Size,
    Timer,
    ToTensor,
    Weights,
    crate::Error,
);

// Also of what is in a box
show_as_debug!(dyn Dataset, dyn Module, dyn Optimizer, dyn Transform);
