//! The cache of Cargo's calls of rustc: from the second cell on, rustc without Cargo.
//!
//! Cargo looks at all packages below the cells' before it finds that only the cell is new, which takes
//! as long as compiling the cell. So when Cargo calls rustc for the cell's own package, the call
//! is recorded in the kernel's private folder, under what Cargo was called with. When Cargo is called with
//! the same again, with the same dependencies, rustc is called as Cargo would call it. What is in a registry
//! does not change; the sources of packages by path are looked at each time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};
use d2l_common::variables::{KERNEL_CALL, KERNEL_SOCKET};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::environment::{Alone, IS_RUSTC, LIBRARY_PATH, is_set};

/// evcxr's name for the package of a cell.
const CELL: &str = "ctx";

/// Cargo's own: what is called in rustc's place for the cells' package.
const WRAPPER: &str = "RUSTC_WORKSPACE_WRAPPER";

/// A cell gains little from optimisation across its codegen units, which takes a third of
/// its compilation.
const WITHIN_PARTS: &str = "-Clto=off";

/// Files, each with the time of its last change.
type Sources = BTreeMap<PathBuf, Option<SystemTime>>;

/// How Cargo calls rustc.
#[derive(Serialize, Deserialize)]
struct Call {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Files that may change, and when they last had.
    sources: Sources,
    /// The library that comes out.
    built: String,
}

/// As the shim for cargo: calls rustc, and ends, if Cargo was called with the same before. If it was
/// not, its call of rustc is going to be recorded.
pub fn call_or_record(alone: &Alone) -> Result<()> {
    let (Some(file), Some(library_path)) = (file(), std::env::var_os(LIBRARY_PATH)) else {
        return Ok(());
    };
    if is_set(IS_RUSTC) || is_set(WRAPPER) || is_set("RUSTC_WRAPPER") {
        // Cargo calls other programs in rustc's place.
        return Ok(());
    }
    let call = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
    if let Some(Call { arguments, environment, sources, built }) = call
        && sources.iter().all(|(path, time)| modified(path) == *time)
        && let Some((rustc, arguments)) = arguments.split_first()
    {
        let mut rustc = Command::new(rustc);
        let status =
            rustc.args(arguments).arg(WITHIN_PARTS).env_clear().envs(environment).status()?;
        if status.success() {
            std::fs::write(library_path, built)?;
        }
        std::process::exit(status.code().unwrap_or(1));
    }
    alone.set(KERNEL_CALL, file);
    alone.set(WRAPPER, std::env::current_exe()?);
    Ok(())
}

/// The file for the call of rustc that follows from what Cargo is called with.
fn file() -> Option<PathBuf> {
    let mut called_with: Vec<OsString> = std::env::args_os().skip(1).collect();
    if called_with.first()? != "build" {
        return None;
    }
    let mut variables: Vec<_> = std::env::vars_os().collect();
    variables.sort();
    called_with.extend(variables.into_iter().flat_map(|(name, value)| [name, value]));
    let files = ["Cargo.toml", ".cargo/config.toml"].map(std::fs::read);
    let mut hash = Sha256::new();
    for part in called_with
        .iter()
        .map(|text| Some(text.as_encoded_bytes()))
        .chain(files.iter().map(|file| file.as_deref().ok()))
    {
        let part = part?;
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let socket = PathBuf::from(std::env::var_os(KERNEL_SOCKET)?);
    Some(socket.with_file_name(format!("rustc-{}", hex::encode(hash.finalize()))))
}

/// As Cargo's wrapper for rustc: records the call and becomes rustc.
pub fn record(file: &OsStr) -> Result<Infallible> {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(call) = call(&Path::new(file).with_file_name("identity")) {
        arguments = call.arguments.iter().map(OsString::from).collect();
        // Without it, Cargo is called again.
        let _ = serde_json::to_vec(&call).map(|call| std::fs::write(file, call));
    }
    let (rustc, arguments) = arguments.split_first().context("Cargo named no rustc")?;
    Err(Command::new(rustc).args(arguments).arg(WITHIN_PARTS).exec()).context("cannot start rustc")
}

/// What tells the types that cells define from others, and what they can be made of: the paths of the
/// cells' dependencies.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Identity {
    metadata: String,
    dependencies: BTreeMap<String, String>,
}

impl Identity {
    /// Cargo's follows from all dependencies, so that one more of them would cost all variables of types
    /// that cells define. They only have to go if one that was there before is another now, of which
    /// they may have parts.
    fn after(before: Option<Identity>, now: Identity) -> Identity {
        let is_same = |before: &Identity| {
            let mut known = before.dependencies.iter();
            known.all(|(name, path)| now.dependencies.get(name).is_none_or(|now| now == path))
        };
        match before.filter(is_same) {
            Some(mut before) => {
                before.dependencies.extend(now.dependencies);
                before
            }
            None => now,
        }
    }

    /// Puts the cells' identity into a call of rustc; it is stored in a file.
    fn keep(arguments: &mut [String], file: &Path) -> Option<()> {
        let is_extern = |pair: &&[String]| pair[0] == "--extern";
        let externs = arguments.windows(2).filter(is_extern);
        let dependencies = externs.filter_map(|pair| pair[1].split_once('='));
        let dependencies = dependencies.map(|(name, path)| (name.into(), path.into())).collect();
        let metadata = arguments.iter_mut().find(|value| value.starts_with("metadata="))?;
        let before = std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let now = Identity { metadata: metadata.clone(), dependencies };
        let identity = Identity::after(before, now);
        std::fs::write(file, serde_json::to_vec(&identity).ok()?).ok()?;
        *metadata = identity.metadata;
        Some(())
    }
}

fn call(identity: &Path) -> Option<Call> {
    let text = |text: OsString| text.into_string().ok();
    let mut arguments = std::env::args_os().skip(1).map(text).collect::<Option<Vec<_>>>()?;
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    if value("--crate-name")? != CELL {
        return None;
    }
    let folder = PathBuf::from(value("--out-dir")?);
    Identity::keep(&mut arguments, identity)?;
    let sources = sources(&folder)?;
    let built = folder.join(format!("{DLL_PREFIX}{CELL}{DLL_SUFFIX}")).to_str()?.to_string();
    let variables = std::env::vars_os().map(|(name, value)| Some((text(name)?, text(value)?)));
    let mut environment = variables.collect::<Option<Vec<_>>>()?;
    // Cargo's jobs are counted through file descriptors, which a later rustc does not have.
    environment.retain(|(name, _)| !name.ends_with("MAKEFLAGS") && name != "MFLAGS");
    Some(Call { arguments, environment, sources, built })
}

/// What packages by path were compiled from, by what rustc noted beside each, and their manifests.
fn sources(compiled: &Path) -> Option<Sources> {
    let mut found = Sources::new();
    for entry in std::fs::read_dir(compiled).ok()? {
        let path = entry.ok()?.path();
        if path.extension().is_none_or(|extension| extension != "d") {
            continue;
        }
        for source in listed(&std::fs::read_to_string(path).ok()?) {
            let is_of = |folder| source.to_string_lossy().contains(folder);
            // The cell's own are named from here.
            if source.is_absolute() && !is_of("/registry/src/") && !is_of("/git/checkouts/") {
                let mut above = source.ancestors().skip(1).map(|folder| folder.join("Cargo.toml"));
                let manifest = above.find(|manifest| manifest.exists());
                let both = manifest.into_iter().chain([source]);
                found.extend(both.map(|path| (path.clone(), modified(&path))));
            }
        }
    }
    Some(found)
}

/// The files that a makefile has rules without conditions for: rustc writes one for each source.
fn listed(rules: &str) -> Vec<PathBuf> {
    let names = rules.lines().filter_map(|line| line.strip_suffix(':'));
    names.map(|name| PathBuf::from(name.replace("\\ ", " "))).collect()
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|data| data.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_dependency_leaves_the_identity_of_types() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("identity");
        let call = |metadata: &str, externs: &[&str]| {
            let metadata = format!("metadata={metadata}");
            let mut arguments = vec!["-C".to_string(), metadata, "-C".into(), "opt-level=2".into()];
            arguments.extend(externs.iter().flat_map(|name| ["--extern".into(), (*name).into()]));
            Identity::keep(&mut arguments, &file).unwrap();
            arguments[1].clone()
        };
        assert_eq!(call("1", &["d2l=/libd2l-1.so"]), "metadata=1");
        assert_eq!(call("2", &["d2l=/libd2l-1.so", "tokio=/libtokio-1.rlib"]), "metadata=1");
        // A dependency can go, and another one come.
        assert_eq!(call("3", &["tokio=/libtokio-1.rlib", "csv=/libcsv-1.rlib"]), "metadata=1");
        // One that types may have parts of is another.
        assert_eq!(call("4", &["d2l=/libd2l-1.so", "csv=/libcsv-2.rlib"]), "metadata=4");
        assert_eq!(call("5", &["csv=/libcsv-2.rlib"]), "metadata=4");
        assert_eq!(call("6", &["tokio=/libtokio-1.rlib", "csv=/libcsv-1.rlib"]), "metadata=6");
        // Without Cargo's metadata there is nothing to preserve.
        assert_eq!(Identity::keep(&mut ["-C".into(), "opt-level=2".into()], &file), None);
    }
}
