//! The warm build: what cells need, compiled ahead.
//!
//! First what cells depend on, as soon as there is tch's wrapper and beside the kernel's build; then, with
//! the kernel, the first cells of a notebook.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::cargo::{host, rustc_version, toolchain};
use super::stamp::{digest, unless_done};
use crate::process::{on_path, quietly};
use crate::project::Project;
use crate::steps::Steps;

/// How crates below the cells are compiled: those that touch pixels as fast as can be, all others with little
/// optimisation, and none across a crate's units, which takes a third of the time.
/// Cells themselves keep the checks of a debug build.
fn profile() -> String {
    let mut text = String::from(
        "\
[profile.dev]
lto = \"off\"
[profile.dev.package.\"*\"]
opt-level = 1
debug-assertions = false
overflow-checks = false
[profile.dev.package.d2l]
opt-level = 3
codegen-units = 1
",
    );
    for name in PIXELS {
        text += &format!("[profile.dev.package.{name}]\nopt-level = 3\ncodegen-units = 1\n");
    }
    for name in MACROS {
        text += &format!("[profile.dev.package.{name}]\nopt-level = 0\n");
    }
    text
}

/// What decodes and resizes images.
const PIXELS: [&str; 17] = [
    "adler2",
    "byteorder-lite",
    "crc32fast",
    "fast_image_resize",
    "fdeflate",
    "flate2",
    "gif",
    "image",
    "image-webp",
    "miniz_oxide",
    "png",
    "simd-adler32",
    "tiff",
    "weezl",
    "zlib-rs",
    "zune-core",
    "zune-jpeg",
];

/// Procedural macros: to optimise them takes longer than they run.
const MACROS: [&str; 5] =
    ["serde_derive", "syn", "thiserror-impl", "zerocopy-derive", "zeroize_derive"];

/// Compiles what cells depend on, as Cargo does later when evcxr calls it: with the same manifest, flags
/// and folder. Were one of them another, the later call would compile all of it again.
pub fn compile_dependencies(project: &Project, steps: &Steps) -> Result<()> {
    let template = template(project);
    let inputs = inputs(project, &[])?;
    unless_done(&template.join("dependencies-stamp"), &inputs, &[], || {
        steps.run("Compiling d2l for the notebooks' cells", "4 minutes the first time", |bar| {
            fs::create_dir_all(template.join("src"))?;
            fs::create_dir_all(project.kernel_folders().join(".cargo"))?;
            fs::write(project.kernel_folders().join(".cargo/config.toml"), profile())?;
            // The kernel gives cells the versions that this project is tested with.
            fs::copy(project.path("Cargo.lock"), project.kernel_folders().join("pinned.lock"))?;
            fs::copy(project.path("Cargo.lock"), template.join("Cargo.lock"))?;
            fs::write(template.join("Cargo.toml"), manifest(project)?)?;
            fs::write(template.join("src/lib.rs"), "")?;
            let mut cargo = project.cargo();
            cargo.args(["build", "--target", &host()?]).current_dir(&template);
            for variable in ["CARGO_TARGET_DIR", "CARGO_BUILD_BUILD_DIR"] {
                cargo.env(variable, "target");
            }
            cargo.env("RUSTC", toolchain()?.join("rustc")).env("RUSTFLAGS", flags(on_path));
            quietly(&mut cargo, bar)
        })
    })
}

/// evcxr's, which depend on the linkers that there are.
fn flags(is_there: impl Fn(&str) -> bool) -> &'static str {
    match cfg!(not(target_os = "macos")) && !is_there("mold") && is_there("lld") {
        true => "-Cprefer-dynamic -Clink-arg=-fuse-ld=lld",
        false => "-Cprefer-dynamic",
    }
}

/// evcxr's, with the first `:dep` of each notebook.
fn manifest(project: &Project) -> Result<String> {
    let path = serde_json::to_string(&project.root.to_string_lossy())?;
    Ok(format!(
        "
[package]
name = \"ctx\"
version = \"1.0.0\"
edition = \"2024\"

[lib]
crate-type = [\"cdylib\"]
path = \"src/lib.rs\"

[profile.dev]
opt-level = 2
debug = false
strip = \"debuginfo\"
rpath = true
lto = false
debug-assertions = true
codegen-units = 16
panic = 'unwind'
incremental = true
overflow-checks = true

[dependencies]
d2l = {{ path = {path} }}
"
    ))
}

/// Starts the kernel in the template of the kernels' build folders, and executes the first cells that every
/// notebook has.
pub fn make(project: &Project, steps: &Steps) -> Result<()> {
    let others = [project.path("cli/python/warm.py"), project.share().join("kernel.stamp")];
    let inputs = inputs(project, &others)?;
    unless_done(&template(project).join("d2l-stamp"), &inputs, &[], || {
        steps.run("Warming the build", "half a minute", |bar| {
            quietly(&mut project.script("warm.py"), bar)
        })
    })
}

/// What both steps depend on, and these files.
fn inputs(project: &Project, others: &[PathBuf]) -> Result<String> {
    let names = ["src", "build.rs", "Cargo.toml", "Cargo.lock", "common"];
    let mut files = names.map(|name| project.path(name)).to_vec();
    files.push(project.share().join("cargo.toml"));
    files.extend_from_slice(others);
    Ok(format!("{} {}\n{}", digest(&files)?, rustc_version()?, profile()))
}

fn template(project: &Project) -> PathBuf {
    project.kernel_folders().join("template")
}

/// Whether the warm build exists.
pub fn is_there(project: &Project) -> bool {
    template(project).join("d2l-stamp").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_flags_are_those_of_evcxrs_linker() {
        let flags = |linkers: &[&str]| flags(|name| linkers.contains(&name));
        for linkers in [&[][..], &["mold"], &["mold", "lld"], &["rust-lld"]] {
            assert_eq!(flags(linkers), "-Cprefer-dynamic");
        }
        assert_eq!(flags(&["lld"]), "-Cprefer-dynamic -Clink-arg=-fuse-ld=lld");
    }

    /// Cargo only warns of a profile for a package that it does not know.
    #[test]
    fn all_packages_with_a_profile_of_their_own_are_there() {
        let lock = include_str!("../../../Cargo.lock");
        for name in PIXELS.iter().chain(&MACROS) {
            assert!(lock.contains(&format!("\nname = \"{name}\"\n")), "{name}");
        }
    }
}
