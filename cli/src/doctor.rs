//! `cargo d2l doctor`: what is there, what is not, and what to do about it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use console::style;

use crate::project::Project;
use crate::{python, setup};

/// How a thing stands.
enum State {
    Good,
    /// The lesson runs without it.
    Absent,
    Bad,
}

use State::{Absent, Bad, Good};

const RUN_SETUP: &str = "run `cargo d2l setup`";

pub fn doctor(project: &Project) -> Result<()> {
    let rows = [
        ("Rust", rust()),
        ("C++ compiler", compiler()),
        ("Python", python(project)),
        ("torch", torch(project)),
        ("kernel", kernel(project)),
        ("warm build", warm(project)),
        ("CUDA", cuda(project)),
        ("bfloat16", bf16()),
        ("hot dogs", hotdogs()),
        ("ResNet-18 weights", resnet_weights()),
        ("EfficientNet-Lite0", efficientnet_weights(project)),
        ("disk", disk(project)),
    ];
    let mut bad = 0;
    for (name, (state, text)) in rows {
        let mark = match state {
            Good => style("ok     ").green(),
            Absent => style("absent ").yellow(),
            Bad => style("MISSING").red(),
        };
        bad += usize::from(matches!(state, Bad));
        println!("{mark}  {name:<19} {}", text.replace('\n', " "));
    }
    match bad {
        0 => println!("\nAll that the lesson needs is there."),
        n => println!("\n{n} missing. The last words of a line say what to do."),
    }
    Ok(())
}

fn first_line(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_string())
}

fn rust() -> (State, String) {
    match first_line("rustc", "-V") {
        Some(version) => (Good, version),
        None => (Bad, "rustc is not on the PATH: install Rust with rustup".into()),
    }
}

fn compiler() -> (State, String) {
    let name = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    match first_line(&name, "--version") {
        Some(version) => (Good, version),
        None => {
            (Bad, format!("{name} is not there: apt install build-essential, or name one in CXX"))
        }
    }
}

fn python(project: &Project) -> (State, String) {
    if let Some(version) = first_line(&project.python().to_string_lossy(), "--version") {
        return (Good, format!("{version} in .venv"));
    }
    match python::find() {
        Ok(path) => (Bad, format!("{} is there, .venv is not: {RUN_SETUP}", path.display())),
        Err(error) => (Bad, error.to_string()),
    }
}

fn torch(project: &Project) -> (State, String) {
    if !project.python().exists() {
        return (Bad, RUN_SETUP.into());
    }
    let version = setup::torch_folder(project).and_then(|folder| setup::torch_version(&folder));
    let expected = setup::expected_version(project);
    match (version, expected) {
        (Ok(version), Ok(expected)) if version.starts_with(&expected) => {
            (Good, format!("{version}, which tch expects"))
        }
        (Ok(version), Ok(expected)) => {
            let todo = format!("run `.venv/bin/pip install torch=={expected}`");
            (Bad, format!("{version}, but tch expects {expected}: {todo}"))
        }
        (Err(error), _) | (_, Err(error)) => (Bad, error.to_string()),
    }
}

fn kernel(project: &Project) -> (State, String) {
    let spec = project.path(".venv/share/jupyter/kernels/rust-d2l/kernel.json");
    match (spec.exists(), project.kernel().exists()) {
        (true, true) => (Good, "\"Rust (d2l)\" in .venv/share/jupyter/kernels/rust-d2l".into()),
        _ => (Bad, format!("not built or not registered: {RUN_SETUP}")),
    }
}

fn warm(project: &Project) -> (State, String) {
    match setup::is_warm(project) {
        true => (Good, "cells compile in target/kernels".into()),
        false => (Bad, format!("the first cell would take minutes: {RUN_SETUP}")),
    }
}

/// Asks the libtorch that the cells use, through its own Python side.
fn cuda(project: &Project) -> (State, String) {
    let output = project.script("cuda_report.py").output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
            let state = if text.starts_with("usable") { Good } else { Absent };
            (state, text)
        }
        _ => (Absent, format!("not known without torch: {RUN_SETUP}")),
    }
}

/// Whether the processor itself multiplies bfloat16 numbers.
pub fn multiplies_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    let cpu = std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(target_arch = "aarch64")]
    let cpu = std::arch::is_aarch64_feature_detected!("bf16");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let cpu = false;
    cpu
}

fn bf16() -> (State, String) {
    match multiplies_bf16() {
        true => (Good, "this processor multiplies it: training is about twice as fast".into()),
        false => (Absent, "not on this processor: training computes in f32".into()),
    }
}

/// The folders in which the crate looks for data.
fn data_folders() -> Vec<PathBuf> {
    let named = std::env::var_os("D2L_DATA_DIR").map(PathBuf::from);
    named.into_iter().chain(cache_folder("d2l")).collect()
}

fn cache_folder(name: &str) -> Option<PathBuf> {
    let home = std::env::home_dir()?;
    let usual = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(usual), PathBuf::from);
    Some(cache.join(name))
}

fn find(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|path| path.exists())
}

fn hotdogs() -> (State, String) {
    let folders = data_folders();
    if let Some(path) = find(&folders, "hotdog").or_else(|| find(&folders, "hotdog.zip")) {
        return (Good, path.display().to_string());
    }
    let drawn = find(&folders, "hotdog-drawings-1");
    let drawn = drawn.map_or("drawn on first use".into(), |path| path.display().to_string());
    (Absent, format!("no photographs here: fetched on first use, else drawings ({drawn})"))
}

fn resnet_weights() -> (State, String) {
    let mut folders = data_folders();
    let torch = std::env::var_os("TORCH_HOME").map(PathBuf::from).or_else(|| cache_folder("torch"));
    folders.extend(torch.map(|folder| folder.join("hub/checkpoints")));
    match find(&folders, "resnet18-f37072fd.pth") {
        Some(path) => (Good, path.display().to_string()),
        None => (Absent, "fetched on first use, else the lesson takes EfficientNet-Lite0".into()),
    }
}

fn efficientnet_weights(project: &Project) -> (State, String) {
    match find(&[project.share()], "efficientnet_lite0.safetensors") {
        Some(path) => (Good, relative(&path, &project.root)),
        None => (Bad, RUN_SETUP.into()),
    }
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

fn disk(project: &Project) -> (State, String) {
    match setup::free_space(&project.root) {
        Some(free) if free < 2_000_000_000 => {
            (Bad, format!("{:.1} GB free: free some space", free as f64 / 1e9))
        }
        Some(free) => (Good, format!("{:.1} GB free", free as f64 / 1e9)),
        None => (Absent, "free space not known".into()),
    }
}
