//! The program's side of the tap: its streams go through the relay, whose side is `streams.rs`.
//!
//! evcxr starts this executable again to run the cells, and talks to it through its standard streams.
//! Before that begins, the streams are handed to the relay: it then sees all that the program prints
//! before evcxr does, in order and whatever its size, and when evcxr tells the program to run a cell.

use std::io::{Read, pipe};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use d2l_common::variables::{JUPYTER_WIRE, KERNEL_CARGO_HOME, KERNEL_SOCKET, wants_backtraces};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::engine::shims;
use crate::environment::Alone;
use crate::program::handshake::{PROGRAM, PROGRAM_WITH_TRACES};

/// Puts the relay between evcxr and this process. Without a relay, evcxr works as it always does.
pub fn install(alone: Alone) {
    let with_traces = wants_backtraces();
    // evcxr asks for a backtrace at every panic; with libtorch that takes seconds, and it is long.
    alone.set("RUST_BACKTRACE", if with_traces { "1" } else { "0" });
    if let Some(path) = shims::path_without() {
        alone.set("PATH", path);
        match std::env::var_os(KERNEL_CARGO_HOME) {
            Some(home) => alone.set("CARGO_HOME", home),
            None => alone.remove("CARGO_HOME"),
        }
    }
    let Some(socket) = std::env::var_os(KERNEL_SOCKET) else { return };
    let kind = if with_traces { PROGRAM_WITH_TRACES } else { PROGRAM };
    let relay = UnixStream::connect(socket).context("no relay");
    let relay = relay.and_then(|relay| hand_over(relay, kind));
    if let Err(error) = &relay {
        // Display lines would be shown as text.
        alone.remove(JUPYTER_WIRE);
        eprintln!("Figures cannot be shown while a cell runs: {error:#}");
    }
    if let Ok(relay) = relay {
        std::thread::spawn(|| end_with(relay));
    }
}

fn hand_over(mut relay: UnixStream, kind: &str) -> Result<UnixStream> {
    let (stdin, relay_stdin) = pipe()?;
    let (relay_stdout, stdout) = pipe()?;
    let (relay_stderr, stderr) = pipe()?;
    let evcxr = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let handed = [
        evcxr.0.as_fd(),
        evcxr.1.as_fd(),
        evcxr.2.as_fd(),
        relay_stdin.as_fd(),
        relay_stdout.as_fd(),
        relay_stderr.as_fd(),
    ];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(6))];
    let mut buffer = SendAncillaryBuffer::new(&mut space);
    buffer.push(SendAncillaryMessage::ScmRights(&handed));
    let hello = format!("{kind} {}\n", std::process::id());
    let parts = [std::io::IoSlice::new(hello.as_bytes())];
    sendmsg(&relay, &parts, &mut buffer, SendFlags::empty()).context("cannot hand over")?;
    relay.read_exact(&mut [0]).context("the relay refused")?;
    dup2_stdin(stdin)?;
    dup2_stdout(stdout)?;
    dup2_stderr(stderr)?;
    Ok(relay)
}

/// Without the relay nobody can read or stop this program any more.
fn end_with(mut relay: UnixStream) {
    let _ = relay.read(&mut [0]);
    std::process::exit(1);
}
