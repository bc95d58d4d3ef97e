//! Pictures: folders of them, what is done to them, and batches of them (d2l: section 14.1 and
//! 14.2).

pub(crate) mod builtin;
mod image;
mod image_folder;
mod loader;
mod rng;
pub mod transforms;

pub use self::image::{FloatImage, Image};
pub use image_folder::ImageFolder;
pub use loader::{Batches, DataLoader};
pub use rng::{Rng, manual_seed};
