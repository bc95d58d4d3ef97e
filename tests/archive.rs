//! Archives: good ones, damaged ones, and those that mean harm.

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use common::names;
use common::report::refused;
use d2l::prelude::*;
use tar::EntryType;

/// A zip of files with these names.
fn zip(files: &[&str]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for name in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(b"data").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A tar of entries of these kinds, whatever their names.
fn tar(entries: &[(&str, EntryType)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(vec![]);
    for (name, kind) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        let content: &[u8] = if kind.is_file() { b"data" } else { b"" };
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

/// Extracts an archive in a folder of its own: nothing may be written but below it.
fn unpack(name: &str, content: &[u8]) -> (tempfile::TempDir, Result<PathBuf>) {
    let around = tempfile::tempdir().unwrap();
    let inner = around.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join(name), content).unwrap();
    let result = extract(&inner.join(name), None);
    assert_eq!(names(around.path()), ["inner"], "{name}");
    (around, result)
}

/// The archive is an error for this reason, and nothing of it is left.
fn is_refused(what: &str, name: &str, content: &[u8], reason: &str) {
    let (around, result) = unpack(name, content);
    let text = refused(what, name, &result.unwrap_err());
    assert!(text.contains(reason), "{what}: {text}");
    assert_eq!(names(&around.path().join("inner")), [name], "{what}");
}

#[test]
fn good_archives_are_unpacked() {
    let files = [("set/a.txt", EntryType::Regular), ("set/絵 と/b.txt", EntryType::Regular)];
    let tar = tar(&files);
    // What git puts first
    let mut with_note = self::tar(&[("pax_global_header", EntryType::XGlobalHeader)]);
    with_note.truncate(512);
    with_note.extend(&tar);
    // Compressed by several at a time, as pigz does
    let pieces: Vec<u8> = tar.chunks(700).flat_map(gzip).collect();
    let cases = [
        ("set.zip", zip(&files.map(|file| file.0))),
        ("SET.ZIP", zip(&files.map(|file| file.0))),
        ("set.tar", tar.clone()),
        ("set.tar", with_note),
        ("set.tar.gz", gzip(&tar)),
        ("set.tgz", pieces),
    ];
    for (name, content) in cases {
        let (around, result) = unpack(name, &content);
        let inner = around.path().join("inner");
        // The folder has the archive's name but for its letters' case.
        let expected = if name == "SET.ZIP" { inner.clone() } else { inner.join("set") };
        assert_eq!(result.unwrap(), expected, "{name}");
        for (file, _) in files {
            assert_eq!(fs::read(inner.join(file)).unwrap(), b"data", "{name}: {file}");
        }
        assert_eq!(names(&inner).len(), 2, "{name}: {:?}", names(&inner));
    }
}

#[test]
fn what_is_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("set.zip");
    fs::write(&archive, zip(&["set/a.txt"])).unwrap();
    fs::create_dir(folder.path().join("set")).unwrap();
    fs::write(folder.path().join("set/mine.txt"), "mine").unwrap();
    // What a killed program left
    fs::create_dir_all(folder.path().join(".set.zip.unpacking/set/half")).unwrap();
    assert_eq!(extract(&archive, None).unwrap(), folder.path().join("set"));
    assert_eq!(names(&folder.path().join("set")), ["mine.txt"]);
    assert_eq!(names(folder.path()), ["set", "set.zip"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let unpacked = extract(&archive, Some(&elsewhere.path().join("new"))).unwrap();
    assert_eq!(unpacked, elsewhere.path().join("new/set"));
}

#[test]
fn archives_that_would_write_elsewhere_are_refused() {
    use EntryType::{Block, Fifo, Link, Regular, Symlink};
    let tar = |name, kind| tar(&[("fine", Regular), (name, kind)]);
    let cases = [
        ("a path that leaves the folder, zip", "a.zip", zip(&["fine", "../outside"])),
        ("a path that leaves the folder, within a name", "b.zip", zip(&["c/../../outside"])),
        ("an absolute path, zip", "c.zip", zip(&["/tmp/d2l-outside"])),
        ("a path that leaves the folder, tar", "d.tar", tar("../outside", Regular)),
        ("an absolute path, tar", "e.tar", tar("/tmp/d2l-outside", Regular)),
        ("a link, tar", "f.tar", tar("link", Symlink)),
        ("a hard link, tar", "g.tar", tar("link", Link)),
        ("a device, tar", "h.tar", tar("device", Block)),
        ("a pipe, tar.gz", "i.tar.gz", gzip(&tar("pipe", Fifo))),
    ];
    for (what, name, content) in cases {
        let is_path = what.contains("path");
        let reason = if is_path { "outside the folder" } else { "is a link, a pipe or a device" };
        is_refused(&format!("an archive with {what}"), name, &content, reason);
    }
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    let options = zip::write::SimpleFileOptions::default();
    zip.add_symlink("link", "/etc/passwd", options).unwrap();
    let link = zip.finish().unwrap().into_inner();
    is_refused("an archive with a link, zip", "j.zip", &link, "is a link");
    assert!(!Path::new("/tmp/d2l-outside").exists());
}

#[test]
fn an_entry_that_is_there_twice_is_refused() {
    use EntryType::{Directory, Regular};
    let twice = tar(&[("a", Regular), ("a", Regular)]);
    is_refused("an archive with one name twice", "a.tar", &twice, "twice");
    for (i, names) in [["a", "a/b"], ["a/b", "a"]].iter().enumerate() {
        let entries = names.map(|name| (name, Regular));
        let what = "an archive with one name for a file and a folder";
        is_refused(what, &format!("{i}.tar"), &tar(&entries), "twice");
        is_refused(what, &format!("{i}.zip"), &zip(names), "twice");
    }
    // Folders are named again and again.
    let (_, result) =
        unpack("b.tar", &tar(&[("a", Directory), ("a", Directory), ("a/b", Regular)]));
    result.unwrap();
    // A zip's writer does not write one name twice, so its names are changed afterwards.
    let mut two = zip(&["a", "b"]);
    for place in 0..two.len() {
        // Behind the head of an entry, and behind that of the list at the end
        for (mark, length) in [(b"PK\x03\x04", 30), (b"PK\x01\x02", 46)] {
            if two[place..].starts_with(mark) && two[place + length] == b'b' {
                two[place + length] = b'a';
            }
        }
    }
    let (around, result) = unpack("c.zip", &two);
    // The reader may know the later one only.
    if let Err(error) = result {
        refused("an archive with one name twice", "c.zip", &error);
        assert_eq!(names(&around.path().join("inner")), ["c.zip"]);
    }
}

/// Zeros, which become a thousandth of their size.
#[test]
fn bombs_are_refused() {
    let zeros = vec![0; 1 << 20];
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    zip.start_file("zeros", zip::write::SimpleFileOptions::default()).unwrap();
    for _ in 0..150 {
        zip.write_all(&zeros).unwrap();
    }
    let zip = zip.finish().unwrap().into_inner();
    is_refused("a bomb, zip", "bomb.zip", &zip, "too much for its size");
    // An entry that says that it is small
    let mut lying = zip.clone();
    let size = (150u32 << 20).to_le_bytes();
    for place in 0..lying.len() - 4 {
        if lying[place..place + 4] == size {
            lying[place..place + 4].copy_from_slice(&4u32.to_le_bytes());
        }
    }
    assert_ne!(lying, zip);
    let (_, result) = unpack("lying.zip", &lying);
    refused("a bomb whose list says that it is small", "lying.zip", &result.unwrap_err());
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(vec![], Default::default()));
    for i in 0..150 {
        let mut header = tar::Header::new_gnu();
        header.set_size(zeros.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("{i}"), &zeros[..]).unwrap();
    }
    let tar = builder.into_inner().unwrap().finish().unwrap();
    is_refused("a bomb, tar.gz", "bomb.tar.gz", &tar, "too much for its size");
    // Small files take a place on the disk, too.
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(vec![], Default::default()));
    for i in 0..250_000 {
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_path(format!("{}/{i}", i % 100)).unwrap();
        header.set_cksum();
        builder.append(&header, &[][..]).unwrap();
    }
    let tar = builder.into_inner().unwrap().finish().unwrap();
    if tar.len() < 1 << 20 {
        is_refused("a bomb of many empty files", "many.tar.gz", &tar, "too much for its size");
    }
}

#[test]
fn damaged_archives_are_refused() {
    use EntryType::Regular;
    let tar = tar(&[("set/a", Regular), ("set/b", Regular)]);
    let whole = zip(&["set/a.txt", "set/b.txt"]);
    let mut wrong_bit = whole.clone();
    wrong_bit[39] ^= 1;
    let gz = gzip(&tar);
    let page = b"<html></html>";
    let cases = [
        ("a zip that is cut off", "a.zip", &whole[..whole.len() / 2]),
        ("a zip with a wrong bit", "b.zip", &wrong_bit),
        ("a page named .zip", "c.zip", page),
        ("an empty .zip", "d.zip", b""),
        ("a page named .tar.gz", "e.tar.gz", page),
        ("a tar.gz that is cut off", "f.tar.gz", &gz[..gz.len() - 4]),
        ("a tar.gz cut off in its middle", "g.tar.gz", &gz[..gz.len() / 2]),
        ("a tar cut off in a file", "h.tar", &tar[..700]),
        ("a tar cut off between two files", "i.tar", &tar[..1024]),
        ("an empty .tar", "j.tar", b""),
        ("a kind that is not known", "k.rar", &whole),
    ];
    for (what, name, content) in cases {
        is_refused(what, name, content, "what to do");
    }
    let error = extract(Path::new("/no/such/set.zip"), None).unwrap_err();
    refused("an archive that is not there", "/no/such/set.zip", &error);
}

/// Killed at any moment, the folder is not there, or whole.
#[test]
fn a_killed_extraction_is_finished_by_the_next() {
    const NAME: &str = "a_killed_extraction_is_finished_by_the_next";
    const COUNT: usize = 3000;
    if common::in_child(NAME) {
        extract(Path::new(&std::env::var("TEST_ARCHIVE").unwrap()), None).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("set.zip");
    let files: Vec<String> = (0..COUNT).map(|i| format!("set/{}/{i}", i % 7)).collect();
    fs::write(&archive, zip(&files.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
    let mut kills = 0;
    while !folder.path().join("set").exists() {
        let mut command = common::child(NAME);
        let mut child =
            command.env("TEST_ARCHIVE", &archive).stdout(Stdio::null()).spawn().unwrap();
        let work = folder.path().join(".set.zip.unpacking");
        while !work.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Later and later, so that a slow disk costs no more than a few times one extraction.
        std::thread::sleep(Duration::from_millis(2).mul_f64(1.4_f64.powi(kills)));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        // One that was killed before it was made is there from the start the next time.
        assert!(kills < 40);
    }
    let counts = (0..7).map(|i| names(&folder.path().join(format!("set/{i}"))).len());
    assert_eq!(counts.sum::<usize>(), COUNT, "the folder has its name and is not whole");
    extract(&archive, None).unwrap();
    assert_eq!(names(folder.path()), ["set", "set.zip"]);
    assert!(kills > 1, "it was too fast to be killed");
}
