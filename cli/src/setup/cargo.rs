//! Versions and folders of packages, from Cargo.lock and Cargo, and rustc's version.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::NOT_UTF8;
use crate::process;
use crate::project::Project;

/// The version of a package in a Cargo.lock.
pub fn locked_version(lock: &str, package: &str) -> Option<String> {
    let entry =
        lock.split("[[package]]").find(|e| e.contains(&format!("\nname = \"{package}\"\n")))?;
    let line = entry.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(line.trim_matches('"').to_string())
}

/// The folder of a dependency's sources; Cargo downloads them if necessary.
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

/// The version of rustc.
pub fn rustc_version() -> Result<String> {
    let output = process::command("rustc").arg("-V").output().context("cannot start rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// The name of this machine's target for rustc.
pub fn host() -> Result<String> {
    let output = process::command("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_string())
}

/// The folder of the toolchain's programs: rustup's own look it up at each call.
pub fn toolchain() -> Result<PathBuf> {
    let output = process::command("rustc").args(["--print", "sysroot"]).output();
    let sysroot = output.context("cannot start rustc")?.stdout;
    let sysroot = String::from_utf8(sysroot).context(NOT_UTF8)?;
    Ok(PathBuf::from(sysroot.trim()).join("bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_lock_file() {
        let lock = include_str!("../../../Cargo.lock");
        assert_eq!(locked_version(lock, "evcxr_jupyter").unwrap(), "0.22.0");
        assert_eq!(locked_version(lock, "no-such-package"), None);
    }
}
