//! Quick mode: bounds on training and data from the environment, for a first look and for tests.

/// The most epochs that a training may take, from `D2L_MAX_EPOCHS`.
pub fn max_epochs() -> Option<usize> {
    number("D2L_MAX_EPOCHS")
}

/// The most pictures that a loader may take, from `D2L_DATASET_LIMIT`.
pub fn dataset_limit() -> Option<usize> {
    number("D2L_DATASET_LIMIT")
}

/// The line that says which bounds are in force, if any are.
pub(crate) fn notice() -> Option<String> {
    let epochs = max_epochs().map(|n| format!("D2L_MAX_EPOCHS={n}"));
    let limit = dataset_limit().map(|n| format!("D2L_DATASET_LIMIT={n}"));
    let bounds: Vec<String> = epochs.into_iter().chain(limit).collect();
    (!bounds.is_empty())
        .then(|| format!("quick mode: {}; accuracies mean little", bounds.join(", ")))
}

/// A whole number above 0; anything else counts as not set.
fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.trim().parse().ok().filter(|&n| n > 0)
}
