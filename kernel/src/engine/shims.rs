//! Shims for the programs that evcxr calls: cargo, rustup, and the shell of a `!` line.
//!
//! cargo's and the shell's notify the relay that work begins, so that the stop button can end it; cargo's
//! puts the pinned versions into the cells' `Cargo.lock`, too, and hides packages from rust-analyzer.
//! rustup's says where cargo is. They become the real programs, which see the user's
//! own `PATH` and `CARGO_HOME`.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use d2l_common::variables::{KERNEL_CARGO_HOME, KERNEL_DIR, KERNEL_SHIMS, KERNEL_SOCKET};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::engine::{pins, rust_analyzer, rustc_cache};
use crate::environment::{Alone, BUILD_FOLDER};

/// Makes the shims in a folder, to be put in front of `PATH`.
pub fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let own = std::env::current_exe()?;
    for name in ["cargo", "rustup", "sh"] {
        std::os::unix::fs::symlink(&own, folder.join(name))?;
    }
    Ok(())
}

/// The `PATH` without the shims.
pub fn path_without() -> Option<OsString> {
    let folder = PathBuf::from(std::env::var_os(KERNEL_SHIMS)?);
    let path = std::env::var_os("PATH")?;
    std::env::join_paths(std::env::split_paths(&path).filter(|other| *other != folder)).ok()
}

/// If this process was called by a shim's name, does its work and becomes the real program.
pub fn run_if_called(alone: &Alone) -> Result<()> {
    let (Some(path), own) = (path_without(), std::env::args_os().next()) else { return Ok(()) };
    let own = PathBuf::from(own.unwrap_or_default());
    match own.file_name().and_then(OsStr::to_str) {
        Some("cargo") if rust_analyzer::is_calling() => rust_analyzer::metadata(asking(&path)?),
        Some("cargo") if rust_analyzer::is_asking_for_target() => {
            rust_analyzer::target(asking(&path)?)
        }
        Some("cargo") if rust_analyzer::is_in_its_folder() => {
            restore_pins();
            Err(asking(&path)?.exec()).context("cannot start cargo")
        }
        Some("cargo") => {
            begin_work(Work::of_cargo())?;
            restore_pins();
            rustc_cache::call_or_record(alone)?;
            let only_asks =
                std::env::args_os().nth(1).is_some_and(|it| it == "metadata" || it == "tree");
            let error = if only_asks { asking(&path)? } else { real("cargo", &path)? }.exec();
            Err(error).context("cannot start cargo")
        }
        Some("sh") => {
            begin_work(Work::Shell)?;
            match become_real("sh", &path)? {}
        }
        Some("rustup") => {
            if std::env::args().skip(1).eq(["which", "cargo"]) {
                println!("{}", own.with_file_name("cargo").display());
                std::process::exit(0);
            }
            match become_real("rustup", &path)? {}
        }
        _ => Ok(()),
    }
}

/// Without the pinned versions a later `:dep` is slow, no more.
fn restore_pins() {
    if let Some(base) = std::env::var_os(KERNEL_DIR) {
        let pinned = Path::new(&base).join("pinned.lock");
        let _ = pins::restore(Path::new("Cargo.lock"), &pinned);
    }
}

/// What the relay is notified of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Work {
    /// A line that begins with `!`.
    Shell,
    Build,
    /// Any other command of Cargo's, which may have to fetch packages.
    Packages,
}

impl Work {
    const WORDS: [(Work, &str); 3] =
        [(Work::Shell, "shell"), (Work::Build, "build"), (Work::Packages, "packages")];

    fn of_cargo() -> Work {
        let command = std::env::args_os().nth(1);
        if command.is_some_and(|command| command == "build") { Work::Build } else { Work::Packages }
    }

    fn word(self) -> &'static str {
        Work::WORDS.iter().find(|(work, _)| *work == self).map_or("", |(_, word)| word)
    }

    pub fn read(word: &str) -> Option<Work> {
        Work::WORDS.iter().find(|(_, other)| *other == word).map(|(work, _)| *work)
    }
}

fn begin_work(work: Work) -> Result<()> {
    // A process group of its own can be stopped with all that it starts.
    let _ = rustix::process::setpgid(None, None);
    if let Some(socket) = std::env::var_os(KERNEL_SOCKET)
        && let Ok(mut relay) = UnixStream::connect(socket)
    {
        let mut reply = [0];
        // In one piece, as the relay reads it.
        let hello = format!("{} {}\n", work.word(), std::process::id());
        relay.write_all(hello.as_bytes())?;
        if relay.read_exact(&mut reply).is_ok() && reply != *b"1" {
            bail!("stopped before it began");
        }
        // Stays open in all that is started: its end is the end of the work.
        fcntl_setfd(&relay, FdFlags::empty())?;
        std::mem::forget(relay);
    }
    Ok(())
}

fn become_real(program: &str, path: &OsStr) -> Result<Infallible> {
    let error = real(program, path)?.exec();
    Err(error).with_context(|| format!("cannot start {program}"))
}

/// Cargo, to be asked something. It keeps what it knows of rustc in its target folder, for one wrapper of
/// rustc only: in the folder where cells are built, with ours, each call would have to ask rustc anew.
fn asking(path: &OsStr) -> Result<Command> {
    let mut cargo = real("cargo", path)?;
    if let Some(folder) = std::env::var_os(BUILD_FOLDER) {
        let folder = Path::new(&folder).join("asked");
        cargo.env("CARGO_TARGET_DIR", &folder).env("CARGO_BUILD_BUILD_DIR", folder);
    }
    Ok(cargo)
}

/// The real program, with this one's arguments.
fn real(program: &str, path: &OsStr) -> Result<Command> {
    let mut places = std::env::split_paths(path).map(|folder| folder.join(program));
    let real = places.find(|path| path.is_file());
    let real = real.with_context(|| format!("there is no {program} on the PATH"))?;
    let mut command = Command::new(real);
    command.args(std::env::args_os().skip(1)).env("PATH", path);
    match std::env::var_os(KERNEL_CARGO_HOME) {
        Some(home) => command.env("CARGO_HOME", home),
        None => command.env_remove("CARGO_HOME"),
    };
    Ok(command)
}
