//! The hub: where data sets are looked for.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::common;
use crate::common::report::{refused, seen};
use crate::common::server::Server;
use crate::common::{names, sha1};
use d2l::prelude::*;

/// The archive of a set with one image, `set/train/a/1.png`.
fn archive() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    zip.start_file("set/train/a/1.png", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"an image").unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn the_hub_finds_folders_then_archives_then_the_network() {
    const NAME: &str = "hub::the_hub_finds_folders_then_archives_then_the_network";
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
    // The archive's folder is not named like the archive: the folder around it is returned.
    assert_eq!(download_extract("packed").unwrap(), data);
    fs::remove_dir_all(data.join("set")).unwrap();
    DATA_HUB.insert("remote", (Server::file(body.clone()).url("set.zip"), sha1(&body)));
    let folder = download_extract("remote").unwrap();
    assert_eq!(fs::read(folder.join("train/a/1.png")).unwrap(), b"an image");
    let error = download_extract("unknown").unwrap_err().to_string();
    assert!(error.contains("hotdog, packed, ready, remote"), "{error}");
}

/// C13: the user's own archive with another checksum is left as it is and mentioned, with
/// both checksums; the right one goes into the cache folder. Damaged files there are replaced.
#[test]
fn the_users_archive_is_not_replaced() {
    const NAME: &str = "hub::the_users_archive_is_not_replaced";
    let own = b"a re-packed archive of the user's";
    if common::in_child(NAME) {
        let cache = PathBuf::from(std::env::var_os("XDG_CACHE_HOME").unwrap()).join("d2l");
        fs::create_dir_all(&cache).unwrap();
        fs::write(cache.join("set.zip"), "damaged").unwrap();
        let body = archive();
        let server = Server::file(body.clone());
        DATA_HUB.insert("remote", (server.url("set.zip"), sha1(&body)));
        assert_eq!(download("remote").unwrap(), cache.join("set.zip"));
        assert_eq!(fs::read(cache.join("set.zip")).unwrap(), body);
        assert_eq!(download_extract("remote").unwrap(), cache.join("set"));
        assert_eq!(server.starts().len(), 1);
        return;
    }
    let (data, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = data.path().join("set.zip");
    fs::write(&path, own).unwrap();
    let text = common::run_with_data(NAME, "0", data.path(), cache.path());
    assert_eq!(
        (names(data.path()), fs::read(&path).unwrap()),
        (vec!["set.zip".into()], own.into())
    );
    let start = text.find(&path.display().to_string()).unwrap_or_else(|| panic!("{text}"));
    let note: Vec<_> = text[start..].lines().take(2).collect();
    let note = note.join("\n");
    for said in [&sha1(own), &sha1(&archive()), "left as it is", "unpack it"] {
        assert!(note.contains(said), "{note}");
    }
    seen("the user's archive with another checksum", &note);
}

/// C13: without a network, too, the notice says what was found.
#[test]
fn the_notice_mentions_an_archive_with_another_checksum() {
    const NAME: &str = "hub::the_notice_mentions_an_archive_with_another_checksum";
    if common::in_child(NAME) {
        let folder = download_extract("cifar10").unwrap();
        assert!(folder.join("test_batch.bin").is_file());
        return;
    }
    let (data, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = data.path().join("cifar-10-binary.tar.gz");
    fs::write(&path, "re-packed").unwrap();
    let text = common::run_with_data(NAME, "1", data.path(), cache.path());
    assert!(text.contains("nor the right cifar-10-binary.tar.gz in"), "{text}");
    assert!(text.contains("is not the file of \"cifar10\""), "{text}");
    assert_eq!(fs::read(&path).unwrap(), b"re-packed");
    assert_eq!(names(data.path()), ["cifar-10-binary.tar.gz"]);
}

/// A user without a home gets a cache folder that nobody else can have filled: not one that others
/// made below the folder for temporary files.
#[test]
fn another_users_cache_folder_is_not_trusted() {
    const NAME: &str = "hub::another_users_cache_folder_is_not_trusted";
    const USER: &str = "54321";
    if common::in_child(NAME) {
        let body = archive();
        DATA_HUB.insert("set", (Server::file(body.clone()).url("set.zip"), sha1(&body)));
        match (download_extract("set"), std::env::var_os("TEST_IS_OWN").is_some()) {
            (Ok(folder), true) => {
                assert_eq!(fs::read(folder.join("train/a/1.png")).unwrap(), b"an image");
            }
            (Err(error), false) => {
                refused("a cache folder that others made", "d2l-54321", &error);
            }
            (result, _) => panic!("{result:?}"),
        }
        return;
    }
    // As a user without a home, in a folder where everybody may make files
    let child = |folder: &std::path::Path, variables: &[(&str, &str)]| {
        let this = std::env::current_exe().unwrap();
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(this);
        command.args(["--exact", NAME, "--nocapture", "--test-threads=1"]).env("TMPDIR", folder);
        for variable in ["HOME", "XDG_CACHE_HOME", "D2L_DATA_DIR", "D2L_REPORT_DIR", "D2L_OFFLINE"]
        {
            command.env_remove(variable);
        }
        command.env("D2L_TEST_CHILD", NAME).envs(variables.iter().copied()).output()
    };
    let temporary = || {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        folder
    };
    let theirs = temporary();
    fs::create_dir_all(theirs.path().join("d2l-54321/set/train/a")).unwrap();
    fs::write(theirs.path().join("d2l-54321/set/train/a/1.png"), "planted").unwrap();
    let output = match child(theirs.path(), &[]) {
        Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("setpriv:") => output,
        _ => return common::report::skipped_here("this user cannot become another"),
    };
    let text = |output: &std::process::Output| {
        [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
    };
    assert!(output.status.success(), "{}", text(&output));
    let own = temporary();
    let output = child(own.path(), &[("TEST_IS_OWN", "1")]).unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(names(own.path()), ["d2l-54321"]);
    assert_eq!(names(&own.path().join("d2l-54321")), ["set", "set.zip"]);
}

#[test]
fn without_photographs_the_set_is_drawn() {
    const NAME: &str = "hub::without_photographs_the_set_is_drawn";
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
        (0..20).map(|i| train.image(i).unwrap().size()).collect();
    assert!(sizes.len() > 10, "sizes are alike: {sizes:?}");
    crate::drawings::the_ground_tells_nothing(&train);
    // Drawn once; the same images on every machine.
    assert_eq!(download_extract("hotdog").unwrap(), folder);
    let digest = |i: usize| sha1(&fs::read(&train.samples()[i].0).unwrap());
    assert_eq!([digest(0), digest(train.len() - 1)], DIGESTS);
    crate::models::the_source_model_recognises_drawn_hot_dogs(&folder);
}

/// The SHA-1 of the first and the last drawing.
const DIGESTS: [&str; 2] =
    ["b723db6317218b9118ca38d4114c3fceb378d00d", "dbae57b6d659e08b81cd411ad5e9b93cf7ac69fe"];
