//! `cargo d2l setup`: from nothing to a notebook whose first cell takes seconds.
//!
//! Each step leaves a stamp that says what it was made from, so that a second set-up does only what
//! has changed.

pub mod patches;
pub mod python;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::output;
use crate::process::{Steps, quietly};
use crate::project::Project;

/// Disk space that the virtual environment and the builds take.
pub const SPACE_NEEDED: u64 = 12_000_000_000;

pub fn setup(project: &Project) -> Result<()> {
    let steps = Steps::default();
    fs::create_dir_all(project.kernel_folders())
        .with_context(|| format!("cannot write to {}", project.root.display()))?;
    let lock = project.path("target/setup.lock");
    let lock =
        fs::File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
    wait_for_another(&lock, lock.try_lock())?;

    virtual_environment(project, &steps)?;
    // The two long steps need nothing of each other: the one downloads, the other compiles.
    std::thread::scope(|scope| {
        let kernel = scope.spawn(|| build_kernel(project, &steps));
        let rest = packages(project, &steps)
            .and_then(|()| wrapper(project, &steps))
            .and_then(|()| weights(project, &steps));
        let kernel = kernel.join().unwrap_or_else(|_| bail!("the kernel's build broke off"));
        rest.and(kernel)
    })?;
    kernelspec(project)?;
    warm_build(project, &steps)
}

/// Waits until no other set-up is at work, after a first look at the lock.
fn wait_for_another(lock: &fs::File, first: Result<(), fs::TryLockError>) -> Result<()> {
    match first {
        Err(fs::TryLockError::WouldBlock) => {
            output::note("Another set-up is at work here; waiting for it ...");
            lock.lock().context("cannot wait for another set-up")
        }
        // A file system without locks: go on without.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(()),
    }
}

/// Runs `work` unless it has been done with the same inputs and what it made is still there.
pub fn unless_done(
    stamp: &Path,
    inputs: &str,
    made: &[PathBuf],
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let same = fs::read_to_string(stamp).is_ok_and(|text| text == inputs);
    if same && made.iter().all(|path| path.exists()) {
        return Ok(());
    }
    let _ = fs::remove_file(stamp);
    work()?;
    fs::write(stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
}

fn virtual_environment(project: &Project, steps: &Steps) -> Result<()> {
    let works = |python: &PathBuf| {
        let output = Command::new(python).args(["-c", "import pip"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    // A look at the file is enough when the packages have been installed with it.
    let stamp = project.share().join("requirements.txt.stamp");
    if project.python().exists() && (stamp.exists() || works(&project.python())) {
        return Ok(());
    }
    let python = python::find()?;
    if let Some(free) = free_space(&project.root).filter(|&free| free < SPACE_NEEDED) {
        bail!(
            "{} has {:.1} GB free, the set-up takes about {:.0} GB\n  what to do: free some space, \
             or clone the project onto another disk",
            project.root.display(),
            free as f64 / 1e9,
            SPACE_NEEDED as f64 / 1e9
        );
    }
    steps.run("Making .venv", |bar| {
        let mut command = project.command(&python);
        command.args(["-m", "venv", "--clear", ".venv"]);
        if std::env::var_os("CONDA_PREFIX").is_some() {
            // environment.yml has installed the packages already.
            command.arg("--system-site-packages");
        }
        quietly(&mut command, bar).with_context(|| {
            format!(
                "{} cannot make a virtual environment (Debian and Ubuntu: apt install python3-venv)",
                python.display()
            )
        })?;
        if !works(&project.python()) {
            bail!(".venv has no pip (Debian and Ubuntu: apt install python3-venv)");
        }
        Ok(())
    })?;
    Ok(fs::create_dir_all(project.share())?)
}

fn packages(project: &Project, steps: &Steps) -> Result<()> {
    let step = "Installing Python packages (about 3 GB the first time)";
    install(project, steps, step, "requirements.txt", &[])
}

/// Installs a requirements file into .venv, unless that has been done.
pub fn install(
    project: &Project,
    steps: &Steps,
    step: &str,
    file: &str,
    options: &[&str],
) -> Result<()> {
    let requirements = fs::read_to_string(project.path(file))?;
    let stamp = format!("{}.stamp", file.replace('/', "-"));
    unless_done(&project.share().join(stamp), &requirements, &[project.python()], || {
        steps.run(step, |bar| {
            let mut pip = project.command(project.python());
            pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
            pip.args(["--progress-bar", "off", "-r", file]).args(options);
            quietly(&mut pip, bar).with_context(|| {
                format!(
                    "pip could not install {file}; check the network, the proxy and the disk, and \
                     run again: what was fetched is kept"
                )
            })
        })
    })
}

/// Compiles tch's C++ wrapper as a shared library and writes the Cargo configuration that puts it
/// in the place of torch-sys's build script.
fn wrapper(project: &Project, steps: &Steps) -> Result<()> {
    let torch = torch_folder(project)?;
    let version = torch_version(&torch)?;
    let lock = fs::read_to_string(project.path("Cargo.lock"))?;
    let torch_sys = locked_version(&lock, "torch-sys").context("Cargo.lock has no torch-sys")?;
    let configuration = cargo_configuration(project, &torch)?;
    let inputs = format!("{} {version} {torch_sys}\n{configuration}", torch.display());
    let share = project.share();
    unless_done(&share.join("wrapper.stamp"), &inputs, &wrapper_files(project), || {
        steps.run("Compiling tch's C++ wrapper", |bar| {
            let source = torch_sys_source(project)?;
            check_version(&torch, &version, &torch_sys, &expected_torch(&source)?)?;
            compile_wrapper(project, &source, &torch, bar)?;
            Ok(fs::write(share.join("cargo.toml"), &configuration)?)
        })
    })
}

/// What the step `wrapper` makes.
pub fn wrapper_files(project: &Project) -> [PathBuf; 2] {
    let share = project.share();
    [share.join("lib").join(library_name()), share.join("cargo.toml")]
}

/// Whether a torch, `2.13.0+cpu` say, is of the version that tch's wrapper was written for.
pub fn is_version(torch: &str, expected: &str) -> bool {
    torch.split('+').next() == Some(expected)
}

/// Another version of libtorch means pages of C++ errors.
fn check_version(torch: &Path, version: &str, torch_sys: &str, expected: &str) -> Result<()> {
    if is_version(version, expected) {
        return Ok(());
    }
    bail!(
        "{} is torch {version}, but tch's torch-sys {torch_sys} goes with {expected}\n  what to do: \
         .venv/bin/pip install torch=={expected}, or take the tch that goes with it (`cargo update \
         -p tch --precise 0.24.0` for 2.11.0)",
        torch.display()
    );
}

fn compile_wrapper(
    project: &Project,
    source: &Path,
    torch: &Path,
    bar: &indicatif::ProgressBar,
) -> Result<()> {
    let lib = project.share().join("lib");
    fs::create_dir_all(&lib)?;
    let compiler = compiler(std::env::var_os("CXX"));
    let compile = |file: &str| -> Result<PathBuf> {
        let object = lib.join(file).with_extension("o");
        let mut command = project.command(&compiler);
        command.args(["-c", "-O1", "-fPIC", "-w", "-std=c++17"]);
        command.args(["-D_GLIBCXX_USE_CXX11_ABI=1", "-DGLOG_USE_GLOG_EXPORT"]);
        command.arg("-I").arg(torch.join("include"));
        command.arg("-I").arg(torch.join("include/torch/csrc/api/include"));
        command.arg(source.join(file)).arg("-o").arg(&object);
        quietly(&mut command, bar).with_context(|| {
            format!(
                "{} could not compile {file}; is a C++ compiler installed (Debian and Ubuntu: \
                 apt install build-essential)? Another one can be named in CXX",
                compiler.display()
            )
        })?;
        Ok(object)
    };
    let (api, generated) = std::thread::scope(|scope| {
        let api = scope.spawn(|| compile("torch_api.cpp"));
        let generated = compile("torch_api_generated.cpp");
        let api = api.join().unwrap_or_else(|_| bail!("the compiler's thread failed"));
        (api, generated)
    });
    let (api, generated) = (api?, generated?);
    let mut link = project.command(&compiler);
    link.arg("-shared").arg("-o").arg(lib.join(library_name())).args([&api, &generated]);
    link.arg("-L").arg(torch.join("lib"));
    if cfg!(target_os = "macos") {
        // tch_read_stream_read and its like come from tch, in the object that loads this one.
        link.args(["-ltorch", "-ltorch_cpu", "-lc10", "-Wl,-undefined,dynamic_lookup"]);
    } else {
        // Without --no-as-needed the CUDA half of libtorch, which no symbol names, is left out.
        link.args(["-Wl,--no-as-needed", "-ltorch", "-ltorch_cpu", "-lc10"]);
        link.args(["-Wl,-soname,libtch.so", "-Wl,-z,lazy"]);
    }
    link.arg(format!("-Wl,-rpath,{}", torch.join("lib").display()));
    quietly(&mut link, bar)?;
    fs::remove_file(api)?;
    Ok(fs::remove_file(generated)?)
}

/// The C++ compiler: the one that is named in CXX, else the system's.
pub fn compiler(named: Option<OsString>) -> PathBuf {
    named.filter(|name| !name.is_empty()).map_or("c++".into(), |name| program(Path::new(&name)))
}

/// A program that a variable names. Its path is looked up here, not in the folder that it is started in.
pub fn program(name: &Path) -> PathBuf {
    let is_path = name.components().count() > 1;
    if is_path { std::path::absolute(name).unwrap_or_else(|_| name.into()) } else { name.into() }
}

fn library_name() -> &'static str {
    if cfg!(target_os = "macos") { "libtch.dylib" } else { "libtch.so" }
}

/// Read by Cargo through `.cargo/config.toml`, here and in the kernels' build folders.
fn cargo_configuration(project: &Project, torch: &Path) -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc -vV names no host")?;
    let share = project.share();
    let quoted = |path: &Path| serde_json::to_string(&path.to_string_lossy());
    Ok(format!(
        "# Written by `cargo d2l setup`: tch's C++ wrapper, compiled once, and libtorch.\n\
         [target.{host}.tch]\n\
         rustc-link-lib = [\"dylib=tch\"]\n\
         rustc-link-search = [{native}]\n\
         libtorch_lib = {torch}\n\
         wrapper_lib = {lib}\n\n\
         [env]\n\
         D2L_PRETRAINED_DIR = {share}\n\
         THP_MEM_ALLOC_ENABLE = \"1\"\n",
        native = serde_json::to_string(&format!("native={}", share.join("lib").display()))?,
        torch = quoted(&torch.join("lib"))?,
        lib = quoted(&share.join("lib"))?,
        share = quoted(&share)?,
    ))
}

/// kernel.json and Cargo's configuration are UTF-8, and so must be the paths in them.
const NOT_UTF8: &str = "the name of a folder is not UTF-8; rename it, or install elsewhere";

/// The folder of torch in the virtual environment, or in the one that it builds upon.
pub fn torch_folder(project: &Project) -> Result<PathBuf> {
    let code =
        "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])";
    // Asking Python takes a tenth of a second; the usual place is looked at first.
    let lib = project.path(".venv/lib");
    let usual = fs::read_dir(lib).into_iter().flatten().flatten();
    let usual = usual.map(|entry| entry.path().join("site-packages/torch"));
    if let Some(folder) = usual.into_iter().find(|path| path.is_dir()) {
        return Ok(folder);
    }
    let output = project.command(project.python()).args(["-c", code]).output();
    let output = output.context("cannot start .venv/bin/python; remove .venv and run again")?;
    if !output.status.success() || output.stdout.trim_ascii().is_empty() {
        bail!("torch is not installed in .venv\n  what to do: remove .venv and run again");
    }
    Ok(PathBuf::from(String::from_utf8(output.stdout).context(NOT_UTF8)?.trim()))
}

/// torch's version, as its own file says.
pub fn torch_version(torch: &Path) -> Result<String> {
    let file = torch.join("version.py");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let version = text.lines().find_map(|line| line.strip_prefix("__version__ = "));
    let version = version.with_context(|| format!("{} names no version", file.display()))?;
    Ok(version.trim_matches(['\'', '"']).to_string())
}

/// The version of a package in a Cargo.lock.
pub fn locked_version(lock: &str, package: &str) -> Option<String> {
    let entry =
        lock.split("[[package]]").find(|e| e.contains(&format!("\nname = \"{package}\"\n")))?;
    let line = entry.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(line.trim_matches('"').to_string())
}

/// The folder of torch-sys's C++ files.
fn torch_sys_source(project: &Project) -> Result<PathBuf> {
    Ok(package_folder(project, "torch-sys")?.join("libtch"))
}

/// The folder of a package that the project is built with; Cargo fetches it if need be.
pub fn package_folder(project: &Project, name: &str) -> Result<PathBuf> {
    let mut command = project.cargo();
    let output = command.args(["metadata", "--format-version", "1", "--locked"]).output();
    let output = output.map_err(|error| {
        anyhow!("cannot start cargo: {error}\n  what to do: install Rust with rustup")
    })?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let package = packages.iter().find(|package| package["name"] == name);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.with_context(|| format!("cargo metadata has no {name}"))?;
    Ok(Path::new(manifest).parent().context("a package without a folder")?.to_path_buf())
}

/// The version of libtorch that the locked torch-sys goes with.
pub fn expected_version(project: &Project) -> Result<String> {
    expected_torch(&torch_sys_source(project)?)
}

/// The version of libtorch that torch-sys was written for.
fn expected_torch(source: &Path) -> Result<String> {
    let file = source.with_file_name("build.rs");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let start = text.split_once("TORCH_VERSION: &str = \"").context("build.rs names no version")?;
    Ok(start.1.split('"').next().unwrap_or_default().to_string())
}

fn build_kernel(project: &Project, steps: &Steps) -> Result<()> {
    let files = ["Cargo.lock", "Cargo.toml", "kernel"].map(|name| project.path(name));
    let inputs = format!("{} {}", digest(&files)?, rustc_version()?);
    unless_done(&project.share().join("kernel.stamp"), &inputs, &[project.kernel()], || {
        steps.run("Building the kernel (some minutes the first time)", |bar| {
            let mut cargo = project.cargo();
            cargo.args(["build", "--locked", "--profile", "kernel", "--package", "d2l-kernel"]);
            cargo.args(patches::arguments(project)?);
            quietly(&mut cargo, bar)?;
            // A running kernel keeps the old file.
            let new = project.share().join("d2l-kernel.new");
            fs::copy(project.path("target/kernel/d2l-kernel"), &new)?;
            Ok(fs::rename(new, project.kernel())?)
        })
    })
}

fn weights(project: &Project, steps: &Steps) -> Result<()> {
    let target = project.share().join("efficientnet_lite0.safetensors");
    if target.exists() {
        return Ok(());
    }
    steps.run("Converting EfficientNet-Lite0's weights", |bar| {
        quietly(project.script("convert_efficientnet.py").arg(&target), bar)
    })
}

/// Writes the kernel's description into .venv, with all that the kernel needs in its environment,
/// so that it works whoever starts it.
fn kernelspec(project: &Project) -> Result<()> {
    let folder = project.path(".venv/share/jupyter/kernels/rust-d2l");
    fs::create_dir_all(&folder)?;
    let home = |name: &str, default: &str| -> Result<PathBuf> {
        let home = std::env::home_dir().unwrap_or_default();
        let folder = std::env::var_os(name).map_or_else(|| home.join(default), PathBuf::from);
        folder.to_str().with_context(|| format!("{}: {NOT_UTF8}", folder.display()))?;
        Ok(folder)
    };
    let cargo_home = home("CARGO_HOME", ".cargo")?;
    let toolchain = Command::new("rustc").args(["--print", "sysroot"]).output();
    let toolchain = toolchain.context("cannot start rustc")?.stdout;
    let toolchain = String::from_utf8(toolchain).context(NOT_UTF8)?;
    let toolchain = PathBuf::from(toolchain.trim()).join("bin");
    // The toolchain itself comes before rustup's stand-ins, which look it up anew at each call.
    let path = [toolchain.clone(), cargo_home.join("bin")].into_iter();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let path = path.chain(std::env::split_paths(&inherited));
    let mut unique: Vec<PathBuf> = vec![];
    for folder in path {
        if !unique.contains(&folder) {
            unique.push(folder);
        }
    }
    let torch = torch_folder(project)?;
    let libraries = std::env::join_paths([project.share().join("lib"), torch.join("lib")])?;
    let variable = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    let spec = json!({
        "argv": [project.kernel(), "--control_file", "{connection_file}"],
        "display_name": "Rust (d2l)",
        "language": "rust",
        "interrupt_mode": "message",
        "env": {
            variable: libraries.to_string_lossy(),
            "PATH": std::env::join_paths(unique)?.to_string_lossy(),
            "CARGO_HOME": cargo_home,
            "RUSTUP_HOME": home("RUSTUP_HOME", ".rustup")?,
            "RUSTC": toolchain.join("rustc"),
            "D2L_KERNEL_DIR": project.kernel_folders(),
            "D2L_PRETRAINED_DIR": project.share(),
            // libtorch asks for large pages: it spends a third less time on a training step.
            "THP_MEM_ALLOC_ENABLE": "1",
        },
    });
    let text = serde_json::to_string_pretty(&spec)?;
    let file = folder.join("kernel.json");
    if fs::read_to_string(&file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(folder.join("logo-svg.svg"), include_str!("logo.svg"))?;
    Ok(fs::write(file, text)?)
}

/// For all that cells are linked with: cells themselves keep the checks of a debug build, but decoding
/// and resizing pictures is not to be checked step by step.
const PROFILE: &str = "\
[profile.dev.package.\"*\"]
opt-level = 3
debug-assertions = false
overflow-checks = false
# Procedural macros: to optimise them takes longer than they run.
[profile.dev.package]
serde_derive.opt-level = 0
syn.opt-level = 0
thiserror-impl.opt-level = 0
zerocopy-derive.opt-level = 0
zeroize_derive.opt-level = 0
";

/// Compiles what cells need, once, into the template from which kernels take their folders.
fn warm_build(project: &Project, steps: &Steps) -> Result<()> {
    let names = ["src", "build.rs", "Cargo.toml", "Cargo.lock", "cli/python/warm.py"];
    let mut files = names.map(|name| project.path(name)).to_vec();
    files.extend(["cargo.toml", "kernel.stamp"].map(|name| project.share().join(name)));
    let inputs = format!("{} {}\n{PROFILE}", digest(&files)?, rustc_version()?);
    let template = project.kernel_folders().join("template");
    unless_done(&template.join("d2l-stamp"), &inputs, &[], || {
        steps.run("Warming the build: compiling d2l for the notebooks' cells", |bar| {
            fs::create_dir_all(&template)?;
            let configuration = project.kernel_folders().join(".cargo");
            fs::create_dir_all(&configuration)?;
            fs::write(configuration.join("config.toml"), PROFILE)?;
            // The kernel gives cells the versions that this project is tested with.
            fs::copy(project.path("Cargo.lock"), project.kernel_folders().join("pinned.lock"))?;
            quietly(&mut project.script("warm.py"), bar)
        })
    })
}

/// Whether the warm build is there, for the doctor.
pub fn is_warm(project: &Project) -> bool {
    project.kernel_folders().join("template/d2l-stamp").exists()
}

fn rustc_version() -> Result<String> {
    let output = Command::new("rustc").arg("-V").output().context("cannot start rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// One digest of files and of all files in folders.
pub fn digest(paths: &[PathBuf]) -> Result<String> {
    fn add(path: &Path, hasher: &mut Sha256) -> Result<()> {
        if path.is_dir() {
            let entries: Result<Vec<_>, _> = fs::read_dir(path)?.collect();
            let mut paths: Vec<_> = entries?.into_iter().map(|entry| entry.path()).collect();
            paths.sort();
            return paths.iter().try_for_each(|path| add(path, hasher));
        }
        let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        hasher.update(path.to_string_lossy().as_bytes());
        hasher.update(content.len().to_le_bytes());
        hasher.update(content);
        Ok(())
    }
    let mut hasher = Sha256::new();
    paths.iter().try_for_each(|path| add(path, &mut hasher))?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Free bytes on the disk of a folder; `df` knows it everywhere.
pub fn free_space(folder: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    free_bytes(&output.stdout)
}

/// Sizes, used and free kilobytes stand before the part in use, `87%`; the names of the disk and of the
/// folder, before and behind them, may have spaces.
fn free_bytes(table: &[u8]) -> Option<u64> {
    let table = String::from_utf8_lossy(table);
    let words: Vec<&str> = table.lines().nth(1)?.split_whitespace().collect();
    let kilobytes = words.windows(4).find_map(|words| {
        let numbers = words[..3].iter().map(|word| word.parse().ok());
        let [_, _, free]: [u64; 3] = numbers.collect::<Option<Vec<_>>>()?.try_into().ok()?;
        (words[3] == "-" || words[3].ends_with('%')).then_some(free)
    })?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_done_again_only_when_its_inputs_change_or_it_failed() {
        let stamp = std::env::temp_dir().join(format!("d2l-stamp-{}", std::process::id()));
        let mut runs = 0;
        let mut step = |inputs: &str, works: bool| {
            unless_done(&stamp, inputs, &[], || {
                runs += 1;
                if works { Ok(()) } else { bail!("broken") }
            })
            .is_ok()
        };
        assert!(step("a", true) && step("a", true) && step("b", true));
        assert!(!step("c", false) && step("c", true));
        assert_eq!(runs, 4);
        fs::remove_file(stamp).unwrap();
    }

    /// What the doctor finds missing the set-up makes again: a stamp alone does not prove it is there.
    #[test]
    fn a_step_is_done_again_if_what_it_made_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (stamp, made) = (folder.path().join("stamp"), [folder.path().join("made")]);
        let mut runs = 0;
        let mut step = || {
            let work = || {
                runs += 1;
                Ok(fs::write(&made[0], "")?)
            };
            unless_done(&stamp, "a", &made, work).unwrap();
        };
        step();
        step();
        fs::remove_file(&made[0]).unwrap();
        step();
        assert_eq!(runs, 2);
    }

    /// The lock of a set-up that is at work is waited for.
    #[test]
    fn two_set_ups_go_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let open = || fs::File::create(folder.path().join("setup.lock")).unwrap();
        let (first, second) = (open(), open());
        wait_for_another(&first, first.try_lock()).unwrap();
        let looked = second.try_lock();
        assert!(matches!(looked, Err(fs::TryLockError::WouldBlock)));
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                wait_for_another(&second, looked).unwrap();
                assert!(done.load(std::sync::atomic::Ordering::SeqCst), "it did not wait");
            });
            std::thread::sleep(std::time::Duration::from_millis(50));
            done.store(true, std::sync::atomic::Ordering::SeqCst);
            first.unlock().unwrap();
        });
        assert!(first.try_lock().is_err(), "the second one has it now");
    }

    /// NFS without its lock service, some FUSE and 9p mounts: locking is not supported there, which is
    /// no sign of another set-up, and waiting would fail, too.
    #[test]
    fn a_file_system_without_locks_is_set_up_without_one() {
        use std::io::{Error, ErrorKind};
        let folder = tempfile::tempdir().unwrap();
        let open = || fs::File::create(folder.path().join("setup.lock")).unwrap();
        let file = open();
        for kind in [
            ErrorKind::Unsupported,
            ErrorKind::PermissionDenied,
            ErrorKind::InvalidInput,
            ErrorKind::StaleNetworkFileHandle,
            ErrorKind::Other,
        ] {
            let looked = Err(fs::TryLockError::Error(Error::from(kind)));
            wait_for_another(&file, looked).unwrap();
            open().try_lock().expect("nothing is locked");
        }
    }

    /// C28: `2.13.0` is not the beginning of a version, but the whole of it; what follows `+` is how it
    /// was built.
    #[test]
    fn only_the_same_version_of_torch_goes_with_tch() {
        for version in ["2.13.0", "2.13.0+cpu", "2.13.0+cu130", "2.13.0+git1234"] {
            assert!(is_version(version, "2.13.0"), "{version}");
        }
        for version in [
            "2.13.01",
            "2.13.0.1",
            "2.13.0rc1",
            "2.13.0a0+git",
            "2.13",
            "2.1",
            "2.13.1",
            "12.13.0",
            "",
        ] {
            assert!(!is_version(version, "2.13.0"), "{version}");
        }
        assert!(!is_version("2.13.0", "2.1"));
    }

    /// tch-rs#949
    #[test]
    fn a_torch_of_another_version_is_named() {
        let folder = std::env::temp_dir().join(format!("d2l-torch-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("version.py"), "import x\n__version__ = '2.2.2+cu121'\n").unwrap();
        let version = torch_version(&folder).unwrap();
        let error = check_version(&folder, &version, "0.26.0", "2.13.0").unwrap_err().to_string();
        for part in ["2.2.2+cu121", "0.26.0", "pip install torch==2.13.0", "what to do"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        check_version(&folder, "2.13.0+cpu", "0.26.0", "2.13.0").unwrap();
        fs::remove_dir_all(folder).unwrap();
        assert!(torch_version(Path::new("/no/such/torch")).is_err());
    }

    #[test]
    fn versions_are_read_from_the_lock_file() {
        let lock = include_str!("../../../Cargo.lock");
        assert_eq!(locked_version(lock, "evcxr_jupyter").unwrap(), "0.22.0");
        assert_eq!(locked_version(lock, "no-such-package"), None);
    }

    #[test]
    fn changed_files_change_the_digest() {
        let folder = std::env::temp_dir().join(format!("d2l-digest-{}", std::process::id()));
        fs::create_dir_all(folder.join("inner")).unwrap();
        fs::write(folder.join("inner/a"), "1").unwrap();
        let first = digest(std::slice::from_ref(&folder)).unwrap();
        assert_eq!(digest(std::slice::from_ref(&folder)).unwrap(), first);
        fs::write(folder.join("inner/a"), "2").unwrap();
        assert_ne!(digest(std::slice::from_ref(&folder)).unwrap(), first);
        assert!(digest(&[folder.join("missing")]).is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn free_space_is_read_whatever_the_disk_is_called() {
        let table = |row: &str| {
            format!("Filesystem 1024-blocks Used Available Capacity Mounted on\n{row}\n")
        };
        for (row, expected) in [
            ("/dev/sda1 100 40 60 40% /", Some(60)),
            ("//server/my share 100 40 60 40% /mnt", Some(60)),
            ("disk 7 100 40 60 40% /mnt/a folder of 3 90% 1", Some(60)),
            ("overlay 9000000000 40 8999999960 1% /", Some(8_999_999_960)),
            ("/dev/sda1 100 100 0 100% /", Some(0)),
            ("none 0 0 0 - /proc", Some(0)),
            ("/dev/sda1 100 120 -20 120% /", None),
            ("/dev/sda1 1 1 18446744073709551615 1% /", None),
            ("df: nothing", None),
            ("", None),
        ] {
            assert_eq!(
                free_bytes(table(row).as_bytes()),
                expected.map(|kilobytes: u64| kilobytes * 1024),
                "{row}"
            );
        }
        assert_eq!(free_bytes(b""), None);
        // As it comes in a locale of its own
        let table = b"Syst\xe8me blocs\n/dev/sda1 100 40 60 40% /caf\xe9\n";
        assert_eq!(free_bytes(table), Some(60 * 1024));
        assert!(free_space(Path::new("/")).is_some());
        assert_eq!(free_space(Path::new("/no/such/folder")), None);
    }

    #[test]
    fn the_compiler_is_the_one_that_is_named() {
        assert_eq!(compiler(None), Path::new("c++"));
        assert_eq!(compiler(Some("".into())), Path::new("c++"));
        assert_eq!(compiler(Some("clang++".into())), Path::new("clang++"));
        assert_eq!(compiler(Some("/opt/bin/g++".into())), Path::new("/opt/bin/g++"));
        let here = std::env::current_dir().unwrap();
        assert_eq!(compiler(Some("bin/g++".into())), here.join("bin/g++"));
    }
}
