//! The way to the notebook.
//!
//! Under the kernel "Rust (d2l)" a line of a certain form, printed at any moment, becomes a message to
//! the page (docs/kernel.md): figures appear and change while a cell runs. Under any other evcxr
//! kernel there are evcxr's own blocks, of which a cell shows the last one when it has ended.

use std::sync::LazyLock;
use std::time::Duration;

use d2l_common::display_line::{self, Kind, VERSION};
use serde_json::{Map, Value, json};

use crate::settings;

/// The minimum interval between two redraws.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// Whether this process runs the cells of a notebook.
pub(crate) fn in_notebook() -> bool {
    static IN_NOTEBOOK: LazyLock<bool> =
        LazyLock::new(|| std::env::var_os("EVCXR_IS_RUNTIME").is_some());
    *IN_NOTEBOOK
}

/// Whether the kernel shows figures while a cell runs.
pub(crate) fn is_live() -> bool {
    static LIVE: LazyLock<bool> =
        LazyLock::new(|| in_notebook() && settings::display_line_version() == Some(VERSION.into()));
    *LIVE
}

/// Sends a line to the kernel. Only for a live one: others would show it.
pub(crate) fn send(kind: Kind, content: &Value) {
    super::say(display_line::line(kind, content));
}

/// What a page can show: contents by MIME type, of which it takes the best that it knows.
pub(crate) type Data = [(&'static str, String)];

fn content(data: &Data, id: Option<&str>) -> Value {
    let data: Map<String, Value> =
        data.iter().map(|(mime_type, text)| (mime_type.to_string(), json!(text))).collect();
    let transient = id.map_or(json!({}), |id| json!({ "display_id": id }));
    json!({ "data": data, "metadata": {}, "transient": transient })
}

/// Shows content in the notebook.
pub(crate) fn show(data: &Data) {
    if is_live() {
        send(Kind::DisplayData, &content(data, None));
    } else {
        show_as_result(data);
    }
}

/// Shows content as what the cell is worth. Its lines must not start as evcxr's marks do.
pub(crate) fn show_as_result(data: &Data) {
    for (mime_type, text) in data {
        super::say(format_args!("EVCXR_BEGIN_CONTENT {mime_type}\n{text}\nEVCXR_END_CONTENT"));
    }
}

/// A place on the page whose content can change. Only for a live kernel.
#[derive(Debug)]
pub(crate) struct Place {
    id: String,
    shown: bool,
}

impl Place {
    /// A place that is on the page with its first content.
    pub(crate) fn new() -> Place {
        Place { id: format!("d2l-{:032x}", rand::random::<u128>()), shown: false }
    }

    pub(crate) fn show(&mut self, data: &Data) {
        let kind = if self.shown { Kind::UpdateDisplayData } else { Kind::DisplayData };
        send(kind, &content(data, Some(&self.id)));
        self.shown = true;
    }
}

/// Takes away what the running cell has shown so far (the book's `display.clear_output`). With `wait`
/// only when the next output comes, so that nothing flickers.
///
/// Under another kernel than "Rust (d2l)", and in a program, it does nothing.
pub fn clear_output(wait: bool) {
    if is_live() {
        send(Kind::ClearOutput, &json!({ "wait": wait }));
    }
}
