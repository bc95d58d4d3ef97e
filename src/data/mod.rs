//! Data sets: folders of images, what is done to an image, and batches (d2l: sections 14.1, 14.2
//! and 14.6).

mod bananas;
mod batch_memory;
mod boxes_csv;
mod cifar10;
mod collate;
mod dataset;
mod download_extract;
mod drawings;
mod image_cache;
mod image_folder;
mod joint;
mod joint_iou_crop;
mod joint_size;
mod loader;
mod parallel;
mod sample;
mod subset;
mod verify;

pub use bananas::{BananasDataset, load_data_bananas};
pub use cifar10::{CIFAR10, load_cifar10};
pub use dataset::Dataset;
pub use download_extract::download_extract;
pub use drawings::{one_sided_drawings, three_kinds_drawings};
pub use image_folder::ImageFolder;
pub use loader::{Batches, DataLoader};
pub use sample::{Sample, Target};
pub use subset::{Length, Subset, random_split};
pub use verify::verify_images;

pub use crate::images::{FloatImage, Image, set_max_image_pixels, transforms};
pub use crate::random::{Rng, manual_seed};
