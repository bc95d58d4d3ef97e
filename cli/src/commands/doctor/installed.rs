//! What the set-up makes.

use std::path::Path;

use anyhow::Result;
use d2l_common::files;
use serde_json::Value;

use super::RUN_SETUP;
use super::State::{self, Bad, Good};
use crate::project::Project;
use crate::setup;

pub fn torch(project: &Project) -> (State, String) {
    if !project.python().exists() {
        return (Bad, RUN_SETUP.into());
    }
    let version = setup::torch_version::folder(project)
        .and_then(|folder| setup::torch_version::version(&folder));
    let (state, text) = compared(version, setup::torch_version::expected(project));
    let half = match setup::python_packages::has_whole_torch(project) {
        true => "with its CUDA half",
        false => "the CPU half alone",
    };
    (state, if state == Good { format!("{text}; {half}") } else { text })
}

/// Compares the installed version with the one that tch needs.
fn compared(version: Result<String>, expected: Result<String>) -> (State, String) {
    match (version, expected) {
        (Ok(version), Ok(expected)) if setup::torch_version::is_version(&version, &expected) => {
            (Good, format!("{version}, which tch expects"))
        }
        (Ok(version), Ok(expected)) => {
            let todo = format!("run `.venv/bin/pip install --no-deps torch=={expected}`");
            (Bad, format!("{version}, but tch expects {expected}: {todo}"))
        }
        (Err(error), _) | (_, Err(error)) => (Bad, format!("{error:#}")),
    }
}

pub fn wrapper(project: &Project) -> (State, String) {
    match setup::wrapper::files(project).iter().find(|path| !path.is_file()) {
        None => (Good, "compiled, in .venv/share/d2l/lib".into()),
        Some(path) => (Bad, format!("{} is not there: {RUN_SETUP}", relative(path, &project.root))),
    }
}

pub fn kernel(project: &Project) -> (State, String) {
    let folder = ".venv/share/jupyter/kernels/rust-d2l";
    let kernel = project.kernel();
    let spec = std::fs::read(project.path(folder).join("kernel.json")).unwrap_or_default();
    let spec: Value = serde_json::from_slice(&spec).unwrap_or_default();
    match spec["argv"][0].as_str() {
        // The project's folder was moved after the set-up.
        Some(named) if Path::new(named) != kernel => {
            (Bad, format!("\"Rust (d2l)\" is registered as {named}: {RUN_SETUP}"))
        }
        Some(_) if kernel.is_file() => (Good, format!("\"Rust (d2l)\" in {folder}")),
        _ => (Bad, format!("not built or not registered: {RUN_SETUP}")),
    }
}

pub fn warm_build(project: &Project) -> (State, String) {
    match setup::warm_build::is_there(project) {
        true => (Good, "cells compile in target/kernels".into()),
        false => (Bad, format!("the first cell would take minutes: {RUN_SETUP}")),
    }
}

pub fn efficientnet_weights(project: &Project) -> (State, String) {
    let path = project.share().join(files::EFFICIENTNET_LITE0);
    match path.is_file() {
        true => (Good, relative(&path, &project.root)),
        false => (Bad, RUN_SETUP.into()),
    }
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::bail;

    use super::super::tests::{check, project, write};
    use super::*;

    /// C28: compared as the set-up does, not by prefix.
    #[test]
    fn another_version_of_torch_is_missing() {
        let row = |version: &str| compared(Ok(version.into()), Ok("2.13.0".into()));
        for version in ["2.13.0", "2.13.0+cpu", "2.13.0+cu130"] {
            check(row(version), Good, &[version, "which tch expects"]);
        }
        for version in ["2.13.01", "2.13.0rc1", "2.13.0.1", "2.13", "2.1", "2.14.0", ""] {
            check(row(version), Bad, &[version, "tch expects 2.13.0", "--no-deps torch==2.13.0"]);
        }
        check(compared(Ok("2.13.0".into()), Ok("2.1".into())), Bad, &["torch==2.1`"]);
        let gone = || Err(anyhow::anyhow!("No such file").context("cannot read version.py"));
        let words = ["cannot read version.py: No such file"];
        check(compared(gone(), Ok("2.13.0".into())), Bad, &words);
        check(compared(Ok("2.13.0".into()), gone()), Bad, &words);
        let torn: Result<String> = (|| bail!("it names no version"))();
        check(compared(torn, Ok("2.13.0".into())), Bad, &["it names no version"]);
    }

    #[test]
    fn the_wrapper_needs_its_library_and_its_configuration() {
        let (_folder, project) = project();
        let [library, configuration] = setup::wrapper::files(&project);
        check(wrapper(&project), Bad, &["libtch", "cargo d2l setup"]);
        write(library, "");
        check(wrapper(&project), Bad, &[".venv/share/d2l/cargo.toml is not there"]);
        write(configuration, "");
        check(wrapper(&project), Good, &["compiled"]);
    }

    #[test]
    fn the_kernel_is_built_and_registered_for_this_folder() {
        let (_folder, project) = project();
        let spec = project.path(".venv/share/jupyter/kernels/rust-d2l/kernel.json");
        let neither = ["not built or not registered", "cargo d2l setup"];
        check(kernel(&project), Bad, &neither);
        write(project.kernel(), "");
        for text in ["", "{", "null", "[]", "{}", r#"{"argv": []}"#, r#"{"argv": [1]}"#] {
            write(spec.clone(), text);
            check(kernel(&project), Bad, &neither);
        }
        let registered = |path: &Path| serde_json::json!({ "argv": [path, "--control_file"] });
        write(spec.clone(), &registered(&project.kernel()).to_string());
        check(kernel(&project), Good, &["Rust (d2l)"]);
        fs::remove_file(project.kernel()).unwrap();
        check(kernel(&project), Bad, &neither);
        write(project.kernel(), "");
        write(spec, &registered(Path::new("/old/place/d2l-kernel")).to_string());
        check(kernel(&project), Bad, &["registered as /old/place/d2l-kernel", "cargo d2l setup"]);
    }

    #[test]
    fn weights_that_the_set_up_makes_are_missing_without_it() {
        let (_folder, project) = project();
        check(efficientnet_weights(&project), Bad, &["cargo d2l setup"]);
        write(project.share().join("efficientnet_lite0.safetensors"), "");
        let shown = ".venv/share/d2l/efficientnet_lite0.safetensors";
        assert_eq!(efficientnet_weights(&project), (Good, shown.to_string()));
    }
}
