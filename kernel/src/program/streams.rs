//! The relay's side of the tap: a thread for each program that runs cells. The program's side is
//! `inside.rs`.
//!
//! It stands between evcxr and the program: lines for evcxr go on to it, the rest becomes events for
//! the relay. The mark of a cell's end is held back until the relay has sent on all that the cell
//! printed, so nothing comes late.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

use crate::program::failure::{Failure, Place, error_value, split_panic};
use d2l_common::display_line::Kind;
use d2l_common::program_output::{self, Item, Lines};

/// What a program does.
pub enum Event {
    /// It is there; this is its process.
    Started(u32),
    /// It runs a cell now.
    Running,
    /// Text on `stdout` or `stderr`.
    Text(&'static str, String),
    Display(Kind, Value),
    /// It looks for the stop button.
    Listening,
    /// The cell is over. The program waits for the reply.
    Done(Option<Cause>, oneshot::Sender<()>),
    /// It has ended. evcxr is told after the reply.
    Ended(oneshot::Sender<()>),
}

/// How a cell failed, in the program's own words.
pub enum Cause {
    /// The report of a panic.
    Panic(String, Place),
    /// An error value.
    Error(Failure, Place),
    /// It was stopped at a loop of its own.
    Interrupted(Place),
}

/// The ends of the pipes that the program has handed over.
pub struct Streams {
    pub from_evcxr: OwnedFd,
    pub to_evcxr: OwnedFd,
    /// Nothing is written here; evcxr takes its end for the program's.
    pub evcxr_errors: OwnedFd,
    pub to_program: OwnedFd,
    pub output: OwnedFd,
    pub errors: OwnedFd,
    pub program: UnixStream,
    /// Whether the reader has asked for backtraces.
    pub traces: bool,
}

/// A message of the program's on standard error comes in pieces; they are put together for so long.
const TOGETHER: Duration = Duration::from_millis(10);
/// Output that has no pause is shown after so long.
const AT_LAST: Duration = Duration::from_millis(100);
/// So many bytes are read at once.
const PIECE: usize = 1 << 14;
/// So many bytes on standard error are sent on at once: what a pipe holds.
const MUCH: usize = 1 << 16;
/// A panic's report may be the cell's end; with a backtrace that takes a while to come.
const REPORT: Duration = Duration::from_secs(2);
/// A report that still goes on then is followed by other text.
const WHOLE_REPORT: Duration = Duration::from_secs(10);

/// Forwards what the program and evcxr write until the program ends.
pub fn forward<T: From<Event>>(streams: Streams, pid: u32, inputs: &Sender<T>) -> Result<()> {
    let Streams { from_evcxr, to_evcxr, evcxr_errors, to_program, output, errors, program, traces } =
        streams;
    let mut forwarder = Forwarder {
        pid,
        traces,
        to_evcxr: to_evcxr.into(),
        errors: errors.into(),
        lines: Lines::default(),
        fresh: None,
        error_text: vec![],
        error_since: Instant::now(),
        error_time: Instant::now(),
        error_is_report: false,
        blocks: Map::new(),
        place: Place::default(),
        interrupted: false,
        cause: None,
        inputs,
    };
    let (mut output, mut from_evcxr) = (File::from(output), File::from(from_evcxr));
    let mut to_program = Some(File::from(to_program));
    let mut buffer = vec![0; PIECE];
    forwarder.send(Event::Started(pid))?;
    loop {
        let readable =
            |flags: PollFlags| flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        let timeout = forwarder.timeout();
        let mut fds = vec![
            PollFd::new(&output, PollFlags::IN),
            PollFd::new(&forwarder.errors, PollFlags::IN),
            PollFd::new(&program, PollFlags::IN),
        ];
        if to_program.is_some() {
            fds.push(PollFd::new(&from_evcxr, PollFlags::IN));
        }
        wait(&mut fds, timeout)?;
        let ready: Vec<bool> = fds.iter().map(|fd| readable(fd.revents())).collect();
        drop(fds);

        if ready.get(3) == Some(&true) {
            match retry(|| from_evcxr.read(&mut buffer))? {
                // evcxr has ended, and the program is to end with it.
                0 => to_program = None,
                length => {
                    if buffer[..length].starts_with(b"LOAD_AND_RUN ") {
                        forwarder.send(Event::Running)?;
                    }
                    if let Some(program) = &mut to_program
                        && program.write_all(&buffer[..length]).is_err()
                    {
                        to_program = None;
                    }
                }
            }
        }
        if ready[1] && !forwarder.read_errors(MUCH)? && !ready[2] {
            // Closed by the program.
            std::thread::sleep(TOGETHER);
        }
        if ready[0] {
            match retry(|| output.read(&mut buffer))? {
                0 if ready[2] => break,
                // Closed by the program, or by all of its kind: its end is still to come.
                0 => std::thread::sleep(TOGETHER),
                length => {
                    forwarder.take_output(&buffer[..length])?;
                    if forwarder.fresh.is_some_and(|since| since.elapsed() >= AT_LAST) {
                        forwarder.flush_output(false)?;
                    }
                }
            }
        } else if ready[2] {
            // It has ended, and all that it printed was read; another process may have its output.
            break;
        } else {
            forwarder.flush_output(true)?;
        }
        forwarder.publish_old_errors()?;
    }
    let errors = forwarder.take_errors()?;
    forwarder.text("stderr", errors)?;
    forwarder.flush_blocks()?;
    let rest = forwarder.lines.end();
    forwarder.text("stdout", rest)?;
    forwarder.send_and_wait(Event::Ended)?;
    drop(evcxr_errors);
    Ok(())
}

struct Forwarder<'a, T> {
    pid: u32,
    traces: bool,
    to_evcxr: File,
    errors: File,
    lines: Lines,
    /// Since when there may be the beginning of a line that nobody has looked at.
    fresh: Option<Instant>,
    /// What is on standard error and not sent on yet, and when its first and its last piece came.
    error_text: Vec<u8>,
    error_since: Instant,
    error_time: Instant,
    /// Whether it has a panic's report.
    error_is_report: bool,
    /// Blocks in evcxr's own format, by MIME type. The last ones of a cell are its result.
    blocks: Map<String, Value>,
    /// Where the cell fails.
    place: Place,
    /// Whether the mark for a panic that comes next is the stop button's.
    interrupted: bool,
    cause: Option<Cause>,
    inputs: &'a Sender<T>,
}

impl<T: From<Event>> Forwarder<'_, T> {
    fn send(&self, event: Event) -> Result<()> {
        self.inputs.blocking_send(event.into()).ok().context("the relay has ended")
    }

    /// Sends an event and waits until the relay has done what follows from it.
    fn send_and_wait(&self, event: impl FnOnce(oneshot::Sender<()>) -> Event) -> Result<()> {
        let (reply, replied) = oneshot::channel();
        self.send(event(reply))?;
        replied.blocking_recv().context("the relay has ended")
    }

    fn text(&self, stream: &'static str, text: String) -> Result<()> {
        if text.is_empty() { Ok(()) } else { self.send(Event::Text(stream, text)) }
    }

    fn take_output(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.contains(&b'\n') {
            self.fresh = None;
        }
        if !bytes.ends_with(b"\n") {
            self.fresh.get_or_insert_with(Instant::now);
        }
        for item in self.lines.feed(bytes) {
            match item {
                Item::Text(text) => {
                    self.flush_blocks()?;
                    self.text("stdout", text)?;
                }
                Item::Display(kind, content) => {
                    self.flush_blocks()?;
                    self.send(Event::Display(kind, content))?;
                }
                Item::Listening => self.send(Event::Listening)?,
                Item::Content(mime_type, text) => {
                    if self.blocks.contains_key(&mime_type) {
                        self.flush_blocks()?;
                    }
                    self.blocks.insert(mime_type, text.into());
                }
                Item::Interrupted => self.interrupted = true,
                Item::Panic if std::mem::take(&mut self.interrupted) => {
                    self.cause = Some(Cause::Interrupted(std::mem::take(&mut self.place)));
                    self.tell_evcxr("EVCXR_PANIC_NOTIFICATION")?;
                }
                Item::Panic => {
                    let text = self.take_errors()?;
                    let (before, report) = split_panic(&text, self.pid);
                    self.text("stderr", before.to_string())?;
                    let report = report.unwrap_or_default().to_string();
                    self.cause = Some(Cause::Panic(report, std::mem::take(&mut self.place)));
                    self.tell_evcxr("EVCXR_PANIC_NOTIFICATION")?;
                }
                Item::Error => {
                    let (other, failure) = error_value(&self.take_errors()?, self.traces);
                    self.text("stderr", other)?;
                    self.cause = Some(Cause::Error(failure, std::mem::take(&mut self.place)));
                    self.tell_evcxr("EVCXR_ERROR_OCCURRED")?;
                }
                Item::FailedAt(place) => self.place = Place::read(&place),
                Item::Evcxr(line) => {
                    self.flush_blocks()?;
                    self.tell_evcxr(&line)?;
                }
                Item::Complete => self.complete()?,
            }
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        let text = self.take_errors()?;
        self.text("stderr", text)?;
        if self.cause.is_some() {
            self.flush_blocks()?;
        }
        let cause = self.cause.take();
        self.send_and_wait(|reply| Event::Done(cause, reply))?;
        for (mime_type, content) in std::mem::take(&mut self.blocks) {
            let content = content.as_str().unwrap_or_default();
            self.tell_evcxr(&format!(
                "EVCXR_BEGIN_CONTENT {mime_type}\n{content}\nEVCXR_END_CONTENT"
            ))?;
        }
        self.tell_evcxr("EVCXR_EXECUTION_COMPLETE")
    }

    fn tell_evcxr(&mut self, line: &str) -> Result<()> {
        // In one piece: another line must not come between.
        Ok(self.to_evcxr.write_all(format!("{line}\n").as_bytes())?)
    }

    /// The beginning of a line that the program has flushed, before a `pause` or more text.
    fn flush_output(&mut self, pause: bool) -> Result<()> {
        self.fresh = None;
        match self.lines.flush(pause) {
            Some(text) => {
                self.flush_blocks()?;
                self.text("stdout", text)
            }
            None => Ok(()),
        }
    }

    /// Blocks that turned out not to be the cell's last are figures of their own.
    fn flush_blocks(&mut self) -> Result<()> {
        if self.blocks.is_empty() {
            return Ok(());
        }
        let mut data = std::mem::take(&mut self.blocks);
        for (mime_type, content) in &mut data {
            // As evcxr does with a result.
            if mime_type.contains("json")
                && let Some(json) =
                    content.as_str().and_then(|text| serde_json::from_str(text).ok())
            {
                *content = json;
            }
        }
        let content = json!({"data": data, "metadata": {}, "transient": {}});
        self.send(Event::Display(Kind::DisplayData, content))
    }

    /// Reads what is there on standard error, without waiting, until there are so many bytes. Returns
    /// whether there was anything.
    fn read_errors(&mut self, limit: usize) -> Result<bool> {
        let mut buffer = [0; 4096];
        let before = self.error_text.len();
        // A program may write faster than this reads.
        while self.error_text.len() < limit {
            let mut fds = [PollFd::new(&self.errors, PollFlags::IN)];
            wait(&mut fds, Some(Duration::ZERO))?;
            if !fds[0].revents().contains(PollFlags::IN) {
                break;
            }
            match retry(|| self.errors.read(&mut buffer))? {
                0 => break,
                length => self.error_text.extend_from_slice(&buffer[..length]),
            }
        }
        if self.error_text.len() == before {
            return Ok(before >= limit);
        }
        self.error_time = Instant::now();
        if before == 0 {
            self.error_since = self.error_time;
        }
        let text = String::from_utf8_lossy(&self.error_text);
        self.error_is_report = split_panic(&text, self.pid).1.is_some();
        Ok(true)
    }

    /// How long to wait for anything to happen.
    fn timeout(&self) -> Option<Duration> {
        let output = self.fresh.map(|_| TOGETHER);
        output.into_iter().chain(self.error_timeout()).min()
    }

    fn error_timeout(&self) -> Option<Duration> {
        match self.error_text.len() {
            // The rest of a letter may come.
            _ if program_output::whole(&self.error_text) == 0 => None,
            MUCH.. => Some(Duration::ZERO),
            _ => {
                let (pause, all) = match self.error_is_report {
                    true => (REPORT, WHOLE_REPORT),
                    false => (TOGETHER, AT_LAST),
                };
                let pause = pause.saturating_sub(self.error_time.elapsed());
                Some(pause.min(all.saturating_sub(self.error_since.elapsed())))
            }
        }
    }

    fn publish_old_errors(&mut self) -> Result<()> {
        if self.error_timeout() != Some(Duration::ZERO) {
            return Ok(());
        }
        let rest = self.error_text.split_off(program_output::whole(&self.error_text));
        let text = std::mem::replace(&mut self.error_text, rest);
        self.error_since = Instant::now();
        self.error_is_report = false;
        self.text("stderr", String::from_utf8_lossy(&text).into_owned())
    }

    /// All that is on standard error by now and was not sent on.
    fn take_errors(&mut self) -> Result<String> {
        // All that the pipe holds.
        self.read_errors(2 * MUCH)?;
        let bytes = std::mem::take(&mut self.error_text);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn retry(mut read: impl FnMut() -> std::io::Result<usize>) -> std::io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn wait(fds: &mut [PollFd], timeout: Option<Duration>) -> Result<()> {
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: timeout.as_secs() as i64,
        tv_nsec: i64::from(timeout.subsec_nanos()),
    });
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, PipeReader, PipeWriter, pipe};
    use std::thread::JoinHandle;

    use tokio::sync::mpsc::{Receiver, channel};

    use super::*;

    const PID: u32 = 77;

    /// The program's and evcxr's ends of the tap, and what the relay receives.
    struct Tap {
        output: PipeWriter,
        errors: PipeWriter,
        /// What the program is told.
        input: BufReader<PipeReader>,
        /// evcxr's ends.
        tell: PipeWriter,
        told: BufReader<PipeReader>,
        program: UnixStream,
        inputs: Receiver<Event>,
        thread: JoinHandle<Result<()>>,
    }

    fn tap() -> Tap {
        let (from_evcxr, tell) = pipe().unwrap();
        let (told, to_evcxr) = pipe().unwrap();
        let (_, evcxr_errors) = pipe().unwrap();
        let (input, to_program) = pipe().unwrap();
        let (output, from_output) = pipe().unwrap();
        let (errors, from_errors) = pipe().unwrap();
        let (program, other) = UnixStream::pair().unwrap();
        let streams = Streams {
            from_evcxr: from_evcxr.into(),
            to_evcxr: to_evcxr.into(),
            evcxr_errors: evcxr_errors.into(),
            to_program: to_program.into(),
            output: output.into(),
            errors: errors.into(),
            program: other,
            traces: false,
        };
        let (sender, inputs) = channel(16);
        let thread = std::thread::spawn(move || forward(streams, PID, &sender));
        let mut tap = Tap {
            output: from_output,
            errors: from_errors,
            input: BufReader::new(input),
            tell,
            told: BufReader::new(told),
            program,
            inputs,
            thread,
        };
        assert!(matches!(tap.next(), Event::Started(PID)));
        tap
    }

    impl Tap {
        fn next(&mut self) -> Event {
            self.inputs.blocking_recv().expect("an event")
        }

        fn print(&mut self, bytes: impl AsRef<[u8]>) {
            self.output.write_all(bytes.as_ref()).unwrap();
        }

        /// Text on a stream until it has `length` bytes, and how many messages it came in.
        fn text(&mut self, stream: &str, length: usize) -> (String, usize) {
            let (mut all, mut count) = (String::new(), 0);
            while all.len() < length {
                match self.next() {
                    Event::Text(name, text) if name == stream => all += &text,
                    Event::Text(name, text) => panic!("{text:?} on {name}"),
                    _ => panic!("no text"),
                }
                count += 1;
            }
            (all, count)
        }

        fn told(&mut self) -> String {
            let mut line = String::new();
            self.told.read_line(&mut line).unwrap();
            line
        }

        /// The cell's end: how it failed.
        fn done(&mut self) -> Option<Cause> {
            match self.next() {
                Event::Done(cause, reply) => {
                    reply.send(()).unwrap();
                    cause
                }
                Event::Text(name, text) => panic!("{text:?} on {name}"),
                _ => panic!("not done"),
            }
        }

        fn end(mut self) {
            drop((self.output, self.errors, self.program));
            match self.inputs.blocking_recv() {
                Some(Event::Ended(reply)) => reply.send(()).unwrap(),
                _ => panic!("not ended"),
            }
            self.thread.join().unwrap().unwrap();
        }
    }

    #[test]
    fn a_cell_runs_and_its_end_comes_last() {
        let mut tap = tap();
        tap.tell.write_all(b"LOAD_AND_RUN a b\n").unwrap();
        assert!(matches!(tap.next(), Event::Running));
        let mut line = String::new();
        tap.input.read_line(&mut line).unwrap();
        assert_eq!(line, "LOAD_AND_RUN a b\n");
        tap.print(
            "text\n\u{1e}jupyter/1 listening {}\n\u{1e}jupyter/1 clear_output {\"wait\":true}\n",
        );
        assert_eq!(tap.text("stdout", 5).0, "text\n");
        assert!(matches!(tap.next(), Event::Listening));
        assert!(matches!(tap.next(), Event::Display(Kind::ClearOutput, _)));
        tap.print(
            "EVCXR_BEGIN_CONTENT text/plain\n5\nEVCXR_END_CONTENT\nEVCXR_EXECUTION_COMPLETE\n",
        );
        assert!(tap.done().is_none());
        let told: String = (0..4).map(|_| tap.told()).collect();
        assert_eq!(
            told,
            "EVCXR_BEGIN_CONTENT text/plain\n5\nEVCXR_END_CONTENT\nEVCXR_EXECUTION_COMPLETE\n"
        );
        tap.end();
    }

    /// C8: text without a newline comes while it is printed, in pieces.
    #[test]
    fn text_without_newlines_comes_in_pieces() {
        let mut tap = tap();
        let mut output = tap.output.try_clone().unwrap();
        let writer = std::thread::spawn(move || {
            for _ in 0..10_000 {
                output.write_all("xホ".repeat(256).as_bytes()).unwrap();
            }
        });
        let (text, count) = tap.text("stdout", 10_000 * 1024);
        writer.join().unwrap();
        assert_eq!(text, "xホ".repeat(2_560_000));
        assert!((78..2000).contains(&count), "{count} messages");
        tap.end();
    }

    /// C8: a drip, which has no pause and is never much, is shown in time; stderr likewise.
    #[test]
    fn a_drip_is_shown() {
        for stream in ["stdout", "stderr"] {
            let mut tap = tap();
            let mut pipe =
                if stream == "stdout" { &tap.output } else { &tap.errors }.try_clone().unwrap();
            let writer = std::thread::spawn(move || {
                for byte in "é".repeat(150).bytes() {
                    pipe.write_all(&[byte]).unwrap();
                    std::thread::sleep(Duration::from_millis(3));
                }
            });
            let start = Instant::now();
            let (first, _) = tap.text(stream, 1);
            assert!(start.elapsed() < 5 * AT_LAST, "{:?}", start.elapsed());
            let (rest, count) = tap.text(stream, 300 - first.len());
            writer.join().unwrap();
            assert_eq!(first + &rest, "é".repeat(150));
            assert!(count >= 3, "{count} messages");
            tap.end();
        }
    }

    /// C16: bytes that are no text are shown lossily and end nothing.
    #[test]
    fn bytes_that_are_no_text_are_shown() {
        let mut tap = tap();
        for (bytes, text) in [
            (&b"ung\xfcltig\n"[..], "ung\u{fffd}ltig\n"),
            (b"\xa5\xc6\xa5\xb9\n", "\u{fffd}\u{1a5}\u{fffd}\n"),
            (b"\xff\xfea\0\n", "\u{fffd}\u{fffd}a\0\n"),
            (b"\x80\x80\x80\x80\n", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\n"),
            (b"\x1e\x1e\xf0\n", "\u{1e}\u{1e}\u{fffd}\n"),
        ] {
            tap.print(bytes);
            assert_eq!(tap.text("stdout", text.len()).0, text);
            tap.errors.write_all(bytes).unwrap();
            assert_eq!(tap.text("stderr", text.len()).0, text);
        }
        // A letter that never becomes whole is shown at the cell's end.
        tap.errors.write_all(b"a\xe3").unwrap();
        assert_eq!(tap.text("stderr", 1).0, "a");
        tap.print(b"b\xe3");
        assert_eq!(tap.text("stdout", 1).0, "b");
        tap.print("EVCXR_EXECUTION_COMPLETE\n");
        assert_eq!(tap.text("stdout", 3).0, "\u{fffd}");
        assert_eq!(tap.text("stderr", 3).0, "\u{fffd}");
        assert!(tap.done().is_none());
        assert_eq!(tap.told(), "EVCXR_EXECUTION_COMPLETE\n");
        tap.end();
    }

    #[test]
    fn a_panic_s_report_and_an_error_value_are_the_cell_s_failure() {
        let mut tap = tap();
        let report = format!("thread 'main' ({PID}) panicked at src/lib.rs:1:1:\nno\n");
        tap.errors.write_all(format!("before\n\n{report}").as_bytes()).unwrap();
        tap.print(
            "EVCXR_FAILED_AT_LINE:3\nEVCXR_PANIC_NOTIFICATION\nEVCXR_VARIABLES_NOT_STORED\n\
             EVCXR_EXECUTION_COMPLETE\n",
        );
        assert_eq!(tap.text("stderr", 7).0, "before\n");
        let done = tap.done();
        assert!(
            matches!(done, Some(Cause::Panic(text, at)) if text == report && at == Place::read("3"))
        );
        assert_eq!(
            tap.told() + &tap.told() + &tap.told(),
            "EVCXR_PANIC_NOTIFICATION\nEVCXR_VARIABLES_NOT_STORED\nEVCXR_EXECUTION_COMPLETE\n"
        );
        // What was stopped has no report; other text is none.
        tap.errors.write_all(b"a warning\n").unwrap();
        tap.print(
            "EVCXR_FAILED_AT_LINE:2\nEVCXR_INTERRUPTED\nEVCXR_PANIC_NOTIFICATION\n\
             EVCXR_EXECUTION_COMPLETE\n",
        );
        assert_eq!(tap.text("stderr", 10).0, "a warning\n");
        assert!(matches!(tap.done(), Some(Cause::Interrupted(at)) if at == Place::read("2")));
        assert_eq!(
            tap.told() + &tap.told(),
            "EVCXR_PANIC_NOTIFICATION\nEVCXR_EXECUTION_COMPLETE\n"
        );
        tap.errors.write_all(b"no luck\n").unwrap();
        tap.print("EVCXR_ERROR_OCCURRED\nEVCXR_EXECUTION_COMPLETE\n");
        // The place of an earlier failure is not that of this one.
        let done = tap.done();
        assert!(
            matches!(done, Some(Cause::Error(failure, at)) if failure.message == "no luck" && at == Place::default())
        );
        tap.end();
    }

    /// A panic elsewhere is shown, and what is printed after it, although it may be the cell's own.
    #[test]
    fn text_after_a_report_is_shown() {
        let mut tap = tap();
        let start = Instant::now();
        let mut errors = tap.errors.try_clone().unwrap();
        errors.write_all(b"\nthread 'other' (3) panicked at x.rs:1:1:\nno\n").unwrap();
        let writer = std::thread::spawn(move || {
            while start.elapsed() < WHOLE_REPORT + Duration::from_secs(1) {
                errors.write_all(b".").unwrap();
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        let (text, _) = tap.text("stderr", 1);
        assert!(text.contains("panicked at x.rs") && text.ends_with('.'), "{text}");
        assert!(start.elapsed() < WHOLE_REPORT + Duration::from_secs(1), "{:?}", start.elapsed());
        tap.text("stderr", 1);
        writer.join().unwrap();
        drop(tap.inputs);
    }
}
