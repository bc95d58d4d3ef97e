//! Commands for those who work on this project.

pub mod report;
pub mod test;
