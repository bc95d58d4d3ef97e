//! The kernel's five sockets. Nothing waits here: each client has an outbox.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use jupyter_protocol::connection_info::ConnectionInfo;
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;
use zeromq::{RepSocket, SocketRecv, SocketSend, ZmqMessage};

use crate::jupyter::clients::{Clients, Event, Role};
use crate::jupyter::connection;
use crate::jupyter::message::{Key, Message, add_error};

/// Stands where output is missing.
const GAP: &str = "[Output is missing here: it was printed while this client did not read.]\n";

pub struct Sockets {
    key: Key,
    shell: Clients,
    control: Clients,
    stdin: Clients,
    iopub: Clients,
}

impl Sockets {
    /// Opens the sockets; what clients send goes to `inputs`.
    pub async fn open<T>(info: &ConnectionInfo, inputs: &Sender<T>) -> Result<Sockets>
    where
        T: From<Event> + Send + 'static,
    {
        let shell = connection::listen(info, info.shell_port).await?;
        let control = connection::listen(info, info.control_port).await?;
        let stdin = connection::listen(info, info.stdin_port).await?;
        let iopub = connection::listen(info, info.iopub_port).await?;
        let heartbeat: RepSocket = connection::bind(info, info.hb_port).await?;
        let key = Key::new(&info.key)?;
        tokio::spawn(beat(heartbeat));
        Ok(Sockets {
            key,
            shell: Clients::serve(shell, Role::Router(Event::Shell), inputs.clone()),
            control: Clients::serve(control, Role::Router(Event::Control), inputs.clone()),
            stdin: Clients::serve(stdin, Role::Router(Event::Stdin), inputs.clone()),
            iopub: Clients::serve(iopub, Role::Publisher, inputs.clone()),
        })
    }

    /// Sockets that no client is connected to.
    #[cfg(test)]
    pub fn unconnected(key: Key) -> Sockets {
        Sockets {
            key,
            shell: Clients::default(),
            control: Clients::default(),
            stdin: Clients::default(),
            iopub: Clients::default(),
        }
    }

    /// Reads a client's message.
    pub fn read(&self, frames: ZmqMessage) -> Result<Message> {
        Message::open(frames, &self.key)
    }

    /// Publishes a message to all clients.
    pub fn publish(&self, message: &Message) {
        let sealed = message.seal(&self.key);
        match message.message_type() {
            "stream" | "display_data" | "update_display_data" => {
                self.iopub.publish_output(sealed, || {
                    let content = json!({"name": "stderr", "text": GAP});
                    message.sibling("stream", &content).seal(&self.key)
                });
            }
            // A client that asks on and on must not fill others, who would then miss the end of a cell.
            "status" if message.parent_type().is_some_and(|of| of != "execute_request") => {
                self.iopub.publish_in_passing(sealed);
            }
            _ => self.iopub.publish(sealed),
        }
    }

    /// Publishes a message that goes with a request.
    pub fn publish_for(&self, request: &Message, message_type: &str, content: &Value) {
        self.publish(&request.child(message_type, content));
    }

    /// Publishes that a request is being worked on (`busy`) or done (`idle`).
    pub fn publish_state(&self, request: &Message, state: &str) {
        self.publish_for(request, "status", &json!({"execution_state": state}));
    }

    /// A client that connects late has missed in what state the kernel is.
    /// See <https://jupyter.org/enhancement-proposals/65-jupyter-xpub/jupyter-xpub.html>.
    pub fn welcome(&self, client: &Bytes, topic: &[u8], state: &str) {
        let topic = String::from_utf8_lossy(topic);
        for (message_type, content) in [
            ("iopub_welcome", json!({"subscription": topic})),
            ("status", json!({"execution_state": state})),
        ] {
            let message = Message::new(message_type, &content).to(client.clone());
            self.iopub.send(message.seal(&self.key));
        }
    }

    /// Sends a message on the shell socket to the client that it is for.
    pub fn send_on_shell(&self, message: &Message) {
        self.shell.send(message.seal(&self.key));
    }

    /// The same on the control socket.
    pub fn send_on_control(&self, message: &Message) {
        self.control.send(message.seal(&self.key));
    }

    /// The same on the socket for input.
    pub fn send_on_stdin(&self, message: &Message) {
        self.stdin.send(message.seal(&self.key));
    }

    /// Replies to a request that evcxr does not see, with all that belongs to a reply.
    pub fn reply(&self, request: &Message, content: &Value) {
        self.publish_state(request, "busy");
        self.send_on_shell(&request.reply(content));
        self.publish_state(request, "idle");
    }

    /// Replies to a request that evcxr does not see: it has failed, with the content of an `error`.
    pub fn reply_with_error(&self, request: &Message, error: &Value) {
        let mut content = json!({"status": "error", "execution_count": 0});
        add_error(&mut content, error);
        self.publish_for(request, "error", error);
        self.reply(request, &content);
    }

    /// Waits until there is room for output with all clients that read.
    pub async fn room(&self) {
        self.iopub.room().await;
    }

    /// Waits, for a second at most, until clients that read have got what was sent last.
    pub async fn drained(&self) {
        const LIMIT: Duration = Duration::from_secs(1);
        let all = async {
            for clients in [&self.control, &self.shell, &self.stdin, &self.iopub] {
                clients.drained().await;
            }
        };
        let _ = timeout(LIMIT, all).await;
    }
}

/// Replies to Jupyter's heartbeat, by which it knows that the kernel is alive.
async fn beat(mut socket: RepSocket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
