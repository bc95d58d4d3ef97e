//! Images: folders of them, what is done to them, and batches of them (d2l: section 14.1 and
//! 14.2).

mod batch_memory;
mod cifar10;
mod dataset;
mod download_extract;
mod drawings;
mod image_cache;
mod image_folder;
mod loader;
mod parallel;
mod verify;

pub use cifar10::{CIFAR10, load_cifar10};
pub use dataset::Dataset;
pub use download_extract::download_extract;
pub use drawings::one_sided_drawings;
pub use image_folder::ImageFolder;
pub use loader::{Batches, DataLoader};
pub use verify::verify_images;

pub use crate::images::{FloatImage, Image, set_max_image_pixels, transforms};
pub use crate::random::{Rng, manual_seed};
