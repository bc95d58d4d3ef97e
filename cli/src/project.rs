//! Where things are in this project.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The project's folder.
pub struct Project {
    pub root: PathBuf,
}

impl Project {
    /// The folder above the one that this program was compiled in.
    pub fn find() -> Result<Project> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no folder above cli")?;
        let root = root.canonicalize().with_context(|| {
            format!(
                "{} is gone: was the project moved? Run `cargo clean -p d2l-cli`",
                root.display()
            )
        })?;
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

    /// The folders in which kernels compile cells.
    pub fn kernel_folders(&self) -> PathBuf {
        self.path("target/kernels")
    }

    /// A command in the project's folder, with D2L_DATA_DIR made absolute, as the kernel runs
    /// elsewhere, and without what Cargo has told this program: build scripts look at that, and would
    /// compile anew what the reader's own `cargo build` or the set-up has made.
    pub fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.current_dir(&self.root);
        if let Some(folder) = std::env::var_os("D2L_DATA_DIR").filter(|value| !value.is_empty()) {
            command.env("D2L_DATA_DIR", std::path::absolute(&folder).unwrap_or(folder.into()));
        }
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
                command.env_remove(&name);
            }
        }
        command
    }

    /// Cargo, the one that runs this program.
    pub fn cargo(&self) -> Command {
        self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// A script of this program's, run by the virtual environment's Python.
    pub fn script(&self, name: &str) -> Command {
        let mut command = self.command(self.python());
        command.arg(self.path("cli/python").join(name)).env("PYTHONUNBUFFERED", "1");
        command
    }
}
