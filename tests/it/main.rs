//! The crate's integration tests, in one program: linking libtorch takes longer than most tests.
//!
//! Tests run on several of its threads. One that changes global state of the process (the seed, the
//! precision, variables) does its work in a child process: `common::run_in_child`.

mod archive;
mod cells;
mod charts;
mod cifar10;
mod common;
mod datasets;
mod detection_data;
mod device;
mod display;
mod documents;
mod download;
mod drawings;
mod figures;
mod fuzz_corpus;
mod gpu;
mod hub;
mod image_folder;
mod images;
mod interrupt;
mod layers;
mod loader;
mod loss;
mod metrics;
mod mistakes;
mod models;
mod optim;
mod precision;
mod rooms;
mod summary;
mod train;
mod transforms;
mod vision;
mod weight_file;
