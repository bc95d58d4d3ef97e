//! The relay's socket, on which programs and other work of evcxr's present themselves: each begins with a
//! line of its kind and its process, and waits for a byte.

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
use crate::program::streams::{self, Streams, forward};
use crate::queue::Inputs;

/// How a program introduces itself.
pub const PROGRAM: &str = "program";
/// The same for one whose reader has asked for backtraces.
pub const PROGRAM_WITH_TRACES: &str = "program+traces";

const RELAY_ENDED: &str = "the relay has ended";

/// What happens to work of evcxr's.
pub enum Event {
    /// This process begins a build or a shell's command; the reply is whether it may.
    Begins(Work, u32, oneshot::Sender<bool>),
    /// It has ended, and all that it has started.
    Ends(u32),
}

/// Opens the socket. It is served by threads, as they wait for files and pipes.
pub fn listen<T>(path: &Path, inputs: &Inputs<T>) -> Result<()>
where
    T: From<Event> + From<streams::Event> + Send + 'static,
{
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
                if let Err(error) = serve(stream, &inputs)
                    && !inputs.requests.is_closed()
                {
                    eprintln!("d2l-kernel: {error:#}");
                }
            });
        }
    });
    Ok(())
}

fn serve<T>(mut stream: UnixStream, inputs: &Inputs<T>) -> Result<()>
where
    T: From<Event> + From<streams::Event>,
{
    let (hello, files) = receive(&stream)?;
    let (kind, pid) = hello.trim().split_once(' ').context("a handshake of one word")?;
    let pid: u32 = pid.parse().context("a handshake without a process")?;
    match kind {
        PROGRAM | PROGRAM_WITH_TRACES => {
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
                traces: kind == PROGRAM_WITH_TRACES,
            };
            forward(streams, pid, &inputs.output)
        }
        other => {
            let Some(work) = Work::read(other) else {
                bail!("a handshake of an unknown kind: {other}")
            };
            let (reply, replied) = oneshot::channel();
            let send = |event: Event| inputs.requests.blocking_send(event.into()).ok();
            send(Event::Begins(work, pid, reply)).context(RELAY_ENDED)?;
            let may_begin = replied.blocking_recv().unwrap_or(false);
            stream.write_all(if may_begin { b"1" } else { b"0" })?;
            // Open until the work and all that it has started have ended.
            let _ = stream.read(&mut [0]);
            send(Event::Ends(pid)).context(RELAY_ENDED)
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
    use crate::queue::queue;

    enum Input {
        Work(Event),
        Program,
    }

    impl From<Event> for Input {
        fn from(event: Event) -> Input {
            Input::Work(event)
        }
    }

    impl From<streams::Event> for Input {
        fn from(_: streams::Event) -> Input {
            Input::Program
        }
    }

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
    fn handshakes_that_are_none_are_errors() {
        let (inputs, _queue) = queue::<Input>();
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
            let error = serve(other, &inputs).unwrap_err();
            assert!(error.to_string().contains(expected), "{error:#}");
        }
    }

    #[test]
    fn work_waits_for_the_reply_and_its_end_is_an_event() {
        let folder = tempfile::tempdir().unwrap();
        let (inputs, mut queue) = queue();
        let socket = folder.path().join("socket");
        listen(&socket, &inputs).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut next = || runtime.block_on(queue.next(std::future::pending())).unwrap();
        for may_begin in [true, false] {
            let mut work = UnixStream::connect(&socket).unwrap();
            work.write_all(b"build 7\n").unwrap();
            let Input::Work(Event::Begins(Work::Build, 7, reply)) = next() else {
                panic!("no work")
            };
            reply.send(may_begin).unwrap();
            let mut reply = [0];
            work.read_exact(&mut reply).unwrap();
            assert_eq!(reply == *b"1", may_begin);
            drop(work);
            assert!(matches!(next(), Input::Work(Event::Ends(7))));
        }
    }
}
