//! What cells need of the crate's types: evcxr's `Display`, so that a last expression is compiled once.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use d2l::evcxr_runtime::Display;
use d2l::prelude::*;

/// Types that no cell ends with, each with the reason.
const SHOWN_OTHERWISE: [(&str, &str); 6] = [
    ("Batches", "an iterator over a loader: what it gives is shown"),
    ("Collection", "a type without values"),
    ("OneTensor", "a type without values"),
    ("Part", "what `Module::visit` hands out, for the length of a call"),
    ("Result", "an alias of the standard library's"),
    ("Visitor", "what `Module::visit` takes, for the length of a call"),
];

/// Aliases of other crates' types have what those have.
const ALIASES: [&str; 1] = ["Rng"];

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else {
            *text += &fs::read_to_string(path).unwrap();
        }
    }
}

/// A name at the beginning of `text`.
fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn every_public_type_is_shown_at_a_cells_end() {
    let mut text = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
    let mut types = BTreeSet::new();
    for line in text.lines() {
        for start in ["pub struct ", "pub enum ", "pub type "] {
            types.extend(line.strip_prefix(start).map(name));
        }
    }
    assert!(types.len() > 40, "{types:?}");
    let mut shown = BTreeSet::new();
    for start in ["show_with!(", "show_as_text!(", "show_as_debug!(", "shown_as_figure!("] {
        for call in text.split(start).skip(1) {
            let list = call.split([')', '|']).next().unwrap_or_default();
            let last = |path: &str| name(path.trim().rsplit("::").next().unwrap_or_default());
            shown.extend(list.split(',').map(last));
        }
    }
    let excepted = SHOWN_OTHERWISE.iter().map(|(name, _)| *name).chain(ALIASES);
    let excepted: BTreeSet<String> = excepted.map(str::to_string).collect();
    let missing: Vec<_> = types.iter().filter(|name| !shown.contains(*name)).collect();
    let missing: Vec<_> = missing.into_iter().filter(|name| !excepted.contains(*name)).collect();
    assert!(missing.is_empty(), "add to src/cell_ends.rs, or to SHOWN_OTHERWISE: {missing:?}");
    let idle: Vec<_> = excepted.iter().filter(|name| !types.contains(*name)).collect();
    assert!(idle.is_empty(), "no such types: {idle:?}");
}

#[test]
fn types_have_evcxrs_trait_by_the_prelude() {
    fn is_shown(_: &(impl Display + ?Sized)) {}
    is_shown(&Timer::new());
    is_shown(&Accumulator::new(2));
    is_shown(&compose![ToTensor]);
    is_shown(&*DATA_HUB);
    is_shown(&Animator::new("x", &["y"]));
    is_shown(&linear(2, 2).unwrap());
    let boxed: Box<dyn Module> = Box::new(linear(2, 2).unwrap());
    is_shown(&*boxed);
    // Without a name of its own, and on what is borrowed or in a box
    boxed.evcxr_display();
    Progress::new("reading", 3).evcxr_display();
}
