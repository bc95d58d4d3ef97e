//! JPEG files: where the image ends, what kind it is, and its pixels as libjpeg, and so Pillow, has them.

use std::path::Path;

use image::RgbImage;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::decode::{check_pixels, damaged, unsupported};
use crate::Result;

const AGAIN: &str = "save it anew as PNG or as an ordinary JPEG: Pillow's \
                     Image.open(path).convert(\"RGB\").save(path) makes one of most kinds";

/// Where a segment's content lies, and its marker's second byte.
struct Segment {
    marker: u8,
    start: usize,
    end: usize,
}

impl Segment {
    fn data<'a>(&self, content: &'a [u8]) -> &'a [u8] {
        content.get(self.start..self.end).unwrap_or_default()
    }
}

/// All segments up to the image's end; the compressed data of a scan lies behind its own, up to `end`.
struct Outline {
    segments: Vec<(Segment, usize)>,
}

/// The segments before the first scan, for what is noted in them.
pub(super) fn notes(content: &[u8]) -> Vec<(u8, &[u8])> {
    let mut notes = vec![];
    let mut at = 2;
    while let Ok(Some(segment)) = next_segment(content, &mut at, true) {
        if segment.marker == SOS {
            break;
        }
        notes.push((segment.marker, segment.data(content)));
    }
    notes
}

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;
/// Frames of all kinds: how an image is coded.
const FRAMES: [u8; 14] =
    [0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf, 0xf7];

/// The segment at `at` or behind it, `None` at the image's end; the reason if there is neither.
fn next_segment(
    content: &[u8],
    at: &mut usize,
    may_skip: bool,
) -> Result<Option<Segment>, &'static str> {
    const NO_END: &str = "the JPEG has no end";
    loop {
        let rest = content.get(*at..).unwrap_or_default();
        let gap = rest.iter().position(|&byte| byte == 0xff).ok_or(NO_END)?;
        let fill = rest[gap..].iter().position(|&byte| byte != 0xff).ok_or(NO_END)?;
        let marker = rest[gap + fill];
        // Before the first scan libjpeg passes over what is no marker; behind one it is a sign that
        // the scan was cut off and other data follows.
        if !may_skip && (gap > 0 || marker == 0) {
            return Err(NO_END);
        }
        *at += gap + fill + 1;
        match marker {
            EOI => return Ok(None),
            SOI => return Err("the JPEG has no end: another image begins within it"),
            0x00 | 0x01 | 0xd0..=0xd7 => continue,
            _ => {}
        }
        let [high, low, ..] = content.get(*at..).unwrap_or_default() else { return Err(NO_END) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length < 2 {
            return Err("a segment of the JPEG has no length");
        }
        let segment = Segment { marker, start: *at + 2, end: *at + length };
        if segment.end > content.len() {
            return Err(NO_END);
        }
        *at = segment.end;
        return Ok(Some(segment));
    }
}

/// The end of a scan's compressed data, in which neither stuffed bytes nor restarts are markers.
fn scan_end(content: &[u8], mut at: usize) -> usize {
    loop {
        let rest = content.get(at..).unwrap_or_default();
        let Some(gap) = rest.iter().position(|&byte| byte == 0xff) else { return content.len() };
        match rest.get(gap + 1) {
            Some(0x00 | 0xd0..=0xd7) => at += gap + 2,
            Some(0xff) => at += gap + 1,
            _ => return at + gap,
        }
    }
}

impl Outline {
    /// Walks from the start to the first end of the image: a thumbnail is within a segment, and what
    /// lies behind the end is none of the image.
    fn of(content: &[u8]) -> Result<Outline, &'static str> {
        let mut segments: Vec<(Segment, usize)> = vec![];
        let (mut at, mut seen_scan) = (2, false);
        while let Some(segment) = next_segment(content, &mut at, !seen_scan)? {
            let marker = segment.marker;
            // Between scans there are tables and remarks.
            if seen_scan && !matches!(marker, SOS | DHT | DQT | DRI | 0xe0..=0xef | 0xfe) {
                return Err("the JPEG has no end: its scan is followed by something else");
            }
            seen_scan |= marker == SOS;
            if marker == SOS {
                at = scan_end(content, at);
            }
            segments.push((segment, at));
        }
        Ok(Outline { segments })
    }

    fn find(&self, marker: u8) -> impl Iterator<Item = &Segment> {
        self.segments.iter().map(|(segment, _)| segment).filter(move |it| it.marker == marker)
    }
}

struct Component {
    id: u8,
    across: u8,
    down: u8,
}

/// Reads a JPEG; `path` is for messages.
pub(super) fn decode(path: &Path, content: &[u8]) -> Result<RgbImage> {
    let outline = Outline::of(content);
    // The frame alone says whether this kind is read at all, of a file that is cut off, too.
    let notes = notes(content);
    let frame = notes.iter().find(|(marker, _)| FRAMES.contains(marker));
    let refused = |what: &str| Err(unsupported(path, what, AGAIN));
    let Some((frame_marker, frame)) = frame else {
        let reason = outline.err().unwrap_or("the JPEG has no image");
        return Err(damaged(path, reason));
    };
    match frame_marker {
        0xc3 => return refused("a lossless JPEG"),
        0xc5..=0xc7 => return refused("a hierarchical JPEG"),
        0xc9 | 0xca => return refused("a JPEG with arithmetic coding"),
        0xcb => return refused("a lossless JPEG with arithmetic coding"),
        0xcd..=0xcf => return refused("a hierarchical JPEG with arithmetic coding"),
        0xf7 => return refused("a JPEG-LS image"),
        _ => {}
    }
    let &[precision, h1, h0, w1, w0, count, ref rest @ ..] = *frame else {
        return Err(damaged(path, "the JPEG's frame is too short"));
    };
    if precision != 8 {
        return refused(&format!("a JPEG of {precision} bits a colour"));
    }
    let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
    if height == 0 {
        return refused("a JPEG whose height follows its data");
    }
    let components: Vec<Component> = rest
        .as_chunks::<3>()
        .0
        .iter()
        .map(|&[id, sampling, _]| Component { id, across: sampling >> 4, down: sampling & 15 })
        .collect();
    if width == 0 || components.len() != usize::from(count) || rest.len() % 3 != 0 {
        return Err(damaged(path, "the JPEG's frame is damaged"));
    }
    if !matches!(count, 1 | 3 | 4) {
        return refused(&format!("a JPEG of {count} colours"));
    }
    let outline = outline.map_err(|reason| damaged(path, reason))?;
    let scans = outline.find(SOS).count();
    if scans == 0 {
        return Err(damaged(path, "the JPEG has no image data"));
    }
    let progressive = *frame_marker == 0xc2;
    // The decoder mixes the rows of such up.
    if !progressive
        && (scans > 1 || outline.find(SOS).any(|scan| scan.data(content).first() != Some(&count)))
    {
        return refused("a JPEG with each colour in a scan of its own");
    }
    if !can_be_sampled(&components) {
        let sampling: Vec<String> =
            components.iter().map(|it| format!("{}×{}", it.across, it.down)).collect();
        return refused(&format!("a JPEG with the sampling factors {}", sampling.join(", ")));
    }
    check_pixels(&path.display().to_string(), width.into(), height.into())?;
    let plain = outline.rewrite(content, &components);
    let options = DecoderOptions::default()
        // Not strict, it fills what is missing with grey.
        .set_strict_mode(true)
        .set_max_width(width.into())
        .set_max_height(height.into())
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let pixels = JpegDecoder::new_with_options(ZCursor::new(&plain[..]), options)
        .decode()
        .map_err(|error| damaged(path, format!("{error:?}").trim_matches('"')))?;
    RgbImage::from_raw(width.into(), height.into(), pixels)
        .ok_or_else(|| damaged(path, "the JPEG has fewer pixels than it says"))
}

/// Whether the decoder puts colours of these sizes together as libjpeg does. It was tried with all
/// factors: where it does not, its colours are wrong, in silence.
fn can_be_sampled(components: &[Component]) -> bool {
    let most = |factor: fn(&Component) -> u8| components.iter().map(factor).max().unwrap_or(0);
    let (across, down) = (most(|it| it.across), most(|it| it.down));
    let [first, others @ ..] = components else { return false };
    // One colour alone is as large as the image.
    if others.is_empty() {
        return true;
    }
    first.across == across
        && (first.down == down || across <= 2 && down <= 2)
        && components.iter().all(|it| {
            matches!(it.across, 1 | 2 | 4)
                && matches!(it.down, 1..=4)
                && across % it.across == 0
                && down % it.down == 0
                && !(down == 4 && it.down == 2)
        })
}

impl Outline {
    /// The same image with what decodes it alone, and its colours named so that there is one opinion
    /// about them: libjpeg's, for which JFIF's mark counts more than Adobe's, and the latter more than
    /// the components' names.
    fn rewrite(&self, content: &[u8], components: &[Component]) -> Vec<u8> {
        let before = self.segments.iter().map(|(it, _)| it).take_while(|it| it.marker != SOS);
        let (mut jfif, mut adobe) = (false, None);
        for segment in before {
            match (segment.marker, segment.data(content)) {
                (0xe0, data) => jfif |= data.len() >= 14 && data.starts_with(b"JFIF\0"),
                (0xee, data) if data.starts_with(b"Adobe") => {
                    adobe = data.get(11).copied().or(adobe)
                }
                _ => {}
            }
        }
        let ids: Vec<u8> = components.iter().map(|it| it.id).collect();
        let transform = match (&ids[..], adobe) {
            ([_, _, _], _) if jfif => 1,
            ([_, _, _], Some(0)) => 0,
            ([_, _, _], None) if ids == *b"RGB" => 0,
            ([_, _, _], _) => 1,
            (_, None | Some(0)) => 0,
            (_, Some(_)) => 2,
        };
        let mut plain = vec![0xff, SOI];
        // Such a file may lack the usual tables, which libjpeg then takes, too.
        plain.extend(b"\xff\xe0\x00\x07AVI1\0");
        plain.extend(b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0");
        plain.push(transform);
        for (segment, end) in &self.segments {
            let mut data = segment.data(content).to_vec();
            match segment.marker {
                SOS => {
                    let count = usize::from(data.first().copied().unwrap_or(0));
                    let mut used = vec![];
                    for pair in data.iter_mut().skip(1).step_by(2).take(count) {
                        let place = (0..ids.len()).find(|i| ids[*i] == *pair && !used.contains(i));
                        used.extend(place);
                        // A name that is none of the frame's stays one.
                        *pair = place.map_or(0, |place| place as u8 + 1);
                    }
                }
                marker if FRAMES.contains(&marker) => {
                    let parts = data.get_mut(6..).unwrap_or_default();
                    for (parts, name) in parts.as_chunks_mut::<3>().0.iter_mut().zip(1..=u8::MAX) {
                        parts[0] = name;
                        if ids.len() == 1 {
                            parts[1] = 0x11;
                        }
                    }
                }
                DQT | DHT | DRI => {}
                _ => continue,
            }
            plain.extend([0xff, segment.marker]);
            plain.extend((data.len() as u16 + 2).to_be_bytes());
            plain.extend(data);
            plain.extend(content.get(segment.end..*end).unwrap_or_default());
        }
        // At an end the decoder fills what is missing with grey, but it minds that a file is over; it
        // reads up to eight bytes ahead. A progressive image needs its end.
        let is_progressive = self.find(0xc2).next().is_some();
        plain.extend(if is_progressive { &[0xff, EOI][..] } else { &[0; 16] });
        plain
    }
}
