//! Commands for those who work on this project, one file each.

pub mod bench;
pub mod book;
mod levers;
pub mod report;
pub mod test;
pub mod wheel;
