//! The version of torch in the virtual environment, and the one that tch needs. python_packages.rs
//! installs it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{NOT_UTF8, cargo};
use crate::project::Project;

/// The folder of the torch that the virtual environment uses.
pub fn folder(project: &Project) -> Result<PathBuf> {
    let code =
        "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])";
    // The usual place is checked first: starting Python takes a tenth of a second.
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

/// torch's version, from its version.py.
pub fn version(torch: &Path) -> Result<String> {
    let text = text(torch)?;
    let version = text.lines().find_map(|line| line.strip_prefix("__version__ = "));
    let version =
        version.with_context(|| format!("{}/version.py names no version", torch.display()))?;
    Ok(version.trim_matches(['\'', '"']).to_string())
}

/// The text of torch's version.py.
pub fn text(torch: &Path) -> Result<String> {
    let file = torch.join("version.py");
    fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// Whether a version of torch, such as `2.13.0+cpu`, is the one that tch's wrapper needs.
pub fn is_version(torch: &str, expected: &str) -> bool {
    torch.split('+').next() == Some(expected)
}

/// The version of libtorch that the locked torch-sys needs.
pub fn expected(project: &Project) -> Result<String> {
    expected_by(&torch_sys_source(project)?)
}

/// The folder of torch-sys's C++ files.
pub fn torch_sys_source(project: &Project) -> Result<PathBuf> {
    Ok(cargo::package_folder(project, "torch-sys")?.join("libtch"))
}

/// The version of libtorch that these sources of torch-sys need.
pub fn expected_by(source: &Path) -> Result<String> {
    let file = source.with_file_name("build.rs");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let start = text.split_once("TORCH_VERSION: &str = \"").context("build.rs names no version")?;
    Ok(start.1.split('"').next().unwrap_or_default().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
