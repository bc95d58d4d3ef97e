//! All that a notebook's cells use: `use d2l::prelude::*;`

pub use crate::compose;
pub use crate::data::transforms::{
    CenterCrop, ColorJitter, Compose, Normalize, RandomHorizontalFlip, RandomResizedCrop,
    RandomVerticalFlip, Resize, ToTensor, Transform, adjust_brightness, adjust_contrast,
    adjust_hue, adjust_saturation,
};
pub use crate::data::{
    CIFAR10, DataLoader, Dataset, Image, ImageFolder, download_extract, load_cifar10, manual_seed,
    set_max_image_pixels, verify_images,
};
pub use crate::device::{Precision, num_gpus, precision, set_precision, try_all_gpus, try_gpu};
pub use crate::display::{
    Animator, Bars, ConfusionMatrixDisplay, Figure, ImageGrid, Scatter, Show as _, apply,
    overlay_heat_map, show_images, show_images_with_titles,
};
pub use crate::hub::{DATA_HUB, DATA_URL, download, download_url, extract};
pub use crate::jupyter::{Progress, check_interrupt, clear_output};
pub use crate::models::{
    Architecture, Classifier, Weights, efficientnet_lite0, pretrained_source_model, resnet18,
    resnet34, resnet50,
};
pub use crate::nn::init::{init_cnn, xavier_uniform};
pub use crate::nn::{
    CrossEntropyLoss, Linear, Loss, Module, Reduction, Sequential, linear, load_weights,
    load_weights_from, save_weights,
};
pub use crate::optim::{Adam, Optimizer, ParamGroup, SGD, load_checkpoint, save_checkpoint};
pub use crate::train::{
    Accumulator, Summary, Timer, accuracy, evaluate_accuracy_gpu, train_batch_ch13, train_ch13,
};
pub use crate::{Error, Result};
pub use tch::{Device, Kind, Tensor};
