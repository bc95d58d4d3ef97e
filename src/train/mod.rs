//! Training and evaluating (d2l: section 14.1.3).

mod accumulator;
mod adam;
mod ch13;
mod checkpoint;
mod evaluate;
mod gradients;
mod memory;
mod optimizer;
mod sgd;
mod timer;
mod undo;

pub use accumulator::Accumulator;
pub use adam::Adam;
pub use ch13::{Summary, train_batch_ch13, train_ch13};
pub use checkpoint::{load_checkpoint, save_checkpoint};
pub use evaluate::{accuracy, evaluate_accuracy_gpu};
pub use optimizer::Optimizer;
pub use sgd::{ParamGroup, SGD};
pub use timer::Timer;
