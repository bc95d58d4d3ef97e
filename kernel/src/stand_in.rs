//! Stand-ins for the cargo and rustup that evcxr calls.
//!
//! cargo's tells the relay that a build begins, so that the stop button can end it, and puts the
//! pinned versions into the cells' `Cargo.lock`. rustup's answers evcxr's question for cargo.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::{lock, names};

/// Makes the stand-ins in a folder, to be put in front of `PATH`.
pub fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let own = std::env::current_exe()?;
    for name in ["cargo", "rustup"] {
        std::os::unix::fs::symlink(&own, folder.join(name))?;
    }
    Ok(())
}

/// If this process was called by a stand-in's name, does its work and ends.
pub fn run_if_called() -> Result<()> {
    let Some(folder) = std::env::var_os(names::STAND_INS).map(PathBuf::from) else { return Ok(()) };
    let own = PathBuf::from(std::env::args_os().next().unwrap_or_default());
    let name = own.file_name().unwrap_or_default();
    // A cell that calls cargo by itself gets cargo itself.
    let by_evcxr = std::env::var_os(names::IS_RUNTIME).is_none();
    if name == "cargo" {
        if by_evcxr {
            begin_build()?;
        }
        match replace_by("cargo", &folder)? {}
    }
    if name == "rustup" {
        if std::env::args().skip(1).eq(["which", "cargo"]) && by_evcxr {
            println!("{}", folder.join("cargo").display());
            std::process::exit(0);
        }
        match replace_by("rustup", &folder)? {}
    }
    Ok(())
}

fn begin_build() -> Result<()> {
    // A process group of its own can be stopped with all that it starts.
    let _ = rustix::process::setpgid(None, None);
    if let Some(socket) = std::env::var_os(names::SOCKET)
        && let Ok(mut relay) = UnixStream::connect(socket)
    {
        let mut answer = [0];
        // In one piece, as the relay reads it.
        relay.write_all(format!("build {}\n", std::process::id()).as_bytes())?;
        if relay.read_exact(&mut answer).is_ok() && answer != *b"1" {
            bail!("stopped before it began");
        }
        // Stays open in cargo and all that it starts: its end is the end of the build.
        fcntl_setfd(&relay, FdFlags::empty())?;
        std::mem::forget(relay);
    }
    if let Some(base) = std::env::var_os(names::KERNEL_DIR) {
        // Without the pinned versions a later `:dep` is slow, no more.
        let _ = lock::restore(Path::new("Cargo.lock"), &Path::new(&base).join("pinned.lock"));
    }
    Ok(())
}

/// Becomes the real program.
fn replace_by(program: &str, stand_ins: &Path) -> Result<Infallible> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).filter(|folder| folder != stand_ins);
    let real = places.map(|folder| folder.join(program)).find(|path| path.is_file());
    let real = real.with_context(|| format!("there is no {program} on the PATH"))?;
    let error = Command::new(&real).args(std::env::args_os().skip(1)).exec();
    Err(error).with_context(|| format!("cannot start {}", real.display()))
}
