//! The rooms of the house: a room uses only those before it in its list.

use std::fs;
use std::path::{Path, PathBuf};

/// A package's rooms, each a file or a folder of its sources, from the ground up.
struct House {
    sources: &'static str,
    rooms: &'static [&'static str],
    /// What can be named at the package's root, and the room that it is from.
    at_the_root: &'static [(&'static str, &'static str)],
}

const CRATE: House = House {
    sources: "src",
    rooms: &[
        "settings",
        "error",
        "device",
        "random",
        "jupyter",
        "hub",
        "images",
        "nn",
        "optim",
        "data",
        "vision",
        "models",
        "display",
        "train",
        "cell_ends",
        "prelude",
    ],
    at_the_root: &[("Error", "error"), ("Result", "error"), ("compose", "images")],
};

const KERNEL: House = House {
    sources: "kernel/src",
    rooms: &["environment", "queue", "jupyter", "engine", "program", "relay"],
    at_the_root: &[],
};

#[test]
fn arrows_only_go_down() {
    let mut wrong = vec![];
    for house in [&CRATE, &KERNEL] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(house.sources);
        for path in sources(&root) {
            let text = fs::read_to_string(&path).unwrap();
            let Some(room) = room(&root, &path) else { continue };
            wrong.extend(upward(house, &room, &text).into_iter().map(|used| {
                format!("{}: {room} must not use {used}, which comes after it", path.display())
            }));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_arrow_that_goes_up_is_found() {
    for (house, room, text) in [
        (&CRATE, "hub", "use crate::train::train_ch13;"),
        (&CRATE, "hub", "use crate::{Error, train::{Timer, train_ch13}};"),
        (&CRATE, "hub", "fn f() { crate::display::show_images() }"),
        (&CRATE, "error", "use crate::{\n    jupyter::say,\n};"),
        (&CRATE, "settings", "use crate::compose;"),
        (&CRATE, "data", "use super::super::models::resnet18;"),
        (&KERNEL, "program", "use crate::relay::input::Input;"),
        (&KERNEL, "jupyter", "use crate::engine::process::Evcxr;"),
        (&KERNEL, "queue", "fn f(input: crate::relay::Input) {}"),
    ] {
        assert_eq!(upward(house, room, text).len(), 1, "{room}: {text}");
    }
    for (house, room, text) in [
        (&CRATE, "hub", "/// See [`train_ch13`](crate::train::train_ch13).\nuse crate::Error;"),
        (
            &CRATE,
            "hub",
            "fn f() {} // crate::train\n#[cfg(test)]\nmod tests { use crate::train::Timer; }",
        ),
        (&CRATE, "train", "use crate::{Error, Result, hub::{self, download}, jupyter};"),
        (
            &CRATE,
            "images",
            "macro_rules! compose { () => { $crate::data::transforms::Compose::new() } }",
        ),
        (&KERNEL, "relay", "use crate::relay::input::Input;\nuse crate::engine::shims;"),
    ] {
        assert_eq!(upward(house, room, text), Vec::<String>::new(), "{room}: {text}");
    }
}

/// The rooms that a text of `room` uses and must not.
fn upward(house: &House, room: &str, text: &str) -> Vec<String> {
    let rank = |name: &str| house.rooms.iter().position(|room| *room == name);
    let own = rank(room).unwrap_or_else(|| panic!("{room} is in no list of rooms"));
    let mut used = names_after("crate::", text);
    used.extend(names_after("super::super::", text));
    used.retain(|name| {
        let item = house.at_the_root.iter().find(|(item, _)| item == name);
        rank(item.map_or(&**name, |(_, room)| room)).is_some_and(|rank| rank > own)
    });
    used
}

/// The first names of the paths that start so, of a tree of them too. Comments, unit tests and what a
/// macro writes into its user's code (`$crate::`) do not count.
fn names_after(start: &str, text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default().to_string() + "\n")
        .collect();
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut names = vec![];
    for (before, path) in code.match_indices(start).map(|(i, _)| code.split_at(i + start.len())) {
        if before.strip_suffix(start).is_some_and(|before| before.ends_with('$')) {
            continue;
        }
        if !path.starts_with('{') {
            names.push(name(path));
            continue;
        }
        let mut depth = 0;
        for (i, c) in path.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && matches!(c, '{' | ',') {
                names.push(name(&path[i + 1..]));
            }
        }
    }
    names
}

/// The room of a file; `None` for the package's root.
fn room(root: &Path, path: &Path) -> Option<String> {
    let first = path.strip_prefix(root).unwrap().components().next().unwrap();
    let name = Path::new(first.as_os_str()).file_stem().unwrap().to_str().unwrap();
    (!matches!(name, "lib" | "main")).then(|| name.to_string())
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
