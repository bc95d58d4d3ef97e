//! `cargo d2l doctor`: what is there, what is not, and what to do about it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use console::style;
use serde_json::Value;

use crate::project::Project;
use crate::{output, process, setup};

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Good,
    /// The lesson runs without it.
    Absent,
    Bad,
}

use State::{Absent, Bad, Good};

const RUN_SETUP: &str = "run `cargo d2l setup`";
/// The set-up makes the environment anew only where there is none.
const MAKE_ANEW: &str = "remove .venv and run `cargo d2l setup`";

/// Tells how everything stands. The status is 0 if everything is there, 1 if something is missing.
pub fn doctor(project: &Project) -> ExitCode {
    let (text, status) = diagnosis(&rows(project));
    output::result(text);
    status
}

fn diagnosis(rows: &[Row]) -> (String, ExitCode) {
    let mut lines = vec![];
    for (name, (state, text)) in rows {
        let mark = match state {
            Good => style("ok     ").green(),
            Absent => style("absent ").yellow(),
            Bad => style("MISSING").red(),
        };
        lines.push(format!("{mark}  {name:<19} {}\n", text.replace('\n', " ")));
    }
    let missing = rows.iter().filter(|(_, (state, _))| *state == Bad).count();
    let (end, status) = match missing {
        0 => ("All that the lesson needs is there.".into(), ExitCode::SUCCESS),
        n => (format!("{n} missing. The last words of a line say what to do."), ExitCode::FAILURE),
    };
    (lines.concat() + "\n" + &end, status)
}

type Row = (&'static str, (State, String));

fn rows(project: &Project) -> [Row; 13] {
    let data = folders(std::env::var_os("D2L_DATA_DIR"), dirs::cache_dir());
    let torch_home = std::env::var_os("TORCH_HOME");
    [
        ("Rust", rust()),
        ("C++ compiler", compiler(&setup::wrapper::compiler(std::env::var_os("CXX")))),
        ("Python", python(project)),
        ("torch", torch_of(project)),
        ("tch's wrapper", wrapper(project)),
        ("kernel", kernel(project)),
        ("warm build", warm(project)),
        ("CUDA", cuda(project)),
        ("bfloat16", bf16()),
        ("hot dogs", hotdogs(&data)),
        ("ResNet-18 weights", resnet_weights(&data, torch_home, dirs::cache_dir())),
        ("EfficientNet-Lite0", efficientnet_weights(project)),
        ("disk", disk(project, setup::disk::free_space(&project.root))),
    ]
}

fn first_line(program: impl AsRef<Path>, argument: &str) -> Option<String> {
    let output = process::command(program.as_ref()).arg(argument).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_string())
}

fn rust() -> (State, String) {
    match first_line("rustc", "-V") {
        Some(version) => (Good, version),
        None => (Bad, "rustc is not on the PATH: install Rust with rustup".into()),
    }
}

fn compiler(name: &Path) -> (State, String) {
    match first_line(name, "--version") {
        Some(version) => (Good, version),
        None => (
            Bad,
            format!(
                "{} is not there: apt install build-essential, or name one in CXX",
                name.display()
            ),
        ),
    }
}

fn python(project: &Project) -> (State, String) {
    if let Some(version) = first_line(project.python(), "--version") {
        // The packages are in a folder of one version, and an update of the system may bring another.
        let minor = version.split('.').take(2).collect::<Vec<_>>().join(".").replace(' ', "");
        let packages = project.path(".venv/lib").join(minor.to_lowercase());
        if packages.is_dir() {
            return (Good, format!("{version} in .venv"));
        }
        return (Bad, format!("{version}, but .venv was made with another: {MAKE_ANEW}"));
    }
    if project.path(".venv").exists() {
        return (Bad, format!("the Python in .venv does not run: {MAKE_ANEW}"));
    }
    match setup::python::find() {
        Ok(path) => (Bad, format!("{} is there, .venv is not: {RUN_SETUP}", path.display())),
        Err(error) => (Bad, error.to_string()),
    }
}

fn torch_of(project: &Project) -> (State, String) {
    if !project.python().exists() {
        return (Bad, RUN_SETUP.into());
    }
    let version = setup::torch::folder(project).and_then(|folder| setup::torch::version(&folder));
    torch(version, setup::torch::expected(project))
}

/// What is there, and what tch goes with.
fn torch(version: Result<String>, expected: Result<String>) -> (State, String) {
    match (version, expected) {
        (Ok(version), Ok(expected)) if setup::torch::is_version(&version, &expected) => {
            (Good, format!("{version}, which tch expects"))
        }
        (Ok(version), Ok(expected)) => {
            let todo = format!("run `.venv/bin/pip install torch=={expected}`");
            (Bad, format!("{version}, but tch expects {expected}: {todo}"))
        }
        (Err(error), _) | (_, Err(error)) => (Bad, format!("{error:#}")),
    }
}

fn wrapper(project: &Project) -> (State, String) {
    match setup::wrapper::files(project).iter().find(|path| !path.is_file()) {
        None => (Good, "compiled, in .venv/share/d2l/lib".into()),
        Some(path) => (Bad, format!("{} is not there: {RUN_SETUP}", relative(path, &project.root))),
    }
}

fn kernel(project: &Project) -> (State, String) {
    let folder = ".venv/share/jupyter/kernels/rust-d2l";
    let kernel = project.kernel();
    let spec = std::fs::read(project.path(folder).join("kernel.json")).unwrap_or_default();
    let spec: Value = serde_json::from_slice(&spec).unwrap_or_default();
    match spec["argv"][0].as_str() {
        // As it is written for a project that was moved since
        Some(named) if Path::new(named) != kernel => {
            (Bad, format!("\"Rust (d2l)\" is registered as {named}: {RUN_SETUP}"))
        }
        Some(_) if kernel.is_file() => (Good, format!("\"Rust (d2l)\" in {folder}")),
        _ => (Bad, format!("not built or not registered: {RUN_SETUP}")),
    }
}

fn warm(project: &Project) -> (State, String) {
    match setup::warm_build::is_there(project) {
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

/// The folders in which the crate looks for data: D2L_DATA_DIR, if it is set, and its cache folder.
fn folders(named: Option<OsString>, cache: Option<PathBuf>) -> Vec<PathBuf> {
    let named = named.filter(|name| !name.is_empty()).map(PathBuf::from);
    named.into_iter().chain(cache.map(|folder| folder.join("d2l"))).collect()
}

fn find(folders: &[PathBuf], name: &str, is_right: fn(&Path) -> bool) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|path| is_right(path))
}

fn hotdogs(folders: &[PathBuf]) -> (State, String) {
    let unpacked = find(folders, "hotdog", Path::is_dir);
    if let Some(path) = unpacked.or_else(|| find(folders, "hotdog.zip", Path::is_file)) {
        return (Good, path.display().to_string());
    }
    let drawn = find(folders, "hotdog-drawings-1", Path::is_dir);
    let drawn = drawn.map_or("drawn on first use".into(), |path| path.display().to_string());
    (Absent, format!("no photographs here: fetched on first use, else drawings ({drawn})"))
}

/// The crate takes what PyTorch has fetched, too.
fn resnet_weights(
    folders: &[PathBuf],
    torch_home: Option<OsString>,
    cache: Option<PathBuf>,
) -> (State, String) {
    let torch = torch_home.map(PathBuf::from).or_else(|| Some(cache?.join("torch")));
    let torch = torch.map(|folder| folder.join("hub/checkpoints"));
    let folders: Vec<PathBuf> = folders.iter().cloned().chain(torch).collect();
    match find(&folders, "resnet18-f37072fd.pth", Path::is_file) {
        Some(path) => (Good, path.display().to_string()),
        None => (Absent, "fetched on first use, else the lesson takes EfficientNet-Lite0".into()),
    }
}

fn efficientnet_weights(project: &Project) -> (State, String) {
    match find(&[project.share()], "efficientnet_lite0.safetensors", Path::is_file) {
        Some(path) => (Good, relative(&path, &project.root)),
        None => (Bad, RUN_SETUP.into()),
    }
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

fn disk(project: &Project, free: Option<u64>) -> (State, String) {
    let needed =
        if project.python().exists() { 2_000_000_000 } else { setup::environment::SPACE_NEEDED };
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    match free {
        Some(free) if free < needed => {
            let (free, needed) = (gigabytes(free), gigabytes(needed));
            (Bad, format!("{free:.1} GB free, {needed:.0} GB are needed: free some space"))
        }
        Some(free) => (Good, format!("{:.1} GB free", gigabytes(free))),
        None => (Absent, "free space not known".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::bail;

    use super::*;

    /// A project's folder with nothing in it.
    fn project() -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        (folder, Project { root })
    }

    fn write(path: PathBuf, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A program in the place of .venv/bin/python. A process of its own writes it: were it open here
    /// while another test starts a program, it could not be run.
    fn fake_python(project: &Project, script: &str) {
        let path = project.python();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let make = "printf '#!/bin/sh\n%s\n' \"$1\" > \"$0\" && chmod +x \"$0\"";
        let status = process::command("sh").args(["-c", make]).arg(path).arg(script).status();
        assert!(status.unwrap().success());
    }

    #[track_caller]
    fn check(row: (State, String), state: State, words: &[&str]) {
        for word in words {
            assert!(row.1.contains(word), "{word:?} is not in {row:?}");
        }
        assert_eq!(row.0, state, "{row:?}");
    }

    /// C28: scripts go by the exit status.
    #[test]
    fn the_status_is_1_if_something_is_missing() {
        let rows = |states: &[State]| -> Vec<Row> {
            states.iter().map(|&state| ("a thing", (state, "as it is\n  do this".into()))).collect()
        };
        for states in [&[Good, Good][..], &[Absent, Good, Absent], &[]] {
            let (text, status) = diagnosis(&rows(states));
            assert!(text.ends_with("\nAll that the lesson needs is there."), "{text}");
            assert_eq!(status, ExitCode::SUCCESS);
        }
        for (states, count) in [(&[Bad][..], 1), (&[Good, Bad, Absent, Bad, Good], 2)] {
            let (text, status) = diagnosis(&rows(states));
            assert!(text.contains(&format!("\n{count} missing. ")), "{text}");
            assert_eq!(status, ExitCode::FAILURE);
            // A row is a line.
            assert_eq!(text.lines().count(), states.len() + 2);
        }
    }

    #[test]
    fn of_an_empty_project_all_that_the_set_up_makes_is_missing() {
        let (_folder, project) = project();
        let rows = rows(&project);
        let state = |name: &str| rows.iter().find(|row| row.0 == name).unwrap().1.clone();
        for name in
            ["Python", "torch", "tch's wrapper", "kernel", "warm build", "EfficientNet-Lite0"]
        {
            let (state, text) = state(name);
            assert_eq!(state, Bad, "{name}: {text}");
            assert!(text.contains("cargo d2l setup") || name == "Python", "{name}: {text}");
        }
        check(state("CUDA"), Absent, &["not known without torch"]);
        assert_eq!(diagnosis(&rows).1, ExitCode::FAILURE);
    }

    /// C28: as the set-up compares them, not by how they begin.
    #[test]
    fn another_version_of_torch_is_missing() {
        let row = |version: &str| torch(Ok(version.into()), Ok("2.13.0".into()));
        for version in ["2.13.0", "2.13.0+cpu", "2.13.0+cu130"] {
            check(row(version), Good, &[version, "which tch expects"]);
        }
        for version in ["2.13.01", "2.13.0rc1", "2.13.0.1", "2.13", "2.1", "2.14.0", ""] {
            check(row(version), Bad, &[version, "tch expects 2.13.0", "pip install torch==2.13.0"]);
        }
        check(torch(Ok("2.13.0".into()), Ok("2.1".into())), Bad, &["torch==2.1`"]);
        let gone = || Err(anyhow::anyhow!("No such file").context("cannot read version.py"));
        let words = ["cannot read version.py: No such file"];
        check(torch(gone(), Ok("2.13.0".into())), Bad, &words);
        check(torch(Ok("2.13.0".into()), gone()), Bad, &words);
        let torn: Result<String> = (|| bail!("it names no version"))();
        check(torch(torn, Ok("2.13.0".into())), Bad, &["it names no version"]);
    }

    #[test]
    fn a_compiler_that_is_not_there_is_named() {
        check(
            compiler(Path::new("/no/such/c++")),
            Bad,
            &["/no/such/c++", "build-essential", "CXX"],
        );
        // It is there, but does not work.
        check(compiler(Path::new("false")), Bad, &["false is not there"]);
        check(compiler(Path::new("true")), Good, &[]);
    }

    #[test]
    fn a_broken_environment_is_to_be_made_anew() {
        let (_folder, project) = project();
        fs::create_dir(project.path(".venv")).unwrap();
        let anew = ["remove .venv", "cargo d2l setup"];
        check(python(&project), Bad, &anew);
        // The Python it was made with has gone.
        fs::create_dir(project.path(".venv/bin")).unwrap();
        std::os::unix::fs::symlink("/no/such/python3", project.python()).unwrap();
        check(python(&project), Bad, &anew);
        fs::remove_file(project.python()).unwrap();
        fake_python(&project, "exit 1");
        check(python(&project), Bad, &anew);
        // Not a program
        write(project.python(), "");
        check(python(&project), Bad, &anew);
    }

    #[test]
    fn packages_belong_to_one_version_of_python() {
        let (_folder, project) = project();
        fake_python(&project, "echo Python 3.12.4");
        let anew = ["Python 3.12.4", "made with another", "remove .venv"];
        check(python(&project), Bad, &anew);
        fs::create_dir_all(project.path(".venv/lib/python3.1")).unwrap();
        fs::create_dir_all(project.path(".venv/lib/python3.13")).unwrap();
        check(python(&project), Bad, &anew);
        fs::create_dir_all(project.path(".venv/lib/python3.12")).unwrap();
        check(python(&project), Good, &["Python 3.12.4 in .venv"]);
        // A preview, and one whose name is not UTF-8
        fake_python(&project, "echo Python 3.12.0rc1+");
        check(python(&project), Good, &["Python 3.12.0rc1+ in .venv"]);
        fake_python(&project, r"printf 'Python 3.12.4 caf\351\n'");
        check(python(&project), Good, &["Python 3.12.4 caf\u{fffd} in .venv"]);
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
    fn cuda_is_as_torch_says() {
        let (_folder, project) = project();
        check(cuda(&project), Absent, &["not known"]);
        fake_python(&project, "echo 'usable: a GPU; CUDA 13.0, bfloat16'");
        check(cuda(&project), Good, &["usable: a GPU"]);
        fake_python(&project, "echo 'absent: this torch was built without CUDA'");
        check(cuda(&project), Absent, &["built without CUDA"]);
        fake_python(&project, "echo usable; exit 1");
        check(cuda(&project), Absent, &["not known without torch", "cargo d2l setup"]);
    }

    #[test]
    fn data_is_looked_for_where_the_crate_looks() {
        let (named, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let all = folders(Some(named.path().into()), Some(cache.path().into()));
        assert_eq!(all, [named.path().to_path_buf(), cache.path().join("d2l")]);
        assert_eq!(folders(Some("".into()), Some("/c".into())), [Path::new("/c/d2l")]);
        assert_eq!(folders(None, Some("/c".into())), [Path::new("/c/d2l")]);
        assert!(folders(None, None).is_empty());

        check(hotdogs(&[]), Absent, &["no photographs", "drawn on first use"]);
        check(hotdogs(&all), Absent, &["no photographs", "drawn on first use"]);
        let drawn = cache.path().join("d2l/hotdog-drawings-1");
        fs::create_dir_all(&drawn).unwrap();
        check(hotdogs(&all), Absent, &[&drawn.display().to_string()]);
        // A file is no unpacked data set, and a folder no archive.
        write(named.path().join("hotdog"), "");
        fs::create_dir(named.path().join("hotdog.zip")).unwrap();
        check(hotdogs(&all), Absent, &["no photographs"]);
        let archive = cache.path().join("d2l/hotdog.zip");
        write(archive.clone(), "");
        check(hotdogs(&all), Good, &[&archive.display().to_string()]);
        let unpacked = cache.path().join("d2l/hotdog");
        fs::create_dir(&unpacked).unwrap();
        let row = hotdogs(&all);
        assert_eq!(row, (Good, unpacked.display().to_string()));
    }

    #[test]
    fn weights_are_looked_for_where_the_crate_and_pytorch_keep_them() {
        let (cache, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = folders(None, Some(cache.path().into()));
        let row = |home: Option<&Path>| {
            resnet_weights(&folders, home.map(OsString::from), Some(cache.path().into()))
        };
        const FILE: &str = "resnet18-f37072fd.pth";
        check(row(None), Absent, &["fetched on first use"]);
        check(resnet_weights(&[], None, None), Absent, &["fetched on first use"]);
        let usual = cache.path().join("torch/hub/checkpoints").join(FILE);
        write(usual.clone(), "");
        check(row(None), Good, &[&usual.display().to_string()]);
        // TORCH_HOME takes the place of the usual folder.
        check(row(Some(home.path())), Absent, &[]);
        let named = home.path().join("hub/checkpoints").join(FILE);
        write(named.clone(), "");
        check(row(Some(home.path())), Good, &[&named.display().to_string()]);
        let ours = cache.path().join("d2l").join(FILE);
        write(ours.clone(), "");
        check(row(Some(home.path())), Good, &[&ours.display().to_string()]);

        let (_folder, project) = project();
        check(efficientnet_weights(&project), Bad, &["cargo d2l setup"]);
        write(project.share().join("efficientnet_lite0.safetensors"), "");
        let shown = ".venv/share/d2l/efficientnet_lite0.safetensors";
        assert_eq!(efficientnet_weights(&project), (Good, shown.to_string()));
    }

    #[test]
    fn before_the_set_up_the_disk_needs_more_space() {
        let (_folder, project) = project();
        check(disk(&project, Some(13_000_000_000)), Good, &["13.0 GB free"]);
        let words = ["5.0 GB free", "12 GB are needed", "free some space"];
        check(disk(&project, Some(5_000_000_000)), Bad, &words);
        fake_python(&project, "exit");
        check(disk(&project, Some(5_000_000_000)), Good, &["5.0 GB free"]);
        check(disk(&project, Some(1_500_000_000)), Bad, &["1.5 GB free", "2 GB are needed"]);
        check(disk(&project, Some(0)), Bad, &["0.0 GB free"]);
        check(disk(&project, None), Absent, &["not known"]);
    }
}
