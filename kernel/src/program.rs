//! The relay's side of the tap: a thread for each program that runs cells.
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

use crate::failure::{Failure, Place, error_value, split_panic};
use crate::relay::Input;
use crate::wire::{DisplayKind, Item, Lines};

/// What the relay hears of a program.
pub enum Event {
    /// It is there; this is its process.
    Started(u32),
    /// It runs a cell now.
    Running,
    /// Text on `stdout` or `stderr`.
    Text(&'static str, String),
    Display(DisplayKind, Value),
    /// It looks for the stop button.
    Listening,
    /// The cell is over. The program waits for the answer.
    Done(Option<Broken>, oneshot::Sender<()>),
    /// It has ended. evcxr is told after the answer.
    Ended(oneshot::Sender<()>),
}

/// How a cell failed, in the program's own words.
pub enum Broken {
    /// The report of a panic.
    Panic(String, Place),
    /// An error value.
    Error(Failure, Place),
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
}

/// A message of the program's on standard error comes in pieces; they are put together for so long.
const TOGETHER: Duration = Duration::from_millis(10);
/// So many bytes on standard error are sent on at once; more than a pipe holds.
const MUCH: usize = 1 << 18;
/// A panic's report may be the cell's end; with a backtrace that takes a while to come.
const REPORT: Duration = Duration::from_secs(2);

/// Passes on what the program and evcxr say until the program ends.
pub fn attend(streams: Streams, pid: u32, inputs: &Sender<Input>) -> Result<()> {
    let Streams { from_evcxr, to_evcxr, evcxr_errors, to_program, output, errors, program } =
        streams;
    let mut attendant = Attendant {
        pid,
        to_evcxr: to_evcxr.into(),
        errors: errors.into(),
        lines: Lines::default(),
        fresh: false,
        error_text: vec![],
        error_time: Instant::now(),
        blocks: Map::new(),
        place: Place::default(),
        broken: None,
        inputs,
    };
    let (mut output, mut from_evcxr) = (File::from(output), File::from(from_evcxr));
    let mut to_program = Some(File::from(to_program));
    let mut buffer = vec![0; 1 << 16];
    attendant.send(Event::Started(pid))?;
    loop {
        let readable =
            |flags: PollFlags| flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        let timeout = attendant.timeout();
        let mut fds = vec![
            PollFd::new(&output, PollFlags::IN),
            PollFd::new(&attendant.errors, PollFlags::IN),
            PollFd::new(&program, PollFlags::IN),
        ];
        if to_program.is_some() {
            fds.push(PollFd::new(&from_evcxr, PollFlags::IN));
        }
        wait(&mut fds, timeout)?;
        let ready: Vec<bool> = fds.iter().map(|fd| readable(fd.revents())).collect();
        drop(fds);

        if ready.get(3) == Some(&true) {
            match from_evcxr.read(&mut buffer)? {
                // evcxr has ended, and the program is to end with it.
                0 => to_program = None,
                length => {
                    if buffer[..length].starts_with(b"LOAD_AND_RUN ") {
                        attendant.send(Event::Running)?;
                    }
                    if let Some(program) = &mut to_program
                        && program.write_all(&buffer[..length]).is_err()
                    {
                        to_program = None;
                    }
                }
            }
        }
        if ready[1] && !attendant.read_errors()? && !ready[2] {
            // Closed by the program.
            std::thread::sleep(TOGETHER);
        }
        if ready[0] {
            match output.read(&mut buffer) {
                Ok(0) if ready[2] => break,
                // Closed by the program, or by all of its kind: its end is still to come.
                Ok(0) => std::thread::sleep(TOGETHER),
                Ok(length) => attendant.take_output(&buffer[..length])?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        } else if ready[2] {
            // It has ended, and all that it printed was read; another process may have its output.
            break;
        } else {
            attendant.flush_output()?;
        }
        attendant.publish_old_errors()?;
    }
    let errors = attendant.take_errors()?;
    attendant.text("stderr", errors)?;
    attendant.flush_blocks()?;
    let rest = attendant.lines.end();
    attendant.text("stdout", rest)?;
    attendant.ask(Event::Ended)?;
    drop(evcxr_errors);
    Ok(())
}

struct Attendant<'a> {
    pid: u32,
    to_evcxr: File,
    errors: File,
    lines: Lines,
    /// Whether the beginning of a line may have come that nobody has looked at.
    fresh: bool,
    /// What is on standard error and not sent on yet, and when its last piece came.
    error_text: Vec<u8>,
    error_time: Instant,
    /// Blocks in evcxr's own format, by MIME type. The last ones of a cell are its result.
    blocks: Map<String, Value>,
    /// Where the cell fails.
    place: Place,
    broken: Option<Broken>,
    inputs: &'a Sender<Input>,
}

impl Attendant<'_> {
    fn send(&self, event: Event) -> Result<()> {
        self.inputs.blocking_send(Input::Program(event)).context("the relay has ended")
    }

    /// Sends an event and waits until the relay has done what follows from it.
    fn ask(&self, event: impl FnOnce(oneshot::Sender<()>) -> Event) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.send(event(answer))?;
        answered.blocking_recv().context("the relay has ended")
    }

    fn text(&self, stream: &'static str, text: String) -> Result<()> {
        if text.is_empty() { Ok(()) } else { self.send(Event::Text(stream, text)) }
    }

    fn take_output(&mut self, bytes: &[u8]) -> Result<()> {
        self.fresh = !bytes.ends_with(b"\n");
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
                Item::Panic => {
                    let text = self.take_errors()?;
                    let (before, report) = split_panic(&text, self.pid);
                    self.text("stderr", before.to_string())?;
                    let report = report.unwrap_or_default().to_string();
                    self.broken = Some(Broken::Panic(report, std::mem::take(&mut self.place)));
                    self.tell_evcxr("EVCXR_PANIC_NOTIFICATION")?;
                }
                Item::Error => {
                    let (other, failure) = error_value(&self.take_errors()?);
                    self.text("stderr", other)?;
                    self.broken = Some(Broken::Error(failure, std::mem::take(&mut self.place)));
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
        if self.broken.is_some() {
            self.flush_blocks()?;
        }
        let broken = self.broken.take();
        self.ask(|answer| Event::Done(broken, answer))?;
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

    /// The beginning of a line that the program has flushed.
    fn flush_output(&mut self) -> Result<()> {
        self.fresh = false;
        match self.lines.flush() {
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
        self.send(Event::Display(DisplayKind::Display, content))
    }

    /// Reads what is there on standard error, without waiting. Answers whether there was anything.
    fn read_errors(&mut self) -> Result<bool> {
        let mut buffer = [0; 4096];
        let mut any = false;
        // A program may write faster than this reads.
        while self.error_text.len() < MUCH {
            let mut fds = [PollFd::new(&self.errors, PollFlags::IN)];
            wait(&mut fds, Some(Duration::ZERO))?;
            if !fds[0].revents().contains(PollFlags::IN) {
                return Ok(any);
            }
            match self.errors.read(&mut buffer)? {
                0 => return Ok(any),
                length => self.error_text.extend_from_slice(&buffer[..length]),
            }
            (any, self.error_time) = (true, Instant::now());
        }
        Ok(true)
    }

    /// How long to wait for anything to happen.
    fn timeout(&self) -> Option<Duration> {
        let output = self.fresh.then_some(TOGETHER);
        output.into_iter().chain(self.error_timeout()).min()
    }

    fn error_timeout(&self) -> Option<Duration> {
        if self.error_text.is_empty() {
            return None;
        }
        Some(self.error_patience().saturating_sub(self.error_time.elapsed()))
    }

    fn error_patience(&self) -> Duration {
        if self.error_text.len() >= MUCH {
            return Duration::ZERO;
        }
        let text = String::from_utf8_lossy(&self.error_text);
        if split_panic(&text, self.pid).1.is_some() { REPORT } else { TOGETHER }
    }

    fn publish_old_errors(&mut self) -> Result<()> {
        match self.error_timeout() {
            Some(Duration::ZERO) => {
                let text = self.take_errors()?;
                self.text("stderr", text)
            }
            _ => Ok(()),
        }
    }

    /// All that is on standard error by now and was not sent on.
    fn take_errors(&mut self) -> Result<String> {
        self.read_errors()?;
        let bytes = std::mem::take(&mut self.error_text);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
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
