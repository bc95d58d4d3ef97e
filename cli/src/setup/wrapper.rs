//! tch's C++ wrapper, compiled as a shared library.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use d2l_common::variables::PRETRAINED_DIR;

use super::stamp::unless_done;
use super::{cargo, torch_version};
use crate::process::{self, quietly};
use crate::project::Project;
use crate::steps::Steps;

/// What is linked with the wrapper: loads libtorch's CUDA half, where there is a use for it.
const CUDA_HALF: &str = include_str!("cuda_half.cpp");

/// Compiles tch's C++ wrapper as a shared library and writes the Cargo configuration that replaces
/// torch-sys's build script with it.
pub fn compile(project: &Project, steps: &Steps) -> Result<()> {
    let folder = torch_version::folder(project)?;
    let version = torch_version::version(&folder)?;
    let lock = fs::read_to_string(project.path("Cargo.lock"))?;
    let torch_sys =
        cargo::locked_version(&lock, "torch-sys").context("Cargo.lock has no torch-sys")?;
    let configuration = cargo_configuration(project, &folder)?;
    let inputs = format!("{} {version} {torch_sys}\n{configuration}{CUDA_HALF}", folder.display());
    let share = project.share();
    unless_done(&share.join("wrapper.stamp"), &inputs, &files(project), || {
        steps.run("Compiling tch's C++ wrapper", "a minute", |bar| {
            let source = torch_version::torch_sys_source(project)?;
            check_version(&folder, &version, &torch_sys, &torch_version::expected_by(&source)?)?;
            compile_files(project, &source, &folder, bar)?;
            Ok(fs::write(share.join("cargo.toml"), &configuration)?)
        })
    })
}

/// The files that [`compile`] makes.
pub fn files(project: &Project) -> [PathBuf; 2] {
    let share = project.share();
    [share.join("lib").join(library_name()), share.join("cargo.toml")]
}

/// With another version of libtorch the compiler would print pages of errors.
fn check_version(torch: &Path, version: &str, torch_sys: &str, expected: &str) -> Result<()> {
    if torch_version::is_version(version, expected) {
        return Ok(());
    }
    bail!(
        "{} is torch {version}, but tch's torch-sys {torch_sys} needs {expected}\n  what to do: \
         .venv/bin/pip install --no-deps torch=={expected}, or use the tch for this torch (`cargo update \
         -p tch --precise 0.24.0` for 2.11.0)",
        torch.display()
    );
}

fn compile_files(
    project: &Project,
    source: &Path,
    torch: &Path,
    bar: &indicatif::ProgressBar,
) -> Result<()> {
    let lib = project.share().join("lib");
    fs::create_dir_all(&lib)?;
    let compiler = compiler(std::env::var_os("CXX"));
    let compile = |file: &Path| -> Result<PathBuf> {
        let object = lib.join(file.file_name().unwrap_or_default()).with_extension("o");
        let mut command = project.command(&compiler);
        // Each function checks its arguments and calls libtorch: to optimise that takes half as long again.
        command.args(["-c", "-O0", "-fPIC", "-w", "-std=c++17"]);
        command.args(["-D_GLIBCXX_USE_CXX11_ABI=1", "-DGLOG_USE_GLOG_EXPORT"]);
        command.arg("-I").arg(torch.join("include"));
        command.arg("-I").arg(torch.join("include/torch/csrc/api/include"));
        command.arg(file).arg("-o").arg(&object);
        quietly(&mut command, bar).with_context(|| {
            format!(
                "{} could not compile {}; is a C++ compiler installed (Debian and Ubuntu: apt install \
                 build-essential)? Another one can be named in CXX",
                compiler.display(),
                file.display()
            )
        })?;
        Ok(object)
    };
    let cuda_half = lib.join("cuda_half.cpp");
    fs::write(&cuda_half, CUDA_HALF)?;
    let (api, generated) = std::thread::scope(|scope| {
        let api = scope.spawn(|| compile(&source.join("torch_api.cpp")));
        let generated = compile(&source.join("torch_api_generated.cpp"));
        let api = api.join().unwrap_or_else(|_| bail!("the compiler's thread failed"));
        (api, generated)
    });
    let mut objects = vec![api?, generated?];
    if cfg!(target_os = "linux") {
        objects.push(compile(&cuda_half)?);
    }
    let mut link = project.command(&compiler);
    link.arg("-shared").arg("-o").arg(lib.join(library_name())).args(&objects);
    link.arg("-L").arg(torch.join("lib")).args(["-ltorch_cpu", "-lc10"]);
    if cfg!(target_os = "macos") {
        // tch_read_stream_read and similar functions are defined in the program that loads this library.
        link.arg("-Wl,-undefined,dynamic_lookup");
    } else {
        link.args(["-ldl", "-Wl,-soname,libtch.so", "-Wl,-z,lazy"]);
    }
    link.arg(format!("-Wl,-rpath,{}", torch.join("lib").display()));
    quietly(&mut link, bar)?;
    for file in objects.iter().chain([&cuda_half]) {
        fs::remove_file(file)?;
    }
    Ok(())
}

/// The C++ compiler: the one named in CXX, else the system's.
pub fn compiler(named: Option<OsString>) -> PathBuf {
    named
        .filter(|name| !name.is_empty())
        .map_or("c++".into(), |name| process::program(Path::new(&name)))
}

fn library_name() -> &'static str {
    if cfg!(target_os = "macos") { "libtch.dylib" } else { "libtch.so" }
}

/// Read by Cargo through `.cargo/config.toml`, here and in the kernels' build folders.
fn cargo_configuration(project: &Project, torch: &Path) -> Result<String> {
    let host = cargo::host()?;
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
         {PRETRAINED_DIR} = {share}\n\
         THP_MEM_ALLOC_ENABLE = \"1\"\n",
        native = serde_json::to_string(&format!("native={}", share.join("lib").display()))?,
        torch = quoted(&torch.join("lib"))?,
        lib = quoted(&share.join("lib"))?,
        share = quoted(&share)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// tch-rs#949
    #[test]
    fn a_torch_of_another_version_is_named() {
        let folder = std::env::temp_dir().join(format!("d2l-torch-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("version.py"), "import x\n__version__ = '2.2.2+cu121'\n").unwrap();
        let version = torch_version::version(&folder).unwrap();
        let error = check_version(&folder, &version, "0.26.0", "2.13.0").unwrap_err().to_string();
        for part in ["2.2.2+cu121", "0.26.0", "install --no-deps torch==2.13.0", "what to do"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        check_version(&folder, "2.13.0+cpu", "0.26.0", "2.13.0").unwrap();
        fs::remove_dir_all(folder).unwrap();
        assert!(torch_version::version(Path::new("/no/such/torch")).is_err());
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
