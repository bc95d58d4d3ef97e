//! What the fuzz targets do with an input, and what must hold for every one; tests/it/fuzz_corpus.rs
//! does the same with the saved inputs.

#![allow(dead_code)] // each target uses one function

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use d2l::prelude::*;
use d2l_common::program_output::{Item, Lines};

/// In memory where there is such a place.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// A file that may be an image: an error that names it, or an image within the limit.
pub fn image(input: &[u8]) {
    static ROOT: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        set_max_image_pixels(1 << 20);
        folder()
    });
    let class = ROOT.path().join("class");
    fs::create_dir_all(&class).unwrap();
    fs::write(class.join("image.jpg"), input).unwrap();
    let images = ImageFolder::new(ROOT.path()).unwrap();
    for images in [images.clone(), images.exif_transpose()] {
        match images.image(0) {
            Ok(image) => {
                let (width, height) = image.size();
                assert!(width * height <= 1 << 20);
                assert_eq!(image.to_tensor().unwrap().size(), [3, height as i64, width as i64]);
            }
            Err(error) => assert!(error.to_string().contains("image.jpg"), "{error}"),
        }
    }
}

/// A file that is perhaps an archive, of the kind that its first byte says: nothing is written
/// outside its folder, and nothing at all where it is an error.
pub fn archive(input: &[u8]) {
    let Some((kind, content)) = input.split_first() else { return };
    unpack(*kind, content);
}

/// The same, and whether it was unpacked.
fn unpack(kind: u8, content: &[u8]) -> bool {
    let around = folder();
    let inner = around.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let name = ["set.zip", "set.tar", "set.tar.gz"][usize::from(kind) % 3];
    let path = inner.join(name);
    fs::write(&path, content).unwrap();
    let result = extract(&path, None);
    let names = |folder: &Path| -> Vec<_> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(names(around.path()), ["inner"]);
    match &result {
        Ok(unpacked) => assert!(unpacked.starts_with(&inner)),
        Err(error) => {
            assert!(error.to_string().contains("set."), "{error}");
            assert_eq!(names(&inner), [name], "{error}");
        }
    }
    result.is_ok()
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

/// An archive whose heads are built from the input, most of their numbers as they should be: what
/// holds for [`archive`], and one in which all are right is unpacked.
pub fn archive_headers(input: &[u8]) {
    let mut heads = Heads { input, are_right: true };
    let kind = heads.byte() % 3;
    let content = if kind == 0 { heads.zip() } else { heads.tar() };
    let content = if kind == 2 { gzip(&content) } else { content };
    assert!(unpack(kind, &content) || !heads.are_right, "an archive in which all is right");
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

/// Takes what it needs from the input; at its end all is as it should be.
struct Heads<'a> {
    input: &'a [u8],
    are_right: bool,
}

impl Heads<'_> {
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.input.split_first() else { return 0 };
        self.input = rest;
        *byte
    }

    fn number(&mut self) -> u64 {
        u64::from_le_bytes([(); 8].map(|()| self.byte()))
    }

    /// The first of these, which is right, now and then another one.
    fn one_of<T: Copy + PartialEq>(&mut self, choices: &[T]) -> T {
        let byte = usize::from(self.byte());
        let choice = choices[if byte < 0xe0 { 0 } else { byte % choices.len() }];
        self.are_right &= choice == choices[0];
        choice
    }

    /// The number, now and then another one.
    fn mostly(&mut self, right: u64) -> u64 {
        let number = match self.byte() {
            0xf0..=0xf7 => self.number(),
            0xf8 => right.wrapping_add(1),
            0xf9 => right.wrapping_sub(1),
            0xfa => u64::MAX,
            0xfb => 0,
            _ => right,
        };
        self.are_right &= number == right;
        number
    }

    /// A name that no other entry has, now and then one from the input.
    fn name(&mut self, i: usize) -> Vec<u8> {
        let length = self.byte();
        if length < 0xe0 {
            let folder = if length.is_multiple_of(2) { "" } else { "set/" };
            return format!("{folder}{i}{}", "n".repeat(usize::from(length) % 70)).into_bytes();
        }
        self.are_right = false;
        match length {
            0xff => b"../a".to_vec(),
            0xfe => b"/a".to_vec(),
            0xfd => b"a/".to_vec(),
            0xfc => b"a".to_vec(),
            _ => (0xe0..length).map(|_| self.byte()).collect(),
        }
    }

    fn zip(&mut self) -> Vec<u8> {
        let (mut zip, mut list) = (vec![], vec![]);
        let count = self.byte() % 5;
        for i in 0..count {
            let (name, content) = (self.name(usize::from(i)), vec![b'd'; 40 * usize::from(i)]);
            let mut crc = flate2::Crc::new();
            crc.update(&content);
            let mut deflate =
                flate2::write::DeflateEncoder::new(vec![], flate2::Compression::fast());
            deflate.write_all(&content).unwrap();
            let is_deflated = self.byte() % 2 == 1;
            let stored = if is_deflated { deflate.finish().unwrap() } else { content.clone() };
            let method = self.one_of(&[if is_deflated { 8 } else { 0 }, 9, 12, 14, 93, 99, 1]);
            let flags = self.one_of(&[0x800_u16, 1, 8, 0x41, 0x2000]);
            let extra: Vec<u8> = match self.byte() {
                0xf0.. => {
                    self.are_right = false;
                    [&1_u16.to_le_bytes()[..], &16_u16.to_le_bytes(), &self.number().to_le_bytes()]
                        .concat()
                }
                _ => vec![],
            };
            let place = zip.len() as u64;
            for (mark, is_list) in [(b"PK\x03\x04", false), (b"PK\x01\x02", true)] {
                let mut head = mark.to_vec();
                if is_list {
                    head.extend(0x314_u16.to_le_bytes());
                }
                head.extend([20, flags, method, 0, 0x5a00].map(u16::to_le_bytes).concat());
                for number in [crc.sum().into(), stored.len() as u64, content.len() as u64] {
                    head.extend((self.mostly(number) as u32).to_le_bytes());
                }
                for length in [name.len(), extra.len()] {
                    head.extend((self.mostly(length as u64) as u16).to_le_bytes());
                }
                if is_list {
                    head.extend([0; 6]);
                    let mode = self.one_of(&[0o100_644_u32, 0o120_777, 0o040_755, 0o010_644]);
                    head.extend((mode << 16).to_le_bytes());
                    head.extend((self.mostly(place) as u32).to_le_bytes());
                }
                head.extend([&name[..], &extra].concat());
                if is_list {
                    list.extend(head);
                } else {
                    zip.extend(head);
                    zip.extend(&stored);
                }
            }
        }
        let (start, length) = (zip.len() as u64, list.len() as u64);
        zip.extend(list);
        let is_zip64 = self.byte() % 2 == 1;
        let end = zip.len() as u64;
        if is_zip64 {
            zip.extend(b"PK\x06\x06");
            zip.extend(self.mostly(44).to_le_bytes());
            zip.extend([45, 0, 45, 0]);
            zip.extend((self.mostly(0)).to_le_bytes());
            for number in [count.into(), count.into(), length, start] {
                zip.extend(self.mostly(number).to_le_bytes());
            }
            zip.extend(b"PK\x06\x07\0\0\0\0");
            zip.extend(self.mostly(end).to_le_bytes());
            zip.extend((self.mostly(1) as u32).to_le_bytes());
        }
        let most = |number: u64| if is_zip64 { u64::MAX } else { number };
        zip.extend(b"PK\x05\x06");
        for number in [0, 0, most(count.into()), most(count.into())] {
            zip.extend((self.mostly(number) as u16).to_le_bytes());
        }
        for number in [most(length), most(start)] {
            zip.extend((self.mostly(number) as u32).to_le_bytes());
        }
        let comment = vec![b'c'; usize::from(self.byte())];
        zip.extend((self.mostly(comment.len() as u64) as u16).to_le_bytes());
        zip.extend(comment);
        zip
    }

    fn tar(&mut self) -> Vec<u8> {
        let mut tar = vec![];
        for i in 0..usize::from(self.byte() % 5) {
            let name = self.name(i);
            let mut short = &name[..name.len().min(100)];
            match self.byte() % 4 {
                1 => {
                    self.entry(&mut tar, b"././@LongLink", b'L', &[&name[..], b"\0"].concat());
                    short = b"short";
                }
                2 => {
                    let note = [b" path=", &name[..], b"\n"].concat();
                    let length = note.len() + if note.len() < 98 { 2 } else { 3 };
                    let length = self.mostly(length as u64).to_string();
                    let mut note = [length.as_bytes(), &note].concat();
                    if self.byte() >= 0xf0 {
                        self.are_right = false;
                        note.extend(format!("12 size={}\n", self.number() % 1000).as_bytes());
                    }
                    self.entry(&mut tar, b"pax", b'x', &note);
                    short = b"short";
                }
                3 => self.entry(&mut tar, b"pax_global_header", b'g', b"11 a=bcdef\n"),
                _ => {}
            }
            let kind = self.one_of(b"05123467SKLMDVXxg");
            let content = vec![b'd'; 300 * i];
            self.entry(&mut tar, short, kind, &content);
        }
        let end = self.one_of(&[1024, 512, 0, 10_240]);
        tar.extend(vec![0; end]);
        // A tar without any entry is good only compressed.
        self.are_right &= tar.len() > end;
        tar
    }

    /// A head and its content, filled up to whole blocks.
    fn entry(&mut self, tar: &mut Vec<u8>, name: &[u8], kind: u8, content: &[u8]) {
        let is_ustar = self.byte() % 2 == 1;
        let mut header = if is_ustar { tar::Header::new_ustar() } else { tar::Header::new_gnu() };
        let bytes = header.as_mut_bytes();
        bytes[..name.len()].copy_from_slice(name);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(self.mostly(content.len() as u64) & 0o77_777_777_777);
        if kind == b'S' {
            for place in 386..495 {
                header.as_mut_bytes()[place] = b'0' + self.byte() % 8;
            }
        }
        header.set_cksum();
        let sum = u64::from(header.cksum().unwrap());
        let digits = format!("{:06o}\0 ", self.mostly(sum) & 0o777_777);
        header.as_mut_bytes()[148..156].copy_from_slice(digits.as_bytes());
        tar.extend(header.as_bytes());
        tar.extend(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
}

/// A JPEG put together from whole segments, of which the input says the kinds and the content: the
/// same must hold as for `image`.
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
    image(&jpeg);
}
