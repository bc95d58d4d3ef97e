//! All that a notebook's cells use: `use d2l::prelude::*;`

pub use crate::data::transforms::{
    CenterCrop, ColorJitter, Compose, Normalize, RandomHorizontalFlip, RandomResizedCrop,
    RandomVerticalFlip, Resize, ToTensor, Transform, adjust_brightness, adjust_contrast,
    adjust_hue, adjust_saturation,
};
pub use crate::data::{
    BananasDataset, CIFAR10, DataLoader, Dataset, Image, ImageFolder, Rng, Sample, Subset, Target,
    download_extract, load_cifar10, load_data_bananas, manual_seed, random_split,
    set_max_image_pixels, verify_images,
};
pub use crate::device::{Precision, num_gpus, precision, set_precision, try_all_gpus, try_gpu};
pub use crate::display::{
    Animator, BBox, Bars, ConfusionMatrixDisplay, Figure, ImageGrid, Scatter, Show as _, apply,
    overlay_heat_map, show_bboxes, show_images, show_images_with_titles,
};
pub use crate::hub::{DATA_HUB, DATA_URL, download, download_url, extract};
pub use crate::jupyter::{Progress, check_interrupt, clear_output};
pub use crate::models::{
    Architecture, Classifier, Weights, efficientnet_lite0, pretrained_source_model, resnet18,
    resnet34, resnet50,
};
pub use crate::nn::init::{init_cnn, xavier_uniform};
pub use crate::nn::{
    AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, Conv2d, ConvTranspose2d, CrossEntropyLoss, Dropout,
    Flatten, L1Loss, Linear, Loss, MaxPool2d, Module, ReLU, Reduction, Sequential, Sigmoid,
    Visitor, linear, load_weights, load_weights_from, save_weights,
};
pub use crate::optim::{
    Adam, AdamW, CosineAnnealingLR, LRScheduler, LambdaLR, LinearLR, Optimizer, ParamGroup, SGD,
    SequentialLR, StepLR, clip_grad_norm_, clip_grad_value_, load_checkpoint, save_checkpoint,
};
pub use crate::train::{
    Accumulator, ConfusionMatrix, Summary, Timer, accuracy, confusion_matrix,
    evaluate_accuracy_gpu, predict, top_k_accuracy, train_batch_ch13, train_ch13,
};
pub use crate::vision::{
    MeanAveragePrecision, MultiboxDetection, assign_anchor_to_bbox, batched_nms,
    box_center_to_corner, box_corner_to_center, box_iou, multibox_detection, multibox_prior,
    multibox_target, nms, offset_boxes, offset_inverse, roi_align, roi_pool, soft_nms,
};
pub use crate::{Error, Result};
pub use crate::{compose, sequential};
pub use evcxr_runtime::Display as _;
pub use rand::RngExt as _;
pub use tch::{Device, IndexOp, Kind, Tensor, no_grad, no_grad_guard};
