//! The relay between Jupyter and evcxr: all messages go through, and these are changed on the way
//! (docs/kernel.md):
//!
//! * what a program prints comes through the tap, display lines as messages;
//! * a panic or an error value becomes an error, and ends a *Run All*;
//! * the stop button asks the program first (`stop.rs`);
//! * Jupyter has a reply at once, while evcxr is still starting (`start.rs`).

mod cells;
mod completion;
mod control;
mod hints;
mod input;
mod kernel_info;
mod output;
mod progress;
mod publications;
mod start;
mod stop;
mod work;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context, Result};
use jupyter_protocol::connection_info::ConnectionInfo;
use rustix::process::Pid;

use crate::engine::build_folder::{self, BuildFolder};
use crate::engine::process::{self, Settings};
use crate::engine::shims;
use crate::jupyter::clients;
use crate::jupyter::message::Message;
use crate::jupyter::sockets::Sockets;
use crate::program::handshake;
use crate::queue::{self, Inputs, Queue};
use crate::relay::cells::Cell;
use crate::relay::input::Input;
use crate::relay::start::Engine;

/// Runs the kernel until Jupyter asks it to end.
pub async fn run(info: &ConnectionInfo, base: Option<PathBuf>) -> Result<()> {
    let (inputs, mut queue) = queue::queue();
    let jupyter = Sockets::open(info, &inputs.requests).await?;
    let scratch = tempfile::Builder::new().prefix(build_folder::SCRATCH).tempdir();
    let scratch = scratch.context("cannot make a folder among the temporary files")?;
    let settings = Settings { folder: None, base, scratch: scratch.path().to_path_buf() };
    shims::make(&settings.shims())?;
    handshake::listen(&settings.socket(), &inputs)?;
    tokio::spawn(control::watch_parent(inputs.requests.clone()));

    let mut relay = Relay::new(jupyter, inputs, settings);
    relay.start();
    let farewell = relay.act(&mut queue).await;
    relay.shut_down().await;
    if let Some(reply) = farewell {
        relay.jupyter.send_on_control(&reply);
    }
    relay.jupyter.drained().await;
    Ok(())
}

struct Relay {
    jupyter: Sockets,
    inputs: Inputs<Input>,
    settings: Settings,
    folder: Option<BuildFolder>,
    engine: Engine,
    /// A request that Jupyter was told the kernel is busy with, so that evcxr need not.
    begun: Option<Message>,
    /// The process that runs the cells.
    program: Option<Pid>,
    /// The builds and shells that evcxr waits for, each the leader of a process group.
    work: Vec<Pid>,
    /// Whether evcxr waits for the reader's input.
    asks_for_input: bool,
    cell: Option<Cell>,
    /// The request that was executed last, for what threads print afterwards.
    last: Option<Message>,
    /// Requests that came while a cell runs or evcxr starts.
    waiting: VecDeque<Message>,
}

/// Continues, or ends with a reply to the shutdown request.
type Flow = ControlFlow<Option<Message>>;

impl Relay {
    fn new(jupyter: Sockets, inputs: Inputs<Input>, settings: Settings) -> Relay {
        Relay {
            jupyter,
            inputs,
            settings,
            folder: None,
            engine: Engine::Down,
            begun: None,
            program: None,
            work: vec![],
            asks_for_input: false,
            cell: None,
            last: None,
            waiting: VecDeque::new(),
        }
    }

    /// Acts upon inputs until the end; returns the reply to the request to end, if that was it.
    async fn act(&mut self, queue: &mut Queue<Input>) -> Option<Message> {
        while let Some(input) = queue.next(self.jupyter.room()).await {
            match self.on_input(input) {
                Ok(Flow::Continue(())) => {}
                Ok(Flow::Break(farewell)) => return farewell,
                // One unreadable message must not end the kernel.
                Err(error) => eprintln!("d2l-kernel: {error:#}"),
            }
        }
        None
    }

    /// Acts upon one input, without waiting, so that no client can block the others.
    fn on_input(&mut self, input: Input) -> Result<Flow> {
        match input {
            Input::Jupyter(event) => return self.on_jupyter(event),
            Input::Evcxr(event) => self.on_evcxr(event)?,
            Input::Program(event) => self.on_program(event),
            Input::Work(event) => self.on_work(event),
            Input::Start(event) => self.on_start(event),
            Input::Progress(id) => self.on_progress(&id),
            Input::Asked(id, time) => self.on_asked(&id, time),
            Input::Orphaned => return Ok(Flow::Break(None)),
        }
        Ok(Flow::Continue(()))
    }

    fn on_jupyter(&mut self, event: clients::Event) -> Result<Flow> {
        match event {
            clients::Event::Shell(frames) => {
                let request = self.jupyter.read(frames).context("on shell")?;
                self.on_request(request);
            }
            clients::Event::Control(frames) => {
                let request = self.jupyter.read(frames).context("on control")?;
                return Ok(self.on_control(&request));
            }
            clients::Event::Stdin(frames) => {
                let reply = self.jupyter.read(frames).context("on stdin")?;
                // A late reply would be taken for that to the next request.
                if std::mem::take(&mut self.asks_for_input)
                    && let Some(evcxr) = self.engine.up()
                {
                    evcxr.stdin(&reply);
                }
            }
            clients::Event::Subscribed(client, topic) => {
                let state = if self.cell.is_some() { "busy" } else { "idle" };
                self.jupyter.welcome(&client, &topic, state);
            }
        }
        Ok(Flow::Continue(()))
    }

    fn on_evcxr(&mut self, event: process::Event) -> Result<()> {
        let read = |frames| self.engine.up().context("evcxr has ended")?.read(frames);
        match event {
            process::Event::Shell(frames) => {
                let reply = read(frames)?;
                self.on_reply(reply);
            }
            process::Event::Control(frames) => {
                let reply = read(frames)?;
                // Replies to our own requests are for nobody else.
                if reply.has_client() {
                    self.jupyter.send_on_control(&reply);
                }
            }
            process::Event::Stdin(frames) => {
                let request = read(frames)?;
                self.asks_for_input = true;
                self.jupyter.send_on_stdin(&request);
            }
            process::Event::Iopub(frames) => {
                let message = read(frames)?;
                self.on_publication(message);
            }
            process::Event::Compiling(package) => self.on_compiling(package),
            process::Event::Ended(words) => self.on_evcxr_ended(&words),
        }
        Ok(())
    }
}

fn pid_of(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}
