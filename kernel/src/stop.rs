//! The stop button.
//!
//! A cell is asked first: a file appears, for which the crate's loops look between two batches. What is
//! being compiled ends, as with Ctrl-C in a terminal. Only a program that does not stop by itself is
//! ended, which is all that evcxr can do, and which loses its variables.

use std::time::Duration;

use rustix::process::{Signal, kill_process_group};
use serde_json::json;
use tokio::time::sleep;
use zeromq::SocketSend;

use crate::failure::Failure;
use crate::message::Message;
use crate::relay::{Input, Relay, log};

/// When the reader is told that the cell has not stopped yet.
const NOTICE: Duration = Duration::from_secs(2);
/// How long a cell may take to stop that does not look for the stop button.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one may take that does: a batch can be long.
const LISTENING_PATIENCE: Duration = Duration::from_secs(60);

impl Relay {
    /// The stop button was pressed. Nothing is lost where no cell is executed.
    pub async fn interrupt(&mut self) {
        let Some(cell) = &mut self.cell else {
            let failure = Failure::new("Interrupted", "stopped before the kernel had started");
            return self.fail_waiting(&failure).await;
        };
        if cell.asked_to_stop {
            return self.stop_at_once("stop was pressed twice").await;
        }
        cell.asked_to_stop = true;
        let id = cell.request.id().to_string();
        if let Err(error) = std::fs::write(self.settings.interrupt_file(), "") {
            eprintln!("d2l-kernel: the program cannot be asked to stop: {error}");
        }
        self.signal_work(Signal::INT);
        self.end_input().await;
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            let mut before = Duration::ZERO;
            for time in [NOTICE, PATIENCE, LISTENING_PATIENCE] {
                sleep(time - before).await;
                before = time;
                let _ = inputs.send(Input::Asked(id.clone(), time)).await;
            }
        });
    }

    /// So long ago a cell was asked to stop, and it may have.
    pub async fn on_asked(&mut self, id: &str, time: Duration) {
        let Some(cell) = self.cell.as_ref().filter(|cell| cell.request.id() == id) else { return };
        let patience = if cell.listening { LISTENING_PATIENCE } else { PATIENCE };
        if time >= patience {
            let reason = format!("the cell did not stop within {} s", time.as_secs());
            return self.stop_at_once(&reason).await;
        }
        if time > NOTICE {
            return;
        }
        let what = match (cell.running, cell.listening) {
            (true, true) => "The cell was asked to stop, and will at its next batch.",
            (true, false) => "The cell was asked to stop; so far it has not looked.",
            (false, _) => "The cell will stop at the compiler's next step.",
        };
        let or = match cell.running {
            true => format!(
                " Press stop again, or wait for {} s, to end Rust's process: all variables will be \
                 lost.",
                (patience - time).as_secs()
            ),
            false => String::new(),
        };
        let request = cell.request.clone();
        let content = json!({"name": "stderr", "text": format!("{what}{or}\n")});
        self.publish_for(&request, "stream", &content).await;
    }

    /// What evcxr does when it is interrupted: the program ends, with all variables.
    async fn stop_at_once(&mut self, reason: &str) {
        let Some(cell) = &mut self.cell else { return };
        if !cell.running {
            return self.signal_work(Signal::KILL);
        }
        cell.ended_because = Some(format!("{reason}, so Rust's process was ended"));
        if let Some(evcxr) = &mut self.evcxr {
            let request = Message::new("interrupt_request", &json!({}));
            log(evcxr.control.send(request.seal(&evcxr.key)).await);
        }
    }

    pub fn signal_work(&self, signal: Signal) {
        for &work in &self.work {
            let _ = kill_process_group(work, signal);
        }
    }

    /// evcxr does not notice the end of a program that waits for input, so the input comes: nothing.
    async fn end_input(&mut self) {
        if std::mem::take(&mut self.asks_for_input)
            && let Some(evcxr) = &mut self.evcxr
        {
            let nothing = Message::new("input_reply", &json!({"status": "ok", "value": ""}));
            log(evcxr.stdin.send(nothing.seal(&evcxr.key)).await);
        }
    }
}
