//! What a user can set by environment variables; all of them are read here.
//!
//! | variable | what it does | else |
//! | --- | --- | --- |
//! | `D2L_DATA_DIR` | the folder in which data sets and weights are looked for first, and to which downloads go | the user's cache folder |
//! | `D2L_OFFLINE` | with `1`, nothing is asked of the network | downloads |
//! | `D2L_MIRROR` | addresses (separated by commas or spaces) that are asked before a file's own | none |
//! | `D2L_TIMEOUT` | for how many seconds a server may send nothing | 30 |
//! | `D2L_PRETRAINED_DIR` | the folder with the weights that the set-up has made; the kernel sets it | none |
//! | `TORCH_HOME` | PyTorch's own cache, in which weights are looked for, too | `torch` in the user's cache folder |
//! | `D2L_FIGURE_DIR` | where figures of a program become files | a folder among the temporary files |
//! | `D2L_MAX_EPOCHS` | quick mode: the most epochs of a training | all |
//! | `D2L_DATASET_LIMIT` | quick mode: the most images that a loader takes | all |
//!
//! A variable that is empty counts as not set.

use std::path::PathBuf;
use std::time::Duration;

/// The most epochs that a training may take, from `D2L_MAX_EPOCHS`.
pub fn max_epochs() -> Option<usize> {
    count("D2L_MAX_EPOCHS")
}

/// The most images that a loader may take, from `D2L_DATASET_LIMIT`.
pub fn dataset_limit() -> Option<usize> {
    count("D2L_DATASET_LIMIT")
}

/// The line that says which bounds of quick mode are in force, if any are.
pub(crate) fn quick_mode_notice() -> Option<String> {
    let epochs = max_epochs().map(|n| format!("D2L_MAX_EPOCHS={n}"));
    let limit = dataset_limit().map(|n| format!("D2L_DATASET_LIMIT={n}"));
    let bounds: Vec<String> = epochs.into_iter().chain(limit).collect();
    (!bounds.is_empty())
        .then(|| format!("quick mode: {}; accuracies mean little", bounds.join(", ")))
}

/// `D2L_DATA_DIR`.
pub(crate) fn data_dir() -> Option<PathBuf> {
    folder("D2L_DATA_DIR")
}

/// `D2L_PRETRAINED_DIR`.
pub(crate) fn pretrained_dir() -> Option<PathBuf> {
    folder("D2L_PRETRAINED_DIR")
}

/// `TORCH_HOME`, below which PyTorch keeps what it has fetched.
pub(crate) fn torch_home() -> Option<PathBuf> {
    folder("TORCH_HOME")
}

/// `D2L_FIGURE_DIR`.
pub(crate) fn figure_dir() -> Option<PathBuf> {
    folder("D2L_FIGURE_DIR")
}

/// `D2L_OFFLINE`.
pub(crate) fn is_offline() -> bool {
    std::env::var_os("D2L_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0")
}

/// `D2L_MIRROR`.
pub(crate) fn mirrors() -> Vec<String> {
    let named = std::env::var("D2L_MIRROR").unwrap_or_default();
    let mirrors = named.split([',', ' ']).filter(|mirror| !mirror.is_empty());
    mirrors.map(|mirror| mirror.trim_end_matches('/').to_string()).collect()
}

/// `D2L_TIMEOUT`.
pub(crate) fn longest_silence() -> Duration {
    let named = std::env::var("D2L_TIMEOUT").ok().and_then(|value| value.trim().parse().ok());
    let seconds: f64 = named.filter(|seconds| *seconds > 0.).unwrap_or(30.);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn folder(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A whole number above 0; anything else counts as not set.
fn count(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.trim().parse().ok().filter(|&n| n > 0)
}
