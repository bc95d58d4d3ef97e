//! Finds the dictionaries of tensors in what a pickle has made.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use super::other_kinds::Fault;
use super::pickle::{Machine, Object, Value, run};
use super::state_dicts::{Dictionary, Entry, Uncalled};

/// Deeper than a checkpoint nests its dictionaries.
const DEEPEST: usize = 8;

/// More than the names of any network take together.
const MOST_NAME_BYTES: usize = 64 << 20;

/// The dictionaries of tensors in a pickle, from the outermost on, and some of the objects in it, each
/// by the keys that lead there and its class.
pub(super) fn dictionaries(code: &[u8]) -> Result<(Vec<Dictionary>, Uncalled), Fault> {
    let (root, machine) = run(code)?;
    let mut search = Search {
        seen_lists: vec![false; machine.lists.len()],
        seen_dicts: vec![false; machine.dicts.len()],
        seen_objects: vec![false; machine.objects.len()],
        machine,
        waiting: VecDeque::new(),
        found: vec![],
        uncalled: vec![],
        name_bytes: 0,
    };
    search.push(&[], None, &root);
    while let Some((keys, value)) = search.waiting.pop_front() {
        match value {
            Value::List(place) => search.list(&keys, place),
            Value::Dict(place) => search.dict(&keys, place),
            Value::Object(object) => search.object(&keys, object)?,
            _ => {}
        }
    }
    Ok((search.found, search.uncalled))
}

/// Looks into each list, dictionary and object of TorchScript once, into the outermost first.
struct Search<'a> {
    machine: Machine<'a>,
    seen_lists: Vec<bool>,
    seen_dicts: Vec<bool>,
    seen_objects: Vec<bool>,
    waiting: VecDeque<(Vec<Rc<str>>, Value)>,
    found: Vec<Dictionary>,
    uncalled: Uncalled,
    name_bytes: usize,
}

impl Search<'_> {
    /// Notes what is to be looked into later, under one key more.
    fn push(&mut self, keys: &[Rc<str>], key: Option<Rc<str>>, value: &Value) {
        let seen = match value {
            Value::List(place) => &mut self.seen_lists[*place],
            Value::Dict(place) => &mut self.seen_dicts[*place],
            Value::Object(object) => &mut self.seen_objects[*object],
            // The first few say enough.
            Value::Uncalled(class) if self.uncalled.len() < 3 => {
                let keys: Vec<_> = keys.iter().cloned().chain(key).collect();
                return self.uncalled.push((keys.join("."), class.clone()));
            }
            _ => return,
        };
        if keys.len() < DEEPEST && !std::mem::replace(seen, true) {
            self.waiting.push_back((keys.iter().cloned().chain(key).collect(), value.clone()));
        }
    }

    fn list(&mut self, keys: &[Rc<str>], place: usize) {
        for (i, item) in std::mem::take(&mut self.machine.lists[place]).iter().enumerate() {
            if item.leads_on() {
                self.push(keys, Some(i.to_string().into()), item);
            }
        }
    }

    fn dict(&mut self, keys: &[Rc<str>], place: usize) {
        let entries = std::mem::take(&mut self.machine.dicts[place]);
        let has = |wanted: &str| {
            entries.iter().any(|(key, _)| matches!(key, Value::Text(key) if **key == *wanted))
        };
        let is_optimizer = has("state") && has("param_groups");
        let mut tensors = HashMap::new();
        for (key, value) in &entries {
            if let Value::Text(key) = key {
                // Python's dictionaries have a key once, with its last value.
                match value.entry() {
                    Some(entry) => tensors.insert(key.clone(), entry),
                    None => tensors.remove(key),
                };
            }
            // An optimizer's state is no model.
            if is_optimizer && matches!(key, Value::Text(key) if &**key == "state") {
                continue;
            }
            if value.leads_on() {
                let key = match key {
                    Value::Text(text) => text.clone(),
                    Value::Int(int) => int.to_string().into(),
                    _ => "?".into(),
                };
                self.push(keys, Some(key), value);
            }
        }
        self.note(keys, tensors);
    }

    /// A module of TorchScript and those below it: one state dict.
    fn object(&mut self, keys: &[Rc<str>], object: usize) -> Result<(), Fault> {
        let mut tensors = HashMap::new();
        let mut inner = vec![(String::new(), object)];
        while let Some((prefix, object)) = inner.pop() {
            let Object { class, attributes } = &self.machine.objects[object];
            let Some(place) = *attributes else {
                let keys: Vec<_> =
                    keys.iter().map(|key| &**key).chain([prefix.trim_end_matches('.')]).collect();
                self.uncalled.push((keys.join("."), class.clone()));
                continue;
            };
            for (key, value) in std::mem::take(&mut self.machine.dicts[place]) {
                let (Value::Text(key), true) = (key, value.entry().is_some() || value.leads_on())
                else {
                    continue;
                };
                // tch's own files, TorchScript modules, have `|` for the dots.
                let name = prefix.clone() + &key.replace('|', ".");
                self.name_bytes += name.len();
                if self.name_bytes > MOST_NAME_BYTES {
                    return Err("names without end".into());
                }
                match (value.entry(), &value) {
                    (Some(entry), _) => drop(tensors.insert(name.into(), entry)),
                    (None, Value::Object(object)) => {
                        if !std::mem::replace(&mut self.seen_objects[*object], true) {
                            inner.push((name + ".", *object));
                        }
                    }
                    _ => self.push(keys, Some(name.into()), &value),
                }
            }
        }
        self.note(keys, tensors);
        Ok(())
    }

    fn note(&mut self, keys: &[Rc<str>], tensors: HashMap<Rc<str>, Entry>) {
        if tensors.values().any(Entry::is_tensor) {
            self.found.push(Dictionary { keys: keys.to_vec(), tensors });
        }
    }
}

impl Value {
    /// What a dictionary's value is to a network.
    fn entry(&self) -> Option<Entry> {
        match self {
            Value::Tensor(plan) => Some(Entry::Tensor(plan.clone())),
            Value::Unreadable(what) => Some(Entry::Unreadable(what.clone())),
            Value::Uncalled(class) => Some(Entry::Uncalled(class.clone())),
            _ => None,
        }
    }

    /// Whether there may be tensors in it, or it says why there are none.
    fn leads_on(&self) -> bool {
        matches!(self, Value::List(_) | Value::Dict(_) | Value::Object(_) | Value::Uncalled(_))
    }
}
