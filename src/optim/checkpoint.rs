//! A training that goes on later (d2l: section 6.6, *File I/O*).

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::{Value, json};

use super::{LRScheduler, Optimizer, OptimizerState, SchedulerState};
use crate::nn::Module;
use crate::nn::state_dict::weight_file::{BESIDE, OPTIMIZER, WeightFile, write};
use crate::{Error, Result};

const EPOCH: &str = "epoch";
const SCHEDULE: &str = "schedule";
/// The only note of files of earlier editions, which had SGD without momentum alone.
const SGD_ONLY: &str = "sgd";

/// Writes all that a training needs to go on into one `.safetensors` file: the network, the whole state
/// of its optimizer, the schedule, if there is one, and how many epochs are done. [`load_checkpoint`]
/// goes on from it, and [`load_weights`](crate::nn::load_weights) reads the network alone.
///
/// The new file is written beside its place, is on the disk, and then takes its name, so that at every
/// moment the older one or the new one is there, whole.
///
/// The book: [*File I/O*](https://d2l.ai/chapter_builders-guide/read-write.html).
///
/// # Errors
/// The name does not end in `.safetensors`, the folder cannot be written, the disk is full, or the
/// optimizer is one of the reader's own that does not say what its state is.
///
/// ```
/// use d2l::optim::StepLR;
/// use d2l::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("half-way.safetensors");
/// let net = linear(4, 2)?;
/// let mut trainer = SGD::new(net.parameters(), 0.1)?.momentum(0.9)?;
/// let mut schedule = StepLR::new(10, 0.1)?;
/// // … three epochs, with schedule.step(&mut trainer)? after each …
/// save_checkpoint(&net, &trainer, Some(&schedule), 3, &path)?;
/// // … in another program, perhaps, where the three are made in the same way …
/// let done = load_checkpoint(&net, &mut trainer, Some(&mut schedule), &path)?;
/// assert_eq!(done, 3); // train_iter.set_epoch(done), and then for epoch in done..10
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn save_checkpoint(
    net: &dyn Module,
    trainer: &dyn Optimizer,
    schedule: Option<&dyn LRScheduler>,
    epoch: usize,
    path: impl AsRef<Path>,
) -> Result<()> {
    save(net, trainer, schedule, epoch, path.as_ref())
}

fn save(
    net: &dyn Module,
    trainer: &dyn Optimizer,
    schedule: Option<&dyn LRScheduler>,
    epoch: usize,
    path: &Path,
) -> Result<()> {
    let state = trainer.state_dict()?;
    let numbers: BTreeMap<_, _> =
        state.numbers.iter().map(|(name, numbers)| (name, texts(numbers))).collect();
    let optimizer = json!({ "name": state.name, "numbers": numbers });
    let mut notes = HashMap::from([
        (OPTIMIZER.to_string(), optimizer.to_string()),
        (EPOCH.to_string(), epoch.to_string()),
    ]);
    if let Some(schedule) = schedule {
        let SchedulerState { epoch, base } = schedule.state();
        let note = json!({ "name": schedule.to_string(), "epoch": epoch, "base": texts(base) });
        notes.insert(SCHEDULE.to_string(), note.to_string());
    }
    let mut tensors = net.state_dict();
    let beside = state.tensors.into_iter();
    tensors.extend(beside.map(|(name, tensor)| (format!("{BESIDE}{name}"), tensor)));
    write(path, tensors, notes)
}

/// Reads what [`save_checkpoint`] wrote into a network, an optimizer and a schedule made as those were,
/// and returns how many epochs were done; 0 for files of earlier editions, which did not say.
///
/// The order of a loader belongs to the epoch: tell it where to go on with
/// [`DataLoader::set_epoch`](crate::data::DataLoader::set_epoch).
///
/// The book: [*File I/O*](https://d2l.ai/chapter_builders-guide/read-write.html).
///
/// # Errors
/// As [`load_weights`](crate::nn::load_weights), or the file has no optimizer in it, one of another kind
/// or with other groups, or not the schedule that is given. Network, optimizer and schedule are then
/// unchanged.
pub fn load_checkpoint(
    net: &dyn Module,
    trainer: &mut dyn Optimizer,
    schedule: Option<&mut dyn LRScheduler>,
    path: impl AsRef<Path>,
) -> Result<usize> {
    load(net, trainer, schedule, path.as_ref())
}

fn load(
    net: &dyn Module,
    trainer: &mut dyn Optimizer,
    schedule: Option<&mut dyn LRScheduler>,
    path: &Path,
) -> Result<usize> {
    let mut file = WeightFile::open(path)?;
    let state = match (file.note(OPTIMIZER), file.note(SGD_ONLY)) {
        (Some(note), _) => optimizer_state(note),
        (None, Some(note)) => plain_sgd(note),
        (None, None) => None,
    };
    let mut state = state.ok_or_else(|| {
        Error::file(
            path,
            "no optimizer in it",
            "a file that save_checkpoint wrote",
            "load the network alone with load_weights(&net, path)",
        )
    })?;
    let epoch = match file.note(EPOCH) {
        Some(note) => note.parse().map_err(|_| damaged(path, EPOCH, note))?,
        None => 0,
    };
    let schedule = schedule_state(path, file.note(SCHEDULE), schedule)?;
    state.tensors = file.beside()?;
    let before = trainer.state_dict()?;
    trainer.load_state_dict(&state).map_err(|error| error.during(path.display()))?;
    if let Err(error) = file.load(net, None) {
        trainer.load_state_dict(&before)?;
        return Err(error);
    }
    if let Some((schedule, state)) = schedule {
        *schedule.state_mut() = state;
    }
    Ok(epoch)
}

fn optimizer_state(note: &str) -> Option<OptimizerState> {
    let note: Value = serde_json::from_str(note).ok()?;
    let several = note["numbers"].as_object()?.iter();
    let numbers = several.map(|(name, texts)| Some((name.clone(), numbers(texts)?)));
    let name = note["name"].as_str()?.to_string();
    Some(OptimizerState { name, numbers: numbers.collect::<Option<_>>()?, ..Default::default() })
}

/// The state of an optimizer of earlier editions.
fn plain_sgd(note: &str) -> Option<OptimizerState> {
    let note: Value = serde_json::from_str(note).ok()?;
    let rates = note["learning_rates"].as_array()?.iter();
    let rates: Vec<f64> = rates.map(Value::as_f64).collect::<Option<_>>()?;
    let decays = vec![note["weight_decay"].as_f64()?; rates.len()];
    let none = ["momentum", "dampening", "nesterov"].map(|name| (name.to_string(), vec![0.]));
    let mut numbers = BTreeMap::from(none);
    numbers.extend([("lr".to_string(), rates), ("weight_decay".to_string(), decays)]);
    Some(OptimizerState { name: "SGD".into(), numbers, ..Default::default() })
}

/// The schedule, and how far it is by its note.
fn schedule_state<'a>(
    path: &Path,
    note: Option<&str>,
    schedule: Option<&'a mut (dyn LRScheduler + 'a)>,
) -> Result<Option<(&'a mut (dyn LRScheduler + 'a), SchedulerState)>> {
    let Some(note) = note else {
        return match schedule {
            None => Ok(None),
            Some(schedule) => Err(Error::file(
                path,
                "no schedule in it",
                schedule.to_string(),
                "give it None in place of the schedule; schedule.start(&mut trainer)? begins a new one",
            )),
        };
    };
    let value: Value = serde_json::from_str(note).unwrap_or_default();
    let parts = (value["name"].as_str(), value["epoch"].as_u64(), numbers(&value["base"]));
    let (Some(name), Some(epoch), Some(base)) = parts else {
        return Err(damaged(path, SCHEDULE, note));
    };
    let given = schedule.as_ref().map(|schedule| schedule.to_string());
    match schedule {
        Some(schedule) if given.as_deref() == Some(name) => {
            let epoch = usize::try_from(epoch).map_err(|_| damaged(path, SCHEDULE, note))?;
            Ok(Some((schedule, SchedulerState { epoch, base })))
        }
        _ => Err(Error::file(
            path,
            format!("the schedule {name}"),
            given.unwrap_or("none, as no schedule was given".into()),
            "make the schedule as it was when the checkpoint was saved: Some(&mut schedule)",
        )),
    }
}

/// Numbers as texts that are read as the same numbers, to the bit.
fn texts(numbers: &[f64]) -> Vec<String> {
    numbers.iter().map(f64::to_string).collect()
}

fn numbers(texts: &Value) -> Option<Vec<f64>> {
    texts.as_array()?.iter().map(|text| text.as_str()?.parse().ok()).collect()
}

fn damaged(path: &Path, name: &str, note: &str) -> Error {
    let found = format!("its note {name:?} is {note:?}");
    let todo = "load the network alone with load_weights(&net, path)";
    Error::file(path, found, "a file that save_checkpoint wrote", todo)
}
