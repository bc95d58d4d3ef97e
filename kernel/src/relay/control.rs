//! Requests on the control socket, and the kernel's end.

use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use crate::environment::is_set;
use crate::jupyter::message::Message;
use crate::relay::input::Input;
use crate::relay::kernel_info::{KERNEL_INFO, kernel_info};
use crate::relay::start::Engine;
use crate::relay::{Flow, Relay};

impl Relay {
    pub fn on_control(&mut self, request: &Message) -> Flow {
        match request.message_type() {
            KERNEL_INFO => self.jupyter.send_on_control(&request.reply(&kernel_info())),
            "interrupt_request" => {
                self.jupyter.send_on_control(&request.reply(&json!({"status": "ok"})));
                self.interrupt();
            }
            "shutdown_request" => {
                let restart = request.content()["restart"] == true;
                let content = json!({"status": "ok", "restart": restart});
                return Flow::Break(Some(request.reply(&content)));
            }
            _ => {
                if let Some(evcxr) = self.engine.up() {
                    evcxr.control(request);
                }
            }
        }
        Flow::Continue(())
    }

    pub async fn shut_down(&mut self) {
        self.signal_work(Signal::KILL);
        // evcxr waits for the cell.
        if self.cell.is_some() {
            self.kill_program();
        }
        if let Some(evcxr) = self.engine.up() {
            let request = Message::new("shutdown_request", &json!({"restart": false}));
            evcxr.control(&request);
            // With the relay its standard input ends, and so does evcxr, whatever it is doing.
            sleep(Duration::from_millis(50)).await;
        }
        self.engine = Engine::Down;
        if let Some(folder) = &self.folder {
            folder.leave();
        }
    }

    pub fn kill_program(&self) {
        if let Some(program) = self.program {
            let _ = kill_process(program, Signal::KILL);
        }
    }
}

/// A server or a program that is killed cannot shut its kernels down. Jupyter names the parent to those
/// that are to end with it, as Python's kernel does.
pub async fn watch_parent(inputs: Sender<Input>) {
    let parent = rustix::process::getppid();
    if is_set("JPY_PARENT_PID") {
        while rustix::process::getppid() == parent {
            sleep(Duration::from_secs(1)).await;
        }
        let _ = inputs.send(Input::Orphaned).await;
    }
}
