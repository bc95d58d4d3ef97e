//! A batch that is too large for a device (d2l: section 6.7, *GPUs*).

use tch::Tensor;

use crate::Error;

/// What libtorch says in many lines when memory is full, in the reader's terms.
pub(super) fn out_of_memory(error: Error, x: &Tensor) -> Error {
    let is_full = |text: &str| {
        ["out of memory", "can't allocate memory", "not enough memory"]
            .iter()
            .any(|words| text.contains(words))
    };
    match error.torch() {
        Some(text) if is_full(text) => {
            let count = x.size().first().copied().unwrap_or(0);
            let reason = Error::invalid(
                "memory",
                format!("a batch of {count} does not fit into it"),
                "a batch and all that is computed from it, in a device's memory at once",
                format!(
                    "make the loaders with a batch size of {}; the network is as it was ({})",
                    (count / 2).max(1),
                    text.lines().next().unwrap_or_default()
                ),
            );
            Error::OutOfMemory { batch_size: count as usize, reason: Box::new(reason) }
        }
        _ => error,
    }
}
