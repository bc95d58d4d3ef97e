//! Compiling ahead: what is done while the reader reads.
//!
//! The types of the next cell's variables take rust-analyzer seconds the first time, and after a `:dep`.
//! It does that work for a completion, too, and keeps the result. So it does with a type's methods, and
//! JupyterLab waits for completions for a second only. So evcxr is sent requests of our own.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::jupyter::message::Message;
use crate::relay::Relay;
use crate::relay::completion::last_variable;
use crate::relay::input::Input;

#[derive(Default)]
pub struct LookAhead {
    /// Our own request, whose reply nobody sees.
    request: Option<Message>,
    /// After how many cells that was, and how many such requests there were since.
    sent: (usize, usize),
    /// The variable that was made last, until rust-analyzer has read its methods.
    new_variable: Option<String>,
}

impl LookAhead {
    /// Notes the variable that a cell has made.
    pub fn note(&mut self, code: &str) {
        self.new_variable = last_variable(code).map(str::to_string).or(self.new_variable.take());
    }

    /// Whether a message goes with our own request.
    pub fn is_for(&self, message: &Message) -> bool {
        self.request.as_ref().is_some_and(|request| message.is_child_of(request))
    }

    /// The code to complete, if there is any after so many cells.
    fn code(&mut self, cells: usize) -> Option<String> {
        if self.sent.0 != cells {
            self.sent = (cells, 0);
        }
        match self.sent.1 {
            0 => Some("().".to_string()),
            1 => self.new_variable.take().map(|variable| format!("{variable}.")),
            _ => None,
        }
    }
}

impl Relay {
    pub fn look_ahead_when_idle(&self) {
        // A page or a program that runs all cells has sent the next one by then.
        self.look_ahead_in(Duration::from_millis(100));
    }

    pub fn look_ahead_in(&self, pause: Duration) {
        if self.cell.is_none() {
            let (inputs, cells) = (self.inputs.requests.clone(), self.cells);
            tokio::spawn(async move {
                sleep(pause).await;
                let _ = inputs.send(Input::Idle(cells)).await;
            });
        }
    }

    pub fn on_idle(&mut self, cells: usize) {
        let Some(evcxr) = self.engine.up().filter(|_| cells == self.cells) else { return };
        let Some(code) = self.look_ahead.code(cells) else { return };
        self.look_ahead.sent.1 += 1;
        let content = json!({"code": code, "cursor_pos": code.chars().count()});
        let request = Message::new("complete_request", &content);
        evcxr.shell(&request);
        self.look_ahead.request = Some(request);
    }
}
