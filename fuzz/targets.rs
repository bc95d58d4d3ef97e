//! What the fuzz targets do with an input, and what must hold for every one; tests/fuzz_corpus.rs
//! does the same with the inputs that are kept.

#![allow(dead_code)] // each target uses one function

#[path = "../kernel/src/wire.rs"]
mod wire;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use d2l::prelude::*;
use wire::{Item, Lines};

/// In memory where there is such a place.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// A file that is perhaps a picture: an error that names it, or a picture within the limit.
pub fn picture(input: &[u8]) {
    static ROOT: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        set_max_image_pixels(1 << 20);
        folder()
    });
    let class = ROOT.path().join("class");
    fs::create_dir_all(&class).unwrap();
    fs::write(class.join("picture.jpg"), input).unwrap();
    let images = ImageFolder::new(ROOT.path()).unwrap();
    for images in [images.clone(), images.exif_transpose()] {
        match images.get(0) {
            Ok((image, _)) => {
                let (width, height) = image.size();
                assert!(width * height <= 1 << 20);
                assert_eq!(image.to_tensor().unwrap().size(), [3, height as i64, width as i64]);
            }
            Err(error) => assert!(error.to_string().contains("picture.jpg"), "{error}"),
        }
    }
}

/// A file that is perhaps an archive, of the kind that its first byte says: nothing is written
/// outside its folder, and nothing at all where it is an error.
pub fn archive(input: &[u8]) {
    let Some((kind, content)) = input.split_first() else { return };
    let around = folder();
    let inner = around.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let name = ["set.zip", "set.tar", "set.tar.gz"][usize::from(*kind) % 3];
    let path = inner.join(name);
    fs::write(&path, content).unwrap();
    let result = extract(&path, None);
    let names = |folder: &Path| -> Vec<_> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(names(around.path()), ["inner"]);
    match result {
        Ok(unpacked) => assert!(unpacked.starts_with(&inner)),
        Err(error) => {
            assert!(error.to_string().contains("set."), "{error}");
            assert_eq!(names(&inner), [name], "{error}");
        }
    }
}

/// A file that is perhaps one of weights, or with an odd first byte a pickle in a whole zip: an error
/// that names it and leaves the net as it was, or a net of numbers.
pub fn weights(input: &[u8]) {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(folder);
    let Some((kind, content)) = input.split_first() else { return };
    let path = FOLDER.path().join("net.pth");
    let zipped = if kind % 2 == 1 { zip(content) } else { content.to_vec() };
    fs::write(&path, zipped).unwrap();
    let net = linear(3, 2).unwrap();
    let before: Vec<Tensor> = net.parameters().iter().map(Tensor::copy).collect();
    if let Err(error) = load_weights(&net, &path) {
        assert!(error.to_string().contains("net.pth"), "{error}");
        assert_eq!(net.parameters(), before, "{error}");
    }
}

/// A pickle, and 64 bytes of numbers for it.
fn zip(pickle: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in [("net/data.pkl", pickle), ("net/data/0", &[1; 64])] {
        zip.start_file(name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// What a program printed: the same comes of it, however it is cut into pieces; no text is lost.
pub fn display_line(input: &[u8]) {
    let whole = items([input]);
    let middle = input.len() / 2;
    assert_eq!(items([&input[..middle], &input[middle..]]), whole);
    assert_eq!(items(input.chunks(1)), whole);
    if !input.iter().any(|byte| matches!(byte, 0x1e | b'_' | 0x80..)) {
        let [Item::Text(text)] = &whole[..] else { return assert!(input.is_empty()) };
        assert_eq!(text.as_bytes(), input);
    }
}

fn items<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Item> {
    let mut lines = Lines::default();
    let mut items = vec![];
    for piece in pieces {
        items.extend(lines.feed(piece));
    }
    items.push(Item::Text(lines.end()));
    // Text may come in more or fewer pieces.
    let mut merged: Vec<Item> = vec![];
    for item in items {
        match (merged.last_mut(), item) {
            (_, Item::Text(text)) if text.is_empty() => {}
            (Some(Item::Text(before)), Item::Text(text)) => before.push_str(&text),
            (_, item) => merged.push(item),
        }
    }
    merged
}

/// A JPEG put together from whole segments, of which the input says the kinds and the content: the
/// same must hold as for `picture`.
pub fn jpeg(input: &[u8]) {
    let mut rest = input;
    let mut next = |count: usize| {
        let (taken, left) = rest.split_at(count.min(rest.len()));
        rest = left;
        let mut bytes = taken.to_vec();
        bytes.resize(count, 0);
        bytes
    };
    let mut jpeg = b"\xff\xd8".to_vec();
    let segment = |jpeg: &mut Vec<u8>, marker: u8, data: &[u8], wrong: u8| {
        let length = (data.len() as u16 + 2).wrapping_add(u16::from(wrong));
        jpeg.extend([0xff, marker]);
        jpeg.extend(length.to_be_bytes());
        jpeg.extend(data);
    };
    let count = usize::from(next(1)[0] % 24);
    for _ in 0..count {
        let choice = next(2);
        // One in sixteen lies about its length.
        let wrong = if choice[1] % 16 == 15 { choice[1] } else { 0 };
        match choice[0] % 16 {
            0 => segment(&mut jpeg, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0", wrong),
            1 => segment(&mut jpeg, 0xee, &[b"Adobe\0\x64\0\0\0\0", &next(1)[..]].concat(), wrong),
            2 => segment(
                &mut jpeg,
                0xe1,
                &[b"Exif\0\0II*\0\x08\0\0\0\x01\0", &next(12)[..]].concat(),
                wrong,
            ),
            3 => segment(
                &mut jpeg,
                0xe1,
                &[b"http://ns.adobe.com/xap/1.0/\0", &next(20)[..]].concat(),
                wrong,
            ),
            4 => segment(&mut jpeg, 0xe2, &[b"MPF\0", &next(16)[..]].concat(), wrong),
            5 => segment(&mut jpeg, 0xdb, &[&[choice[1] % 4][..], &[1; 64]].concat(), wrong),
            6 | 7 => {
                let frame = next(5);
                let colours = [1, 3, 4, 2][usize::from(frame[0] % 4)];
                let mut data = vec![8, 0, frame[1], 0, frame[2], colours];
                for i in 0..colours {
                    let name = if frame[3] % 4 == 0 { b"RGBA"[usize::from(i)] } else { i + 1 };
                    let factors = next(1)[0] & 0x33;
                    data.extend([name, factors + 0x11, 0]);
                }
                segment(
                    &mut jpeg,
                    [0xc0, 0xc1, 0xc2, 0xc9][usize::from(frame[4] % 4)],
                    &data,
                    wrong,
                );
            }
            // Codes of one length for all symbols
            8 => {
                let direct: Vec<u8> = (0..12).collect();
                let table = [&[choice[1] % 2, 0, 0, 0, 12][..], &[0; 12], &direct].concat();
                segment(&mut jpeg, 0xc4, &table, wrong);
            }
            9 => {
                let coded: Vec<u8> = (0..162).collect();
                let table =
                    [&[0x10 | (choice[1] % 2), 0, 0, 0, 0, 0, 0, 0, 162][..], &[0; 8], &coded]
                        .concat();
                segment(&mut jpeg, 0xc4, &table, wrong);
            }
            10 => segment(&mut jpeg, 0xdd, &[0, choice[1] % 8], wrong),
            11 | 12 => {
                let scan = next(4);
                let colours = 1 + scan[0] % 4;
                let mut data = vec![colours];
                (1..=colours)
                    .for_each(|name| data.extend([name.wrapping_add(scan[1] % 2), scan[1] >> 7]));
                data.extend([scan[2] % 64, if scan[2] == 0 { 63 } else { scan[3] % 64 }, 0]);
                segment(&mut jpeg, 0xda, &data, wrong);
                let length = usize::from(next(1)[0]);
                for byte in next(length) {
                    jpeg.push(byte);
                    if byte == 0xff {
                        jpeg.push(0);
                    }
                }
            }
            13 => jpeg.extend([0xff, 0xd0 + choice[1] % 8]),
            14 => jpeg.extend(b"\xff\xd9"),
            _ => segment(&mut jpeg, 0xfe, &next(usize::from(choice[1] % 32)), wrong),
        }
    }
    if next(1)[0] % 8 != 7 {
        jpeg.extend(b"\xff\xd9");
    }
    jpeg.extend(rest);
    picture(&jpeg);
}
