//! Pictures: folders of them, what is done to them, and batches of them (d2l: section 14.1 and
//! 14.2).

mod bmp;
pub(crate) mod builtin;
mod cifar10;
mod dataset;
mod decode;
mod gif;
mod image;
mod image_folder;
mod jpeg;
mod kept;
mod loader;
mod memory;
mod orientation;
mod parallel;
mod rng;
mod tiff;
pub mod transforms;
mod unread;
mod verify;

pub use self::decode::set_max_image_pixels;
pub use self::image::{FloatImage, Image};
pub use cifar10::{CIFAR10, load_cifar10};
pub use dataset::Dataset;
pub use image_folder::ImageFolder;
pub use loader::{Batches, DataLoader};
pub use rng::{Rng, manual_seed};
pub(crate) use rng::{generator, global_seed, next_generator};
pub use verify::verify_images;
