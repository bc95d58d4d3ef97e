//! Images: reading files, and what is done to an image before a network sees it (d2l: section 14.1).

mod bmp;
mod decode;
mod float_image;
mod gif;
mod image;
mod jpeg;
mod orientation;
mod tiff;
pub mod transforms;
mod unsupported;

pub(crate) use self::decode::decode;
pub use self::decode::set_max_image_pixels;
pub use self::float_image::FloatImage;
pub use self::image::Image;
