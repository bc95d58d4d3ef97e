//! The Rust edition of the support package that goes with [*Dive into Deep Learning*](https://d2l.ai),
//! for programs and for notebooks on the `evcxr` kernel.
//!
//! A reader of the book finds each thing by its name: [`train_ch13`](train::train_ch13),
//! [`show_images`](display::show_images), [`DATA_HUB`](hub::DATA_HUB),
//! [`ImageFolder`](data::ImageFolder), [`try_all_gpus`](device::try_all_gpus). The lesson
//! *Fine-tuning* is `notebooks/fine_tuning.ipynb`, and as one program `examples/fine_tuning.rs`.
//!
//! Tensors are `[N, C, H, W]`, parameters `f32`, labels `i64`. Functions that can fail return a
//! [`Result`] whose error says what was found, what was expected, and what to do.
//!
//! Cells and programs reach `tch`, `plotters`, `image`, `rand` and `evcxr_runtime` through this crate's
//! re-exports, so that there is one copy of each. `plotters` has all its series and elements, and
//! `evcxr_figure`.

#![deny(missing_docs)]
#![deny(unsafe_code)]

mod cell_ends;
pub mod data;
pub mod device;
pub mod display;
mod error;
pub mod hub;
mod images;
pub mod jupyter;
pub mod models;
pub mod nn;
pub mod optim;
pub mod prelude;
mod random;
pub mod settings;
pub mod train;
pub mod vision;

pub use error::{Error, Result};
/// The book's own small network; torchvision's is [`models::resnet18`].
pub use models::book_resnet::resnet18;
pub use {evcxr_runtime, image, plotters, rand, tch};
