//! Height and width of a window, of its step and of its margin.

use crate::{Error, Result};

/// Height and width: one number for both, or `[height, width]`.
///
/// ```
/// use d2l::prelude::*;
/// let square = Conv2d::new(3, 16, 5)?.padding(2)?;
/// assert_eq!(square.weight.size(), [16, 3, 5, 5]);
/// let wide = Conv2d::new(3, 16, [1, 5])?.padding([0, 2])?;
/// assert_eq!(wide.weight.size(), [16, 3, 1, 5]);
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair([i64; 2]);

impl From<i64> for Pair {
    fn from(both: i64) -> Pair {
        Pair([both; 2])
    }
}

impl From<[i64; 2]> for Pair {
    fn from(height_and_width: [i64; 2]) -> Pair {
        Pair(height_and_width)
    }
}

impl Pair {
    /// Both numbers, or an error that names the argument. libtorch counts with 32 bits.
    pub(crate) fn checked(self, layer: &str, argument: &str, least: i64) -> Result<[i64; 2]> {
        let most = i64::from(i32::MAX);
        if self.0.iter().all(|size| (least..=most).contains(size)) {
            return Ok(self.0);
        }
        Err(Error::invalid(
            format_args!("{layer}: {argument}"),
            short(self.0),
            format!("a number from {least} to {most}, or two: [height, width]"),
            format!("write {layer}::new(…) with a {argument} from {least} up"),
        ))
    }
}

/// The same of a single number, such as a count of channels.
pub(crate) fn check_count(layer: &str, argument: &str, count: i64) -> Result<i64> {
    if count >= 1 {
        return Ok(count);
    }
    Err(Error::invalid(
        format_args!("{layer}: {argument}"),
        count.to_string(),
        "a number from 1 up",
        "take as many channels as the layer before it puts out; images have three",
    ))
}

/// As pooling layers print it: `2`, or `(2, 3)`.
pub(crate) fn short(pair: [i64; 2]) -> String {
    if pair[0] == pair[1] { pair[0].to_string() } else { tuple(pair) }
}

/// As convolutions print it: `(2, 2)`.
pub(crate) fn tuple([height, width]: [i64; 2]) -> String {
    format!("({height}, {width})")
}

/// How many pixels a window covers from its first to its last one.
pub(crate) fn extent(kernel: i64, dilation: i64) -> i64 {
    kernel.saturating_sub(1).saturating_mul(dilation).saturating_add(1)
}
