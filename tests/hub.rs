//! Downloads and archives, against a real HTTP server on loopback.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use d2l::prelude::*;
use sha1::Digest;

/// A server that gives one answer to each request, over and over, and its address.
fn serve(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            // The request's head ends with an empty line.
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            stream.write_all(&answer).unwrap();
        }
    });
    format!("http://{address}/files/set.zip?version=1")
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())
            .into_bytes();
    answer.extend(body);
    answer
}

fn sha1(body: &[u8]) -> String {
    sha1::Sha1::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All that a folder holds, hidden files too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The archive of a set with one picture, `set/train/a/1.png`.
fn archive() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    zip.start_file("set/train/a/1.png", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"a picture").unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_file_comes_whole_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let body = archive();
    let url = serve(answer("200 OK", &body));
    let path = download_url(&url, folder.path(), Some(&sha1(&body))).unwrap();
    assert_eq!(path, folder.path().join("set.zip"));
    assert_eq!(fs::read(&path).unwrap(), body);
    // The second time nobody answers any more.
    let gone = url.replace("127.0.0.1", "127.0.0.2");
    assert_eq!(download_url(&gone, folder.path(), Some(&sha1(&body))).unwrap(), path);
    assert_eq!(names(folder.path()), ["set.zip"]);
}

#[test]
fn a_damaged_file_is_fetched_anew() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("set.zip"), "half").unwrap();
    let body = archive();
    let url = serve(answer("200 OK", &body));
    let path = download_url(&url, folder.path(), Some(&sha1(&body))).unwrap();
    assert_eq!(fs::read(path).unwrap(), body);
}

#[test]
fn a_failed_download_leaves_nothing_and_says_why() {
    let body = archive();
    let mut cut = answer("200 OK", &body);
    cut.truncate(cut.len() - 10);
    let unreachable = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/set.zip", listener.local_addr().unwrap())
    };
    let cases = [
        (serve(answer("404 Not Found", b"no")), "404"),
        (serve(answer("403 Forbidden", b"no")), "403"),
        (serve(answer("500 Internal Server Error", b"no")), "500"),
        (serve(answer("200 OK", b"<html>log in</html>")), "checksum"),
        (serve(cut), "cut off"),
        (unreachable, "refused"),
        ("http://no-such-host.invalid/set.zip".into(), "no-such-host.invalid"),
    ];
    for (url, reason) in cases {
        let folder = tempfile::tempdir().unwrap();
        let error = download_url(&url, folder.path(), Some(&sha1(&body))).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Download { .. }), "{text}");
        assert!(text.contains(reason) && text.contains("what to do"), "{reason}: {text}");
        assert!(names(folder.path()).is_empty(), "{reason}: {:?}", names(folder.path()));
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let url = serve(answer("200 OK", b"x"));
    let error = download_url(&url, &file, None).unwrap_err().to_string();
    assert!(error.contains("file"), "{error}");
}

/// Runs this test again with an empty cache and `D2L_DATA_DIR`.
fn with_folders(name: &str, offline: &str, data: &Path, cache: &Path) -> String {
    let variables = [
        ("D2L_DATA_DIR", data),
        ("XDG_CACHE_HOME", cache),
        ("HOME", cache),
        ("D2L_OFFLINE", Path::new(offline)),
    ];
    common::run_in_child(name, &variables)
}

#[test]
fn the_hub_finds_folders_then_archives_then_the_network() {
    const NAME: &str = "the_hub_finds_folders_then_archives_then_the_network";
    if !common::in_child(NAME) {
        let (data, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(data.path().join("ready/train")).unwrap();
        fs::write(data.path().join("packed.zip"), archive()).unwrap();
        with_folders(NAME, "0", data.path(), cache.path());
        let mut expected = vec!["packed.zip", "ready", "set", "set.zip"];
        expected.sort();
        assert_eq!(names(data.path()), expected);
        return;
    }
    let data = PathBuf::from(std::env::var_os("D2L_DATA_DIR").unwrap());
    let body = archive();
    DATA_HUB.insert("ready", (format!("{DATA_URL}ready.zip"), "0"));
    assert_eq!(download_extract("ready").unwrap(), data.join("ready"));
    DATA_HUB.insert("packed", (format!("{DATA_URL}packed.zip"), sha1(&body)));
    // The archive's folder is not named like the archive: the folder around it is answered.
    assert_eq!(download_extract("packed").unwrap(), data);
    fs::remove_dir_all(data.join("set")).unwrap();
    DATA_HUB.insert("remote", (serve(answer("200 OK", &body)), sha1(&body)));
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
        let text = with_folders(NAME, "1", data.path(), cache.path());
        assert!(text.contains("No photographs of hot dogs") && text.contains("drawings"), "{text}");
        assert!(text.contains(&data.path().display().to_string()), "{text}");
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

/// Archives whose entries would be written elsewhere.
#[test]
fn unsafe_archives_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir_all(&inner).unwrap();
    let tar = |name: &str, kind: tar::EntryType| {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        if kind.is_symlink() {
            header.set_link_name("/etc").unwrap();
        }
        header.set_size(4);
        header.set_mode(0o644);
        header.set_cksum();
        let mut builder = tar::Builder::new(vec![]);
        builder.append(&header, &b"data"[..]).unwrap();
        builder.into_inner().unwrap()
    };
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    zip.start_file("../outside.txt", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"data").unwrap();
    let cases = [
        ("a.zip", zip.finish().unwrap().into_inner()),
        ("b.tar", tar("../outside.txt", tar::EntryType::Regular)),
        ("c.tar", tar("/tmp/d2l-outside.txt", tar::EntryType::Regular)),
        ("d.tar", tar("link", tar::EntryType::Symlink)),
    ];
    for (name, content) in cases {
        let path = inner.join(name);
        fs::write(&path, content).unwrap();
        let error = extract(&path, None).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("outside the folder"), "{error}");
        fs::remove_file(path).unwrap();
        assert!(names(&inner).is_empty(), "{name}: {:?}", names(&inner));
        assert_eq!(names(folder.path()), ["inner"], "{name}");
    }
    assert!(!Path::new("/tmp/d2l-outside.txt").exists());
}

#[test]
fn damaged_archives_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = archive();
    let cases = [
        ("cut.zip", whole[..whole.len() / 2].to_vec()),
        ("page.zip", b"<html></html>".to_vec()),
        ("page.tar.gz", b"<html></html>".to_vec()),
        ("set.rar", whole.clone()),
    ];
    for (name, content) in cases {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let error = extract(&path, None).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("what to do"), "{error}");
        assert_eq!(names(folder.path()), [name]);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn tar_and_gzip_are_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let mut builder = tar::Builder::new(vec![]);
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o644);
    builder.append_data(&mut header, "set/a.txt", &b"data"[..]).unwrap();
    let tar = builder.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    for (name, content) in [("set.tar", tar), ("set.tgz", gzip.finish().unwrap())] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let unpacked = extract(&path, None).unwrap();
        assert_eq!(unpacked, folder.path().join("set"));
        assert_eq!(fs::read(unpacked.join("a.txt")).unwrap(), b"data");
        fs::remove_dir_all(unpacked).unwrap();
    }
}
