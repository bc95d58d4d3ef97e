//! Commands for readers, one file each; `setup` has a folder of its own.

pub mod doctor;
pub mod lab;
pub mod run;
