//! Where things are in this project.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use d2l_common::variables::DATA_DIR;

use crate::process;

/// The project's folder.
pub struct Project {
    pub root: PathBuf,
}

impl Project {
    /// The parent of the folder that this program was compiled in.
    pub fn find() -> Result<Project> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no folder above cli")?;
        let root = root.canonicalize().with_context(|| {
            format!(
                "{} is gone: was the project moved? Run `cargo clean -p d2l-cli`",
                root.display()
            )
        })?;
        usable(&root)?;
        Ok(Project { root })
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The virtual environment's Python.
    pub fn python(&self) -> PathBuf {
        self.path(".venv/bin/python")
    }

    /// What the set-up makes and other programs read: weights, tch's wrapper, Cargo's configuration.
    pub fn share(&self) -> PathBuf {
        self.path(".venv/share/d2l")
    }

    /// The kernel's executable.
    pub fn kernel(&self) -> PathBuf {
        self.share().join("d2l-kernel")
    }

    /// The folder of the kernels' build folders.
    pub fn kernel_folders(&self) -> PathBuf {
        self.path("target/kernels")
    }

    /// A command in the project's folder. D2L_DATA_DIR is made absolute, as the kernel runs in another
    /// folder.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = process::command(program);
        command.current_dir(&self.root);
        if let Some(folder) = std::env::var_os(DATA_DIR).filter(|value| !value.is_empty()) {
            command.env(DATA_DIR, std::path::absolute(&folder).unwrap_or(folder.into()));
        }
        command
    }

    /// The Cargo that runs this program. It always builds into target/, also if the user has set another
    /// folder for all projects.
    pub fn cargo(&self) -> Command {
        let mut command = self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.env("CARGO_TARGET_DIR", self.path("target"));
        command
    }

    /// A script from cli/python, run by the virtual environment's Python. It reads and prints UTF-8 in any
    /// locale, so that every character of a notebook can be printed.
    pub fn script(&self, name: &str) -> Command {
        let mut command = self.command(self.python());
        command.arg(self.path("cli/python").join(name)).env("PYTHONUNBUFFERED", "1");
        command.env("PYTHONUTF8", "1");
        command
    }
}

/// Python refuses to make an environment in a folder with a colon in its name, as a PATH cannot contain
/// it; and the kernelspec is UTF-8.
fn usable(root: &Path) -> Result<()> {
    if root.to_str().is_some_and(|name| !name.contains(':')) {
        return Ok(());
    }
    bail!(
        "{} has a colon or a character that is not UTF-8 in its name\n  what to do: rename or move the \
         folder",
        root.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_found_from_any_folder() {
        let project = Project::find().unwrap();
        assert!(project.path("cli/src/project.rs").is_file());
        for command in [project.command("true"), project.cargo(), project.script("trust.py")] {
            assert_eq!(command.get_current_dir(), Some(project.root.as_path()));
        }
        assert!(project.cargo().get_envs().any(|(name, value)| {
            name == "CARGO_TARGET_DIR" && value == Some(project.path("target").as_os_str())
        }));
    }

    #[test]
    fn a_folder_that_cannot_be_named_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        for name in ["/home/me/d2l", "/home/私/本", "/home/a folder/'d2l'"] {
            usable(Path::new(name)).unwrap();
        }
        for name in [&b"/home/a:b/d2l"[..], b"/home/caf\xe9/d2l", b"/home/\xa4\xa2"] {
            let path = Path::new(std::ffi::OsStr::from_bytes(name));
            let error = usable(path).unwrap_err().to_string();
            let shown = path.display().to_string();
            assert!(error.contains(&shown) && error.contains("what to do"), "{error}");
        }
    }
}
