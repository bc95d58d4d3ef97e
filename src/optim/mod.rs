//! Optimizers, schedules of their learning rates, gradient clipping, and checkpoints to go on from
//! (d2l: chapter 12, *Optimization Algorithms*).

mod adam;
mod checkpoint;
mod clip;
mod groups;
mod lr_scheduler;
mod optimizer;
mod room;
mod sgd;
mod state;

pub use adam::{Adam, AdamW};
pub use checkpoint::{load_checkpoint, save_checkpoint};
pub use clip::{clip_grad_norm_, clip_grad_value_};
pub use groups::ParamGroup;
pub use lr_scheduler::{
    CosineAnnealingLR, LRScheduler, LambdaLR, LinearLR, SchedulerState, SequentialLR, StepLR,
};
pub use optimizer::Optimizer;
pub(crate) use optimizer::forget_gradients;
pub use sgd::SGD;
pub use state::OptimizerState;
