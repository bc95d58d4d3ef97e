//! A training that goes on later (d2l: section 6.6, *File I/O*).

use std::collections::HashMap;
use std::path::Path;

use super::SGD;
use crate::nn::Module;
use crate::nn::state_dict::weight_file::{WeightFile, write};
use crate::{Error, Result};

/// The note in the file that holds the optimizer's state.
const NOTE: &str = "sgd";

/// Writes a network and its optimizer into one `.safetensors` file, from which
/// [`load_checkpoint`] goes on, and [`load_weights`](crate::nn::load_weights) reads the network alone.
///
/// The new file is written beside its place, is on the disk, and then takes its name, so that at every
/// moment the older one or the new one is there, whole.
///
/// The book: [*File I/O*](https://d2l.ai/chapter_builders-guide/read-write.html).
///
/// # Errors
/// The name does not end in `.safetensors`, the folder cannot be written, or the disk is full.
///
/// ```
/// use d2l::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("half-way.safetensors");
/// let net = linear(4, 2)?;
/// let mut trainer = SGD::new(net.parameters(), 0.1, 0.)?;
/// save_checkpoint(&net, &trainer, &path)?;
/// // … in another program, perhaps …
/// load_checkpoint(&net, &mut trainer, &path)?;
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn save_checkpoint(net: &dyn Module, trainer: &SGD, path: impl AsRef<Path>) -> Result<()> {
    let notes = HashMap::from([(NOTE.to_string(), trainer.state().to_string())]);
    write(path.as_ref(), net.state_dict(), notes)
}

/// Reads what [`save_checkpoint`] wrote into a network and an optimizer made as those were.
///
/// The order of a loader belongs to the epoch: tell it where to go on with
/// [`DataLoader::set_epoch`](crate::data::DataLoader::set_epoch).
///
/// The book: [*File I/O*](https://d2l.ai/chapter_builders-guide/read-write.html).
///
/// # Errors
/// As [`load_weights`](crate::nn::load_weights), or the file has no optimizer in it, or one with
/// other groups. Net and optimizer are then unchanged.
pub fn load_checkpoint(net: &dyn Module, trainer: &mut SGD, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let file = WeightFile::open(path)?;
    let state = file.note(NOTE).and_then(|note| serde_json::from_str(note).ok());
    let state = state.ok_or_else(|| {
        Error::file(
            path,
            "no optimizer in it",
            "a file that save_checkpoint wrote",
            "load the network alone with load_weights(&net, path)",
        )
    })?;
    let state = trainer.checked(&state).map_err(|(found, expected)| {
        let todo = "make the optimizer with the groups that it was saved with";
        Error::file(path, found, expected, todo)
    })?;
    file.load(net, None)?;
    trainer.set_state(state)
}
