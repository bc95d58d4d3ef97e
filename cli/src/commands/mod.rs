//! Commands for readers; `setup` is a folder of its own.

pub mod doctor;
