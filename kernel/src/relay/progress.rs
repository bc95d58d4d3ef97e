//! What a cell waits for that does not run yet, as its reader sees it.
//!
//! A cell that was given to evcxr a moment ago shows a line with what is being done, until it runs or
//! something else is shown.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::engine::shims::Work;
use crate::jupyter::message::Message;
use crate::relay::Relay;
use crate::relay::input::Input;

/// Shorter work is not announced.
pub const SHORT: Duration = Duration::from_secs(2);
/// How often the line changes.
const STEP: Duration = Duration::from_secs(1);

pub struct Progress {
    begin: Instant,
    pub work: Option<Work>,
    /// The package below the cell's that is being compiled, and how many were before.
    package: Option<String>,
    packages: usize,
    /// Whether there is a line to be removed.
    is_shown: bool,
    /// Whether the cell has shown anything else, which must not be removed with it.
    has_output: bool,
}

impl Progress {
    pub fn new() -> Progress {
        Progress {
            begin: Instant::now(),
            work: None,
            package: None,
            packages: 0,
            is_shown: false,
            has_output: false,
        }
    }

    fn text(&self) -> String {
        let what = match (self.work, &self.package) {
            // What it prints comes at its end.
            (Some(Work::Shell), _) => "The command runs".to_string(),
            (Some(Work::Build), None) => "Compiling the cell".to_string(),
            (Some(Work::Build), Some(package)) => {
                format!("Compiling {package}, package {}", self.packages)
            }
            (Some(Work::Packages), _) => "Cargo looks for packages".to_string(),
            (None, _) => "rust-analyzer reads the packages".to_string(),
        };
        format!("{what} ({} s) ...", self.begin.elapsed().as_secs())
    }
}

impl Relay {
    /// Looks at the cell after a while.
    pub fn watch_progress(&self, id: &str, after: Duration) {
        let (inputs, id) = (self.inputs.requests.clone(), id.to_string());
        tokio::spawn(async move {
            sleep(after).await;
            let _ = inputs.send(Input::Progress(id)).await;
        });
    }

    pub fn on_progress(&mut self, id: &str) {
        let cell = self.cell.as_mut().filter(|cell| cell.request.id() == id && !cell.running);
        let Some(cell) = cell.filter(|cell| !cell.asked_to_stop && !cell.progress.has_output)
        else {
            return;
        };
        let kind = match std::mem::replace(&mut cell.progress.is_shown, true) {
            true => "update_display_data",
            false => "display_data",
        };
        let content = notice("progress", &cell.request, &cell.progress.text());
        self.jupyter.publish_for(&cell.request, kind, &content);
        self.watch_progress(id, STEP);
    }

    /// Cargo has a package compiled, for the cell's sake.
    pub fn on_compiling(&mut self, package: String) {
        if let Some(cell) = &mut self.cell {
            cell.progress.package = Some(package);
            cell.progress.packages += 1;
        }
    }

    /// The cell runs now, or shows something, or has ended.
    pub fn end_progress(&mut self) {
        let Some(cell) = &mut self.cell else { return };
        cell.progress.has_output = true;
        if std::mem::take(&mut cell.progress.is_shown) {
            self.jupyter.publish_for(&cell.request, "clear_output", &json!({"wait": false}));
        }
    }
}

/// A line that a reader sees whose cell waits.
pub fn notice(of: &str, request: &Message, what: &str) -> Value {
    let id = format!("{of}-{}", request.id());
    json!({"data": {"text/plain": what}, "metadata": {}, "transient": {"display_id": id}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_text_says_what_is_done_and_for_how_long() {
        let mut progress = Progress::new();
        tokio::time::advance(Duration::from_millis(3500)).await;
        for (work, package, text) in [
            (None, None, "rust-analyzer reads the packages (3 s) ..."),
            (Some(Work::Packages), None, "Cargo looks for packages (3 s) ..."),
            (Some(Work::Build), None, "Compiling the cell (3 s) ..."),
            (Some(Work::Build), Some("csv"), "Compiling csv, package 4 (3 s) ..."),
            (Some(Work::Shell), Some("csv"), "The command runs (3 s) ..."),
        ] {
            progress.work = work;
            progress.package = package.map(str::to_string);
            progress.packages = 4;
            assert_eq!(progress.text(), text);
        }
    }
}
