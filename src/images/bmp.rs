//! What a BMP's decoder does in another way than Pillow.

use image::RgbImage;

/// What is to be done with the pixels once they are decoded.
pub(super) enum Rest {
    /// Blue is the place in this palette.
    Palette(Vec<[u8; 3]>),
    /// The bits of red, green and blue.
    Masks([u32; 3]),
}

/// Where a BMP's head says where the pixels begin, and how many colours there are.
const PIXELS_AT: usize = 10;
const COLOURS: usize = 46;

/// Changes a file so that its decoder shows what Pillow goes by; `None` if the two agree about it.
pub(super) fn prepare(content: &mut Vec<u8>) -> Option<Rest> {
    let read = |at: usize| Some(u32::from_le_bytes(*content.get(at..)?.first_chunk()?));
    let (head, bits, kind) = (read(14)?, read(28)? & 0xffff, read(30)?);
    match (kind, bits) {
        _ if !(40..=124).contains(&head) => None,
        (0, 16) => Some(Rest::Masks([0x7c00, 0x3e0, 0x1f])),
        (3, 16) => Some(Rest::Masks([read(54)?, read(58)?, read(62)?])),
        // A run-length code may skip pixels. They are to have the first colour, but the decoder makes
        // them black: in a palette of places, black is the first one.
        (1, 8) | (2, 4) => {
            let most = 1 << bits;
            let count = Some(read(COLOURS)?).filter(|&count| count > 0).unwrap_or(most);
            let start = (14 + head) as usize;
            let end = start + 4 * count.min(most) as usize;
            let pixels_at = read(PIXELS_AT)?;
            if count > most || (pixels_at as usize) < end {
                return None;
            }
            let colours = content.get(start..end)?.as_chunks().0.iter();
            let palette = colours.map(|&[blue, green, red, _]| [red, green, blue]).collect();
            let places = (0..most).flat_map(|place| place.to_le_bytes());
            let grown = pixels_at.checked_add(4 * most)?.to_le_bytes();
            content.splice(start..start, places);
            content[PIXELS_AT..PIXELS_AT + 4].copy_from_slice(&grown);
            content[COLOURS..COLOURS + 4].fill(0);
            Some(Rest::Palette(palette))
        }
        _ => None,
    }
}

impl Rest {
    pub(super) fn apply(&self, image: &mut RgbImage) {
        match self {
            Rest::Palette(palette) => {
                for pixel in image.pixels_mut() {
                    pixel.0 = palette.get(usize::from(pixel.0[2])).copied().unwrap_or_default();
                }
            }
            // Pillow cuts where decoders round.
            Rest::Masks(masks) => {
                let most = masks.map(|mask| (1 << mask.count_ones().clamp(1, 8)) - 1);
                for pixel in image.pixels_mut() {
                    for (value, most) in pixel.0.iter_mut().zip(most) {
                        let level = (u32::from(*value) * most + 127) / 255;
                        *value = (level * 255 / most) as u8;
                    }
                }
            }
        }
    }
}
