//! The relay's socket, on which programs and other work of evcxr's present themselves.

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

use crate::program::{Streams, attend};
use crate::relay::Input;

/// Opens the socket. It is served by threads, as they wait for files and pipes.
pub fn listen(path: &Path, inputs: &Sender<Input>) -> Result<()> {
    let listener = UnixListener::bind(path).with_context(|| {
        format!(
            "cannot open the socket {}\n  what to do: name a folder with a short path in TMPDIR",
            path.display()
        )
    })?;
    let inputs = inputs.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let inputs = inputs.clone();
            std::thread::spawn(move || {
                if let Err(error) = greet(stream, &inputs)
                    && !inputs.is_closed()
                {
                    eprintln!("d2l-kernel: {error:#}");
                }
            });
        }
    });
    Ok(())
}

fn greet(mut stream: UnixStream, inputs: &Sender<Input>) -> Result<()> {
    let (hello, files) = receive(&stream)?;
    let (kind, pid) = hello.trim().split_once(' ').context("a greeting of one word")?;
    let pid: u32 = pid.parse().context("a greeting without a process")?;
    match kind {
        "program" => {
            let files: [OwnedFd; 6] =
                files.try_into().ok().context("a program hands over six files")?;
            let [from_evcxr, to_evcxr, evcxr_errors, to_program, output, errors] = files;
            stream.write_all(b"1")?;
            let streams = Streams {
                from_evcxr,
                to_evcxr,
                evcxr_errors,
                to_program,
                output,
                errors,
                program: stream,
            };
            attend(streams, pid, inputs)
        }
        "work" => {
            let (answer, answered) = oneshot::channel();
            inputs.blocking_send(Input::WorkBegins(pid, answer))?;
            let may_begin = answered.blocking_recv().unwrap_or(false);
            stream.write_all(if may_begin { b"1" } else { b"0" })?;
            // Open until the work and all that it has started have ended.
            let _ = stream.read(&mut [0]);
            Ok(inputs.blocking_send(Input::WorkEnds(pid))?)
        }
        other => bail!("a greeting of an unknown kind: {other}"),
    }
}

fn receive(stream: &UnixStream) -> Result<(String, Vec<OwnedFd>)> {
    let mut bytes = [0; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(6))];
    let mut buffer = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let length = recvmsg(stream, &mut parts, &mut buffer, RecvFlags::empty())?.bytes;
    let mut files = vec![];
    for message in buffer.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            files.extend(received);
        }
    }
    for file in &files {
        // evcxr, should it be started again, must not hold them open.
        fcntl_setfd(file, FdFlags::CLOEXEC)?;
    }
    Ok((String::from_utf8_lossy(&bytes[..length]).into_owned(), files))
}
