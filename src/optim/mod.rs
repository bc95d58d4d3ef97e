//! Optimizers, and checkpoints to go on from (d2l: chapter 12, *Optimization Algorithms*).

mod adam;
mod checkpoint;
mod optimizer;
mod sgd;

pub use adam::Adam;
pub use checkpoint::{load_checkpoint, save_checkpoint};
pub use optimizer::Optimizer;
pub(crate) use optimizer::forget_gradients;
pub use sgd::{ParamGroup, SGD};
