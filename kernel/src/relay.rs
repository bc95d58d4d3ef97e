//! The relay between Jupyter and evcxr: all messages go through, and these are changed on the way
//! (docs/kernel.md):
//!
//! * what a program prints comes through the tap, display lines as messages;
//! * a panic or an error value becomes an error, and ends a *Run All*;
//! * the stop button asks the program first;
//! * Jupyter has an answer at once, while evcxr is still starting.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use jupyter_protocol::connection_info::ConnectionInfo;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::time::sleep;
use zeromq::{
    PubSocket, RepSocket, RouterSendHalf, RouterSocket, SocketRecv, SocketSend, ZmqMessage,
};

use crate::evcxr::{self, Evcxr, Settings};
use crate::failure::{self, Failure};
use crate::folder::Folder;
use crate::message::{Key, Message};
use crate::program::{Broken, Event};
use crate::{connection, folder, greeter, names, stand_in};

/// All that the relay acts upon, in one queue.
pub enum Input {
    Shell(ZmqMessage),
    Control(ZmqMessage),
    Stdin(ZmqMessage),
    EvcxrShell(ZmqMessage),
    EvcxrControl(ZmqMessage),
    EvcxrStdin(ZmqMessage),
    EvcxrIopub(ZmqMessage),
    EvcxrEnded(String),
    Program(Event),
    /// A build begins; the answer is whether it may.
    BuildBegins(u32, oneshot::Sender<bool>),
    BuildEnds(u32),
    /// What is being done before evcxr can be used.
    Starting(String),
    Started(Box<Result<(Evcxr, Option<Folder>)>>),
    /// A request has waited for the start for so long that its reader wants to know why.
    Waiting(String),
    /// So long ago a cell was asked to stop.
    Asked(String, Duration),
}

/// When the reader is told that the cell has not stopped yet.
const NOTICE: Duration = Duration::from_secs(2);
/// How long a cell may take to stop that does not look for the stop button.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one may take that does: a batch can be long.
const LISTENING_PATIENCE: Duration = Duration::from_secs(60);
/// How long evcxr may take to end when it is asked to.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// Takes messages from a socket to the relay's queue, until either ends.
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
    let shell: RouterSocket = connection::bind(info, info.shell_port).await?;
    let control: RouterSocket = connection::bind(info, info.control_port).await?;
    let stdin: RouterSocket = connection::bind(info, info.stdin_port).await?;
    let iopub: PubSocket = connection::bind(info, info.iopub_port).await?;
    let heartbeat: RepSocket = connection::bind(info, info.hb_port).await?;
    tokio::spawn(beat(heartbeat));

    let scratch = tempfile::Builder::new().prefix("d2l-kernel-").tempdir();
    let scratch = scratch.context("cannot make a folder among the temporary files")?;
    let settings = Settings { folder: None, base, scratch: scratch.path().to_path_buf() };
    stand_in::make(&settings.stand_ins())?;
    let (inputs, mut queue) = channel(1024);
    greeter::listen(&settings.socket(), &inputs)?;

    let ((shell, from_shell), (control, from_control), (stdin, from_stdin)) =
        (shell.split(), control.split(), stdin.split());
    tokio::spawn(pass_on(from_shell, Input::Shell, inputs.clone()));
    tokio::spawn(pass_on(from_control, Input::Control, inputs.clone()));
    tokio::spawn(pass_on(from_stdin, Input::Stdin, inputs.clone()));
    let mut relay = Relay {
        key: Key::new(&info.key)?,
        shell,
        control,
        stdin,
        iopub,
        inputs,
        settings,
        folder: None,
        evcxr: None,
        starting: None,
        notice: None,
        begun: None,
        program: None,
        builds: vec![],
        cell: None,
        last: None,
        waiting: VecDeque::new(),
    };
    relay.start();
    relay.work(&mut queue).await;
    // Jupyter gets what was sent last.
    sleep(Duration::from_millis(50)).await;
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

struct Relay {
    key: Key,
    shell: RouterSendHalf,
    control: RouterSendHalf,
    stdin: RouterSendHalf,
    iopub: PubSocket,
    inputs: Sender<Input>,
    settings: Settings,
    folder: Option<Folder>,
    evcxr: Option<Evcxr>,
    /// What is being done to start evcxr.
    starting: Option<String>,
    /// The request whose reader was shown that.
    notice: Option<Message>,
    /// A request that Jupyter was told the kernel is busy with, so that evcxr need not.
    begun: Option<Message>,
    /// The process that runs the cells.
    program: Option<Pid>,
    builds: Vec<Pid>,
    cell: Option<Cell>,
    /// The request that was executed last, for what threads print afterwards.
    last: Option<Message>,
    /// Requests that came while a cell runs or evcxr starts.
    waiting: VecDeque<Message>,
}

/// A cell being executed.
struct Cell {
    request: Message,
    /// Whether the program runs it; else it is being compiled.
    running: bool,
    /// Whether it looks for the stop button.
    listening: bool,
    asked_to_stop: bool,
    /// Why the program was ended by us.
    ended_because: Option<String>,
    /// The error that its reader was shown.
    error: Option<Value>,
}

impl Relay {
    async fn work(&mut self, queue: &mut Receiver<Input>) {
        while let Some(input) = queue.recv().await {
            match self.handle(input).await {
                Ok(true) => {}
                Ok(false) => return,
                // One message that cannot be read or sent must not be the kernel's end.
                Err(error) => eprintln!("d2l-kernel: {error:#}"),
            }
        }
    }

    /// Acts upon one input. False is the end.
    async fn handle(&mut self, input: Input) -> Result<bool> {
        match input {
            Input::Shell(frames) => {
                let message = Message::open(frames, &self.key).context("on shell")?;
                self.on_request(message).await?;
            }
            Input::Control(frames) => {
                let message = Message::open(frames, &self.key).context("on control")?;
                return self.on_control(message).await;
            }
            Input::Stdin(frames) => {
                let message = Message::open(frames, &self.key).context("on stdin")?;
                if let Some(evcxr) = &mut self.evcxr {
                    evcxr.stdin.send(message.seal(&evcxr.key)).await?;
                }
            }
            Input::EvcxrShell(frames) => {
                let message = self.open_from_evcxr(frames)?;
                self.on_reply(message).await?;
            }
            Input::EvcxrControl(frames) => {
                let message = self.open_from_evcxr(frames)?;
                // Answers to our own questions are for nobody else.
                if message.has_client() {
                    self.control.send(message.seal(&self.key)).await?;
                }
            }
            Input::EvcxrStdin(frames) => {
                let message = self.open_from_evcxr(frames)?;
                self.stdin.send(message.seal(&self.key)).await?;
            }
            Input::EvcxrIopub(frames) => {
                let message = self.open_from_evcxr(frames)?;
                self.on_publication(message).await?;
            }
            Input::EvcxrEnded(words) => self.on_evcxr_ended(&words).await?,
            Input::Program(event) => self.on_program(event).await?,
            Input::BuildBegins(pid, answer) => {
                let stopped = self.cell.as_ref().is_some_and(|cell| cell.asked_to_stop);
                if !stopped {
                    self.builds.extend(pid_of(pid));
                }
                let _ = answer.send(!stopped);
            }
            Input::BuildEnds(pid) => self.builds.retain(|&build| Some(build) != pid_of(pid)),
            Input::Starting(what) => self.on_starting(what).await?,
            Input::Started(result) => self.on_started(*result).await?,
            Input::Waiting(id) => self.on_waiting(&id).await?,
            Input::Asked(id, time) => self.on_asked(&id, time).await?,
        }
        Ok(true)
    }

    fn open_from_evcxr(&self, frames: ZmqMessage) -> Result<Message> {
        let evcxr = self.evcxr.as_ref().context("evcxr has ended")?;
        Message::open(frames, &evcxr.key).context("from evcxr")
    }

    async fn publish(&mut self, message: Message) -> Result<()> {
        Ok(self.iopub.send(message.seal(&self.key)).await?)
    }

    /// Publishes a message that goes with a request.
    async fn publish_for(&mut self, request: &Message, kind: &str, content: &Value) -> Result<()> {
        self.publish(request.child(kind, content)).await
    }

    /// Answers a request by ourselves, with all that belongs to an answer.
    async fn answer(&mut self, request: &Message, content: &Value) -> Result<()> {
        self.publish_for(request, "status", &json!({"execution_state": "busy"})).await?;
        self.shell.send(request.reply(content).seal(&self.key)).await?;
        self.publish_for(request, "status", &json!({"execution_state": "idle"})).await
    }

    // ---- Starting

    fn start(&mut self) {
        self.starting = Some("Starting evcxr ...".into());
        let (inputs, settings) = (self.inputs.clone(), self.settings.clone());
        let has_folder = self.folder.is_some();
        tokio::spawn(async move {
            let result = prepare(settings, has_folder, &inputs).await;
            let _ = inputs.send(Input::Started(Box::new(result))).await;
        });
    }

    async fn on_starting(&mut self, what: String) -> Result<()> {
        if let Some(request) = self.notice.clone() {
            self.publish_for(&request, "update_display_data", &notice(&request, &what)).await?;
        }
        self.starting = Some(what);
        Ok(())
    }

    async fn on_waiting(&mut self, id: &str) -> Result<()> {
        let first = self.waiting.iter().find(|request| request.message_type() == "execute_request");
        let first = first.filter(|request| request.id() == id);
        if let (Some(request), Some(what)) = (first.cloned(), self.starting.clone()) {
            self.publish_for(&request, "status", &json!({"execution_state": "busy"})).await?;
            self.publish_for(&request, "display_data", &notice(&request, &what)).await?;
            self.notice = Some(request);
        }
        Ok(())
    }

    async fn on_started(&mut self, result: Result<(Evcxr, Option<Folder>)>) -> Result<()> {
        self.starting = None;
        if let Some(request) = self.notice.take() {
            self.publish_for(&request, "clear_output", &json!({"wait": false})).await?;
            self.begun = Some(request);
        }
        match result {
            Ok((evcxr, folder)) => {
                self.evcxr = Some(evcxr);
                if let Some(folder) = folder {
                    self.settings.folder = Some(folder.path.clone());
                    self.folder = Some(folder);
                }
                self.next().await
            }
            Err(error) => {
                eprintln!("d2l-kernel: {error:#}");
                let todo = "\n  what to do: run `cargo d2l doctor`; then run the cell again";
                let failure = Failure::new("KernelError", format!("{error:#}{todo}"));
                for request in std::mem::take(&mut self.waiting) {
                    if request.message_type() == "execute_request" {
                        self.fail(&request, &failure.content()).await?;
                    }
                }
                Ok(())
            }
        }
    }

    // ---- Requests and replies

    async fn on_request(&mut self, request: Message) -> Result<()> {
        if request.message_type() == "kernel_info_request" && self.cell.is_none() {
            return self.answer(&request, &kernel_info()).await;
        }
        if self.cell.is_none() && self.evcxr.is_some() {
            return self.forward(request).await;
        }
        if self.starting.is_none() && self.evcxr.is_none() {
            self.start();
        }
        if request.message_type() == "execute_request" && self.evcxr.is_none() {
            let (inputs, id) = (self.inputs.clone(), request.id().to_string());
            tokio::spawn(async move {
                sleep(Duration::from_secs(1)).await;
                let _ = inputs.send(Input::Waiting(id)).await;
            });
        }
        self.waiting.push_back(request);
        Ok(())
    }

    async fn forward(&mut self, request: Message) -> Result<()> {
        let Some(evcxr) = &mut self.evcxr else { return Ok(()) };
        evcxr.shell.send(request.seal(&evcxr.key)).await?;
        if request.message_type() == "execute_request" {
            self.cell = Some(Cell {
                request,
                running: false,
                listening: false,
                asked_to_stop: false,
                ended_because: None,
                error: None,
            });
        }
        Ok(())
    }

    /// Forwards what has waited, up to the next cell.
    async fn next(&mut self) -> Result<()> {
        while self.cell.is_none()
            && let Some(request) = self.waiting.pop_front()
        {
            if request.message_type() == "kernel_info_request" {
                self.answer(&request, &kernel_info()).await?;
            } else {
                self.forward(request).await?;
            }
        }
        Ok(())
    }

    async fn on_reply(&mut self, mut reply: Message) -> Result<()> {
        if !self.cell.as_ref().is_some_and(|cell| reply.is_child_of(&cell.request)) {
            return Ok(self.shell.send(reply.seal(&self.key)).await?);
        }
        let Some(cell) = self.cell.take() else { return Ok(()) };
        let _ = std::fs::remove_file(self.settings.interrupt_file());
        if let Some(error) = &cell.error {
            let mut content = reply.content();
            content["status"] = "error".into();
            merge(&mut content, error);
            reply.set_content(&content);
        }
        self.shell.send(reply.seal(&self.key)).await?;
        if cell.error.is_some() || cell.asked_to_stop {
            self.abort_waiting(&cell.request).await?;
        }
        self.last = Some(cell.request);
        self.next().await
    }

    /// Cells that wait behind one that failed, or that was stopped, are not run.
    async fn abort_waiting(&mut self, failed: &Message) -> Result<()> {
        if failed.content()["stop_on_error"] == false {
            return Ok(());
        }
        for request in std::mem::take(&mut self.waiting) {
            if request.message_type() == "execute_request" {
                self.answer(&request, &json!({"status": "aborted"})).await?;
            } else {
                self.waiting.push_back(request);
            }
        }
        Ok(())
    }

    /// Tells that a request has failed, where evcxr does not.
    async fn fail(&mut self, request: &Message, error: &Value) -> Result<()> {
        self.publish_for(request, "error", error).await?;
        let mut content = json!({"status": "error", "execution_count": 0});
        merge(&mut content, error);
        self.answer(request, &content).await
    }

    async fn on_publication(&mut self, message: Message) -> Result<()> {
        if message.message_type() != "error" {
            let begins = message.content()["execution_state"] == "busy";
            if begins && self.begun.take_if(|begun| message.is_child_of(begun)).is_some() {
                return Ok(());
            }
            return self.publish(message).await;
        }
        let Some(cell) = self.cell.as_mut().filter(|cell| message.is_child_of(&cell.request))
        else {
            return self.publish(message).await;
        };
        let content = message.content();
        let words = content["evalue"].as_str().unwrap_or_default();
        let ended = words.contains("Subprocess terminated");
        if !ended && !cell.asked_to_stop {
            cell.error.get_or_insert(content);
            return self.publish(message).await;
        }
        if cell.error.is_some() {
            return Ok(());
        }
        let failure = match (ended, cell.ended_because.take()) {
            (true, Some(reason)) => {
                let mut failure = Failure::new("Interrupted", reason);
                failure.trace.push(failure::LOST.into());
                failure
            }
            (true, None) => failure::program_ended(words),
            (false, _) => Failure::new(
                "Interrupted",
                "stopped while the cell was compiled; all variables are as they were",
            ),
        };
        self.show_error(&failure).await
    }

    async fn show_error(&mut self, failure: &Failure) -> Result<()> {
        let Some(cell) = &mut self.cell else { return Ok(()) };
        let (content, request) = (failure.content(), cell.request.clone());
        cell.error = Some(content.clone());
        self.publish_for(&request, "error", &content).await
    }

    async fn on_evcxr_ended(&mut self, words: &str) -> Result<()> {
        self.evcxr = None;
        self.builds.clear();
        let text = format!(
            "evcxr ended with {words}\n  what to do: it is started anew; variables, functions and \
             `:dep` are lost: run the cells again from the top"
        );
        eprintln!("d2l-kernel: {text}");
        if let Some(cell) = self.cell.take() {
            self.fail(&cell.request, &Failure::new("KernelError", text).content()).await?;
            self.abort_waiting(&cell.request).await?;
            self.last = Some(cell.request);
        }
        self.start();
        Ok(())
    }

    // ---- The program

    async fn on_program(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Started(pid) => self.program = pid_of(pid),
            Event::Running => {
                if let Some(cell) = &mut self.cell {
                    cell.running = true;
                }
            }
            Event::Listening => {
                if let Some(cell) = &mut self.cell {
                    cell.listening = true;
                }
            }
            Event::Text(stream, text) => {
                if let Some(request) = self.speaker() {
                    let content = json!({"name": stream, "text": text});
                    self.publish_for(&request, "stream", &content).await?;
                }
            }
            Event::Display(kind, content) => {
                if let Some(request) = self.speaker() {
                    self.publish_for(&request, kind.message_type(), &content).await?;
                }
            }
            Event::Done(broken, answer) => {
                if let Some(cell) = &mut self.cell {
                    cell.running = false;
                    if let Some(broken) = broken {
                        let failure = self.failure(&broken);
                        self.show_error(&failure).await?;
                    }
                }
                let _ = answer.send(());
            }
            Event::Ended(answer) => {
                self.program = None;
                let _ = answer.send(());
            }
        }
        Ok(())
    }

    /// The request that what the program prints belongs to.
    fn speaker(&self) -> Option<Message> {
        self.cell.as_ref().map(|cell| &cell.request).or(self.last.as_ref()).cloned()
    }

    fn failure(&self, broken: &Broken) -> Failure {
        let Some(cell) = &self.cell else { return Failure::new("Error", "") };
        let mut failure = match broken {
            Broken::Panic(report) => {
                let code = cell.request.content()["code"].as_str().unwrap_or_default().to_string();
                let sources = self.settings.folder.as_deref().unwrap_or(Path::new(""));
                failure::panic(report, &code, sources)
            }
            Broken::Error(message) => Failure::new("Error", message),
        };
        if cell.asked_to_stop {
            failure.name = "Interrupted".into();
        }
        failure
    }

    // ---- Control

    async fn on_control(&mut self, request: Message) -> Result<bool> {
        match request.message_type() {
            "kernel_info_request" => self.reply_on_control(&request, &kernel_info()).await?,
            "interrupt_request" => {
                self.reply_on_control(&request, &json!({"status": "ok"})).await?;
                self.interrupt().await?;
            }
            "shutdown_request" => {
                self.shut_down().await;
                let restart = request.content()["restart"] == true;
                let content = json!({"status": "ok", "restart": restart});
                self.reply_on_control(&request, &content).await?;
                return Ok(false);
            }
            _ => {
                if let Some(evcxr) = &mut self.evcxr {
                    evcxr.control.send(request.seal(&evcxr.key)).await?;
                }
            }
        }
        Ok(true)
    }

    async fn reply_on_control(&mut self, request: &Message, content: &Value) -> Result<()> {
        Ok(self.control.send(request.reply(content).seal(&self.key)).await?)
    }

    /// The stop button. Nothing is lost where no cell is executed.
    async fn interrupt(&mut self) -> Result<()> {
        let Some(cell) = &mut self.cell else { return Ok(()) };
        if cell.asked_to_stop {
            return self.stop_at_once("stop was asked for twice").await;
        }
        cell.asked_to_stop = true;
        let id = cell.request.id().to_string();
        std::fs::write(self.settings.interrupt_file(), "")?;
        self.signal_builds(Signal::INT);
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            let mut before = Duration::ZERO;
            for time in [NOTICE, PATIENCE, LISTENING_PATIENCE] {
                sleep(time - before).await;
                before = time;
                let _ = inputs.send(Input::Asked(id.clone(), time)).await;
            }
        });
        Ok(())
    }

    async fn on_asked(&mut self, id: &str, time: Duration) -> Result<()> {
        let Some(cell) = self.cell.as_ref().filter(|cell| cell.request.id() == id) else {
            return Ok(());
        };
        let patience = if cell.listening { LISTENING_PATIENCE } else { PATIENCE };
        if time == NOTICE {
            let what = match (cell.running, cell.listening) {
                (true, true) => "The cell was asked to stop and will at its next batch.",
                (true, false) => "The cell was asked to stop; it has not looked so far.",
                (false, _) => {
                    "The cell will stop when the compiler has been asked for the next step."
                }
            };
            let end = match cell.running {
                true => format!(
                    " Press stop again, or wait for {} s, to end Rust's process: all variables will \
                     be lost.",
                    (patience - time).as_secs()
                ),
                false => String::new(),
            };
            let request = cell.request.clone();
            let content = json!({"name": "stderr", "text": format!("{what}{end}\n")});
            return self.publish_for(&request, "stream", &content).await;
        }
        if time >= patience {
            let reason = format!("the cell did not stop within {} s", time.as_secs());
            return self.stop_at_once(&reason).await;
        }
        Ok(())
    }

    /// What evcxr does when it is interrupted: the program ends, with all variables.
    async fn stop_at_once(&mut self, reason: &str) -> Result<()> {
        let Some(cell) = &mut self.cell else { return Ok(()) };
        if !cell.running {
            self.signal_builds(Signal::KILL);
            return Ok(());
        }
        cell.ended_because = Some(format!("{reason}, so Rust's process was ended"));
        if let Some(evcxr) = &mut self.evcxr {
            let request = Message::new("interrupt_request", &json!({}));
            evcxr.control.send(request.seal(&evcxr.key)).await?;
        }
        Ok(())
    }

    fn signal_builds(&self, signal: Signal) {
        for &build in &self.builds {
            let _ = kill_process_group(build, signal);
        }
    }

    async fn shut_down(&mut self) {
        self.signal_builds(Signal::KILL);
        // evcxr waits for the cell; a program that runs one would outlive it.
        if self.cell.is_some()
            && let Some(program) = self.program
        {
            let _ = kill_process(program, Signal::KILL);
        }
        if let Some(evcxr) = &mut self.evcxr {
            let request = Message::new("shutdown_request", &json!({"restart": false}));
            let _ = evcxr.control.send(request.seal(&evcxr.key)).await;
            sleep(SHUTDOWN.min(Duration::from_millis(50))).await;
        }
        self.evcxr = None;
        if let Some(folder) = &self.folder {
            folder.leave();
        }
    }
}

/// Takes a build folder, if there is none yet, and starts evcxr in it.
async fn prepare(
    mut settings: Settings,
    has_folder: bool,
    inputs: &Sender<Input>,
) -> Result<(Evcxr, Option<Folder>)> {
    let mut taken = None;
    if let Some(base) = settings.base.clone().filter(|_| !has_folder) {
        let say = inputs.clone();
        let take = move || match std::env::var_os(names::TEMPLATE) {
            Some(_) => folder::template(&base),
            None => folder::take_free(&base, |what| {
                let _ = say.blocking_send(Input::Starting(what.to_string()));
            }),
        };
        let folder = tokio::task::spawn_blocking(take).await??;
        settings.folder = Some(folder.path.clone());
        taken = Some(folder);
        let _ = inputs.send(Input::Starting("Starting evcxr ...".into())).await;
    }
    Ok((evcxr::start(&settings, inputs).await?, taken))
}

/// What a reader sees whose cell waits for the start.
fn notice(request: &Message, what: &str) -> Value {
    let id = format!("start-{}", request.id());
    json!({"data": {"text/plain": what}, "metadata": {}, "transient": {"display_id": id}})
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
