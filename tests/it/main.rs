//! The crate's integration tests, in one program: linking libtorch takes longer than most tests.
//!
//! Tests run on several threads of it. One that changes what belongs to the process (the seed, the
//! precision, variables) does its work in a child: `common::run_in_child`.

mod archive;
mod cifar10;
mod common;
mod device;
mod display;
mod documents;
mod download;
mod drawings;
mod fuzz_corpus;
mod gpu;
mod hub;
mod image_folder;
mod interrupt;
mod loader;
mod mistakes;
mod models;
mod pictures;
mod precision;
mod rooms;
mod train;
mod transforms;
mod weight_file;
