//! What comes out of the program that runs the cells, line by line (docs/kernel.md).
//!
//! Three kinds of lines are mixed on its standard output: what the reader is to see, evcxr's own
//! marks, and display lines, which are the record separator of JSON text sequences (RFC 7464), the
//! name and version of this format, a kind, and JSON:
//!
//! ```text
//! <RS>jupyter/1 display_data {"data": {"text/plain": "…"}, "transient": {"display_id": "…"}}
//! ```
//!
//! A line that looks like one but is not well formed is shown as it is.

use serde_json::{Map, Value};

/// How a display line begins.
pub const MARK: &str = "\u{1e}jupyter/1 ";

const COMPLETE: &str = "EVCXR_EXECUTION_COMPLETE";
const PANIC: &str = "EVCXR_PANIC_NOTIFICATION";
const ERROR: &str = "EVCXR_ERROR_OCCURRED";
/// Of our own patches: the line at which a cell failed follows.
const FAILED_AT: &str = "EVCXR_FAILED_AT_LINE:";
/// Of our own patches: the cell ended before its variables were stored.
const NOT_STORED: &str = "EVCXR_VARIABLES_NOT_STORED";
const CHANGED_TYPE: &str = "EVCXR_VARIABLE_CHANGED_TYPE:";
const INPUT: &str = "EVCXR_INPUT_REQUEST";
const BEGIN_CONTENT: &str = "EVCXR_BEGIN_CONTENT ";
const END_CONTENT: &str = "EVCXR_END_CONTENT";

/// One thing that the program said.
#[derive(Debug, PartialEq)]
pub enum Item {
    /// Text for the reader, whole lines or the beginning of one.
    Text(String),
    /// A message for the reader's page, by its type and content.
    Display(DisplayKind, Value),
    /// The program looks for the stop button.
    Listening,
    /// A block in evcxr's own format: MIME type and content.
    Content(String, String),
    /// evcxr's mark for a panic.
    Panic,
    /// evcxr's mark for an error value that `?` returned.
    Error,
    /// The line at which the cell fails; the mark for how comes next.
    FailedAt(String),
    /// Any other line for evcxr.
    Evcxr(String),
    /// evcxr's mark for the end of a cell.
    Complete,
}

/// The messages that a display line can ask for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DisplayKind {
    Display,
    Update,
    Clear,
}

impl DisplayKind {
    pub fn message_type(self) -> &'static str {
        match self {
            DisplayKind::Display => "display_data",
            DisplayKind::Update => "update_display_data",
            DisplayKind::Clear => "clear_output",
        }
    }
}

/// Cuts the program's output into items.
#[derive(Default)]
pub struct Lines {
    /// Bytes after the last newline.
    rest: Vec<u8>,
    /// The block that has begun: MIME type and lines so far.
    block: Option<(String, Vec<String>)>,
}

impl Lines {
    /// Takes bytes as they come and answers the items that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Item> {
        let mut items = Items::default();
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        // A line of many megabytes comes in many pieces: only the new bytes are looked through.
        let mut seen = self.rest.len() - bytes.len();
        while let Some(length) = self.rest[seen..].iter().position(|&byte| byte == b'\n') {
            let end = seen + length;
            let line = String::from_utf8_lossy(&self.rest[start..end]).into_owned();
            take_line(&mut self.block, &line, &mut items);
            (start, seen) = (end + 1, end + 1);
        }
        self.rest.drain(..start);
        items.0
    }

    /// The beginning of a line that the program has flushed, unless it may become a mark.
    pub fn flush(&mut self) -> Option<String> {
        const EVCXR: &[u8] = b"EVCXR_";
        let may_be_mark = self.rest.starts_with(EVCXR) || EVCXR.starts_with(&self.rest);
        if self.block.is_some() || may_be_mark {
            return None;
        }
        let display = self.rest.iter().position(|&byte| byte == MARK.as_bytes()[0]);
        let text = &self.rest[..display.unwrap_or(self.rest.len())];
        // A letter that is not whole yet stays.
        let whole = match std::str::from_utf8(text) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => text.len(),
        };
        let text: Vec<u8> = self.rest.drain(..whole).collect();
        (whole > 0).then(|| String::from_utf8_lossy(&text).into_owned())
    }

    /// What is left when the program has ended.
    pub fn end(&mut self) -> String {
        let block = self.block.take().map(|(_, lines)| lines.join("\n")).unwrap_or_default();
        block + &String::from_utf8_lossy(&std::mem::take(&mut self.rest))
    }
}

#[derive(Default)]
struct Items(Vec<Item>);

impl Items {
    /// Adds text to the text before it: a burst of lines is one message.
    fn text(&mut self, text: &str) {
        if let Some(Item::Text(last)) = self.0.last_mut() {
            last.push_str(text);
        } else if !text.is_empty() {
            self.0.push(Item::Text(text.to_string()));
        }
    }
}

fn take_line(block: &mut Option<(String, Vec<String>)>, line: &str, items: &mut Items) {
    if let Some((mime_type, mut lines)) = block.take() {
        let place = line.strip_prefix(FAILED_AT);
        if line != END_CONTENT && line != PANIC && place.is_none() {
            lines.push(line.to_string());
            *block = Some((mime_type, lines));
            return;
        }
        items.0.push(Item::Content(mime_type, lines.join("\n")));
        if line == PANIC {
            items.0.push(Item::Panic);
        }
        items.0.extend(place.map(|place| Item::FailedAt(place.into())));
        return;
    }
    // The program may have printed the beginning of a line before the mark.
    for (mark, item) in [(COMPLETE, Item::Complete), (PANIC, Item::Panic), (ERROR, Item::Error)] {
        if let Some(before) = line.strip_suffix(mark) {
            items.text(before);
            items.0.push(item);
            return;
        }
    }
    if let Some(mime_type) = line.strip_prefix(BEGIN_CONTENT) {
        let mime_type = mime_type.split(' ').next().unwrap_or_default();
        *block = Some((mime_type.to_string(), vec![]));
        return;
    }
    if let Some((before, place)) = line.split_once(FAILED_AT) {
        items.text(before);
        items.0.push(Item::FailedAt(place.into()));
        return;
    }
    if let Some(before) = line.strip_suffix(NOT_STORED) {
        items.text(before);
        items.0.push(Item::Evcxr(NOT_STORED.into()));
        return;
    }
    if line.starts_with(CHANGED_TYPE) || line.starts_with(INPUT) {
        items.0.push(Item::Evcxr(line.to_string()));
        return;
    }
    if let Some(place) = line.find(MARK)
        && let Some(item) = display(&line[place + MARK.len()..])
    {
        items.text(&line[..place]);
        items.0.push(item);
        return;
    }
    items.text(line);
    items.text("\n");
}

/// What follows the mark: a kind and JSON. Nothing if it is not well formed.
fn display(line: &str) -> Option<Item> {
    let (kind, json) = line.split_once(' ')?;
    let mut content: Map<String, Value> = serde_json::from_str(json).ok()?;
    let kind = match kind {
        "display_data" => DisplayKind::Display,
        "update_display_data" => DisplayKind::Update,
        "clear_output" => DisplayKind::Clear,
        "listening" => return Some(Item::Listening),
        _ => return None,
    };
    if kind == DisplayKind::Clear {
        content.get("wait")?.as_bool()?;
        return Some(Item::Display(kind, Value::Object(content)));
    }
    content.get("data")?.as_object()?;
    let id = content.get("transient").and_then(|transient| transient.get("display_id"));
    if id.is_some_and(|id| !id.is_string()) || (id.is_none() && kind == DisplayKind::Update) {
        return None;
    }
    for name in ["metadata", "transient"] {
        let value = content.entry(name).or_insert_with(|| Value::Object(Map::new()));
        value.as_object()?;
    }
    Some(Item::Display(kind, Value::Object(content)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn items(text: &str) -> Vec<Item> {
        Lines::default().feed(text.as_bytes())
    }

    fn text(text: &str) -> Item {
        Item::Text(text.to_string())
    }

    #[test]
    fn lines_of_text_come_together() {
        assert_eq!(items("one\ntwo\n\nthr"), [text("one\ntwo\n\n")]);
    }

    #[test]
    fn display_lines_are_taken_out() {
        let line = format!("a\n{MARK}display_data {{\"data\":{{\"text/plain\":\"x\"}}}}\nb\n");
        let content = json!({"data": {"text/plain": "x"}, "metadata": {}, "transient": {}});
        let display = Item::Display(DisplayKind::Display, content);
        assert_eq!(items(&line), [text("a\n"), display, text("b\n")]);
        let clear = items(&format!("{MARK}clear_output {{\"wait\":true}}\n"));
        assert_eq!(clear, [Item::Display(DisplayKind::Clear, json!({"wait": true}))]);
        assert_eq!(items(&format!("{MARK}listening {{}}\n")), [Item::Listening]);
    }

    #[test]
    fn a_display_line_after_text_without_its_end() {
        let line = format!("so far {MARK}listening {{}}\n");
        assert_eq!(items(&line), [text("so far "), Item::Listening]);
    }

    #[test]
    fn malformed_and_foreign_lines_are_text() {
        let wrong = [
            "\u{1e}jupyter/2 display_data {\"data\":{}}\n",
            "\u{1e}jupyter/1 display_data {\"data\":{}\n",
            "\u{1e}jupyter/1 display_data {}\n",
            "\u{1e}jupyter/1 display_data {\"data\":3}\n",
            "\u{1e}jupyter/1 display_data {\"data\":{},\"transient\":[]}\n",
            "\u{1e}jupyter/1 display_data {\"data\":{},\"metadata\":1}\n",
            "\u{1e}jupyter/1 display_data\n",
            "\u{1e}jupyter/1 display_data []\n",
            "\u{1e}jupyter/1 update_display_data {\"data\":{}}\n",
            "\u{1e}jupyter/1 update_display_data {\"data\":{},\"transient\":{\"display_id\":1}}\n",
            "\u{1e}jupyter/1 clear_output {}\n",
            "\u{1e}jupyter/1 explode {}\n",
            "\u{1e}jupyter/1 \n",
            "EVCXR_END_CONTENT\n",
        ];
        for line in wrong {
            assert_eq!(items(line), [text(line)], "{line:?}");
        }
    }

    #[test]
    fn evcxr_marks_are_known_even_behind_text() {
        let marks = "EVCXR_PANIC_NOTIFICATION\nEVCXR_ERROR_OCCURRED\nEVCXR_EXECUTION_COMPLETE\n";
        assert_eq!(items(marks), [Item::Panic, Item::Error, Item::Complete]);
        assert_eq!(items("abcEVCXR_EXECUTION_COMPLETE\n"), [text("abc"), Item::Complete]);
        let line = "EVCXR_INPUT_REQUEST:name?\n";
        assert_eq!(items(line), [Item::Evcxr(line.trim().to_string())]);
    }

    #[test]
    fn blocks_hold_whatever_comes() {
        let block = "EVCXR_BEGIN_CONTENT text/html\n<b>\n\nx</b>\nEVCXR_END_CONTENT\n";
        assert_eq!(items(block), [Item::Content("text/html".into(), "<b>\n\nx</b>".into())]);
        let broken = "EVCXR_BEGIN_CONTENT text/html\nhalf\nEVCXR_PANIC_NOTIFICATION\n";
        let content = Item::Content("text/html".into(), "half".into());
        assert_eq!(items(broken), [content, Item::Panic]);
        let placed = "begun EVCXR_FAILED_AT_LINE:3\nEVCXR_PANIC_NOTIFICATION\n";
        let expected = [text("begun "), Item::FailedAt("3".into()), Item::Panic];
        assert_eq!(items(placed), expected);
        let placed = "EVCXR_BEGIN_CONTENT text/html\nhalf\nEVCXR_FAILED_AT_LINE:3:9\nEVCXR_PANIC_NOTIFICATION\n";
        assert_eq!(items(placed)[1..], [Item::FailedAt("3:9".into()), Item::Panic]);
        let stored = items("begun EVCXR_VARIABLES_NOT_STORED\n");
        assert_eq!(stored, [text("begun "), Item::Evcxr("EVCXR_VARIABLES_NOT_STORED".into())]);
    }

    #[test]
    fn pieces_of_any_length_mean_the_same() {
        let all = format!(
            "é\n{MARK}display_data {{\"data\":{{\"a/b\":\"ホ\"}}}}\nEVCXR_BEGIN_CONTENT a/b\nx\n\
             EVCXR_END_CONTENT\nlast\nEVCXR_EXECUTION_COMPLETE\n"
        );
        let whole = items(&all);
        for size in 1..all.len() {
            let mut lines = Lines::default();
            let mut joined = Items::default();
            for piece in all.as_bytes().chunks(size) {
                for item in lines.feed(piece) {
                    match item {
                        Item::Text(text) => joined.text(&text),
                        other => joined.0.push(other),
                    }
                }
            }
            assert_eq!(joined.0, whole, "in pieces of {size}");
        }
    }

    #[test]
    fn flushed_beginnings_are_text_but_not_those_of_marks() {
        let mut lines = Lines::default();
        lines.feed("step 1 é".as_bytes());
        lines.feed(&"é".as_bytes()[..1]);
        assert_eq!(lines.flush().unwrap(), "step 1 é");
        assert_eq!(lines.flush(), None);
        lines.feed(&"é".as_bytes()[1..]);
        assert_eq!(lines.flush().unwrap(), "é");
        for mark in ["EVC", "EVCXR_EXEC", "\u{1e}", "\u{1e}jupyter/1 displ"] {
            let mut lines = Lines::default();
            lines.feed(mark.as_bytes());
            assert_eq!(lines.flush(), None, "{mark:?}");
            assert_eq!(lines.end(), mark);
        }
        let mut lines = Lines::default();
        lines.feed(b"so far \x1ejupyter/1 displ");
        assert_eq!(lines.flush().unwrap(), "so far ");
        // The rest of the line is looked at as a line of its own.
        let mut lines = Lines::default();
        lines.feed(b"abc");
        lines.flush();
        assert_eq!(lines.feed(b"EVCXR_EXECUTION_COMPLETE\n"), [Item::Complete]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(Lines::default().feed(b"a\xffb\n"), [text("a\u{fffd}b\n")]);
    }
}
