//! What d2l's crate, kernel and command line have to agree on. The command line is built before there is
//! a libtorch, so nothing here needs one.

#![deny(missing_docs)]

pub mod display_line;
pub mod files;
pub mod folders;
pub mod hardware;
pub mod program_output;
pub mod variables;
