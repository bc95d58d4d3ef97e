//! The hub: where data sets are looked for.

mod common;

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use common::report::seen;
use common::server::Server;
use common::{names, sha1};
use d2l::prelude::*;

/// The archive of a set with one picture, `set/train/a/1.png`.
fn archive() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    zip.start_file("set/train/a/1.png", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"a picture").unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn the_hub_finds_folders_then_archives_then_the_network() {
    const NAME: &str = "the_hub_finds_folders_then_archives_then_the_network";
    if !common::in_child(NAME) {
        let (data, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(data.path().join("ready/train")).unwrap();
        fs::write(data.path().join("packed.zip"), archive()).unwrap();
        common::run_with_data(NAME, "0", data.path(), cache.path());
        let mut expected = vec!["packed.zip", "ready", "set", "set.zip"];
        expected.sort();
        assert_eq!(names(data.path()), expected);
        return;
    }
    let data = PathBuf::from(std::env::var_os("D2L_DATA_DIR").unwrap());
    let body = archive();
    DATA_HUB.insert("ready", (format!("{DATA_URL}ready.zip"), ""));
    assert_eq!(download_extract("ready").unwrap(), data.join("ready"));
    DATA_HUB.insert("packed", (format!("{DATA_URL}packed.zip"), sha1(&body)));
    // The archive's folder is not named like the archive: the folder around it is answered.
    assert_eq!(download_extract("packed").unwrap(), data);
    fs::remove_dir_all(data.join("set")).unwrap();
    DATA_HUB.insert("remote", (Server::file(body.clone()).url("set.zip"), sha1(&body)));
    let folder = download_extract("remote").unwrap();
    assert_eq!(fs::read(folder.join("train/a/1.png")).unwrap(), b"a picture");
    let error = download_extract("unknown").unwrap_err().to_string();
    assert!(error.contains("hotdog, packed, ready, remote"), "{error}");
}

#[test]
fn without_photographs_the_set_is_drawn() {
    const NAME: &str = "without_photographs_the_set_is_drawn";
    if !common::in_child(NAME) {
        let (data, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text = common::run_with_data(NAME, "1", data.path(), cache.path());
        assert!(text.contains("No photographs of hot dogs") && text.contains("drawings"), "{text}");
        assert!(text.contains(&data.path().display().to_string()), "{text}");
        // Said once, whatever the number of calls
        let (_, notice) = text.split_once("No photographs").unwrap();
        assert!(!notice.contains("No photographs"), "{text}");
        let notice: Vec<_> = notice.lines().take(4).collect();
        seen("no photographs and no network", &format!("No photographs{}", notice.join("\n")));
        return;
    }
    let folder = download_extract("hotdog").unwrap();
    let train = ImageFolder::new(folder.join("train")).unwrap();
    let test = ImageFolder::new(folder.join("test")).unwrap();
    assert_eq!(train.classes(), ["hotdog", "not-hotdog"]);
    assert!(train.len() >= 1000 && test.len() >= 400);
    let sizes: std::collections::BTreeSet<_> =
        (0..20).map(|i| train.get(i).unwrap().0.size()).collect();
    assert!(sizes.len() > 10, "sizes are alike: {sizes:?}");
    // Drawn once; the same pictures on every machine.
    assert_eq!(download_extract("hotdog").unwrap(), folder);
    let digest = |i: usize| sha1(&fs::read(&train.samples()[i].0).unwrap());
    assert_eq!([digest(0), digest(train.len() - 1)], DIGESTS);
}

/// The SHA-1 of the first and the last drawing.
const DIGESTS: [&str; 2] =
    ["1f93160c71d21d62167d396bc14b8611fdae0c76", "dcd6d59a39a76eb3d54445f63f1cede3aecc3a89"];
