//! A GIF's first frame on its screen, as Pillow lays it there: decoders leave black around it.

use image::{Rgb, RgbImage, imageops};

pub(super) struct Screen {
    pub(super) width: u32,
    pub(super) height: u32,
    left: u16,
    top: u16,
    colour: Rgb<u8>,
}

/// Makes the screen as large as the first frame, and says how large it was, and what is around the
/// frame; `None` if the frame fills it, or the file is cut off before.
pub(super) fn first_frame(content: &mut [u8]) -> Option<Screen> {
    let table =
        |flags: u8, at: usize| at..at + if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let number =
        |content: &[u8], at: usize| Some(u16::from_le_bytes(*content.get(at..)?.first_chunk()?));
    let mut colours = table(*content.get(10)?, 13);
    let mut at = colours.end;
    // Pillow fills the screen with what is transparent, else with the first colour.
    let mut index = 0;
    while *content.get(at)? == b'!' {
        if let [0xf9, 4..=255, flags, _, _, transparent, ..] = content[at + 1..]
            && flags & 1 == 1
        {
            index = usize::from(transparent);
        }
        at += 2;
        loop {
            let length = usize::from(*content.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
    let frame = (*content.get(at)? == b',').then_some(at + 1)?;
    let [left, top, width, height] = [0, 2, 4, 6].map(|by| number(content, frame + by));
    let (left, top, width, height) = (left?, top?, width?, height?);
    let own = table(*content.get(frame + 8)?, frame + 9);
    if !own.is_empty() {
        colours = own;
    }
    // A frame that leaves the screen makes it larger.
    let edges = [(6, left, width), (8, top, height)];
    let [across, down] = edges.map(|(at, start, length)| {
        u32::from(number(content, at).unwrap_or_default()).max(u32::from(start) + u32::from(length))
    });
    let is_screen = content.get(6..10) == content.get(frame + 4..frame + 8);
    if is_screen && left == 0 && top == 0 {
        return None;
    }
    let colour = content.get(colours)?.as_chunks().0.get(index).copied().unwrap_or_default();
    content.copy_within(frame + 4..frame + 8, 6);
    content[frame..frame + 4].fill(0);
    Some(Screen { width: across, height: down, left, top, colour: Rgb(colour) })
}

impl Screen {
    /// The screen with the frame in its place.
    pub(super) fn with(&self, frame: &RgbImage) -> RgbImage {
        let mut screen = RgbImage::from_pixel(self.width, self.height, self.colour);
        imageops::replace(&mut screen, frame, self.left.into(), self.top.into());
        screen
    }
}
