//! The relay's socket, on which programs and other work of evcxr's present themselves.

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::sync::oneshot;

use crate::engine::shims::Work;
use crate::names;
use crate::program::streams::{Streams, attend};
use crate::queue::Inputs;
use crate::relay::Input;

/// Opens the socket. It is served by threads, as they wait for files and pipes.
pub fn listen(path: &Path, inputs: &Inputs) -> Result<()> {
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
                    && !inputs.requests.is_closed()
                {
                    eprintln!("d2l-kernel: {error:#}");
                }
            });
        }
    });
    Ok(())
}

fn greet(mut stream: UnixStream, inputs: &Inputs) -> Result<()> {
    let (hello, files) = receive(&stream)?;
    let (kind, pid) = hello.trim().split_once(' ').context("a greeting of one word")?;
    let pid: u32 = pid.parse().context("a greeting without a process")?;
    match kind {
        "program" | names::TRACING => {
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
                traces: kind == names::TRACING,
            };
            attend(streams, pid, &inputs.output)
        }
        other => {
            let Some(work) = Work::read(other) else {
                bail!("a greeting of an unknown kind: {other}")
            };
            let (answer, answered) = oneshot::channel();
            inputs.requests.blocking_send(Input::WorkBegins(work, pid, answer))?;
            let may_begin = answered.blocking_recv().unwrap_or(false);
            stream.write_all(if may_begin { b"1" } else { b"0" })?;
            // Open until the work and all that it has started have ended.
            let _ = stream.read(&mut [0]);
            Ok(inputs.requests.blocking_send(Input::WorkEnds(pid))?)
        }
    }
}

fn receive(stream: &UnixStream) -> Result<(String, Vec<OwnedFd>)> {
    let mut bytes = [0; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(6))];
    let mut buffer = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    // evcxr, should it be started again just now, must not hold what comes open.
    #[cfg(target_os = "linux")]
    let flags = RecvFlags::CMSG_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = RecvFlags::empty();
    let length = recvmsg(stream, &mut parts, &mut buffer, flags)?.bytes;
    let mut files = vec![];
    for message in buffer.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            files.extend(received);
        }
    }
    for file in &files {
        // Where there is no such flag, as soon as it can be.
        fcntl_setfd(file, FdFlags::CLOEXEC)?;
    }
    Ok((String::from_utf8_lossy(&bytes[..length]).into_owned(), files))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::io::fcntl_getfd;
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    use super::*;
    use crate::queue;

    #[test]
    fn pipes_that_are_handed_over_are_closed_in_what_is_started() {
        let (one, other) = UnixStream::pair().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let handed = [reader.as_fd(), writer.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut buffer = SendAncillaryBuffer::new(&mut space);
        buffer.push(SendAncillaryMessage::ScmRights(&handed));
        let parts = [std::io::IoSlice::new(b"program 7\n")];
        sendmsg(&one, &parts, &mut buffer, SendFlags::empty()).unwrap();
        let (hello, files) = receive(&other).unwrap();
        assert_eq!((hello.as_str(), files.len()), ("program 7\n", 2));
        for file in files {
            assert!(fcntl_getfd(file).unwrap().contains(FdFlags::CLOEXEC));
        }
    }

    #[test]
    fn greetings_that_are_none_are_errors() {
        let (inputs, _queue) = queue::queue();
        for (words, expected) in [
            (&b""[..], "one word"),
            (b"hello\n", "one word"),
            (b"program x\n", "without a process"),
            (b"program 7\n", "six files"),
            (b"dance 7\n", "unknown kind"),
            (b"\xff \xff", "without a process"),
        ] {
            let (mut one, other) = UnixStream::pair().unwrap();
            one.write_all(words).unwrap();
            drop(one);
            let error = greet(other, &inputs).unwrap_err();
            assert!(error.to_string().contains(expected), "{error:#}");
        }
    }

    #[test]
    fn work_waits_for_the_answer_and_its_end_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (inputs, mut queue) = queue::queue();
        let socket = folder.path().join("socket");
        listen(&socket, &inputs).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut next = || runtime.block_on(queue.next(std::future::pending())).unwrap();
        for may_begin in [true, false] {
            let mut work = UnixStream::connect(&socket).unwrap();
            work.write_all(b"build 7\n").unwrap();
            let Input::WorkBegins(Work::Build, 7, answer) = next() else { panic!("no work") };
            answer.send(may_begin).unwrap();
            let mut answer = [0];
            work.read_exact(&mut answer).unwrap();
            assert_eq!(answer == *b"1", may_begin);
            drop(work);
            assert!(matches!(next(), Input::WorkEnds(7)));
        }
    }
}
