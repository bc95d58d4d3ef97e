//! Commands for readers, one file each; `setup` is a folder of its own.

pub mod doctor;
pub mod lab;
pub mod run;
