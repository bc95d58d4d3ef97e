//! What a program that runs cells prints, cut into items (docs/kernel.md).
//!
//! Three kinds of lines are mixed on its standard output: what the reader is to see, evcxr's own
//! marks, and [display lines](crate::display_line). A line that looks like one of the last two but is
//! not well formed is text.

use serde_json::{Map, Value};

use crate::display_line::{Kind, MARK, parse};

const COMPLETE: &str = "EVCXR_EXECUTION_COMPLETE";
const PANIC: &str = "EVCXR_PANIC_NOTIFICATION";
const ERROR: &str = "EVCXR_ERROR_OCCURRED";
/// Of our own patches: the line at which a cell failed follows.
const FAILED_AT: &str = "EVCXR_FAILED_AT_LINE:";
/// Of our own patches: the cell ended before its variables were stored.
const NOT_STORED: &str = "EVCXR_VARIABLES_NOT_STORED";
/// Of our own patches: a loop of the cell's has seen the stop button, and unwinds with this text. evcxr's
/// mark for a panic follows.
pub const INTERRUPTED: &str = "EVCXR_INTERRUPTED";
const CHANGED_TYPE: &str = "EVCXR_VARIABLE_CHANGED_TYPE:";
/// Of our own patches: the cell was compiled but could not be loaded; why follows.
const LOAD_FAILED: &str = "EVCXR_LOAD_FAILED:";
const INPUT: &str = "EVCXR_INPUT_REQUEST";
const BEGIN_CONTENT: &str = "EVCXR_BEGIN_CONTENT ";
const END_CONTENT: &str = "EVCXR_END_CONTENT";
/// The marks of which more follows on their line.
const OPEN: [&str; 5] = [BEGIN_CONTENT, FAILED_AT, CHANGED_TYPE, LOAD_FAILED, INPUT];

/// So much text goes on without waiting for the end of its line.
const PIECE: usize = 1 << 14;
/// A display line or a block of more bytes than this is no figure but text without an end.
const LONGEST: usize = 1 << 27;

/// One thing that the program said.
#[derive(Debug, PartialEq)]
pub enum Item {
    /// Text for the reader, whole lines or the beginning of one.
    Text(String),
    /// A message for the reader's page, by its kind, which is not `Listening`, and content.
    Display(Kind, Value),
    /// The program looks for the stop button.
    Listening,
    /// A block in evcxr's own format: MIME type and content.
    Content(String, String),
    /// evcxr's mark for a panic.
    Panic,
    /// The panic that follows is none: the cell was stopped.
    Interrupted,
    /// evcxr's mark for an error value that `?` returned.
    Error,
    /// The line at which the cell fails; the mark for how comes next.
    FailedAt(String),
    /// Any other line for evcxr.
    Evcxr(String),
    /// evcxr's mark for the end of a cell.
    Complete,
}

/// Cuts the program's output into items.
#[derive(Default)]
pub struct Lines {
    /// Bytes after the last newline.
    rest: Vec<u8>,
    block: Option<Block>,
}

/// A block that has begun.
struct Block {
    mime_type: String,
    lines: Vec<String>,
    size: usize,
}

impl Block {
    /// What the program printed, without the last newline.
    fn into_text(self) -> String {
        [format!("{BEGIN_CONTENT}{}", self.mime_type)]
            .into_iter()
            .chain(self.lines)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl Lines {
    /// Takes bytes as they come and returns the items that they complete. Text of which much has come
    /// does not wait for the end of its line.
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
        // A figure of many megabytes must not take their memory for ever.
        if self.rest.len() < PIECE && self.rest.capacity() > 4 * PIECE {
            self.rest.shrink_to(PIECE);
        }
        if self.rest.len() >= PIECE
            && let Some(text) = self.flush(false)
        {
            items.text(&text);
        }
        items.0
    }

    /// The beginning of a line, as far as it is text whatever follows. After a `pause` a few letters
    /// that a mark could begin with are text.
    pub fn flush(&mut self, pause: bool) -> Option<String> {
        if let Some(block) = &self.block {
            if block.size + self.rest.len() < LONGEST {
                return None;
            }
            let text = self.block.take()?.into_text() + "\n";
            return Some(text + &String::from_utf8_lossy(&std::mem::take(&mut self.rest)));
        }
        let length = if self.rest.len() < LONGEST { self.text(pause) } else { self.rest.len() };
        // A letter that is not whole yet stays.
        let length = whole(&self.rest[..length]);
        let text: Vec<u8> = self.rest.drain(..length).collect();
        (length > 0).then(|| String::from_utf8_lossy(&text).into_owned())
    }

    /// How many bytes of the rest come before what may become a mark.
    fn text(&self, pause: bool) -> usize {
        /// The first part of evcxr's marks: that much is no accident.
        const EVCXR: usize = "EVCXR_".len();
        let rest = &self.rest[..];
        // What follows these belongs to them. A figure of many megabytes is not looked through.
        let open = [MARK].into_iter().chain(OPEN);
        if open.clone().any(|mark| rest.starts_with(mark.as_bytes())) {
            return 0;
        }
        let mut length = rest.len();
        for mark in open.clone() {
            length = find(&rest[..length], mark).unwrap_or(length);
        }
        for mark in open.chain([COMPLETE, PANIC, ERROR, INTERRUPTED, NOT_STORED]) {
            for place in rest.len().saturating_sub(mark.len())..length {
                let end = &rest[place..];
                let is_letters = pause && place > 0 && mark != MARK && end.len() < EVCXR;
                if mark.as_bytes().starts_with(end) && !is_letters {
                    length = place;
                    break;
                }
            }
        }
        length
    }

    /// What is left when the program has ended.
    pub fn end(&mut self) -> String {
        let block = self.block.take().map(|block| block.into_text() + "\n").unwrap_or_default();
        block + &String::from_utf8_lossy(&std::mem::take(&mut self.rest))
    }
}

fn find(bytes: &[u8], mark: &str) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark.as_bytes())
}

/// How many bytes there are without a letter at the end that is not whole yet.
pub fn whole(bytes: &[u8]) -> usize {
    let is_first = |place: &usize| bytes[*place] & 0b1100_0000 != 0b1000_0000;
    // A letter has four bytes at most.
    match (bytes.len().saturating_sub(3)..bytes.len()).rev().find(is_first) {
        Some(place) => match std::str::from_utf8(&bytes[place..]) {
            Err(error) if error.error_len().is_none() => place,
            _ => bytes.len(),
        },
        None => bytes.len(),
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

fn take_line(begun: &mut Option<Block>, line: &str, items: &mut Items) {
    if let Some(mut block) = begun.take() {
        let place = line.strip_prefix(FAILED_AT);
        let is_end = [END_CONTENT, PANIC, COMPLETE, NOT_STORED].contains(&line) || place.is_some();
        if !is_end {
            block.size += line.len() + 1;
            block.lines.push(line.to_string());
            if block.size < LONGEST {
                *begun = Some(block);
            } else {
                items.text(&block.into_text());
                items.text("\n");
            }
            return;
        }
        // A block that the cell's end cuts off is none.
        if line == COMPLETE || line == NOT_STORED {
            items.text(&block.into_text());
            items.text("\n");
            take_line(begun, line, items);
            return;
        }
        items.0.push(Item::Content(block.mime_type, block.lines.join("\n")));
        if line == PANIC {
            items.0.push(Item::Panic);
        }
        items.0.extend(place.map(|place| Item::FailedAt(place.into())));
        return;
    }
    // The program may have printed the beginning of a line before the mark.
    let whole = [
        (COMPLETE, Item::Complete),
        (PANIC, Item::Panic),
        (ERROR, Item::Error),
        (INTERRUPTED, Item::Interrupted),
        (NOT_STORED, Item::Evcxr(NOT_STORED.into())),
    ];
    for (mark, item) in whole {
        if let Some(before) = line.strip_suffix(mark) {
            items.text(before);
            items.0.push(item);
            return;
        }
    }
    let open = OPEN.iter().filter_map(|mark| Some((open_place(line, mark)?, *mark))).min();
    if let Some(place) = line.find(MARK)
        && open.is_none_or(|(open, _)| place < open)
        && let Some(item) = display(&line[place + MARK.len()..])
    {
        items.text(&line[..place]);
        items.0.push(item);
        return;
    }
    if let Some((place, mark)) = open {
        items.text(&line[..place]);
        let more = &line[place + mark.len()..];
        match mark {
            BEGIN_CONTENT => {
                let mime_type = more.split(' ').next().unwrap_or_default().to_string();
                *begun = Some(Block { mime_type, lines: vec![], size: 0 });
            }
            FAILED_AT => items.0.push(Item::FailedAt(more.into())),
            _ => items.0.push(Item::Evcxr(line[place..].into())),
        }
        return;
    }
    items.text(line);
    items.text("\n");
}

/// Where a mark of which more follows is in a line. What a program prints of a block's mark is none.
fn open_place(line: &str, mark: &str) -> Option<usize> {
    if mark != BEGIN_CONTENT {
        return line.find(mark);
    }
    let place = line.rfind(mark)?;
    let mime_type = line[place + mark.len()..].split(' ').next().unwrap_or_default();
    mime_type.contains('/').then_some(place)
}

/// What follows the mark: a kind and JSON. Nothing if it is not well formed.
fn display(line: &str) -> Option<Item> {
    let (kind, json) = parse(line)?;
    let mut content: Map<String, Value> = serde_json::from_str(json).ok()?;
    match kind {
        Kind::Listening => return Some(Item::Listening),
        Kind::ClearOutput => {
            content.get("wait")?.as_bool()?;
            return Some(Item::Display(kind, Value::Object(content)));
        }
        Kind::DisplayData | Kind::UpdateDisplayData => {}
    }
    content.get("data")?.as_object()?;
    let id = content.get("transient").and_then(|transient| transient.get("display_id"));
    if id.is_some_and(|id| !id.is_string()) || (id.is_none() && kind == Kind::UpdateDisplayData) {
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
        let display = Item::Display(Kind::DisplayData, content);
        assert_eq!(items(&line), [text("a\n"), display, text("b\n")]);
        let clear = items(&format!("{MARK}clear_output {{\"wait\":true}}\n"));
        assert_eq!(clear, [Item::Display(Kind::ClearOutput, json!({"wait": true}))]);
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
        let quoted = "a EVCXR_BEGIN_CONTENT x\nEVCXR_BEGIN_CONTENT EVCXR_EVCXR_BEGIN_CONTENT a/b\n5\nEVCXR_END_CONTENT\n";
        let printed = "a EVCXR_BEGIN_CONTENT x\nEVCXR_BEGIN_CONTENT EVCXR_";
        let content = Item::Content("a/b".into(), "5".into());
        assert_eq!(items(quoted), [text(printed), content]);
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
        assert_eq!(lines.flush(true).unwrap(), "step 1 é");
        assert_eq!(lines.flush(true), None);
        lines.feed(&"é".as_bytes()[1..]);
        assert_eq!(lines.flush(true).unwrap(), "é");
        for mark in ["EVC", "EVCXR_EXEC", "\u{1e}", "\u{1e}jupyter/1 displ"] {
            let mut lines = Lines::default();
            lines.feed(mark.as_bytes());
            assert_eq!(lines.flush(true), None, "{mark:?}");
            assert_eq!(lines.end(), mark);
        }
        let mut lines = Lines::default();
        lines.feed(b"so far \x1ejupyter/1 displ");
        assert_eq!(lines.flush(true).unwrap(), "so far ");
        // The rest of the line is looked at as a line of its own.
        let mut lines = Lines::default();
        lines.feed(b"abc");
        lines.flush(true);
        assert_eq!(lines.feed(b"EVCXR_EXECUTION_COMPLETE\n"), [Item::Complete]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(Lines::default().feed(b"a\xffb\n"), [text("a\u{fffd}b\n")]);
    }

    /// All that comes of these bytes in pieces of this size, and the most bytes that were held.
    fn fed(bytes: &[u8], size: usize) -> (Items, usize) {
        let (mut lines, mut all, mut held) = (Lines::default(), Items::default(), 0);
        for piece in bytes.chunks(size) {
            for item in lines.feed(piece) {
                match item {
                    Item::Text(text) => all.text(&text),
                    other => all.0.push(other),
                }
            }
            held = held.max(lines.rest.len());
        }
        all.text(&lines.end());
        (all, held)
    }

    /// C8: text goes on when a piece of it is there, letters stay whole, and nothing is lost.
    #[test]
    fn text_without_newlines_goes_on_in_pieces() {
        let progress: String = (0..60_000).map(|i| format!("\r{i} of 60000")).collect();
        let nothing = format!("{MARK}dance {{}} ");
        for unit in [
            "x",
            "ホットドッグ",
            "é",
            "𝄞x",
            "EVCXR_",
            "E",
            "\u{1e}",
            "\u{1e}jupyter/",
            "\r",
            &progress,
        ] {
            let whole = unit.repeat((5 * PIECE).div_ceil(unit.len()));
            for size in [1021, 4096, PIECE, PIECE + 1] {
                let (all, held) = fed(whole.as_bytes(), size);
                assert!(held < PIECE + size, "{held} bytes of {unit:?} held");
                assert_eq!(all.0, [text(&whole)], "{unit:?} in pieces of {size}");
            }
        }
        // What begins as a figure may be one until its line ends.
        let (all, _) = fed(nothing.repeat(2 * PIECE / nothing.len()).as_bytes(), 4096);
        let [Item::Text(all)] = &all.0[..] else { panic!("{:?}", all.0.len()) };
        assert_eq!(all.len() / nothing.len(), 2 * PIECE / nothing.len());
    }

    /// C8: bytes that are no text go on, too, whatever they are.
    #[test]
    fn binary_output_goes_on_in_pieces() {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let noise: Vec<u8> = std::iter::repeat_with(&mut random)
            .filter(|&byte| byte != b'\n')
            .take(5 * PIECE)
            .collect();
        for bytes in [
            noise,
            vec![0xff; 5 * PIECE],
            vec![0x80; 5 * PIECE],
            vec![0; 5 * PIECE],
            vec![0xe3; 5 * PIECE],
        ] {
            let (all, held) = fed(&bytes, 4096);
            assert!(held < PIECE + 4096, "{held} bytes held");
            assert_eq!(all.0, [text(&String::from_utf8_lossy(&bytes))]);
        }
    }

    /// C8: marks are known behind text of any length, wherever the pieces end.
    #[test]
    fn marks_are_known_behind_text_without_an_end() {
        let figure =
            format!("{MARK}display_data {{\"data\":{{\"a/b\":\"{}\"}}}}\n", "y".repeat(3 * PIECE));
        let content =
            json!({"data": {"a/b": "y".repeat(3 * PIECE)}, "metadata": {}, "transient": {}});
        let long = "x".repeat(PIECE - 20);
        for (mark, item) in [
            ("EVCXR_EXECUTION_COMPLETE\n", Item::Complete),
            ("EVCXR_PANIC_NOTIFICATION\n", Item::Panic),
            ("EVCXR_ERROR_OCCURRED\n", Item::Error),
            ("EVCXR_INTERRUPTED\n", Item::Interrupted),
            ("EVCXR_FAILED_AT_LINE:3:14\n", Item::FailedAt("3:14".into())),
            ("EVCXR_VARIABLES_NOT_STORED\n", Item::Evcxr("EVCXR_VARIABLES_NOT_STORED".into())),
            (
                "EVCXR_VARIABLE_CHANGED_TYPE:x\n",
                Item::Evcxr("EVCXR_VARIABLE_CHANGED_TYPE:x".into()),
            ),
            ("EVCXR_LOAD_FAILED:no x\n", Item::Evcxr("EVCXR_LOAD_FAILED:no x".into())),
            ("EVCXR_INPUT_REQUEST:?\n", Item::Evcxr("EVCXR_INPUT_REQUEST:?".into())),
            (&figure, Item::Display(Kind::DisplayData, content)),
            (
                "EVCXR_BEGIN_CONTENT text/plain\n5\nEVCXR_END_CONTENT\n",
                Item::Content("text/plain".into(), "5".into()),
            ),
        ] {
            // The first piece ends at each byte of the mark.
            for more in 0..40 {
                let before = long.clone() + &"x".repeat(more);
                let (all, _) = fed((before.clone() + mark).as_bytes(), PIECE);
                assert_eq!(all.0.len(), 2, "{mark:.30} after {more}");
                assert!(all.0[0] == text(&before) && all.0[1] == item, "{mark:.30} after {more}");
            }
        }
    }

    #[test]
    fn a_result_after_text_without_a_newline() {
        let block = "so farEVCXR_BEGIN_CONTENT text/plain\n5\nEVCXR_END_CONTENT\nEVCXR_EXECUTION_COMPLETE\n";
        let content = Item::Content("text/plain".into(), "5".into());
        assert_eq!(items(block), [text("so far"), content, Item::Complete]);
        // In a figure it is the figure's.
        let line = format!("{MARK}display_data {{\"data\":{{\"a\":\"EVCXR_BEGIN_CONTENT a\"}}}}\n");
        assert!(matches!(items(&line)[..], [Item::Display(..)]));
    }

    #[test]
    fn a_block_without_an_end_ends_with_the_cell() {
        let block = "EVCXR_BEGIN_CONTENT text/html\nhalf\nEVCXR_EXECUTION_COMPLETE\n";
        let shown = "EVCXR_BEGIN_CONTENT text/html\nhalf\n";
        assert_eq!(items(block), [text(shown), Item::Complete]);
        let mut lines = Lines::default();
        assert_eq!(lines.feed(shown.as_bytes()), []);
        assert_eq!(lines.end(), shown);
    }

    #[test]
    fn a_block_without_an_end_ends_where_the_cell_leaves_early() {
        let block = "EVCXR_BEGIN_CONTENT text/html\nhalf\n";
        let marks = "EVCXR_VARIABLES_NOT_STORED\nEVCXR_EXECUTION_COMPLETE\n";
        let not_stored = Item::Evcxr("EVCXR_VARIABLES_NOT_STORED".into());
        assert_eq!(items(&format!("{block}{marks}")), [text(block), not_stored, Item::Complete]);
        let failed = items(&format!("{block}EVCXR_FAILED_AT_LINE:3:9\nEVCXR_ERROR_OCCURRED\n"));
        assert_eq!(failed[1..], [Item::FailedAt("3:9".into()), Item::Error]);
    }

    #[test]
    fn what_comes_first_on_a_line_holds_the_rest() {
        let failed = Item::FailedAt("3".into());
        let figure =
            format!("{MARK}display_data {{\"data\":{{\"a\":\"EVCXR_FAILED_AT_LINE:3\"}}}}\n");
        assert!(matches!(items(&figure)[..], [Item::Display(..)]));
        // A figure that the failure cuts off is text.
        let cut = format!("{MARK}display_data {{\"da");
        assert_eq!(items(&format!("{cut}EVCXR_FAILED_AT_LINE:3\n")), [text(&cut), failed]);
    }

    /// C8: figures and blocks that never end are text in the end.
    #[test]
    fn memory_for_what_begins_as_a_figure_is_bounded() {
        for begin in [
            &format!("{MARK}display_data {{\"data\":\""),
            "EVCXR_BEGIN_CONTENT a/b\n",
            "EVCXR_INPUT_REQUEST:",
        ] {
            for (piece, text) in [
                ("x".repeat(1 << 20), true),
                ("x".repeat((1 << 20) - 1) + "\n", begin.ends_with('\n')),
            ] {
                if !text {
                    continue;
                }
                let mut lines = Lines::default();
                let mut shown = lines.feed(begin.as_bytes()).len();
                for _ in 0..130 {
                    shown += lines.feed(piece.as_bytes()).len();
                    let block: usize = lines.block.iter().map(|block| block.size).sum();
                    assert!(lines.rest.len() + block <= LONGEST + (2 << 20));
                }
                assert!(shown > 0, "{begin:?}");
                let ends = lines.feed(b"\nEVCXR_EXECUTION_COMPLETE\n");
                assert_eq!(ends.last(), Some(&Item::Complete));
            }
        }
    }

    #[test]
    fn letters_that_are_not_whole_are_known() {
        for letter in ["é", "ホ", "𝄞"] {
            for length in 1..letter.len() {
                let bytes = [b"a", &letter.as_bytes()[..length]].concat();
                assert_eq!(whole(&bytes), 1, "{bytes:?}");
            }
            assert_eq!(whole(letter.as_bytes()), letter.len());
        }
        for bytes in [&b""[..], b"a", b"\xff", b"\x80\x80\x80\x80", b"a\xe3\x41", b"\xc3\xa9\x80"] {
            assert_eq!(whole(bytes), bytes.len(), "{bytes:?}");
        }
        // Letters before the last do not matter.
        assert_eq!(whole(b"\xff\xe3\x83"), 1);
    }

    #[test]
    fn after_a_pause_short_words_are_shown_whole() {
        for (word, rest) in
            [("STATE", ""), ("THE EVE", ""), ("a \u{1e}", "\u{1e}"), ("x EVCXR_E", "EVCXR_E")]
        {
            let mut lines = Lines::default();
            lines.feed(word.as_bytes());
            assert_eq!(lines.flush(true).unwrap(), word.strip_suffix(rest).unwrap());
            assert_eq!(lines.end(), rest);
        }
    }
}
