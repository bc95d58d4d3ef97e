//! The first directory of a TIFF file, which EXIF has, too: what is in the file, not its pixels.

/// Numbers in the order of bytes that a TIFF begins with.
#[derive(Clone, Copy)]
struct Order {
    is_little: bool,
}

impl Order {
    fn of(content: &[u8]) -> Option<Order> {
        match content.get(..2)? {
            b"II" => Some(Order { is_little: true }),
            b"MM" => Some(Order { is_little: false }),
            _ => None,
        }
    }

    fn read(self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, &byte: &u8| sum << 8 | u64::from(byte);
        if self.is_little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) }
    }
}

/// Tags with their kinds and values, as far as they are there; `None` if this is no TIFF.
pub(super) fn directory(content: &[u8]) -> Option<Vec<(u16, u16, &[u8])>> {
    let order = Order::of(content)?;
    // Pillow takes the version in either order of bytes.
    let is_big = match content.get(2..4)? {
        [42, 0] | [0, 42] => false,
        [43, 0] | [0, 43] => true,
        _ => return None,
    };
    let part = |at: u64, length: usize| {
        let at = usize::try_from(at).ok()?;
        content.get(at..at.checked_add(length)?)
    };
    let (wide, count_wide) = if is_big { (8, 8) } else { (4, 2) };
    let start = order.read(part(if is_big { 8 } else { 4 }, wide)?);
    let count = order.read(part(start, count_wide)?);
    let mut tags = vec![];
    for i in 0..count {
        let size = 4 + 2 * wide;
        let at = start.checked_add(count_wide as u64)?.checked_add(i.checked_mul(size as u64)?)?;
        // What is behind the end is not there; what is before it counts.
        let Some(entry) = part(at, size) else { break };
        let [tag, kind] = [0, 2].map(|at| order.read(&entry[at..at + 2]) as u16);
        let unit: u64 = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 => 8,
            _ => continue,
        };
        let length = order.read(&entry[4..4 + wide]).checked_mul(unit);
        let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else { continue };
        let own = &entry[4 + wide..];
        let value = if length <= wide { own.get(..length) } else { part(order.read(own), length) };
        match value {
            Some([]) => {}
            Some(value) => tags.push((tag, kind, value)),
            // As Pillow, which believes what came before.
            None => break,
        }
    }
    Some(tags)
}

/// The first whole number of a value.
pub(super) fn number(content: &[u8], kind: u16, value: &[u8]) -> Option<i64> {
    let order = Order::of(content)?;
    let length = match kind {
        3 | 8 => 2,
        4 | 9 | 13 => 4,
        16 => 8,
        _ => return None,
    };
    i64::try_from(order.read(value.get(..length)?)).ok()
}
