//! What evcxr publishes: which of it goes on to Jupyter, and errors, with what we know about them.

use d2l_common::variables;
use serde_json::Value;

use crate::jupyter::message::Message;
use crate::program::failure::{self, Failure};
use crate::relay::{Relay, hints};

/// What to do where a package is missing.
const OFFLINE: &str = "what to do: D2L_OFFLINE is set; unset it, start the notebooks again, and run this \
                       cell once with a network";
const STOPPED_BEFORE: &str = "stopped before the cell ran; all variables are as they were";

impl Relay {
    pub fn on_publication(&mut self, message: Message) {
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
            return self.jupyter.publish(&message);
        }
        let content = message.content();
        if content["execution_state"] == "busy"
            && self.begun.take_if(|begun| message.is_child_of(begun)).is_some()
        {
            return;
        }
        let cell = self.cell.as_mut().filter(|cell| message.is_child_of(&cell.request));
        let Some(cell) = cell.filter(|_| is_error) else { return self.jupyter.publish(&message) };
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
        if let Some(hint) = hints::hint(&content, &cell.code()) {
            hints::add(&mut content, &hint.text);
            message.set_content(&content);
            cell.explained = hint.is_all;
        }
        let words = content["evalue"].as_str().unwrap_or_default();
        if variables::is_offline() && words.contains("offline mode is on") {
            content = Failure::new("Error", format!("{words}\n  {OFFLINE}")).content();
            message.set_content(&content);
        }
        cell.error.get_or_insert(content);
        self.jupyter.publish(&message);
    }

    /// Shows how the cell has failed.
    pub fn show_error(&mut self, failure: &Failure) {
        self.end_progress();
        let Some(cell) = &mut self.cell else { return };
        let error = cell.error.insert(failure.content());
        self.jupyter.publish_for(&cell.request, "error", error);
    }
}
