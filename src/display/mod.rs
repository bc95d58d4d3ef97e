//! Figures: images in a grid, curves, and the values of tensors (d2l: sections 4.2 and 14.1).
//!
//! In a cell a figure is shown inline, under the kernel "Rust (d2l)" at once and as many as there
//! are; in a program it becomes a file, and a line names it.

mod animator;
mod axis;
mod bars;
mod boxes;
mod canvas;
mod clip;
mod colours;
mod confusion;
mod curves;
mod figure;
mod grid;
mod heat;
mod images;
mod scatter;
mod show;
mod showable;
mod values;

pub use animator::Animator;
pub use bars::Bars;
pub use boxes::BBox;
pub use confusion::ConfusionMatrixDisplay;
pub use figure::Figure;
pub use grid::ImageGrid;
pub use heat::overlay_heat_map;
pub use images::{apply, show_bboxes, show_images, show_images_with_titles};
pub use scatter::Scatter;
pub use show::{Show, Shown};
pub use showable::{Collection, Images, OneTensor, Showable};
