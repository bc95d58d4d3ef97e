//! By what a state dict differs from a model's, and why it may; and the files that hold one.

mod numbers;
mod other_kinds;
mod pickle;
mod pickled;
mod safe_tensors;
mod state_dicts;
mod torch_zip;
pub(crate) mod weight_file;

use std::collections::{HashMap, HashSet};
use std::fmt;

/// Batch norm's `num_batches_tracked`: files of torch before 0.4.1 lack it, and PyTorch loads them.
pub(crate) fn is_count(name: &str) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked")
}

/// One key that does not fit. Sizes of the file's are unknown where a tensor is not read here.
enum Problem {
    Missing(String),
    Shape { name: String, theirs: Vec<i64>, ours: Vec<i64> },
    LeftOver(String),
}

/// The keys of a state dict that do not fit a model.
pub(crate) struct Differences {
    problems: Vec<Problem>,
    /// How many of the model's keys fit, and how many it has.
    fitting: usize,
    own: usize,
    /// The model's names.
    names: HashSet<String>,
}

impl Differences {
    /// Compares names and shapes; the model's come first.
    pub(crate) fn between(
        own: &[(String, Vec<i64>)],
        theirs: HashMap<&str, Option<Vec<i64>>>,
    ) -> Differences {
        let mut found = Differences {
            problems: vec![],
            fitting: 0,
            own: own.len(),
            names: own.iter().map(|(name, _)| name.clone()).collect(),
        };
        for (name, ours) in own {
            match theirs.get(&**name) {
                None if is_count(name) => {}
                None => found.problems.push(Problem::Missing(name.clone())),
                Some(Some(theirs)) if !Differences::is_loaded(theirs, ours) => {
                    let (theirs, ours) = (theirs.clone(), ours.clone());
                    found.problems.push(Problem::Shape { name: name.clone(), theirs, ours });
                }
                Some(_) => found.fitting += 1,
            }
        }
        let mut left: Vec<&str> = theirs.into_keys().collect();
        left.retain(|&name| !found.names.contains(name) && !is_count(name));
        left.sort_unstable();
        found.problems.extend(left.into_iter().map(|name| Problem::LeftOver(name.into())));
        found
    }

    /// Whether a tensor of one shape is taken for one of another: files of torch before 0.4 have
    /// `[1]` where there is a single number today.
    pub(crate) fn is_loaded(theirs: &[i64], ours: &[i64]) -> bool {
        theirs == ours || ours.is_empty() && theirs == [1]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// What is likely the reason, and what to do.
    pub(crate) fn advice(&self) -> String {
        let layer = |name: &str, end| Some(name.strip_suffix(end)?.to_string());
        let layers_of = |pick: fn(&Problem) -> Option<&String>| -> Option<Vec<String>> {
            self.problems.iter().map(|problem| layer(pick(problem)?, "bias")).collect()
        };
        let has_weights = |layers: &[String]| {
            layers.iter().all(|layer| self.names.contains(&format!("{layer}weight")))
        };
        let left = layers_of(|problem| match problem {
            Problem::LeftOver(name) => Some(name),
            _ => None,
        });
        if left.is_some_and(|layers| has_weights(&layers)) {
            return "the file's layers have a bias and the model's have none: make the model's with one, \
                    .bias(true)?, or leave .bias(false)? out"
                .into();
        }
        let missing = layers_of(|problem| match problem {
            Problem::Missing(name) => Some(name),
            _ => None,
        });
        if missing.is_some_and(|layers| has_weights(&layers)) {
            return "the model's layers have a bias and the file's have none: make the model's without: \
                    .bias(false)?"
                .into();
        }
        if let Some((layer, theirs, ours)) = self.output_layer() {
            return format!(
                "the file is of a model with {theirs} outputs of {layer}, this one has {ours}: make a model with \
                 {theirs}, load the file, and then replace {layer}; or name a file with {ours}"
            );
        }
        if self.fitting * 2 < self.own {
            return "the file is of another architecture: name one of this model's, or make the model that \
                    the file is of"
                .into();
        }
        "name a file of the same architecture with the same number of classes".into()
    }

    /// The one layer that differs in its number of outputs alone, and both numbers.
    fn output_layer(&self) -> Option<(&str, i64, i64)> {
        let mut found = None;
        for problem in &self.problems {
            let Problem::Shape { name, theirs, ours } = problem else { return None };
            let layer = name.strip_suffix(".weight").or(name.strip_suffix(".bias"))?;
            let (their_first, their_rest) = theirs.split_first()?;
            let (our_first, our_rest) = ours.split_first()?;
            let this = (layer, *their_first, *our_first);
            if their_rest != our_rest || found.is_some_and(|found| found != this) {
                return None;
            }
            found = Some(this);
        }
        found
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        /// Of a file of something else, the first tell enough.
        const MOST: usize = 4;
        let Differences { problems, fitting, own, .. } = self;
        let s = if problems.len() == 1 { "key does" } else { "keys do" };
        write!(f, "{} {s} not fit ({fitting} of the model's {own} do): ", problems.len())?;
        for (i, problem) in problems.iter().take(MOST).enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            match problem {
                Problem::Missing(name) => write!(f, "{name} is missing")?,
                Problem::Shape { name, theirs, ours } => {
                    write!(f, "{name} has shape {theirs:?}, the network's is {ours:?}")?;
                }
                Problem::LeftOver(name) => {
                    let start: String = name.chars().take(200).collect();
                    write!(f, "{start} is not in the network")?;
                }
            }
        }
        match problems.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}
