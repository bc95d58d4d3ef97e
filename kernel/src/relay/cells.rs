//! Requests on the shell socket: one cell runs at a time, the others wait.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::jupyter::message::{Message, add_error};
use crate::program::failure::Failure;
use crate::relay::kernel_info::{KERNEL_INFO, kernel_info};
use crate::relay::progress::{self, Progress};
use crate::relay::start::Engine;
use crate::relay::stop::Told;
use crate::relay::{Relay, completion};

pub const EXECUTE: &str = "execute_request";

/// A cell being executed.
pub struct Cell {
    pub request: Message,
    /// Whether the program runs it; else it is being compiled.
    pub running: bool,
    /// Whether it checks the stop button.
    pub listening: bool,
    pub asked_to_stop: bool,
    /// What its reader was told since.
    pub told: Told,
    /// Why we ended the program.
    pub ended_because: Option<String>,
    /// What it waits for while it does not run.
    pub progress: Progress,
    /// The error that its reader was shown.
    pub error: Option<Value>,
    /// Whether a hint explains all of the compiler's errors.
    pub explained: bool,
}

impl Cell {
    fn new(request: Message) -> Cell {
        Cell {
            request,
            running: false,
            listening: false,
            asked_to_stop: false,
            told: Told::Nothing,
            ended_because: None,
            progress: Progress::new(),
            error: None,
            explained: false,
        }
    }

    pub fn code(&self) -> String {
        self.request.content()["code"].as_str().unwrap_or_default().to_string()
    }
}

impl Relay {
    pub fn on_request(&mut self, request: Message) {
        if request.message_type() == KERNEL_INFO && self.cell.is_none() {
            return self.jupyter.reply(&request, &kernel_info());
        }
        if self.cell.is_none() && self.engine.up().is_some() {
            return self.forward(request);
        }
        if matches!(self.engine, Engine::Down) {
            self.start();
        }
        if request.message_type() == EXECUTE && self.engine.up().is_none() {
            self.watch_start(&request);
        }
        self.waiting.push_back(request);
    }

    fn forward(&mut self, request: Message) {
        let Some(evcxr) = self.engine.up() else { return self.waiting.push_front(request) };
        evcxr.shell(&request);
        if request.message_type() == EXECUTE {
            self.begin(request);
        }
    }

    /// From now on this cell is executed.
    pub fn begin(&mut self, request: Message) {
        self.watch_progress(request.id(), progress::SHORT);
        if let Err(error) = std::fs::write(self.settings.cell_file(), request.id()) {
            eprintln!("d2l-kernel: the program cannot be told which cell it runs: {error}");
        }
        self.cell = Some(Cell::new(request));
    }

    /// Forwards what has waited, up to the next cell.
    pub fn next(&mut self) {
        while self.cell.is_none()
            && self.engine.up().is_some()
            && let Some(request) = self.waiting.pop_front()
        {
            if request.message_type() == KERNEL_INFO {
                self.jupyter.reply(&request, &kernel_info());
            } else {
                self.forward(request);
            }
        }
    }

    pub fn on_reply(&mut self, mut reply: Message) {
        if !self.cell.as_ref().is_some_and(|cell| reply.is_child_of(&cell.request)) {
            if reply.has_client() {
                if reply.message_type() == "complete_reply" {
                    let mut content = reply.content();
                    completion::sort(&mut content);
                    reply.set_content(&content);
                }
                self.jupyter.send_on_shell(&reply);
            }
            return;
        }
        let Some(cell) = self.end_cell() else { return };
        if let Some(error) = &cell.error {
            let mut content = reply.content();
            content["status"] = "error".into();
            add_error(&mut content, error);
            reply.set_content(&content);
        }
        self.jupyter.send_on_shell(&reply);
        if cell.error.is_some() || cell.asked_to_stop {
            self.abort_waiting(&cell.request);
        }
        self.next();
    }

    pub fn end_cell(&mut self) -> Option<Cell> {
        let _ = std::fs::remove_file(self.settings.interrupt_file());
        self.asks_for_input = false;
        self.end_progress();
        let cell = self.cell.take()?;
        self.last = Some(cell.request.clone());
        Some(cell)
    }

    /// Cells queued after one that failed, or that was stopped, are not run.
    pub fn abort_waiting(&mut self, failed: &Message) {
        if failed.content()["stop_on_error"] == false {
            return;
        }
        for request in self.take_waiting_cells() {
            self.jupyter.reply(&request, &json!({"status": "aborted"}));
        }
    }

    /// All queued cells fail.
    pub fn fail_waiting(&mut self, failure: &Failure) {
        self.take_notice_back();
        let error = failure.content();
        for request in self.take_waiting_cells() {
            self.jupyter.reply_with_error(&request, &error);
        }
    }

    /// The cells that wait. Other requests go on waiting.
    fn take_waiting_cells(&mut self) -> VecDeque<Message> {
        let is_cell = |request: &Message| request.message_type() == EXECUTE;
        let (cells, others) = std::mem::take(&mut self.waiting).into_iter().partition(is_cell);
        self.waiting = others;
        cells
    }
}
