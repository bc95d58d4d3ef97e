//! What the types that have no text of their own for it show at a cell's end: their `Debug`.
//!
//! Types with `Display` have `show_as_text!` beside them. `tests/it/cells.rs` finds those that have neither.

use crate::data::transforms::{Size, Transform};
use crate::data::{Dataset, Length};
use crate::device::Precision;
use crate::display::BBox;
use crate::jupyter::show_as_debug;
use crate::models::{Architecture, Weights};
use crate::nn::{CrossEntropyLoss, L1Loss, Module, Pair};
use crate::optim::{Optimizer, OptimizerState, ParamGroup, SchedulerState};
use crate::train::{Accumulator, Timer};
use crate::vision::MultiboxDetection;

show_as_debug!(
    Accumulator,
    Architecture,
    BBox,
    CrossEntropyLoss,
    L1Loss,
    Length,
    MultiboxDetection,
    OptimizerState,
    Pair,
    ParamGroup,
    Precision,
    SchedulerState,
    Size,
    Timer,
    Weights,
    crate::Error,
);

// Also of what is in a box
show_as_debug!(dyn Dataset, dyn Module, dyn Optimizer, dyn Transform);
