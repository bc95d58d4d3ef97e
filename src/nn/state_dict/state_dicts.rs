//! Which of a file's dictionaries of tensors is the model's: the one whose names and shapes fit.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use tch::Kind;

use super::other_kinds::Fault;
use crate::nn::state_dict::{Differences, is_count};

/// A run of numbers in a file, which tensors may share.
#[derive(Debug)]
pub(super) struct Storage {
    pub key: Rc<str>,
    /// The kind of its numbers, as the file names it.
    pub class: Rc<str>,
    /// `None` for a kind that is not read here.
    pub kind: Option<Kind>,
    pub count: usize,
}

/// Where a tensor's numbers lie.
#[derive(Debug)]
pub(super) struct Plan {
    pub storage: Rc<Storage>,
    pub offset: i64,
    pub size: Rc<[i64]>,
    pub stride: Rc<[i64]>,
}

impl Plan {
    /// Whether all of its numbers are in the storage.
    pub(super) fn is_within(&self, count: usize) -> bool {
        let Plan { offset, size, stride, .. } = self;
        let mut dimensions = size.iter().zip(&stride[..]);
        if size.len() != stride.len() || *offset < 0 || dimensions.any(|(&n, &s)| n < 0 || s < 0) {
            return false;
        }
        let last = size.iter().zip(&stride[..]).try_fold(*offset, |last, (&n, &step)| {
            last.checked_add((n - 1).max(0).checked_mul(step)?)
        });
        last.is_some_and(|last| (last as u64) < count as u64 || size.contains(&0))
    }

    fn is(&self, other: &Plan) -> bool {
        self.storage.key == other.storage.key
            && self.offset == other.offset
            && self.size == other.size
            && self.stride == other.stride
    }
}

/// What stands under a name.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Tensor(Rc<Plan>),
    /// A tensor that is not read here: what it is.
    Unreadable(Rc<str>),
    /// What a function would give that is not called here. It counts only where a tensor should be.
    Uncalled(Rc<str>),
}

impl Entry {
    pub(super) fn is_tensor(&self) -> bool {
        !matches!(self, Entry::Uncalled(_))
    }
}

/// Tensors by name.
#[derive(Debug)]
pub(super) struct Dictionary {
    /// The keys that lead to it from the outermost dictionary.
    pub keys: Vec<Rc<str>>,
    pub tensors: HashMap<Rc<str>, Entry>,
}

impl Dictionary {
    fn path(&self) -> String {
        self.keys.join(".")
    }

    fn described(&self) -> String {
        let count = self.tensors.values().filter(|entry| entry.is_tensor()).count();
        let s = if count == 1 { "" } else { "s" };
        format!("{} ({count} tensor{s})", quoted(&self.path()))
    }

    /// The part of it whose names start so.
    fn below(&self, path: &str, prefix: &str) -> Dictionary {
        let strip = |(name, entry): (&Rc<str>, &Entry)| {
            Some((name.strip_prefix(prefix)?.strip_prefix('.')?.into(), entry.clone()))
        };
        Dictionary {
            keys: vec![path.into()],
            tensors: self.tensors.iter().filter_map(strip).collect(),
        }
    }
}

/// Objects in a file that are not made, each by the keys that lead there and its class.
pub(super) type Uncalled = Vec<(String, Rc<str>)>;

/// The tensors of a file that are a model's, under the model's names.
pub(super) type Chosen = Vec<(String, Rc<Plan>)>;

/// What a model can take from a file.
pub(super) struct Choice<'a> {
    /// The model's names and shapes.
    pub own: &'a [(String, Vec<i64>)],
    pub dictionaries: Vec<Dictionary>,
    pub uncalled: Uncalled,
}

/// How a dictionary fits when what stands before the model's names in it is dropped.
struct Match<'a> {
    dictionary: &'a Dictionary,
    prefix: &'a str,
    /// How many of the model's names are there, with their shapes.
    fitting: usize,
    /// All that the model needs is there.
    whole: bool,
    /// Tensors that are not the model's.
    others: usize,
    /// A tensor that the model needs and that is not read here, and what it is.
    unreadable: Option<String>,
}

impl Match<'_> {
    /// The name under which a reader can ask for it.
    fn key(&self) -> String {
        let mut path = self.dictionary.path();
        if self.others > 0 {
            let dot = if path.is_empty() { "" } else { "." };
            path = format!("{path}{dot}{}", self.prefix.trim_end_matches('.'));
        }
        path
    }

    fn plan(&self, name: &str) -> Option<&Rc<Plan>> {
        match self.dictionary.tensors.get(&*format!("{}{name}", self.prefix)) {
            Some(Entry::Tensor(plan)) => Some(plan),
            _ => None,
        }
    }
}

impl Choice<'_> {
    /// The tensors for the model, from the dictionary that is asked for, or the only one that fits.
    pub(super) fn tensors(mut self, wanted: Option<&str>) -> Result<Chosen, Fault> {
        if let Some(wanted) = wanted {
            self.narrow(wanted)?;
        }
        let matches: Vec<Match> =
            self.dictionaries.iter().flat_map(|dictionary| self.matches(dictionary)).collect();
        let whole = |match_: &&Match| match_.whole;
        // Part of a dictionary is never taken by itself, as what else is in it may matter; beside one
        // that fits it is another choice: an averaged model has a counter beside it.
        let mut fits: Vec<&Match> =
            matches.iter().filter(whole).filter(|found| found.others == 0).collect();
        let is_part = fits.is_empty();
        let is_part_of_other = |found: &&Match| found.others > 0 && !found.prefix.is_empty();
        fits.extend(matches.iter().filter(whole).filter(is_part_of_other));
        if fits.iter().any(|found| found.unreadable.is_none()) {
            fits.retain(|found| found.unreadable.is_none());
        }
        let mut distinct: Vec<&Match> = vec![];
        for found in fits {
            if !distinct.iter().any(|other| self.are_same(found, other)) {
                distinct.push(found);
            }
        }
        match distinct[..] {
            [] => Err(self.misfit(&matches)),
            [found] if is_part => Err(Fault::misfit(
                format!(
                    "the tensors below {} fit, but {} more in {} {} not this model's",
                    quoted(&found.key()),
                    found.others,
                    quoted(&found.dictionary.path()),
                    if found.others == 1 { "is" } else { "are" }
                ),
                format!("if they are the ones, say so: {}", call(&found.key())),
            )),
            [found] => match &found.unreadable {
                Some(what) => Err(Fault::unsupported(
                    what,
                    "in Python, make ordinary tensors of them (torch.from_numpy, .dequantize(), .to_dense(), .float()) \
                     and save the state_dict() anew",
                )),
                None => {
                    let plan = |name: &String| Some((name.clone(), found.plan(name)?.clone()));
                    Ok(self.own.iter().filter_map(|(name, _)| plan(name)).collect())
                }
            },
            [first, ..] => {
                let keys: Vec<String> = distinct.iter().map(|found| quoted(&found.key())).collect();
                Err(Fault::misfit(
                    format!(
                        "{} state dicts in it fit this model: {}",
                        keys.len(),
                        shortened(&keys, " and ")
                    ),
                    format!("say which is meant, such as {}", call(&first.key())),
                ))
            }
        }
    }

    /// Leaves the dictionary of this name alone, or the part of one.
    fn narrow(&mut self, wanted: &str) -> Result<(), Fault> {
        if let Some(place) = self.dictionaries.iter().position(|found| found.path() == wanted) {
            self.dictionaries = vec![self.dictionaries.swap_remove(place)];
            return Ok(());
        }
        let part = self.dictionaries.iter().find_map(|dictionary| {
            let path = dictionary.path();
            let rest = match &*path {
                "" => wanted,
                path => wanted.strip_prefix(path)?.strip_prefix('.')?,
            };
            Some(dictionary.below(wanted, rest)).filter(|part| !part.tensors.is_empty())
        });
        let Some(part) = part else {
            return Err(Fault::misfit(
                format!("no state dict {} in it, but {}", quoted(wanted), self.listed()),
                "name one that is there, as it is written here, or a part of one",
            ));
        };
        self.dictionaries = vec![part];
        Ok(())
    }

    /// With nothing dropped, and with what stands before the model's names.
    fn matches<'a>(&self, dictionary: &'a Dictionary) -> Vec<Match<'a>> {
        let names: HashSet<&str> = self.own.iter().map(|(name, _)| &**name).collect();
        let mut prefixes: HashMap<&str, usize> = HashMap::new();
        for name in dictionary.tensors.keys() {
            for (dot, _) in name.match_indices('.').take(8) {
                if names.contains(&name[dot + 1..]) {
                    *prefixes.entry(&name[..=dot]).or_default() += 1;
                }
            }
        }
        let mut prefixes: Vec<_> = prefixes.into_iter().collect();
        prefixes.sort_by_key(|&(prefix, count)| (std::cmp::Reverse(count), prefix));
        let prefixes =
            [""].into_iter().chain(prefixes.into_iter().take(16).map(|(prefix, _)| prefix));
        prefixes.map(|prefix| self.matching(dictionary, prefix)).collect()
    }

    fn matching<'a>(&self, dictionary: &'a Dictionary, prefix: &'a str) -> Match<'a> {
        let mut found =
            Match { dictionary, prefix, fitting: 0, whole: true, others: 0, unreadable: None };
        let mut present = 0;
        for (name, size) in self.own {
            let entry = dictionary.tensors.get(&*format!("{prefix}{name}"));
            let unreadable = match entry {
                Some(Entry::Tensor(plan)) if Differences::is_loaded(&plan.size, size) => None,
                Some(Entry::Unreadable(what)) => {
                    Some(format!("{name} is {what}: it is not read here"))
                }
                Some(Entry::Uncalled(class)) => {
                    Some(format!("{name} is no tensor but what {class} makes, which was not run"))
                }
                _ if is_count(name) && entry.is_none() => continue,
                _ => {
                    found.whole = false;
                    continue;
                }
            };
            found.unreadable = found.unreadable.or(unreadable);
            found.fitting += 1;
            present += usize::from(!is_count(name));
        }
        let tensors =
            dictionary.tensors.iter().filter(|(name, entry)| entry.is_tensor() && !is_count(name));
        found.others = tensors.count().saturating_sub(present);
        found
    }

    /// The same tensors twice are one.
    fn are_same(&self, one: &Match, other: &Match) -> bool {
        self.own.iter().all(|(name, _)| match (one.plan(name), other.plan(name)) {
            (Some(one), Some(other)) => one.is(other),
            (one, other) => one.is_none() && other.is_none() && is_count(name),
        })
    }

    /// What is there, and by what the closest differs.
    fn misfit(&self, matches: &[Match]) -> Fault {
        let objects: Vec<String> = self
            .uncalled
            .iter()
            .map(|(path, class)| match &**path {
                "" => class.to_string(),
                path => format!("{class} (at {})", quoted(path)),
            })
            .collect();
        let objects = objects.join(", ");
        // What stands before the names is dropped only where none of them occurs as it is.
        let as_they_are = |dictionary: &Dictionary| {
            self.own.iter().any(|(name, _)| dictionary.tensors.contains_key(&**name))
        };
        let sensible = matches
            .iter()
            .filter(|found| found.prefix.is_empty() || !as_they_are(found.dictionary));
        // The first of those that fit equally well
        let closest = sensible.rev().max_by_key(|found| (found.fitting, usize::MAX - found.others));
        let Some(closest) = closest else {
            return match &*objects {
                "" => Fault::unsupported(
                    "no tensors with names in it",
                    "in Python, save the model's state_dict() with torch.save",
                ),
                objects => Fault::unsupported(
                    format!(
                        "its pickle makes objects, not a state dict: {objects}; no code in a file is run, \
                         so they were not made"
                    ),
                    "in Python, where the classes are, save the model's state_dict() alone: \
                     torch.save(model.state_dict(), path)",
                ),
            };
        };
        let outside = |entry: &Entry| match entry {
            Entry::Tensor(plan) => !plan.is_within(plan.storage.count),
            _ => false,
        };
        if let Some((name, _)) = closest.dictionary.tensors.iter().find(|(_, entry)| outside(entry))
        {
            return Fault::damaged(format!("{name}: {OUTSIDE}"));
        }
        let entries = closest.dictionary.tensors.iter();
        let theirs = entries.filter_map(|(name, entry)| {
            let size = match entry {
                Entry::Tensor(plan) => Some(plan.size.to_vec()),
                Entry::Unreadable(_) => None,
                Entry::Uncalled(_) => return None,
            };
            Some((name.strip_prefix(closest.prefix).unwrap_or(name), size))
        });
        let differences = Differences::between(self.own, theirs.collect());
        let mut text = differences.to_string();
        if self.dictionaries.len() > 1 {
            text = format!(
                "none of its state dicts fits this model: {}; the closest is {}: {text}",
                self.listed(),
                quoted(&closest.dictionary.path())
            );
        }
        if !objects.is_empty() {
            text += &format!("; objects in it were not made: {objects}");
        }
        Fault::misfit(text, differences.advice())
    }

    fn listed(&self) -> String {
        let all: Vec<String> = self.dictionaries.iter().map(Dictionary::described).collect();
        if all.is_empty() { "no tensors with names".into() } else { shortened(&all, ", ") }
    }
}

pub(super) const OUTSIDE: &str = "a tensor that is not within its storage";

/// The call that takes this one.
fn call(key: &str) -> String {
    format!("load_weights_from(&net, path, {key:?})")
}

fn quoted(path: &str) -> String {
    let start: String = path.chars().take(200).collect();
    if path.is_empty() { "the outermost one (\"\")".into() } else { format!("{start:?}") }
}

fn shortened(items: &[String], between: &str) -> String {
    const MOST: usize = 8;
    let text = items[..items.len().min(MOST)].join(between);
    match items.len().saturating_sub(MOST) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
