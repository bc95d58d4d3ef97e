//! What rust-analyzer reads.
//!
//! evcxr asks rust-analyzer for the types of a cell's variables, and rust-analyzer reads each package
//! that Cargo names, and the standard library's sources, at every start. Most of that no cell can
//! name. So a package may list, under `package.metadata.evcxr.visible`, those of its dependencies
//! that its users see through it; the others, and what lies below, are hidden from rust-analyzer.
//! The standard library is shown without the processors' instructions, which are half of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use d2l_common::variables::KERNEL_SOCKET;
use serde_json::Value;

/// Whether cargo was called by rust-analyzer and for the packages: evcxr calls it without this option.
pub fn is_calling() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    arguments.next().is_some_and(|first| first == "metadata")
        && arguments.any(|other| other == "--filter-platform")
}

/// Whether rust-analyzer asks cargo what rustc prints of the target.
pub fn is_asking_for_target() -> bool {
    let first = std::env::args_os().skip(1).take(4);
    first.eq(["rustc", "-Z", "unstable-options", "--print"])
}

/// Whether cargo was called in the folder that rust-analyzer has for itself, where it reads packages while
/// cells are compiled. A cell that waits for it is told so, and can be stopped while the reading goes on.
pub fn is_in_its_folder() -> bool {
    std::env::current_dir().is_ok_and(|folder| folder.ends_with("analysis"))
}

/// Prints the answer. It takes cargo as long as compiling a cell, and is the same whenever rust-analyzer
/// reads the packages, so it is kept in the kernel's private folder. Returns only errors.
pub fn target(mut cargo: Command) -> Result<()> {
    let kept = std::env::var_os(KERNEL_SOCKET).map(|socket| {
        // rustc, its flags and cargo's folders are among the variables.
        let mut hash = DefaultHasher::new();
        std::env::args_os().skip(1).collect::<Vec<_>>().hash(&mut hash);
        std::env::vars_os().collect::<BTreeMap<_, _>>().hash(&mut hash);
        PathBuf::from(socket).with_file_name(format!("target-{:x}", hash.finish()))
    });
    if let Some(text) = kept.as_ref().and_then(|file| std::fs::read(file).ok()) {
        std::io::stdout().write_all(&text)?;
        std::process::exit(0);
    }
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if let Some(file) = kept.filter(|_| output.status.success()) {
        // Without it, cargo is asked again.
        let _ = std::fs::write(file, &output.stdout);
    }
    std::io::stdout().write_all(&output.stdout)?;
    std::process::exit(output.status.code().unwrap_or(1));
}

/// Prints what rust-analyzer should see of what `cargo metadata` prints. Returns only errors.
pub fn metadata(mut cargo: Command) -> Result<()> {
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    let shown = serde_json::from_slice(&output.stdout).ok().and_then(|mut metadata| {
        hide(&mut metadata)?;
        serde_json::to_vec(&metadata).ok()
    });
    std::io::stdout().write_all(&shown.unwrap_or(output.stdout))?;
    std::process::exit(output.status.code().unwrap_or(1));
}

/// Removes what is not visible; `None` if this is not metadata with dependencies.
fn hide(metadata: &mut Value) -> Option<()> {
    let text = |value: &Value| Some(value.as_str()?.to_string());
    let mut names = HashMap::new();
    let mut lists = HashMap::new();
    for package in metadata["packages"].as_array()? {
        let id = text(&package["id"])?;
        if let Some(list) = package["metadata"]["evcxr"]["visible"].as_array() {
            lists.insert(id.clone(), list.iter().filter_map(text).collect::<HashSet<_>>());
        }
        names.insert(id, text(&package["name"])?);
    }
    let visible = |list: &HashSet<String>, id: &Value| {
        id.as_str().and_then(|id| names.get(id)).is_some_and(|name| list.contains(name))
    };
    // Those that a list names are leaves.
    let mut leaves = HashSet::new();
    let nodes = metadata["resolve"]["nodes"].as_array_mut()?;
    for node in nodes.iter_mut() {
        if let Some(list) = lists.get(node["id"].as_str()?) {
            node["deps"].as_array_mut()?.retain(|dependency| visible(list, &dependency["pkg"]));
            node["dependencies"].as_array_mut()?.retain(|id| visible(list, id));
            leaves.extend(node["dependencies"].as_array()?.iter().filter_map(text));
        }
    }
    let mut below = HashMap::new();
    for node in nodes.iter_mut() {
        let id = text(&node["id"])?;
        if leaves.contains(&id) {
            node["deps"].as_array_mut()?.clear();
            node["dependencies"].as_array_mut()?.clear();
        }
        let own: Vec<String> = node["dependencies"].as_array()?.iter().filter_map(text).collect();
        below.insert(id, own);
    }
    let members = metadata["workspace_members"].as_array()?;
    let mut waiting: Vec<String> = members.iter().filter_map(text).collect();
    let mut reached = HashSet::new();
    while let Some(id) = waiting.pop() {
        if reached.insert(id.clone()) {
            waiting.extend(below.get(&id).into_iter().flatten().cloned());
        }
    }
    let is_reached = |value: &Value| value["id"].as_str().is_some_and(|id| reached.contains(id));
    metadata["packages"].as_array_mut()?.retain(is_reached);
    metadata["resolve"]["nodes"].as_array_mut()?.retain(is_reached);
    Some(())
}

/// The standard library as rust-analyzer sees it: links to the folders that cells name, in `scratch`.
/// `None` where its sources are not installed, or the reader has chosen them.
pub fn library(scratch: &Path) -> Option<PathBuf> {
    let rustc = PathBuf::from(std::env::var_os("RUSTC")?);
    let library = rustc.parent()?.parent()?.join("lib/rustlib/src/rust/library");
    if std::env::var_os(LIBRARY).is_some() || !library.join("core").is_dir() {
        return None;
    }
    show(&library, &scratch.join("library")).ok()
}

/// Links to what is shown; they may be there, from an evcxr that has ended.
fn show(library: &Path, shown: &Path) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(shown)?;
    for name in ["core", "alloc", "std", "proc_macro"] {
        let link = shown.join(name);
        if !link.is_symlink() {
            symlink(library.join(name), link)?;
        }
    }
    Ok(shown.to_path_buf())
}

/// rust-analyzer's own variable for the standard library's sources.
pub const LIBRARY: &str = "RUST_SRC_PATH";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_library_is_shown_to_an_evcxr_that_is_started_anew_too() {
        let folder = tempfile::tempdir().unwrap();
        let (library, shown) = (folder.path().join("library"), folder.path().join("shown"));
        std::fs::create_dir_all(library.join("core/src")).unwrap();
        for _ in 0..2 {
            assert!(show(&library, &shown).unwrap().join("core/src").is_dir());
        }
    }

    #[test]
    fn only_what_a_package_shows_and_what_is_above_it_stays() {
        let package = |name: &str, list: Value| json!({"id": name, "name": name, "metadata": list});
        let node = |name: &str, below: &[&str]| {
            let deps: Vec<Value> = below.iter().map(|name| json!({ "pkg": name })).collect();
            json!({"id": name, "dependencies": below, "deps": deps})
        };
        let list = json!({"evcxr": {"visible": ["tensors"]}});
        let mut metadata = json!({
            "workspace_members": ["cells"],
            "packages": [
                package("cells", Value::Null),
                package("crate", list),
                package("tensors", Value::Null),
                package("other", Value::Null),
                package("network", Value::Null),
                package("bytes", Value::Null),
            ],
            "resolve": {"nodes": [
                node("cells", &["crate", "other"]),
                node("crate", &["tensors", "network"]),
                node("tensors", &["bytes"]),
                node("other", &["bytes"]),
                node("network", &[]),
                node("bytes", &[]),
            ]},
        });
        hide(&mut metadata).unwrap();
        let names: Vec<&str> = metadata["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["id"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["cells", "crate", "tensors", "other", "bytes"]);
        let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
        assert_eq!(nodes[1], node("crate", &["tensors"]));
        assert_eq!(nodes[2], node("tensors", &[]));
        assert_eq!(nodes[3], node("other", &["bytes"]));
    }
}
