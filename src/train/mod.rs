//! Training and evaluating (d2l: section 14.1.3).

mod accumulator;
mod batch;
mod ch13;
mod evaluate;
mod gradients;
mod metrics;
mod out_of_memory;
mod summary;
mod timer;
mod undo;

pub use accumulator::Accumulator;
pub use batch::train_batch_ch13;
pub use ch13::train_ch13;
pub use evaluate::{accuracy, evaluate_accuracy_gpu};
pub use metrics::{ConfusionMatrix, confusion_matrix, predict, top_k_accuracy};
pub use summary::Summary;
pub use timer::Timer;
