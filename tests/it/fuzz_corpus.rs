//! The inputs saved by the fuzzers, each through its target: see fuzz/.

#[path = "../../fuzz/targets.rs"]
mod targets;

use crate::common;
use std::fs;
use std::path::Path;

/// Runs all inputs of a target; a failure names the input's file.
fn run(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        if std::panic::catch_unwind(|| target(&input)).is_err() {
            panic!("{}: see above", path.display());
        }
        count += 1;
    }
    assert!(count > 0, "no inputs in {}", folder.display());
    common::report::fuzzed(name, count);
}

#[test]
fn image() {
    run("image", targets::image);
}

#[test]
fn jpeg() {
    run("jpeg", targets::jpeg);
}

#[test]
fn archive() {
    run("archive", targets::archive);
}

#[test]
fn archive_headers() {
    run("archive_headers", targets::archive_headers);
}

#[test]
fn weights() {
    run("weights", targets::weights);
}

#[test]
fn display_line() {
    run("display_line", targets::display_line);
}
