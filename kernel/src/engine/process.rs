//! evcxr_jupyter in a process of its own, and the sockets to it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use d2l_common::display_line;
use d2l_common::variables::{
    CELL_FILE, JUPYTER_INTERRUPT_FILE, JUPYTER_WIRE, KERNEL_CARGO_HOME, KERNEL_SHIMS,
    KERNEL_SOCKET, is_offline,
};
use jupyter_protocol::connection_info::ConnectionInfo;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc::{Sender, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use zeromq::util::PeerIdentity;
use zeromq::{
    DealerSendHalf, DealerSocket, Socket, SocketOptions, SocketRecv, SocketSend, SubSocket,
    ZmqMessage,
};

use crate::engine::rust_analyzer;
use crate::environment::BUILD_FOLDER;
use crate::jupyter::connection;
use crate::jupyter::message::{Key, Message};
use crate::queue::Inputs;

/// What comes from evcxr.
pub enum Event {
    /// A reply on the shell socket.
    Shell(ZmqMessage),
    /// A reply on the control socket.
    Control(ZmqMessage),
    /// A request for input.
    Stdin(ZmqMessage),
    /// What it publishes.
    Iopub(ZmqMessage),
    /// Cargo compiles this package for it.
    Compiling(String),
    /// It has ended, with this status and these last lines of its log.
    Ended(String),
}

/// How evcxr is started.
#[derive(Clone)]
pub struct Settings {
    /// Its build folder; none lets it make one.
    pub folder: Option<PathBuf>,
    /// The folder of all kernels' build folders.
    pub base: Option<PathBuf>,
    /// A private folder for sockets and the like.
    pub scratch: PathBuf,
}

impl Settings {
    pub fn socket(&self) -> PathBuf {
        self.scratch.join("socket")
    }

    pub fn interrupt_file(&self) -> PathBuf {
        self.scratch.join("interrupt")
    }

    /// Where a program reads which cell it runs.
    pub fn cell_file(&self) -> PathBuf {
        self.interrupt_file().with_file_name(CELL_FILE)
    }

    pub fn shims(&self) -> PathBuf {
        self.scratch.join("bin")
    }
}

/// A running evcxr. Dropping it ends it.
pub struct Evcxr {
    key: Key,
    to: Outgoing,
    /// They hold the process, too.
    _tasks: JoinSet<()>,
    /// evcxr ends when its standard input does.
    _input: ChildStdin,
}

/// Queues before evcxr's sockets.
struct Outgoing {
    shell: UnboundedSender<ZmqMessage>,
    control: UnboundedSender<ZmqMessage>,
    stdin: UnboundedSender<ZmqMessage>,
}

/// Messages go on as evcxr reads them; it may be busy. Its end is an event.
impl Evcxr {
    /// Reads a message of evcxr's.
    pub fn read(&self, frames: ZmqMessage) -> Result<Message> {
        Message::open(frames, &self.key).context("from evcxr")
    }

    pub fn shell(&self, message: &Message) {
        let _ = self.to.shell.send(message.seal(&self.key));
    }

    pub fn control(&self, message: &Message) {
        let _ = self.to.control.send(message.seal(&self.key));
    }

    pub fn stdin(&self, message: &Message) {
        let _ = self.to.stdin.send(message.seal(&self.key));
    }
}

/// Starts evcxr and waits until it replies. What comes from it goes to `inputs`.
pub async fn start<T>(settings: &Settings, inputs: &Inputs<T>) -> Result<Evcxr>
where
    T: From<Event> + Send + 'static,
{
    const TRIES: usize = 3;
    let mut reason = String::new();
    for _ in 0..TRIES {
        let (info, listeners) = connection::on_loopback()?;
        let file = settings.scratch.join("evcxr.json");
        std::fs::write(&file, serde_json::to_string(&info)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        // evcxr binds the ports at once; should another program be faster, there is another try.
        drop(listeners);
        let mut child = spawn(settings, &file)?;
        let lines = read_log(&mut child, inputs.requests.clone());
        // Waiting for the child would close it.
        let input = child.stdin.take().context("evcxr has no standard input")?;
        match connect(&info, &mut child, inputs).await {
            Ok((to, mut tasks)) => {
                tasks.spawn(watch(child, lines, inputs.output.clone()));
                let key = Key::new(&info.key)?;
                return Ok(Evcxr { key, to, _tasks: tasks, _input: input });
            }
            Err(error) => {
                let _ = child.kill().await;
                reason = format!("{error:#}{}", indented(&lines));
            }
        }
    }
    bail!("evcxr did not start: {reason}")
}

fn spawn(settings: &Settings, file: &std::path::Path) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--control_file").arg(file);
    let shims = settings.shims();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [shims.clone()].into_iter().chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(path)?);
    command.env(KERNEL_SHIMS, shims);
    // rust-analyzer looks for cargo there, whatever the PATH.
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        command.env(KERNEL_CARGO_HOME, home);
    }
    command.env("CARGO_HOME", &settings.scratch);
    if let Some(library) = rust_analyzer::library(&settings.scratch) {
        command.env(rust_analyzer::LIBRARY, library);
    }
    command.env(KERNEL_SOCKET, settings.socket());
    command.env(JUPYTER_INTERRUPT_FILE, settings.interrupt_file());
    command.env(JUPYTER_WIRE, display_line::VERSION);
    if let Some(folder) = &settings.folder {
        command.env(BUILD_FOLDER, folder);
    }
    if let Some(base) = &settings.base {
        // A configuration or a kernel of evcxr's own that the user has is neither read nor updated.
        command.env("EVCXR_CONFIG_DIR", base.join("config"));
        command.env("JUPYTER_PATH", base.join("none"));
    }
    if is_offline() {
        command.env("CARGO_NET_OFFLINE", "true");
    }
    // Forgets what Cargo tells the programs that it runs, such as `cargo d2l`. Build scripts look at
    // it, and what they build would be built again for a kernel that an editor has started.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            command.env_remove(&name);
        }
    }
    // evcxr prints at each start that it has no configuration file.
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().context("cannot start evcxr")
}

/// evcxr's side: ends with the relay, which holds the other end of standard input.
pub fn end_with_relay() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}

/// The last lines of evcxr's log.
type LastLines = Arc<Mutex<VecDeque<String>>>;

/// Passes evcxr's log on and keeps its end.
fn read_log<T>(child: &mut Child, inputs: Sender<T>) -> LastLines
where
    T: From<Event> + Send + 'static,
{
    let lines = LastLines::default();
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(read_lines(stderr, lines.clone(), inputs));
    }
    lines
}

/// Reads to the end, whatever comes: evcxr would not survive a closed pipe.
async fn read_lines<T: From<Event>>(
    log: impl AsyncRead + Unpin,
    lines: LastLines,
    inputs: Sender<T>,
) {
    const KEPT: usize = 12;
    const LONGEST: u64 = 1 << 16;
    let mut log = BufReader::new(log);
    let mut line = vec![];
    // An endless line is cut.
    while (&mut log).take(LONGEST).read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0)
    {
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
        line.clear();
        eprintln!("{text}");
        if let Some(package) = text.trim_start().strip_prefix("Compiling ") {
            // Its name is followed by the version.
            let package = package.split(' ').next().unwrap_or_default().to_string();
            let _ = inputs.send(Event::Compiling(package).into()).await;
        }
        if let Ok(mut lines) = lines.lock() {
            lines.push_back(text);
            if lines.len() > KEPT {
                lines.pop_front();
            }
        }
    }
}

fn indented(lines: &LastLines) -> String {
    let text = lines.lock().map(|lines| lines.iter().map(|line| format!("\n  {line}")).collect());
    text.unwrap_or_default()
}

async fn connect<T>(
    info: &ConnectionInfo,
    child: &mut Child,
    inputs: &Inputs<T>,
) -> Result<(Outgoing, JoinSet<()>)>
where
    T: From<Event> + Send + 'static,
{
    const LIMIT: Duration = Duration::from_secs(120);
    let begin = Instant::now();
    // ZeroMQ would wait for seconds between its tries.
    while TcpStream::connect((info.ip.as_str(), info.stdin_port)).await.is_err() {
        if let Some(status) = child.try_wait()? {
            bail!("it ended with {status}");
        }
        if begin.elapsed() > LIMIT {
            bail!("it opened no ports within {} s", LIMIT.as_secs());
        }
        sleep(Duration::from_millis(5)).await;
    }
    let address = |port: u16| format!("tcp://{}:{port}", info.ip);
    let mut iopub = SubSocket::new();
    iopub.connect(&address(info.iopub_port)).await?;
    iopub.subscribe("").await?;
    let mut shell = dealer(&address(info.shell_port)).await?;
    let control = dealer(&address(info.control_port)).await?;
    let stdin = dealer(&address(info.stdin_port)).await?;

    let key = Key::new(&info.key)?;
    let first_reply = async {
        // Until a request's status comes, too: evcxr takes a moment to see that we are subscribed.
        loop {
            shell.send(Message::new("kernel_info_request", &json!({})).seal(&key)).await?;
            Message::open(shell.recv().await?, &key)?;
            if timeout(Duration::from_millis(200), idle(&mut iopub, &key)).await.is_ok() {
                return anyhow::Ok(());
            }
        }
    };
    tokio::select! {
        reply = timeout(LIMIT, first_reply) => reply.context("it does not reply")??,
        status = child.wait() => bail!("it ended with {}", status?),
    }
    let mut tasks = JoinSet::new();
    let ((shell, from_shell), (control, from_control), (stdin, from_stdin)) =
        (shell.split(), control.split(), stdin.split());
    tasks.spawn(pass_on(from_shell, Event::Shell, inputs.output.clone()));
    tasks.spawn(pass_on(from_control, Event::Control, inputs.output.clone()));
    tasks.spawn(pass_on(from_stdin, Event::Stdin, inputs.output.clone()));
    tasks.spawn(pass_on(iopub, Event::Iopub, inputs.output.clone()));
    let to = Outgoing {
        shell: sender(shell, &mut tasks),
        control: sender(control, &mut tasks),
        stdin: sender(stdin, &mut tasks),
    };
    Ok((to, tasks))
}

/// Forwards messages from a socket of evcxr's to the relay's queue, until either ends.
async fn pass_on<S: SocketRecv, T: From<Event>>(
    mut socket: S,
    event: fn(ZmqMessage) -> Event,
    inputs: Sender<T>,
) {
    while let Ok(message) = socket.recv().await {
        if inputs.send(event(message).into()).await.is_err() {
            return;
        }
    }
}

/// A queue before a socket.
fn sender(mut socket: DealerSendHalf, tasks: &mut JoinSet<()>) -> UnboundedSender<ZmqMessage> {
    let (sender, mut queue) = unbounded_channel();
    tasks.spawn(async move {
        while let Some(message) = queue.recv().await {
            if let Err(error) = socket.send(message).await {
                eprintln!("d2l-kernel: a message was not sent to evcxr: {error}");
            }
        }
    });
    sender
}

/// evcxr asks for input on another socket than the one on which it was asked to run the cell, so
/// ours have the same identity on all of them, as a client of Jupyter's does.
async fn dealer(address: &str) -> Result<DealerSocket> {
    let mut options = SocketOptions::default();
    let name = PeerIdentity::try_from(b"d2l-relay".to_vec())
        .map_err(|error| anyhow::anyhow!("a socket's name: {error:?}"))?;
    options.peer_identity(name);
    let mut socket = DealerSocket::with_options(options);
    socket.connect(address).await?;
    Ok(socket)
}

async fn idle(iopub: &mut SubSocket, key: &Key) -> Result<()> {
    while Message::open(iopub.recv().await?, key)?.content()["execution_state"] != "idle" {}
    Ok(())
}

/// Waits for evcxr's end.
async fn watch<T: From<Event>>(mut child: Child, lines: LastLines, inputs: Sender<T>) {
    let status = child.wait().await;
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    // Its last lines may still be on their way.
    sleep(Duration::from_millis(50)).await;
    let _ = inputs.send(Event::Ended(format!("{status}{}", indented(&lines))).into()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C16: a line that is not UTF-8 ends nothing.
    #[tokio::test(flavor = "current_thread")]
    async fn a_log_in_any_encoding_is_read_to_its_end() {
        let long = vec![b'x'; 3 << 16];
        for (log, kept) in [
            (&b"one\ntwo\n"[..], vec!["one", "two"]),
            (b"Fehler: ung\xfcltig\nlast\n", vec!["Fehler: ung\u{fffd}ltig", "last"]),
            (
                b"\xa5\xc6\xa5\xb9\xa5\xc8\nlast",
                vec!["\u{fffd}\u{01a5}\u{fffd}\u{fffd}\u{fffd}", "last"],
            ),
            (b"\xff\xfea\0\n\0last", vec!["\u{fffd}\u{fffd}a\0", "\0last"]),
            (b"cut \xe3\x83\nlast\n", vec!["cut \u{fffd}", "last"]),
            (b"\x93\xfa\x96{\r\n\nlast\n", vec!["\u{fffd}\u{fffd}\u{fffd}{\r", "", "last"]),
        ] {
            let lines = LastLines::default();
            read_lines(log, lines.clone(), tokio::sync::mpsc::channel::<Event>(1).0).await;
            let lines: Vec<String> = lines.lock().unwrap().iter().cloned().collect();
            assert_eq!(
                lines.last().unwrap().trim_start_matches('\0'),
                kept.last().unwrap().trim_start_matches('\0')
            );
            assert_eq!(lines.len(), kept.len(), "{lines:?}");
            assert_eq!(lines, kept);
        }
        let lines = LastLines::default();
        read_lines(&long[..], lines.clone(), tokio::sync::mpsc::channel::<Event>(1).0).await;
        assert_eq!(lines.lock().unwrap().iter().map(String::len).collect::<Vec<_>>(), [1 << 16; 3]);
    }
}
