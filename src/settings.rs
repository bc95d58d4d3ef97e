//! What a user can set by environment variables: the crate reads each `D2L_*` variable here
//! (docs/variables.md has all).
//!
//! A variable that is empty counts as not set.

use std::path::PathBuf;
use std::time::Duration;

use d2l_common::folders::Folders;
use d2l_common::variables;

/// The most epochs that a training may take, from `D2L_MAX_EPOCHS`.
pub fn max_epochs() -> Option<usize> {
    count(variables::MAX_EPOCHS)
}

/// The most images that a loader may take, from `D2L_DATASET_LIMIT`.
pub fn dataset_limit() -> Option<usize> {
    count(variables::DATASET_LIMIT)
}

/// The line that says which bounds of quick mode are in force, if any are.
pub(crate) fn quick_mode_notice() -> Option<String> {
    let epochs = max_epochs().map(|n| format!("D2L_MAX_EPOCHS={n}"));
    let limit = dataset_limit().map(|n| format!("D2L_DATASET_LIMIT={n}"));
    let bounds: Vec<String> = epochs.into_iter().chain(limit).collect();
    (!bounds.is_empty())
        .then(|| format!("quick mode: {}; accuracies mean little", bounds.join(", ")))
}

/// The folders of this user for data and weights.
pub(crate) fn folders() -> Folders {
    Folders::of_this_user()
}

/// `D2L_PRETRAINED_DIR`.
pub(crate) fn pretrained_dir() -> Option<PathBuf> {
    path(variables::PRETRAINED_DIR)
}

/// `D2L_FIGURE_DIR`.
pub(crate) fn figure_dir() -> Option<PathBuf> {
    path(variables::FIGURE_DIR)
}

/// `D2L_OFFLINE`.
pub(crate) fn is_offline() -> bool {
    variables::is_offline()
}

/// `D2L_MIRROR`.
pub(crate) fn mirrors() -> Vec<String> {
    let named = std::env::var(variables::MIRROR).unwrap_or_default();
    let mirrors = named.split([',', ' ']).filter(|mirror| !mirror.is_empty());
    mirrors.map(|mirror| mirror.trim_end_matches('/').to_string()).collect()
}

/// `D2L_TIMEOUT`.
pub(crate) fn longest_silence() -> Duration {
    let named = std::env::var(variables::TIMEOUT).ok().and_then(|value| value.trim().parse().ok());
    let seconds: f64 = named.filter(|seconds| *seconds > 0.).unwrap_or(30.);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// `D2L_BACKTRACE`, as the kernel takes it.
pub(crate) fn wants_backtraces() -> bool {
    variables::wants_backtraces()
}

/// The version of the display lines that the kernel reads, if it reads any.
pub(crate) fn display_line_version() -> Option<String> {
    std::env::var(variables::JUPYTER_WIRE).ok()
}

/// The file that is there when the stop button was pressed.
pub(crate) fn interrupt_file() -> Option<PathBuf> {
    path(variables::JUPYTER_INTERRUPT_FILE)
}

/// A whole number above 0; anything else counts as not set.
fn count(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.trim().parse().ok().filter(|&n| n > 0)
}
