//! `cargo d2l wheel`: the kernel as a wheel for this machine, which saves others compiling it.

use std::fs;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::output;
use crate::process::visibly;
use crate::project::Project;
use crate::setup::{environment, kernel, patches, python_packages, wheels};
use crate::steps::Steps;

/// Builds the wheel into target/wheels, and writes the sums of all that are there.
pub fn wheel(project: &Project) -> Result<()> {
    let steps = Steps::default();
    environment::make(project, &steps)?;
    python_packages::install_maturin(project, &steps)?;
    let data = project.path("target/wheel/data/share/d2l");
    fs::create_dir_all(&data)?;
    fs::write(data.join("kernel-sources"), kernel::sources(project)?)?;

    let folder = project.path("target/wheels");
    let mut maturin = project.command(project.path(".venv/bin/maturin"));
    maturin.env("CARGO_TARGET_DIR", project.path("target"));
    maturin.args(["build", "--locked", "--profile", "kernel"]);
    maturin.args(["--manifest-path", "kernel/Cargo.toml", "--out"]).arg(&folder);
    maturin.args(patches::arguments(project)?);
    visibly(&mut maturin, "the wheel was not built")?;

    let mut names = vec![];
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.ends_with(".whl").then_some(name));
    }
    names.sort();
    let mut sums = String::new();
    for name in names {
        let content = fs::read(folder.join(&name))?;
        sums += &format!("{}  {name}\n", hex::encode(Sha256::digest(content)));
    }
    let file = folder.join(wheels::SUMS);
    fs::write(&file, sums).with_context(|| format!("cannot write {}", file.display()))?;
    output::result(format!("{}, to be named in D2L_WHEELS", folder.display()));
    Ok(())
}
