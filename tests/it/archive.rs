//! Archives: good, damaged and malicious ones.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::common;
use crate::common::names;
use crate::common::report::{refused, seen};
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

/// A file in a zip that is written byte by byte, with values that no zip writer produces.
#[derive(Clone)]
struct Packed {
    name: String,
    method: u16,
    flags: u16,
    /// As it stands in the archive.
    content: Vec<u8>,
    size: u32,
    crc: u32,
    extra: Vec<u8>,
}

impl Packed {
    fn stored(name: &str, content: &[u8]) -> Packed {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        Packed {
            name: name.into(),
            method: 0,
            flags: 0,
            content: content.into(),
            size: content.len() as u32,
            crc: crc.sum(),
            extra: vec![],
        }
    }

    /// The fields that both headers have in common.
    fn head(&self) -> Vec<u8> {
        let mut head = vec![];
        for number in [20, self.flags, self.method, 0, 0x5a00] {
            head.extend(number.to_le_bytes());
        }
        for number in [self.crc, self.content.len() as u32, self.size] {
            head.extend(number.to_le_bytes());
        }
        for length in [self.name.len(), self.extra.len()] {
            head.extend((length as u16).to_le_bytes());
        }
        head
    }
}

/// How a zip is laid out around its files.
#[derive(Clone, Copy, Default)]
struct Layout<'a> {
    zip64: bool,
    comment: &'a [u8],
    /// What precedes it, and whether the offsets in its directory count from there.
    prefix: &'a [u8],
    adjusted: bool,
    /// The number of the piece, for an archive that is split into several.
    piece: u16,
    /// All entries of the directory point to the first file.
    overlapping: bool,
}

fn packed(files: &[Packed], layout: Layout) -> Vec<u8> {
    let mut zip = layout.prefix.to_vec();
    let before = if layout.adjusted { 0 } else { zip.len() };
    let mut list = vec![];
    let mut first = None;
    for file in files {
        let place = (zip.len() - before) as u32;
        let place = if layout.overlapping { *first.get_or_insert(place) } else { place };
        if place as usize == zip.len() - before {
            zip.extend([b"PK\x03\x04", &file.head()[..], file.name.as_bytes()].concat());
            zip.extend([&file.extra[..], &file.content].concat());
        }
        list.extend([b"PK\x01\x02\x14\0", &file.head()[..]].concat());
        list.extend([0; 6]);
        list.extend([(0o100_644_u32 << 16).to_le_bytes(), place.to_le_bytes()].concat());
        list.extend([file.name.as_bytes(), &file.extra].concat());
    }
    let (start, count, end) = (zip.len() - before, files.len(), zip.len() - before + list.len());
    zip.extend(&list);
    if layout.zip64 {
        zip.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
        for number in [count, count, list.len(), start] {
            zip.extend((number as u64).to_le_bytes());
        }
        zip.extend([b"PK\x06\x07\0\0\0\0", &(end as u64).to_le_bytes()[..]].concat());
        zip.extend(1_u32.to_le_bytes());
    }
    zip.extend(b"PK\x05\x06");
    let most = |number: usize| if layout.zip64 { u32::MAX } else { number as u32 };
    for number in [layout.piece, layout.piece, most(count) as u16, most(count) as u16] {
        zip.extend(number.to_le_bytes());
    }
    for number in [list.len(), start] {
        zip.extend(most(number).to_le_bytes());
    }
    zip.extend((layout.comment.len() as u16).to_le_bytes());
    zip.extend(layout.comment);
    zip
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

/// Extracts an archive in a folder of its own: nothing may be written outside of it.
fn unpack(name: &str, content: &[u8]) -> (tempfile::TempDir, Result<PathBuf>) {
    let around = tempfile::tempdir().unwrap();
    let inner = around.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join(name), content).unwrap();
    let result = extract(inner.join(name), None);
    assert_eq!(names(around.path()), ["inner"], "{name}");
    (around, result)
}

/// The archive is refused for this reason, and nothing of it is left.
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
    // Several gzip members, as pigz writes
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
        // The folder has the archive's name, in other letter case.
        let expected = if name == "SET.ZIP" { inner.clone() } else { inner.join("set") };
        assert_eq!(result.unwrap(), expected, "{name}");
        for (file, _) in files {
            assert_eq!(fs::read(inner.join(file)).unwrap(), b"data", "{name}: {file}");
        }
        assert_eq!(names(&inner).len(), 2, "{name}: {:?}", names(&inner));
    }
}

/// F1: where an archive starts is known, not guessed: names of all lengths, with the directories of
/// small and large zips, with and without a comment. And the file of the report.
#[test]
fn names_of_all_lengths_are_read() {
    let comment = vec![b'c'; 65_535];
    let mut count = 0;
    for length in 1..=64 {
        let first = "n".repeat(length);
        let files = [(first.clone(), b"first".to_vec()), ("second/b".into(), vec![7; 1000])];
        let packed_files = files.clone().map(|(name, content)| Packed::stored(&name, &content));
        for zip64 in [false, true] {
            for comment in [&b""[..], b"a comment", &comment] {
                let zip = packed(&packed_files, Layout { zip64, comment, ..Layout::default() });
                let (around, result) = unpack("set.zip", &zip);
                let what = format!("{length} letters, zip64: {zip64}, comment: {}", comment.len());
                result.unwrap_or_else(|error| panic!("{what}: {error}"));
                for (name, content) in &files {
                    let found = fs::read(around.path().join("inner").join(name)).unwrap();
                    assert!(&found == content, "{what}: {name}");
                }
                count += 1;
            }
        }
    }
    let z30 = fs::read(common::reference_folder().join("archives/z30.zip")).unwrap();
    let (around, result) = unpack("z30.zip", &z30);
    assert_eq!(result.unwrap(), around.path().join("inner/z30"));
    let first = around.path().join("inner/z30/train/hotdog_pictures/1.jp");
    assert_eq!(fs::read(first).unwrap(), z30[60..60 + 1338]);
    seen("zips whose first name has 1 to 64 letters", &format!("{count} are unpacked"));
}

/// F1: a zip that unpacks itself has a program before it; its start is looked for there alone.
#[test]
fn a_program_before_a_zip_is_skipped() {
    for (prefix, adjusted) in
        [(&b"MZ, a program"[..], false), (b"MZ, a program", true), (b"#!/bin/sh\nexit\n", false)]
    {
        for length in [1, 20, 21, 22, 30, 64] {
            let files =
                [Packed::stored(&"n".repeat(length), b"data"), Packed::stored("b", b"more")];
            let zip = packed(&files, Layout { prefix, adjusted, ..Layout::default() });
            let (around, result) = unpack("set.zip", &zip);
            result.unwrap_or_else(|error| panic!("{length}, {adjusted}: {error}"));
            assert_eq!(fs::read(around.path().join("inner/b")).unwrap(), b"more");
        }
    }
}

/// Names of more than a hundred letters, and files with holes, as tar writes them.
#[test]
fn long_names_and_holes_are_read() {
    let long = format!("set/{}/b", "long/".repeat(50));
    let pax = |entries: &[(&str, &str)], header: &[u8]| {
        let mut builder = tar::Builder::new(vec![]);
        let notes = entries.iter().map(|(key, value)| (*key, value.as_bytes()));
        builder.append_pax_extensions(notes).unwrap();
        let mut tar = builder.into_inner().unwrap();
        tar.truncate(tar.len() - 1024);
        tar.extend(header);
        tar
    };
    let mut gnu = tar::Builder::new(vec![]);
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    gnu.append_data(&mut header, &long, &b"data"[..]).unwrap();
    let gnu = gnu.into_inner().unwrap();
    let short = tar(&[("set/short", EntryType::Regular)]);
    for (name, content) in [
        ("set.tar", gnu.clone()),
        ("set.tar.gz", gzip(&gnu)),
        ("set.tar", pax(&[("path", &long), ("SCHILY.xattr.user.note", "a note")], &short)),
        // The name's .gz is wrong: unpacked in transit, or named by hand
        ("set.tar.gz", gnu.clone()),
        ("set.tar", gzip(&gnu)),
    ] {
        let (around, result) = unpack(name, &content);
        assert_eq!(result.unwrap(), around.path().join("inner/set"));
        assert_eq!(fs::read(around.path().join("inner").join(&long)).unwrap(), b"data");
    }
    // 4 bytes at 1024, of 2048
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.name[..4].copy_from_slice(b"hole");
    gnu.sparse[0].offset.copy_from_slice(b"000000002000");
    gnu.sparse[0].numbytes.copy_from_slice(b"000000000004");
    gnu.sparse[1].offset.copy_from_slice(b"000000004000");
    gnu.sparse[1].numbytes.copy_from_slice(b"000000000000");
    gnu.realsize.copy_from_slice(b"000000004000");
    header.set_mode(0o644);
    header.set_size(4);
    header.set_cksum();
    let mut builder = tar::Builder::new(vec![]);
    builder.append(&header, &b"data"[..]).unwrap();
    let sparse = builder.into_inner().unwrap();
    let (around, result) = unpack("holes.tar", &sparse);
    result.unwrap();
    let expected = [&[0; 1024][..], b"data", &[0; 1020]].concat();
    assert!(fs::read(around.path().join("inner/hole")).unwrap() == expected);
}

/// F15: unsupported kinds are told apart from damage: what it is, and how to unpack it.
#[test]
fn unsupported_kinds_are_not_called_damaged() {
    let zip = |method, flags, extra: &[u8]| {
        let file =
            Packed { method, flags, extra: extra.into(), ..Packed::stored("set/a", b"data") };
        packed(&[file], Layout::default())
    };
    let deflate64 = fs::read(common::reference_folder().join("archives/deflate64.zip")).unwrap();
    let piece = packed(&[Packed::stored("a", b"a")], Layout { piece: 1, ..Layout::default() });
    let good = self::zip(&["set/a"]);
    let tar = tar(&[("set/a", EntryType::Regular)]);
    let kind = |byte| self::tar(&[("fine", EntryType::Regular), ("odd", EntryType::new(byte))]);
    let mut holes = tar::Builder::new(vec![]);
    let notes = [("GNU.sparse.major", &b"1"[..]), ("GNU.sparse.minor", b"0")];
    holes.append_pax_extensions(notes).unwrap();
    let mut holes = holes.into_inner().unwrap();
    holes.truncate(holes.len() - 1024);
    holes.extend(&tar);
    let aes = b"\x01\x99\x07\0\x02\0AE\x03\0\0";
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    // What, its name, its content, what is found, what to do
    let cases: [(&str, &str, &[u8], &str, &str); 45] = [
        ("a zip by Deflate64", "a.zip", &deflate64, "Deflate64 (method 9)", "`7z x a.zip`"),
        ("a zip by Implode", "b.zip", &zip(6, 0, b""), "Implode", "7z x"),
        ("a zip by bzip2", "c.zip", &zip(12, 0, b""), "bzip2", "7z x"),
        ("a zip by LZMA", "d.zip", &zip(14, 2, b""), "LZMA", "7z x"),
        ("a zip by Zstandard", "e.zip", &zip(93, 0, b""), "Zstandard", "7z x"),
        ("a zip by xz", "f.zip", &zip(95, 0, b""), "xz", "7z x"),
        ("a zip by PPMd", "g.zip", &zip(98, 0, b""), "PPMd", "7z x"),
        ("a zip by WavPack", "h.zip", &zip(97, 0, b""), "WavPack", "7z x"),
        ("a zip by a method without a name", "i.zip", &zip(200, 0, b""), "method 200", "7z x"),
        ("an encrypted zip", "j.zip", &zip(0, 1, b""), "\"set/a\" is encrypted", "7z x"),
        ("an encrypted zip, AES", "k.zip", &zip(99, 1, aes), "encrypted", "7z x"),
        ("the last piece of a zip", "l.zip", &piece, "cut into several", "zip -s 0"),
        ("a piece of a zip, .z01", "m.z01", &good[..40], "one piece", "zip -s 0"),
        ("a piece of a zip, .001", "n.zip.001", &good[..40], "one piece", "cat"),
        ("a .tar.xz", "o.tar.xz", b"\xfd7zXZ\0\0\0\0", "xz", "`tar -xf o.tar.xz`"),
        ("a .tar.bz2", "p.tar.bz2", b"BZh91AY&SY", "bzip2", "tar -xf"),
        ("a .tar.zst", "q.tar.zst", b"\x28\xb5\x2f\xfd\0\0", "Zstandard", "tar -xf"),
        ("a .tar.lz4", "r.tar.lz4", b"\x04\x22\x4d\x18\0\0", "LZ4", "tar -xf"),
        ("a .tar.lz", "s.tar.lz", b"LZIP\x01", "lzip", "tar -xf"),
        ("a .tar.Z", "t.tar.Z", b"\x1f\x9d\x90", "compress", "tar -xf"),
        ("a .7z", "u.7z", b"7z\xbc\xaf\x27\x1c\0\x04", "7-Zip", "`7z x u.7z`"),
        ("a .rar", "v.rar", b"Rar!\x1a\x07\x01\0", "RAR", "unrar x"),
        ("a .txz, by its name", "w.txz", b"garbage", "xz", "tar -xf"),
        ("a .tbz2, by its name", "x.tbz2", b"", "bzip2", "tar -xf"),
        ("a .csv.xz", "y.csv.xz", b"\xfd7zXZ\0", "xz", "`xz -dk y.csv.xz`"),
        ("a .csv.gz", "z.csv.gz", &gzip(b"1,2"), "compressed by gzip", "gzip -dk"),
        ("an xz named .zip", "aa.zip", b"\xfd7zXZ\0", "xz", "xz -dk"),
        ("a RAR named .zip", "ab.zip", b"Rar!\x1a\x07\x01\0", "RAR", "unrar x"),
        ("a 7-Zip named .tar.gz", "ac.tar.gz", b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x"),
        ("a tar named .zip", "ad.zip", &tar, "a tar", "ends in .tar"),
        ("a tar.gz named .zip", "ae.zip", &gzip(&tar), "gzip", "ends in .tar.gz"),
        ("a zip named .tar", "af.tar", &good, "a zip", "ends in .zip"),
        ("a zip named .rar", "ag.rar", &good, "a zip", "ends in .zip"),
        ("a zip without an end to its name", "ah", &good, "a zip", "ends in .zip"),
        ("a CSV named .tar.gz", "ai.tar.gz", &gzip(b"1,2"), "no tar in it", "gzip -dc"),
        (
            "a tar.gz that was compressed twice",
            "aj.tgz",
            &gzip(&gzip(&tar)),
            "once more",
            "gzip -dc",
        ),
        ("a zip that was compressed", "ak.tgz", &gzip(&good), "a zip", "gzip -dc"),
        ("a pointer of Git LFS", "al.zip", pointer, "Git LFS", "git lfs pull"),
        (
            "a pointer of git-annex",
            "am.tar",
            b"/annex/objects/SHA256E-s5--ab.tar\n",
            "annex",
            "annex",
        ),
        ("a page", "an.zip", b"\n<!doctype html><p>", "a page", "browser"),
        ("an error in XML", "ao.tar.gz", b"<?xml version=\"1.0\"?>\n<Error>", "XML", "browser"),
        ("a tar with holes in the pax form", "ap.tar", &holes, "with holes", "tar -xf"),
        ("a tar that goes on from another disk", "aq.tar", &kind(b'M'), "the kind 'M'", "tar -xf"),
        ("a tar of changes since another", "ar.tar", &kind(b'D'), "the kind 'D'", "tar -xf"),
        ("a tar with a kind without a name", "as.tgz", &gzip(&kind(b'Z')), "'Z'", "tar -xf"),
    ];
    for (what, name, content, found, todo) in cases {
        let (around, result) = unpack(name, content);
        let text = refused(what, name, &result.unwrap_err());
        let (is, to_do) = text.split_once("what to do").unwrap();
        assert!(is.contains(found) && to_do.contains(todo), "{what}: {text}");
        for word in ["damaged", "cannot be read", "remove", "whole copy", "do not trust"] {
            assert!(!text.contains(word), "{what}: {text}");
        }
        assert_eq!(names(&around.path().join("inner")), [name], "{what}");
    }
}

/// F15: nobody is told to remove their own archive; what was downloaded is downloaded again.
#[test]
fn only_downloads_are_to_be_removed() {
    const NAME: &str = "archive::only_downloads_are_to_be_removed";
    let damaged = &zip(&["set/a.txt"])[..40];
    if common::in_child(NAME) {
        let fetched = PathBuf::from(std::env::var_os("XDG_CACHE_HOME").unwrap()).join("d2l");
        fs::create_dir_all(&fetched).unwrap();
        fs::write(fetched.join("set.zip"), damaged).unwrap();
        let error = extract(fetched.join("set.zip"), None).unwrap_err();
        refused("a damaged archive that was downloaded", "remove it and run again", &error);
        return;
    }
    let (_, result) = unpack("set.zip", damaged);
    let text =
        refused("a damaged archive of the user's own", "get a whole copy", &result.unwrap_err());
    assert!(!text.contains("remove"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    common::run_with_data(NAME, "1", folder.path(), folder.path());
}

/// As by GNU tar and Python: programs that write whole blocks leave zeros.
#[test]
fn zeros_after_the_gzip_data_are_ignored() {
    let tar = tar(&[("set/a.txt", EntryType::Regular)]);
    let (first, second) = tar.split_at(700);
    let whole = gzip(&tar);
    let good = [1, 511, 1000, 100_000].map(|count| [&whole[..], &vec![0; count]].concat());
    let members = [&gzip(first)[..], &gzip(second)].concat();
    let apart = [&gzip(first)[..], &[0; 40], &gzip(second), &[0; 3]].concat();
    for (i, content) in good.into_iter().chain([members, apart]).enumerate() {
        let (_around, result) = unpack("set.tar.gz", &content);
        assert_eq!(fs::read(result.unwrap().join("a.txt")).unwrap(), b"data", "{i}");
    }
    let rubbish = [&whole[..], &[0; 40], b"rubbish"].concat();
    is_refused("a tar.gz with garbage after it", "l.tar.gz", &rubbish, "what to do");
}

#[test]
fn existing_files_are_kept() {
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
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = elsewhere.path().join("outside");
    let outside = outside.to_str().unwrap();
    let cases = [
        ("a path that leaves the folder, zip", "a.zip", zip(&["fine", "../outside"])),
        ("a path that leaves the folder, within a name", "b.zip", zip(&["c/../../outside"])),
        ("an absolute path, zip", "c.zip", zip(&[outside])),
        ("a path that leaves the folder, tar", "d.tar", tar("../outside", Regular)),
        ("an absolute path, tar", "e.tar", tar(outside, Regular)),
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
    assert!(names(elsewhere.path()).is_empty());
}

#[test]
fn an_entry_that_appears_twice_is_refused() {
    use EntryType::{Directory, Regular};
    let twice = tar(&[("a", Regular), ("a", Regular)]);
    is_refused("an archive with one name twice", "a.tar", &twice, "twice");
    for (i, names) in [["a", "a/b"], ["a/b", "a"]].iter().enumerate() {
        let entries = names.map(|name| (name, Regular));
        let what = "an archive with one name for a file and a folder";
        is_refused(what, &format!("{i}.tar"), &tar(&entries), "twice");
        is_refused(what, &format!("{i}.zip"), &zip(names), "twice");
    }
    // Folders may appear several times.
    let (_, result) =
        unpack("b.tar", &tar(&[("a", Directory), ("a", Directory), ("a/b", Regular)]));
    result.unwrap();
    let two = packed(&["a", "a"].map(|name| Packed::stored(name, b"data")), Layout::default());
    is_refused("an archive with one name twice", "c.zip", &two, "twice");
}

/// Zeros, which compress to a thousandth of their size.
#[test]
fn bombs_are_refused() {
    let many = "too much for its size";
    let zeros = vec![0; 1 << 20];
    let mut deflate = flate2::write::DeflateEncoder::new(vec![], flate2::Compression::best());
    deflate.write_all(&zeros).unwrap();
    let bomb =
        Packed { method: 8, content: deflate.finish().unwrap(), ..Packed::stored("zeros", &zeros) };
    let files: Vec<_> = (0..150).map(|i| Packed { name: format!("{i}"), ..bomb.clone() }).collect();
    let zip = packed(&files, Layout::default());
    is_refused("a bomb, zip", "bomb.zip", &zip, many);
    // The same kilobyte under the names of many files
    let zip = packed(&files, Layout { overlapping: true, ..Layout::default() });
    assert!(zip.len() < 20_000);
    is_refused("a bomb whose entries all point to one file", "same.zip", &zip, many);
    // An entry that claims to be small
    let zip = packed(&[Packed { size: 4, ..bomb }], Layout::default());
    let (_, result) = unpack("lying.zip", &zip);
    refused("a bomb whose directory claims to be small", "lying.zip", &result.unwrap_err());
    // One file of 60 MB and another, of which the header is enough
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(vec![], Default::default()));
    let mut header = tar::Header::new_gnu();
    header.set_size(60 << 20);
    header.set_mode(0o644);
    builder.append_data(&mut header, "one", std::io::repeat(0).take(60 << 20)).unwrap();
    header.set_path("two").unwrap();
    header.set_cksum();
    builder.append(&header, std::io::empty()).unwrap();
    let tar = builder.into_inner().unwrap().finish().unwrap();
    is_refused("a bomb, tar.gz", "bomb.tar.gz", &tar, many);
    // Zeros after the end
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gzip.write_all(&self::tar(&[("a", EntryType::Regular)])).unwrap();
    for _ in 0..101 {
        gzip.write_all(&zeros).unwrap();
    }
    let what = "a bomb after the end of a tar";
    is_refused(what, "behind.tar.gz", &gzip.finish().unwrap(), many);
    // Entries without content take space on the disk, too.
    let folder = self::tar(&[("a", EntryType::Directory)]);
    let note = self::tar(&[("a", EntryType::XGlobalHeader)]);
    for (name, entry) in [("many.tar.gz", folder), ("notes.tar.gz", note)] {
        let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
        for _ in 0..250_000 {
            gzip.write_all(&entry[..512]).unwrap();
        }
        let content = gzip.finish().unwrap();
        assert!(content.len() < 1 << 20);
        is_refused("a bomb of many empty entries", name, &content, many);
    }
}

/// C11: a long name or a PAX header is held in memory: it has its own limit.
#[test]
fn long_names_and_pax_headers_have_a_limit() {
    for (what, kind) in [("a long name", b'L'), ("a long name of a link", b'K'), ("a note", b'x')] {
        for size in [3 << 20, 40_u64 << 20, 10 << 30] {
            let mut header = tar::Header::new_gnu();
            header.set_path("././@LongLink").unwrap();
            header.set_entry_type(EntryType::new(kind));
            header.set_size(size);
            header.set_cksum();
            let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
            gzip.write_all(header.as_bytes()).unwrap();
            std::io::copy(&mut std::io::repeat(b'n').take(size.min(40 << 20)), &mut gzip).unwrap();
            gzip.write_all(&tar(&[("a", EntryType::Regular)])).unwrap();
            let content = gzip.finish().unwrap();
            let what = format!("{what} of megabytes in a tar");
            is_refused(&what, "long.tar.gz", &content, "more than 1 MB");
        }
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
    ];
    for (what, name, content) in cases {
        let reason = if what.contains("page") { "a page" } else { "cannot be read" };
        is_refused(what, name, content, reason);
    }
    is_refused("an unknown kind", "k.set", b"data", "not an archive by its name");
    let error = extract(Path::new("/no/such/set.zip"), None).unwrap_err();
    refused("a missing archive", "/no/such/set.zip", &error);
}

/// Killed at any moment, the folder is missing or complete.
#[test]
fn a_killed_extraction_is_finished_by_the_next() {
    const NAME: &str = "archive::a_killed_extraction_is_finished_by_the_next";
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
        // Later and later, so that a slow disk costs no more than a few extractions.
        std::thread::sleep(Duration::from_millis(2).mul_f64(1.4_f64.powi(kills)));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        // If it was killed before the folder was made, the next run starts afresh.
        assert!(kills < 40);
    }
    let counts = (0..7).map(|i| names(&folder.path().join(format!("set/{i}"))).len());
    assert_eq!(counts.sum::<usize>(), COUNT, "the folder has its name and is not whole");
    extract(&archive, None).unwrap();
    assert_eq!(names(folder.path()), ["set", "set.zip"]);
    assert!(kills > 1, "it was too fast to be killed");
}
