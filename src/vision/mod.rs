//! Boxes, anchors and what a detector makes of them (d2l: sections 14.3 to 14.8).
//!
//! A box is its corners, left, top, right, bottom, `f32`; its right and lower edges are coordinates, not
//! the last pixel. Units are the caller's, but anchors and labels are in parts of the image, 0 to 1. What
//! is matched or suppressed box by box is so on the CPU, after one copy; what is returned lies where the
//! inputs were.

mod anchors;
mod assign;
mod average_precision;
mod boxes;
mod corners;
mod detection;
mod nms;
mod offsets;
mod roi_align;
mod roi_pool;
mod rois;
mod soft_nms;
mod target;

pub use anchors::multibox_prior;
pub use assign::assign_anchor_to_bbox;
pub use average_precision::MeanAveragePrecision;
pub use boxes::{box_center_to_corner, box_corner_to_center, box_iou};
pub use detection::{MultiboxDetection, multibox_detection};
pub use nms::{batched_nms, nms};
pub use offsets::{offset_boxes, offset_inverse};
pub use roi_align::roi_align;
pub use roi_pool::roi_pool;
pub use soft_nms::soft_nms;
pub use target::multibox_target;
