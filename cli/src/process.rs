//! Starting other programs.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;

use crate::output;

/// How many bytes are kept of each of a command's streams: its end.
const KEPT: usize = 64 * 1024;
/// How many lines of it are told when the command fails, and how many characters of a line.
const LINES: usize = 40;
const WIDTH: usize = 1000;

/// A program that a variable names. Its path is looked up here, not in the folder that it is started in.
pub fn program(name: &Path) -> PathBuf {
    let is_path = name.components().count() > 1;
    if is_path { std::path::absolute(name).unwrap_or_else(|_| name.into()) } else { name.into() }
}

/// Runs a command quietly: its newest line is the bar's message, its last lines are told if it fails.
pub fn quietly(command: &mut Command, bar: &ProgressBar) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let stdout = child.stdout.take().context("no stdout")?;
    let stderr = child.stderr.take().context("no stderr")?;
    let (out, err) = std::thread::scope(|scope| {
        let out = scope.spawn(|| collect(stdout, bar));
        let err = collect(stderr, bar);
        (out.join().unwrap_or_default(), err)
    });
    let status = child.wait().with_context(|| format!("cannot wait for {program}"))?;
    if !status.success() {
        let end = last_lines(&[out, err]);
        bail!("{program} ended with {status}. The end of its output:\n{end}");
    }
    Ok(())
}

/// Runs a command that prints for itself; `failed` is the error's text if it fails.
pub fn visibly(command: &mut Command, failed: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {program}"))?;
    if status.code() == Some(output::READER_GONE) {
        std::process::exit(output::READER_GONE);
    }
    if !status.success() {
        bail!("{failed}; see above");
    }
    Ok(())
}

/// The end of a stream, which is read until it is closed, whatever its bytes are: a pipe that is not
/// read any more would end the command that writes into it.
fn collect(mut stream: impl Read, bar: &ProgressBar) -> Vec<u8> {
    let (mut bytes, mut piece) = (vec![], [0; 8192]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return bytes,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return bytes,
        }
        bytes.drain(..bytes.len().saturating_sub(KEPT));
        // A line that is drawn over and over ends with a carriage return.
        let mut lines = bytes.rsplit(|byte| matches!(byte, b'\n' | b'\r'));
        if let Some(line) = lines.find(|line| !line.trim_ascii().is_empty()) {
            let line = &line[..line.len().min(WIDTH)];
            bar.set_message(String::from_utf8_lossy(line).trim().to_string());
        }
    }
}

/// The last lines of a command's streams, as a terminal would show them.
fn last_lines(streams: &[Vec<u8>]) -> String {
    let texts: Vec<_> = streams.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
    let lines = lines[lines.len().saturating_sub(LINES)..].iter().map(|line| {
        let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        let shown: String = line.chars().take(WIDTH).collect();
        if shown.len() < line.len() { shown + " …" } else { shown }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell that runs `script`, and what comes of it, with the bar's last message.
    fn shell(script: &str) -> (Result<()>, String) {
        let bar = ProgressBar::hidden();
        let result = quietly(Command::new("sh").args(["-c", script]), &bar);
        (result, bar.message())
    }

    fn told(script: &str) -> String {
        shell(script).0.unwrap_err().to_string()
    }

    /// C16: a compiler or pip in a locale of its own goes on printing after its first line that is not
    /// UTF-8, and must not find its pipe closed.
    #[test]
    fn a_command_may_print_bytes_that_are_not_utf8() {
        let bytes = [
            ("Latin-1", r"caf\351"),
            ("EUC-JP", r"\245\250\245\351\241\274"),
            ("Shift JIS", r"\203G\203\211\201["),
            ("UTF-16", r"\376\377\000e\000r"),
            ("a character that is cut", r"\343\202"),
            ("a lone continuation", r"\200\277"),
            ("zeros", r"\000\000"),
        ];
        for (what, bytes) in bytes {
            for stream in ["1", "2"] {
                // More than a pipe holds, so that a reader that has gone is noticed.
                let script = format!(
                    "{{ printf 'error: {bytes}\\n'; sleep 0.05; i=0; while [ $i -lt 3000 ]; do \
                     echo 'a line of forty characters, or nearly so'; i=$((i+1)); done; \
                     printf '{bytes} the last'; }} >&{stream}"
                );
                let (result, message) = shell(&script);
                result.unwrap_or_else(|error| panic!("{what}: {error:#}"));
                assert!(message.ends_with("the last"), "{what}: {message:?}");
                let text = told(&format!("printf 'error: {bytes}\\n' >&{stream}; exit 3"));
                assert!(text.contains("exit status: 3") && text.contains("error: "), "{text}");
            }
        }
        assert!(told(r"printf 'caf\351: not found'; exit 1").ends_with("caf\u{fffd}: not found"));
    }

    #[test]
    fn the_last_lines_are_told_of_a_command_that_fails() {
        let text = told("seq 1 100; echo from stderr >&2; exit 7");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "sh ended with exit status: 7. The end of its output:");
        assert_eq!((lines.len(), lines[1], lines[40]), (LINES + 1, "62", "from stderr"));
        // An unfinished line of one stream does not run into the other's.
        assert!(told("printf out; printf err >&2; exit 1").ends_with("out\nerr"));
        assert!(told("exit 1").ends_with("output:\n"));
        assert!(told("kill -9 $$").contains("signal: 9"));
    }

    #[test]
    fn a_line_that_is_drawn_over_shows_its_last_state() {
        let script = r"printf ' 10 %%\r 50 %%\r100 %%\r'";
        assert_eq!(shell(script).1, "100 %");
        assert!(told(&format!("{script}; exit 1")).ends_with("output:\n100 %"));
        assert!(told(r"printf 'a\rb\r\nc\r\n'; exit 1").ends_with("output:\nb\nc"));
        // Blank lines leave the message as it is.
        assert_eq!(shell(r"printf 'Compiling\n\n   \n\r\n'").1, "Compiling");
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let endless = "head -c 3000000 /dev/zero | tr '\\0' x";
        let (result, message) = shell(endless);
        result.unwrap();
        assert_eq!(message.len(), WIDTH);
        let text = told(&format!("{endless}; echo; echo the end; exit 1"));
        assert!(text.ends_with("x …\nthe end") && text.len() < 2 * WIDTH, "{}", text.len());
        let all = collect(std::io::repeat(b'x').take(300_000), &ProgressBar::hidden());
        assert_eq!(all.len(), KEPT);
        // By characters, not by bytes
        let text = told("yes é | head -n 2000 | tr -d '\\n'; exit 1");
        assert!(text.ends_with("é …") && text.matches('é').count() == WIDTH, "{text}");
    }

    #[test]
    fn a_command_that_is_not_there_is_named() {
        let missing = &mut Command::new("/no/such/program");
        for error in [
            quietly(missing, &ProgressBar::hidden()).unwrap_err(),
            visibly(missing, "it failed").unwrap_err(),
        ] {
            assert!(
                format!("{error:#}").starts_with("cannot start /no/such/program: "),
                "{error:#}"
            );
        }
    }

    #[test]
    fn a_failure_that_was_seen_is_not_told_again() {
        visibly(&mut Command::new("true"), "it failed").unwrap();
        let error = visibly(&mut Command::new("false"), "the site was not made").unwrap_err();
        assert_eq!(error.to_string(), "the site was not made; see above");
    }
}
