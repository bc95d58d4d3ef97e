//! What a program prints and how it ends, as messages.

use std::path::Path;

use serde_json::json;

use crate::program::failure::{self, Failure};
use crate::program::streams::{Cause, Event};
use crate::relay::cells::Cell;
use crate::relay::{Relay, pid_of};

impl Relay {
    pub fn on_program(&mut self, event: Event) {
        // What a thread prints between two cells belongs to the last one.
        if matches!(event, Event::Running | Event::Text(..) | Event::Display(..)) {
            self.end_progress();
        }
        let request = self.cell.as_ref().map(|cell| &cell.request).or(self.last.as_ref());
        match (event, request) {
            (Event::Text(stream, text), Some(request)) => {
                let content = json!({"name": stream, "text": text});
                self.jupyter.publish_for(request, "stream", &content);
            }
            (Event::Display(kind, content), Some(request)) => {
                self.jupyter.publish_for(request, kind.name(), &content);
            }
            (Event::Text(..) | Event::Display(..), None) => {}
            (Event::Started(pid), _) => self.program = pid_of(pid),
            (Event::Running, _) => {
                if let Some(cell) = &mut self.cell {
                    cell.running = true;
                }
            }
            (Event::Listening, _) => {
                if let Some(cell) = &mut self.cell {
                    cell.listening = true;
                }
            }
            (Event::Done(cause, reply), _) => {
                if let Some(cell) = &mut self.cell {
                    cell.running = false;
                    if let Some(cause) = cause {
                        let failure = failure_of(cell, cause, self.settings.folder.as_deref());
                        self.show_error(&failure);
                    }
                }
                let _ = reply.send(());
            }
            (Event::Ended(reply), _) => {
                self.program = None;
                let _ = reply.send(());
            }
        }
    }
}

fn failure_of(cell: &Cell, cause: Cause, folder: Option<&Path>) -> Failure {
    let code = cell.code();
    let sources = folder.unwrap_or(Path::new(""));
    let mut failure = match cause {
        Cause::Panic(report, place) => failure::panic(&report, place, &code, sources),
        Cause::Error(failure, place) => failure.at(place, &code, sources),
        Cause::Interrupted(place) => failure::stopped(place, &code),
    };
    if cell.asked_to_stop {
        failure.name = "Interrupted".into();
    }
    failure
}
