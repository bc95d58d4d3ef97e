//! Layers that own their tensors, under PyTorch's names (d2l: chapter 6, *Builders' Guide*).
//!
//! A layer is a value with public tensors: it can be printed, replaced (`net.fc = linear(512, 2)?`),
//! frozen, and its parameters can be listed by name and put in a group of their own.

mod batch_norm;
mod conv;
pub mod init;
mod linear;
mod loss;
mod module;
mod sequential;
pub(crate) mod state_dict;

pub use batch_norm::BatchNorm2d;
pub use conv::{Conv2d, ConvConfig};
pub use linear::{Linear, linear};
pub use loss::{CrossEntropyLoss, L1Loss, Loss};
pub(crate) use loss::{check_devices, check_labels, label_range};
pub use module::{Module, Part, Visitor};
pub(crate) use module::{check_numbers, check_place, child, copy, memory, walk};
pub use sequential::Sequential;
pub use state_dict::weight_file::{load_weights, load_weights_from, save_weights};
pub use tch::Reduction;
