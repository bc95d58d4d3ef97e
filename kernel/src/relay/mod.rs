//! The relay between Jupyter and evcxr: all messages go through, and these are changed on the way
//! (docs/kernel.md):
//!
//! * what a program prints comes through the tap, display lines as messages;
//! * a panic or an error value becomes an error, and ends a *Run All*;
//! * the stop button asks the program first (`stop.rs`);
//! * Jupyter has an answer at once, while evcxr is still starting.

mod completion;
mod hints;
mod progress;
mod stop;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use jupyter_protocol::connection_info::ConnectionInfo;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use zeromq::{RepSocket, SocketRecv, SocketSend, ZmqMessage};

use crate::engine::build_folder::Folder;
use crate::engine::process::{self, Evcxr, Settings};
use crate::engine::shims::Work;
use crate::engine::{build_folder, shims};
use crate::jupyter::clients::{Clients, Role};
use crate::jupyter::connection;
use crate::jupyter::message::{Key, Message};
use crate::names;
use crate::program::failure::{self, Failure};
use crate::program::handshake;
use crate::program::streams::{Broken, Event};
use crate::queue::{self, Inputs, Queue};
use crate::relay::progress::{Progress, notice};

/// All that the relay acts upon.
pub enum Input {
    Shell(ZmqMessage),
    Control(ZmqMessage),
    Stdin(ZmqMessage),
    /// This client listens to what is said to all from now on, under this topic.
    Subscribed(Bytes, Bytes),
    EvcxrShell(ZmqMessage),
    EvcxrControl(ZmqMessage),
    EvcxrStdin(ZmqMessage),
    EvcxrIopub(ZmqMessage),
    EvcxrEnded(String),
    Program(Event),
    /// A build or a shell's command begins; the answer is whether it may.
    WorkBegins(Work, u32, oneshot::Sender<bool>),
    WorkEnds(u32),
    /// Cargo has this package compiled.
    Compiling(String),
    /// It is time to say what the cell of this request waits for.
    Progress(String),
    /// What is being done before evcxr can be used.
    Starting(String),
    Started(Box<Result<(Evcxr, Option<Folder>)>>),
    /// This request has waited for the start for so long that its reader wants to know why.
    Waiting(String),
    /// So long ago the cell of this request was asked to stop.
    Asked(String, Duration),
    /// A moment ago there was nothing to do, after so many cells.
    Idle(usize),
    /// Who has started this kernel is gone.
    Orphaned,
}

/// Takes messages from a socket of evcxr's to the relay's queue, until either ends.
pub async fn pass_on<S: SocketRecv>(
    mut socket: S,
    input: fn(ZmqMessage) -> Input,
    inputs: Sender<Input>,
) {
    while let Ok(message) = socket.recv().await {
        if inputs.send(input(message)).await.is_err() {
            return;
        }
    }
}

/// Runs the kernel until Jupyter asks it to end.
pub async fn run(info: &ConnectionInfo, base: Option<PathBuf>) -> Result<()> {
    let shell = connection::listen(info, info.shell_port).await?;
    let control = connection::listen(info, info.control_port).await?;
    let stdin = connection::listen(info, info.stdin_port).await?;
    let iopub = connection::listen(info, info.iopub_port).await?;
    let heartbeat: RepSocket = connection::bind(info, info.hb_port).await?;
    tokio::spawn(beat(heartbeat));

    let scratch = tempfile::Builder::new().prefix(build_folder::SCRATCH).tempdir();
    let scratch = scratch.context("cannot make a folder among the temporary files")?;
    let settings = Settings { folder: None, base, scratch: scratch.path().to_path_buf() };
    shims::make(&settings.stand_ins())?;
    let (inputs, mut queue) = queue::queue();
    handshake::listen(&settings.socket(), &inputs)?;

    let requests = &inputs.requests;
    tokio::spawn(watch_parent(requests.clone()));
    let mut relay = Relay {
        shell: Clients::serve(shell, Role::Router(Input::Shell), requests.clone()),
        control: Clients::serve(control, Role::Router(Input::Control), requests.clone()),
        stdin: Clients::serve(stdin, Role::Router(Input::Stdin), requests.clone()),
        iopub: Clients::serve(iopub, Role::Publisher, requests.clone()),
        ..Relay::new(Key::new(&info.key)?, inputs, settings)
    };
    relay.start();
    let farewell = relay.act(&mut queue).await;
    relay.shut_down().await;
    if let Some(reply) = farewell {
        relay.control.send(reply.seal(&relay.key));
    }
    relay.drained().await;
    Ok(())
}

/// Jupyter's question whether the kernel is alive.
async fn beat(mut socket: RepSocket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// A server or a program that is killed cannot shut its kernels down. Jupyter names the parent to those
/// that are to end with it, as Python's kernel does.
async fn watch_parent(inputs: Sender<Input>) {
    let parent = rustix::process::getppid();
    if std::env::var_os("JPY_PARENT_PID").is_some() {
        while rustix::process::getppid() == parent {
            sleep(Duration::from_secs(1)).await;
        }
        let _ = inputs.send(Input::Orphaned).await;
    }
}

pub struct Relay {
    key: Key,
    shell: Clients,
    control: Clients,
    stdin: Clients,
    iopub: Clients,
    pub inputs: Inputs,
    pub settings: Settings,
    folder: Option<Folder>,
    pub evcxr: Option<Evcxr>,
    /// What is being done to start evcxr.
    starting: Option<String>,
    /// The request whose reader was shown that.
    notice: Option<Message>,
    /// A request that Jupyter was told the kernel is busy with, so that evcxr need not.
    begun: Option<Message>,
    /// The process that runs the cells.
    program: Option<Pid>,
    /// The builds and shells that evcxr waits for, each the leader of a process group.
    pub work: Vec<Pid>,
    /// Whether evcxr waits for the reader's input.
    pub asks_for_input: bool,
    pub cell: Option<Cell>,
    /// The request that was executed last, for what threads print afterwards.
    last: Option<Message>,
    /// Requests that came while a cell runs or evcxr starts.
    waiting: VecDeque<Message>,
    /// How many cells evcxr has been given.
    cells: usize,
    /// Our own question, by which rust-analyzer comes to read what the next cell needs.
    look_ahead: Option<Message>,
    /// After how many cells that was, and how many such questions there were since.
    looked_ahead: (usize, usize),
    /// The variable that was made last, until rust-analyzer has read its methods.
    new_variable: Option<String>,
}

/// A cell being executed.
pub struct Cell {
    pub request: Message,
    /// Whether the program runs it; else it is being compiled.
    pub running: bool,
    /// Whether it looks for the stop button.
    pub listening: bool,
    pub asked_to_stop: bool,
    /// What its reader was told since.
    pub told: Told,
    /// Why the program was ended by us.
    pub ended_because: Option<String>,
    /// What it waits for while it does not run.
    pub progress: Progress,
    /// The error that its reader was shown.
    error: Option<Value>,
    /// Whether a hint says what all of the compiler's errors come of.
    explained: bool,
}

/// What a reader was told who has pressed the stop button.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub enum Told {
    Nothing,
    /// That the cell has not stopped yet.
    NotYet,
    /// That only ending the program would stop it.
    Offer,
}

/// Goes on, or ends with an answer to the request to end.
type Flow = ControlFlow<Option<Message>>;

impl Relay {
    /// A relay that nobody is connected with.
    pub fn new(key: Key, inputs: Inputs, settings: Settings) -> Relay {
        Relay {
            key,
            shell: Clients::default(),
            control: Clients::default(),
            stdin: Clients::default(),
            iopub: Clients::default(),
            inputs,
            settings,
            folder: None,
            evcxr: None,
            starting: None,
            notice: None,
            begun: None,
            program: None,
            work: vec![],
            asks_for_input: false,
            cell: None,
            last: None,
            waiting: VecDeque::new(),
            cells: 0,
            look_ahead: None,
            looked_ahead: (0, 0),
            new_variable: None,
        }
    }

    /// Acts upon inputs until the end; returns the answer to the request to end, if that was it.
    async fn act(&mut self, queue: &mut Queue) -> Option<Message> {
        while let Some(input) = queue.next(self.iopub.room()).await {
            match self.on_input(input) {
                Ok(Flow::Continue(())) => {}
                Ok(Flow::Break(farewell)) => return farewell,
                // One message that cannot be read must not be the kernel's end.
                Err(error) => eprintln!("d2l-kernel: {error:#}"),
            }
        }
        None
    }

    /// Acts upon one input. It waits for nothing, so that nobody can make all others wait.
    pub fn on_input(&mut self, input: Input) -> Result<Flow> {
        match input {
            Input::Shell(frames) => {
                let request = Message::open(frames, &self.key).context("on shell")?;
                self.on_request(request);
            }
            Input::Control(frames) => {
                let request = Message::open(frames, &self.key).context("on control")?;
                return Ok(self.on_control(request));
            }
            Input::Subscribed(client, topic) => self.welcome(client, &topic),
            Input::Stdin(frames) => {
                let message = Message::open(frames, &self.key).context("on stdin")?;
                // A late answer would be taken for that to the next question.
                if std::mem::take(&mut self.asks_for_input)
                    && let Some(evcxr) = &self.evcxr
                {
                    evcxr.stdin(&message);
                }
            }
            Input::EvcxrShell(frames) => {
                let reply = self.open_from_evcxr(frames)?;
                self.on_reply(reply);
            }
            Input::EvcxrControl(frames) => {
                let reply = self.open_from_evcxr(frames)?;
                // Answers to our own questions are for nobody else.
                if reply.has_client() {
                    self.control.send(reply.seal(&self.key));
                }
            }
            Input::EvcxrStdin(frames) => {
                let question = self.open_from_evcxr(frames)?;
                self.asks_for_input = true;
                self.stdin.send(question.seal(&self.key));
            }
            Input::EvcxrIopub(frames) => {
                let message = self.open_from_evcxr(frames)?;
                self.on_publication(message);
            }
            Input::EvcxrEnded(words) => self.on_evcxr_ended(&words),
            Input::Program(event) => self.on_program(event),
            Input::WorkBegins(work, pid, answer) => {
                if let Some(cell) = &mut self.cell {
                    cell.progress.work = Some(work);
                }
                let stopped = self.cell.as_ref().is_some_and(|cell| cell.asked_to_stop);
                if !stopped {
                    self.work.extend(pid_of(pid));
                }
                let _ = answer.send(!stopped);
            }
            Input::WorkEnds(pid) => {
                self.work.retain(|&work| Some(work) != pid_of(pid));
                if let (Some(cell), true) = (&mut self.cell, self.work.is_empty()) {
                    cell.progress.work = None;
                }
            }
            Input::Compiling(package) => self.on_compiling(package),
            Input::Progress(id) => self.on_progress(&id),
            Input::Starting(what) => self.on_starting(what),
            Input::Started(result) => self.on_started(*result),
            Input::Waiting(id) => self.on_waiting(&id),
            Input::Asked(id, time) => self.on_asked(&id, time),
            Input::Idle(cells) => self.on_idle(cells),
            Input::Orphaned => return Ok(Flow::Break(None)),
        }
        Ok(Flow::Continue(()))
    }

    fn open_from_evcxr(&self, frames: ZmqMessage) -> Result<Message> {
        let evcxr = self.evcxr.as_ref().context("evcxr has ended")?;
        Message::open(frames, &evcxr.key).context("from evcxr")
    }

    // ---- Sending to Jupyter. Nothing waits here: each client has an outbox.

    fn publish(&mut self, message: Message) {
        let sealed = message.seal(&self.key);
        match message.message_type() {
            "stream" | "display_data" | "update_display_data" => {
                self.iopub.publish_output(sealed, || {
                    let content = json!({"name": "stderr", "text": GAP});
                    message.sibling("stream", &content).seal(&self.key)
                });
            }
            _ => self.iopub.publish(sealed),
        }
    }

    /// Who connects late has missed in what state the kernel is.
    /// See <https://jupyter.org/enhancement-proposals/65-jupyter-xpub/jupyter-xpub.html>.
    fn welcome(&self, client: Bytes, topic: &[u8]) {
        let state = if self.cell.is_some() { "busy" } else { "idle" };
        let topic = String::from_utf8_lossy(topic);
        for (kind, content) in [
            ("iopub_welcome", json!({"subscription": topic})),
            ("status", json!({"execution_state": state})),
        ] {
            let message = Message::new(kind, &content);
            self.iopub.send(message.to(client.clone()).seal(&self.key));
        }
    }

    /// Publishes a message that goes with a request.
    pub fn publish_for(&mut self, request: &Message, kind: &str, content: &Value) {
        self.publish(request.child(kind, content));
    }

    fn reply(&mut self, reply: &Message) {
        self.shell.send(reply.seal(&self.key));
    }

    /// Answers a request by ourselves, with all that belongs to an answer.
    fn answer(&mut self, request: &Message, content: &Value) {
        self.publish_for(request, "status", &json!({"execution_state": "busy"}));
        self.reply(&request.reply(content));
        self.publish_for(request, "status", &json!({"execution_state": "idle"}));
    }

    /// Answers a request by ourselves: it has failed.
    fn answer_failure(&mut self, request: &Message, failure: &Failure) {
        let error = failure.content();
        let mut content = json!({"status": "error", "execution_count": 0});
        merge(&mut content, &error);
        self.publish_for(request, "error", &error);
        self.answer(request, &content);
    }

    // ---- Starting

    fn start(&mut self) {
        self.starting = Some(STARTING.into());
        let (inputs, settings) = (self.inputs.clone(), self.settings.clone());
        let has_folder = self.folder.is_some();
        tokio::spawn(async move {
            let result = prepare(settings, has_folder, &inputs).await;
            let _ = inputs.requests.send(Input::Started(Box::new(result))).await;
        });
    }

    fn on_starting(&mut self, what: String) {
        if let Some(request) = self.notice.clone() {
            self.publish_for(&request, "update_display_data", &notice("start", &request, &what));
        }
        self.starting = Some(what);
    }

    fn on_waiting(&mut self, id: &str) {
        let first = self.waiting.iter().find(|request| request.message_type() == EXECUTE);
        let first = first.filter(|request| request.id() == id);
        if let (Some(request), Some(what)) = (first.cloned(), self.starting.clone()) {
            self.publish_for(&request, "status", &json!({"execution_state": "busy"}));
            self.publish_for(&request, "display_data", &notice("start", &request, &what));
            self.notice = Some(request);
        }
    }

    fn on_started(&mut self, result: Result<(Evcxr, Option<Folder>)>) {
        self.starting = None;
        self.begun = self.take_notice_back();
        match result {
            Ok((evcxr, folder)) => {
                self.evcxr = Some(evcxr);
                if let Some(folder) = folder {
                    self.settings.folder = Some(folder.path.clone());
                    self.folder = Some(folder);
                }
                self.next();
                self.look_ahead_when_idle();
            }
            Err(error) => {
                let todo = "\n  what to do: run `cargo d2l doctor`; then run the cell again";
                let failure = Failure::new("KernelError", format!("{error:#}{todo}"));
                eprintln!("d2l-kernel: {}", failure.message);
                self.fail_waiting(&failure);
            }
        }
    }

    fn take_notice_back(&mut self) -> Option<Message> {
        let request = self.notice.take()?;
        self.publish_for(&request, "clear_output", &json!({"wait": false}));
        Some(request)
    }

    /// All cells that wait have failed.
    pub fn fail_waiting(&mut self, failure: &Failure) {
        self.take_notice_back();
        for request in std::mem::take(&mut self.waiting) {
            if request.message_type() == EXECUTE {
                self.answer_failure(&request, failure);
            } else {
                self.waiting.push_back(request);
            }
        }
    }

    // ---- Requests and replies

    fn on_request(&mut self, request: Message) {
        if request.message_type() == KERNEL_INFO && self.cell.is_none() {
            return self.answer(&request, &kernel_info());
        }
        if self.cell.is_none() && self.evcxr.is_some() {
            return self.forward(request);
        }
        if self.starting.is_none() && self.evcxr.is_none() {
            self.start();
        }
        if request.message_type() == EXECUTE && self.evcxr.is_none() {
            let (inputs, id) = (self.inputs.requests.clone(), request.id().to_string());
            tokio::spawn(async move {
                sleep(Duration::from_secs(1)).await;
                let _ = inputs.send(Input::Waiting(id)).await;
            });
        }
        self.waiting.push_back(request);
    }

    fn forward(&mut self, request: Message) {
        let Some(evcxr) = &self.evcxr else { return self.waiting.push_front(request) };
        evcxr.shell(&request);
        if request.message_type() == EXECUTE {
            self.begin(request);
        }
    }

    /// From now on this cell is executed.
    pub fn begin(&mut self, request: Message) {
        self.cells += 1;
        self.watch_progress(request.id(), progress::SHORT);
        self.cell = Some(Cell {
            request,
            running: false,
            listening: false,
            asked_to_stop: false,
            told: Told::Nothing,
            ended_because: None,
            progress: Progress::new(),
            error: None,
            explained: false,
        });
    }

    /// Forwards what has waited, up to the next cell.
    fn next(&mut self) {
        while self.cell.is_none()
            && self.evcxr.is_some()
            && let Some(request) = self.waiting.pop_front()
        {
            if request.message_type() == KERNEL_INFO {
                self.answer(&request, &kernel_info());
            } else {
                self.forward(request);
            }
        }
    }

    fn on_reply(&mut self, mut reply: Message) {
        if !self.cell.as_ref().is_some_and(|cell| reply.is_child_of(&cell.request)) {
            if reply.has_client() {
                if reply.message_type() == "complete_reply" {
                    let mut content = reply.content();
                    completion::sort(&mut content);
                    reply.set_content(&content);
                }
                self.reply(&reply);
            } else if self.is_look_ahead(&reply) {
                self.look_ahead_in(Duration::from_secs(1));
            }
            return;
        }
        let Some(cell) = self.end_cell() else { return };
        if let Some(error) = &cell.error {
            let mut content = reply.content();
            content["status"] = "error".into();
            merge(&mut content, error);
            reply.set_content(&content);
        }
        self.reply(&reply);
        if cell.error.is_some() || cell.asked_to_stop {
            self.abort_waiting(&cell.request);
        }
        self.next();
        self.look_ahead_when_idle();
    }

    fn end_cell(&mut self) -> Option<Cell> {
        let _ = std::fs::remove_file(self.settings.interrupt_file());
        self.asks_for_input = false;
        self.end_progress();
        let cell = self.cell.take()?;
        let code = &cell.request.content()["code"];
        let variable = completion::last_variable(code.as_str().unwrap_or_default());
        self.new_variable = variable.map(str::to_string).or(self.new_variable.take());
        self.last = Some(cell.request.clone());
        Some(cell)
    }

    /// Cells that wait behind one that failed, or that was stopped, are not run.
    fn abort_waiting(&mut self, failed: &Message) {
        if failed.content()["stop_on_error"] == false {
            return;
        }
        for request in std::mem::take(&mut self.waiting) {
            if request.message_type() == EXECUTE {
                self.answer(&request, &json!({"status": "aborted"}));
            } else {
                self.waiting.push_back(request);
            }
        }
    }

    // ---- While the reader reads

    /// The types of the next cell's variables take rust-analyzer seconds the first time, and after a
    /// `:dep`. It does that work for a completion, too, and keeps the result. So it does with a type's
    /// methods, and JupyterLab waits for completions for a second only.
    fn look_ahead_when_idle(&self) {
        // A page or a program that runs all cells has sent the next one by then.
        self.look_ahead_in(Duration::from_millis(100));
    }

    fn look_ahead_in(&self, pause: Duration) {
        if self.cell.is_none() {
            let (inputs, cells) = (self.inputs.requests.clone(), self.cells);
            tokio::spawn(async move {
                sleep(pause).await;
                let _ = inputs.send(Input::Idle(cells)).await;
            });
        }
    }

    fn on_idle(&mut self, cells: usize) {
        let Some(evcxr) = self.evcxr.as_ref().filter(|_| cells == self.cells) else { return };
        if self.looked_ahead.0 != cells {
            self.looked_ahead = (cells, 0);
        }
        let code = match self.looked_ahead.1 {
            0 => "().".to_string(),
            1 => match self.new_variable.take() {
                Some(variable) => format!("{variable}."),
                None => return,
            },
            _ => return,
        };
        self.looked_ahead.1 += 1;
        let content = json!({"code": code, "cursor_pos": code.chars().count()});
        let question = Message::new("complete_request", &content);
        evcxr.shell(&question);
        self.look_ahead = Some(question);
    }

    fn is_look_ahead(&self, message: &Message) -> bool {
        self.look_ahead.as_ref().is_some_and(|question| message.is_child_of(question))
    }

    fn on_publication(&mut self, message: Message) {
        if self.is_look_ahead(&message) {
            return;
        }
        if !matches!(message.message_type(), "status" | "execute_input")
            && self.cell.as_ref().is_some_and(|cell| message.is_child_of(&cell.request))
        {
            self.end_progress();
        }
        let is_error = message.message_type() == "error";
        if message.message_type() == "execute_result" && message.is_unit() {
            // A cell that ends with a loop has no result; the same is None in Python.
            return;
        }
        if !is_error && message.message_type() != "status" {
            // A result can be large: it is not looked into.
            return self.publish(message);
        }
        let content = message.content();
        if content["execution_state"] == "busy"
            && self.begun.take_if(|begun| message.is_child_of(begun)).is_some()
        {
            return;
        }
        let cell = self.cell.as_mut().filter(|cell| message.is_child_of(&cell.request));
        let Some(cell) = cell.filter(|_| is_error) else { return self.publish(message) };
        let words = content["evalue"].as_str().unwrap_or_default();
        let ended = words.contains("Subprocess terminated");
        if !ended && !cell.asked_to_stop {
            return self.show_compilers(message, content);
        }
        if cell.error.is_none() {
            let failure = match (ended, cell.ended_because.take()) {
                (true, Some(reason)) => failure::program_ended_by_us(reason),
                (true, None) => failure::program_ended(words),
                (false, _) => Failure::new("Interrupted", STOPPED_BEFORE),
            };
            self.show_error(&failure);
        }
    }

    /// What the compiler says goes through as it is, with a hint where we know one.
    fn show_compilers(&mut self, mut message: Message, mut content: Value) {
        let Some(cell) = self.cell.as_mut().filter(|cell| !cell.explained) else { return };
        let code = cell.request.content()["code"].as_str().unwrap_or_default().to_string();
        if let Some(hint) = hints::hint(&content, &code) {
            hints::add(&mut content, &hint.text);
            message.set_content(&content);
            cell.explained = hint.is_all;
        }
        let words = content["evalue"].as_str().unwrap_or_default();
        if process::is_offline() && words.contains("offline mode is on") {
            content = Failure::new("Error", format!("{words}\n  {OFFLINE}")).content();
            message.set_content(&content);
        }
        cell.error.get_or_insert(content);
        self.publish(message);
    }

    fn show_error(&mut self, failure: &Failure) {
        self.end_progress();
        let Some(cell) = &mut self.cell else { return };
        let (content, request) = (failure.content(), cell.request.clone());
        cell.error = Some(content.clone());
        self.publish_for(&request, "error", &content);
    }

    fn on_evcxr_ended(&mut self, words: &str) {
        self.evcxr = None;
        // A cell would run on without anybody who could stop it.
        self.kill_program();
        let text = format!(
            "evcxr ended with {words}\n  what to do: it is started anew; variables, functions and \
             `:dep` are lost: run the cells again from the top"
        );
        eprintln!("d2l-kernel: {text}");
        if let Some(cell) = self.end_cell() {
            self.answer_failure(&cell.request, &Failure::new("KernelError", text));
            self.abort_waiting(&cell.request);
        }
        self.start();
    }

    // ---- The program

    fn on_program(&mut self, event: Event) {
        // What a thread prints between two cells belongs to the last one.
        if matches!(event, Event::Running | Event::Text(..) | Event::Display(..)) {
            self.end_progress();
        }
        let speaker = self.cell.as_ref().map(|cell| &cell.request).or(self.last.as_ref()).cloned();
        match (event, &mut self.cell, speaker) {
            (Event::Started(pid), ..) => self.program = pid_of(pid),
            (Event::Running, Some(cell), _) => cell.running = true,
            (Event::Listening, Some(cell), _) => cell.listening = true,
            (Event::Text(stream, text), _, Some(request)) => {
                let content = json!({"name": stream, "text": text});
                self.publish_for(&request, "stream", &content);
            }
            (Event::Display(kind, content), _, Some(request)) => {
                self.publish_for(&request, kind.name(), &content);
            }
            (Event::Done(broken, answer), cell, _) => {
                if let Some(cell) = cell {
                    cell.running = false;
                    if let Some(broken) = broken {
                        let failure = failure_of(cell, broken, self.settings.folder.as_deref());
                        self.show_error(&failure);
                    }
                }
                let _ = answer.send(());
            }
            (Event::Ended(answer), ..) => {
                self.program = None;
                let _ = answer.send(());
            }
            _ => {}
        }
    }

    fn kill_program(&self) {
        if let Some(program) = self.program {
            let _ = kill_process(program, Signal::KILL);
        }
    }

    // ---- Control

    fn on_control(&mut self, request: Message) -> Flow {
        match request.message_type() {
            KERNEL_INFO => self.reply_on_control(&request, &kernel_info()),
            "interrupt_request" => {
                self.reply_on_control(&request, &json!({"status": "ok"}));
                self.interrupt();
            }
            "shutdown_request" => {
                let restart = request.content()["restart"] == true;
                let content = json!({"status": "ok", "restart": restart});
                return Flow::Break(Some(request.reply(&content)));
            }
            _ => {
                if let Some(evcxr) = &self.evcxr {
                    evcxr.control(&request);
                }
            }
        }
        Flow::Continue(())
    }

    fn reply_on_control(&mut self, request: &Message, content: &Value) {
        self.control.send(request.reply(content).seal(&self.key));
    }

    async fn shut_down(&mut self) {
        self.signal_work(Signal::KILL);
        // evcxr waits for the cell.
        if self.cell.is_some() {
            self.kill_program();
        }
        if let Some(evcxr) = &self.evcxr {
            let request = Message::new("shutdown_request", &json!({"restart": false}));
            evcxr.control(&request);
            // With the relay its standard input ends, and so does evcxr, wherever it is.
            sleep(Duration::from_millis(50)).await;
        }
        self.evcxr = None;
        if let Some(folder) = &self.folder {
            folder.leave();
        }
    }

    /// Clients that read get what was sent last.
    async fn drained(&self) {
        const LIMIT: Duration = Duration::from_secs(1);
        let all = async {
            for clients in [&self.control, &self.shell, &self.stdin, &self.iopub] {
                clients.drained().await;
            }
        };
        let _ = timeout(LIMIT, all).await;
    }
}

const EXECUTE: &str = "execute_request";
const KERNEL_INFO: &str = "kernel_info_request";
const STARTING: &str = "Starting the kernel ...";
/// Stands where output is missing.
const GAP: &str = "[Output is missing here: it was printed while this client did not read.]\n";
/// What to do where a package is missing.
const OFFLINE: &str = "what to do: D2L_OFFLINE is set; unset it, start the notebooks again, and run this \
                       cell once with a network";
const STOPPED_BEFORE: &str = "stopped before the cell ran; all variables are as they were";

/// Takes a build folder, if there is none yet, and starts evcxr in it.
async fn prepare(
    mut settings: Settings,
    has_folder: bool,
    inputs: &Inputs,
) -> Result<(Evcxr, Option<Folder>)> {
    let mut taken = None;
    if let Some(base) = settings.base.clone().filter(|_| !has_folder) {
        let (say, scratch) = (inputs.requests.clone(), settings.scratch.clone());
        let take = move || match std::env::var_os(names::TEMPLATE) {
            Some(_) => build_folder::template(&base),
            None => build_folder::take_free(&base, &scratch, |what| {
                let _ = say.blocking_send(Input::Starting(what.to_string()));
            }),
        };
        let folder = tokio::task::spawn_blocking(take).await??;
        settings.folder = Some(folder.path.clone());
        taken = Some(folder);
        let _ = inputs.requests.send(Input::Starting(STARTING.into())).await;
    }
    Ok((process::start(&settings, inputs).await?, taken))
}

fn failure_of(cell: &Cell, broken: Broken, folder: Option<&Path>) -> Failure {
    let code = cell.request.content()["code"].as_str().unwrap_or_default().to_string();
    let sources = folder.unwrap_or(Path::new(""));
    let mut failure = match broken {
        Broken::Panic(report, place) => failure::panic(&report, place, &code, sources),
        Broken::Error(failure, place) => failure.at(place, &code, sources),
        Broken::Interrupted(place) => failure::stopped(place, &code),
    };
    if cell.asked_to_stop {
        failure.name = "Interrupted".into();
    }
    failure
}

fn merge(content: &mut Value, error: &Value) {
    for name in ["ename", "evalue", "traceback"] {
        content[name] = error[name].clone();
    }
}

fn pid_of(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

/// See <https://jupyter-client.readthedocs.io/en/stable/messaging.html#kernel-info>.
fn kernel_info() -> Value {
    json!({
        "status": "ok",
        "protocol_version": "5.3",
        "implementation": env!("CARGO_PKG_NAME"),
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "Rust",
            "version": "",
            "mimetype": "text/rust",
            "file_extension": ".rs",
            "pygments_lexer": "rust",
            "codemirror_mode": "rust",
        },
        "banner": "Rust (d2l): evcxr with live display and a stop button that asks first",
        "help_links": [
            {"text": "Dive into Deep Learning", "url": "https://d2l.ai"},
            {"text": "Rust's standard library", "url": "https://doc.rust-lang.org/stable/std/"},
        ],
    })
}
