//! Downloads, against a real HTTP server on loopback that misbehaves.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::common;
use crate::common::report::{refused, seen};
use crate::common::server::{Request, Server, Step, answer, part, part_with, with_head};
use crate::common::{names, noise, sha1};
use d2l::prelude::*;

/// Bytes without a pattern.
fn body(count: usize) -> Vec<u8> {
    noise(count, 5).iter().map(|value| (value * 255.) as i8 as u8).collect()
}

/// A folder for a download, and what the download comes to.
fn get(server: &Server, body: &[u8]) -> (tempfile::TempDir, Result<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let result = download_url(&server.url("set.zip"), folder.path(), Some(&sha1(body)));
    (folder, result)
}

fn is_whole(folder: &Path, result: Result<PathBuf>, body: &[u8]) {
    assert_eq!(result.unwrap(), folder.join("set.zip"));
    assert!(fs::read(folder.join("set.zip")).unwrap() == body);
    assert_eq!(names(folder), ["set.zip"]);
}

#[test]
fn a_file_is_downloaded_whole_and_once() {
    let body = body(300_000);
    let server = Server::file(body.clone());
    let folder = tempfile::tempdir().unwrap();
    let url = server.url("files/set.zip?version=1");
    for hash in [sha1(&body), sha1(&body).to_uppercase()] {
        let result = download_url(&url, folder.path(), Some(&hash));
        is_whole(folder.path(), result, &body);
    }
    assert_eq!(server.starts().len(), 1);
}

#[test]
fn a_damaged_file_is_downloaded_again() {
    let body = body(1000);
    let server = Server::file(body.clone());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("set.zip"), "half").unwrap();
    let result = download_url(&server.url("set.zip"), folder.path(), Some(&sha1(&body)));
    is_whole(folder.path(), result, &body);
}

/// vision#1938 and its like: the server refuses. The message says where to put the file by hand.
#[test]
fn a_failed_download_leaves_no_file_and_says_why() {
    let whole = body(1000);
    let unreachable = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/set.zip", listener.local_addr().unwrap())
    };
    let url = |server: Server| server.url("set.zip");
    let page = b"<html>log in</html>";
    let html = with_head("200 OK", "Content-Type: text/html\r\nContent-Length: 19", page);
    let cases = [
        ("the server answers 403", url(Server::always(answer("403 Forbidden", b"no"))), "403"),
        ("the server answers 404", url(Server::always(answer("404 Not Found", b"no"))), "404"),
        ("the server answers 500", url(Server::always(answer("500 Fault", b"no"))), "500"),
        ("a page in place of the file", url(Server::always(html)), "a page came"),
        (
            "another file, a page that does not say so",
            url(Server::always(answer("200 OK", page))),
            "checksum",
        ),
        (
            "redirected in a circle",
            url(Server::always(with_head("302 Found", "Location: /set.zip", b""))),
            "redirect",
        ),
        ("no server there", unreachable, "refused"),
        ("no such server", "http://no-such-host.invalid/set.zip".into(), "no-such-host.invalid"),
        ("words that are no HTTP", url(Server::always(b"SSH-2.0-x\r\n".to_vec())), "set.zip"),
    ];
    for (what, url, reason) in cases {
        let folder = tempfile::tempdir().unwrap();
        let error = download_url(&url, folder.path(), Some(&sha1(&whole))).unwrap_err();
        let is_other_file = reason == "checksum";
        assert_eq!(matches!(error, Error::Checksum { .. }), is_other_file, "{error}");
        assert_eq!(matches!(error, Error::Download { .. }), !is_other_file, "{error}");
        let text = refused(what, reason, &error);
        assert!(text.contains(&folder.path().display().to_string()), "{what}: {text}");
        assert!(names(folder.path()).is_empty(), "{what}: {:?}", names(folder.path()));
    }
}

#[test]
fn a_web_page_is_refused_even_without_a_checksum() {
    let html = with_head("200 OK", "Content-Type: text/html", b"<html>log in</html>");
    let server = Server::always(html);
    let folder = tempfile::tempdir().unwrap();
    let error = download_url(&server.url("set.zip"), folder.path(), None).unwrap_err();
    assert!(error.to_string().contains("a page came"), "{error}");
    assert!(names(folder.path()).is_empty());
    download_url(&server.url("page.html"), folder.path(), None).unwrap();
}

#[test]
fn a_failing_server_is_tried_again() {
    let body = body(1000);
    let whole = body.clone();
    let server = Server::start(move |request| match request.number {
        0 => vec![Step::Send(answer("500 Internal Server Error", b"no"))],
        1 => vec![Step::Send(answer("503 Service Unavailable", b"no"))],
        _ => vec![Step::Send(part(&whole, request.start))],
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
    // 404 is not temporary.
    let server = Server::always(answer("404 Not Found", b""));
    assert!(get(&server, &body).1.is_err());
    assert_eq!(server.starts().len(), 1);
}

#[test]
fn redirects_are_followed() {
    let body = body(1000);
    let whole = body.clone();
    let server = Server::start(move |request| {
        let to = "Location: /elsewhere/other-name.zip\r\nContent-Length: 0";
        vec![Step::Send(match request.line.contains("elsewhere") {
            true => part(&whole, request.start),
            false => with_head("302 Found", to, b""),
        })]
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
}

/// vision#1938: one of several mirrors is up.
#[test]
fn mirrors_are_asked_first() {
    const NAME: &str = "download::mirrors_are_asked_first";
    let body = body(1000);
    if common::in_child(NAME) {
        let folder = tempfile::tempdir().unwrap();
        let url = "http://no-such-host.invalid/set.zip";
        let result = download_url(url, folder.path(), Some(&sha1(&body)));
        if std::env::var("D2L_MIRROR").unwrap().contains("good") {
            return is_whole(folder.path(), result, &body);
        }
        let text = refused("neither mirrors nor the address have it", "404", &result.unwrap_err());
        assert!(text.contains("/bad/set.zip") && text.contains("no-such-host.invalid"), "{text}");
        return;
    }
    let whole = body.clone();
    let server = Server::start(move |request| {
        vec![Step::Send(match request.line.contains("/good/set.zip") {
            true => part(&whole, request.start),
            false => answer("404 Not Found", b"no"),
        })]
    });
    for mirrors in [server.url("bad, ") + &server.url("good/"), server.url("bad")] {
        common::run_in_child(NAME, &[("D2L_MIRROR", Path::new(&mirrors))]);
    }
    assert_eq!(server.lines().len(), 3, "{:?}", server.lines());
}

/// The body's first half, which the server declares to be the whole.
fn half(body: &[u8], start: Option<usize>) -> Vec<u8> {
    let mut answer = part(body, start);
    answer.truncate(answer.len() - (body.len() - start.unwrap_or(0)) / 2);
    answer
}

#[test]
fn a_download_that_is_cut_off_resumes() {
    let body = body(100_000);
    let whole = body.clone();
    let server = Server::start(move |request| {
        vec![Step::Send(match request.number {
            0 | 1 => half(&whole, request.start),
            _ => part(&whole, request.start),
        })]
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
    assert_eq!(server.starts(), [None, Some(50_000), Some(75_000)]);
}

#[test]
fn a_server_that_cannot_resume_starts_over() {
    let body = body(100_000);
    let whole = body.clone();
    let server = Server::start(move |request| {
        vec![Step::Send(match request.number {
            0 => half(&whole, None),
            _ => part(&whole, None),
        })]
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
    // A range that was not requested
    let whole = body.clone();
    let server = Server::start(move |request| {
        vec![Step::Send(match request.number {
            0 => half(&whole, None),
            1 => part(&whole, Some(70_000)),
            _ => part(&whole, request.start),
        })]
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
}

/// What an earlier call left may belong to another file, or be longer than the file is now.
#[test]
fn a_part_of_another_file_is_discarded() {
    let body = body(100_000);
    for left in [vec![7; 40_000], vec![7; 100_000], vec![7; 200_000], body[..40_000].to_vec()] {
        let server = Server::file(body.clone());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".set.zip.part"), left).unwrap();
        let result = download_url(&server.url("set.zip"), folder.path(), Some(&sha1(&body)));
        is_whole(folder.path(), result, &body);
    }
}

/// A page that answers in between, and a program that was killed after the last byte.
#[test]
fn what_has_arrived_is_not_discarded_needlessly() {
    let body = body(100_000);
    let html = with_head("200 OK", "Content-Type: text/html", b"<html>log in</html>");
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join(".set.zip.part");
    fs::write(&part, &body[..60_000]).unwrap();
    let log_in = Server::always(html).url("set.zip");
    let error = download_url(&log_in, folder.path(), Some(&sha1(&body))).unwrap_err();
    assert!(error.to_string().contains("a page came"), "{error}");
    assert_eq!(fs::read(&part).unwrap().len(), 60_000);
    fs::write(&part, &body).unwrap();
    let server = Server::file(body.clone());
    let result = download_url(&server.url("set.zip"), folder.path(), Some(&sha1(&body)));
    is_whole(folder.path(), result, &body);
    assert!(server.starts().is_empty());
}

/// Without a network the reader learns so at once.
#[test]
fn an_unreachable_server_is_tried_once() {
    const NAME: &str = "download::an_unreachable_server_is_tried_once";
    if !common::in_child(NAME) {
        let text = common::run_in_child(NAME, &[]);
        assert_eq!(text.matches("trying again").count(), 1, "{text}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for host in ["no-such-host.invalid".to_string(), format!("127.0.0.1:{port}")] {
        let url = format!("http://{host}/set.zip");
        download_url(&url, folder.path(), Some(&sha1(b""))).unwrap_err();
    }
    // One that hangs up was reachable.
    let body = body(10);
    let whole = body.clone();
    let server = Server::start(move |request| match request.number {
        0 => vec![],
        _ => vec![Step::Send(part(&whole, None))],
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
}

#[test]
fn a_partial_download_stays_for_the_next_call() {
    let body = body(100_000);
    let (whole, server) = (body.clone(), Server::file(body.clone()));
    let cutting = Server::start(move |request| match request.start {
        None => vec![Step::Send(half(&whole, None))],
        Some(_) => vec![],
    });
    let (folder, result) = get(&cutting, &body);
    refused("cut off in the middle, again and again", &cutting.address, &result.unwrap_err());
    assert_eq!(names(folder.path()), [".set.zip.part"]);
    let result = download_url(&server.url("set.zip"), folder.path(), Some(&sha1(&body)));
    is_whole(folder.path(), result, &body);
    assert_eq!(server.starts(), [Some(50_000)]);
    // Without a checksum nothing proves that the parts belong together.
    let folder = tempfile::tempdir().unwrap();
    download_url(&cutting.url("set.zip"), folder.path(), None).unwrap_err();
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_file_of_unknown_length_is_downloaded_whole() {
    let body = body(100_000);
    let whole = body.clone();
    let chunked = |body: &[u8], end: &str| {
        let mut chunks = format!("{:x}\r\n", body.len()).into_bytes();
        chunks.extend(body);
        chunks.extend(end.as_bytes());
        with_head("200 OK", "Transfer-Encoding: chunked", &chunks)
    };
    for answer in [chunked(&whole, "\r\n0\r\n\r\n"), with_head("200 OK", "", &whole)] {
        let (folder, result) = get(&Server::always(answer), &body);
        is_whole(folder.path(), result, &body);
    }
    let cut = Server::always(chunked(&whole[..50_000], ""));
    let (_, result) = get(&cut, &body);
    let what = "cut off after 50000 bytes";
    refused("cut off, of unknown length", what, &result.unwrap_err());
    let folder = tempfile::tempdir().unwrap();
    download_url(&cut.url("set.zip"), folder.path(), None).unwrap_err();
    assert!(names(folder.path()).is_empty());
}

/// Another file of the same length.
fn other(body: &[u8]) -> Vec<u8> {
    body.iter().map(|byte| byte.wrapping_add(1)).collect()
}

fn with_range(range: &str, line: &str, body: &[u8]) -> Vec<u8> {
    with_head("206 Partial Content", &format!("Content-Range: {range}{line}"), body)
}

fn chunked(status: &str, line: &str, body: &[u8], end: &str) -> Vec<u8> {
    let mut chunks = format!("{:x}\r\n", body.len()).into_bytes();
    chunks.extend(body);
    chunks.extend(end.as_bytes());
    with_head(status, &format!("Transfer-Encoding: chunked{line}"), &chunks)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

const TAG: &str = "ETag: \"v1\"";

/// F3: the response to a request for the rest is checked before it is trusted: the server cuts at
/// 50 000 of 100 000 bytes, sends an odd response to the request for the rest, and the whole file to
/// a request for all of it. With a checksum or without one, the file is right in the end.
#[test]
fn an_odd_response_to_a_range_request_is_not_trusted() {
    let whole = body(100_000);
    let (rest, other) = (&whole[50_000..], other(&whole));
    let tag = format!("\r\n{TAG}");
    let length = |count: usize| format!("\r\n{TAG}\r\nContent-Length: {count}");
    let fits = "bytes 50000-99999/100000";
    let multipart = "--x\r\nContent-Range: bytes 50000-99999/100000\r\n\r\n";
    let multipart = [multipart.as_bytes(), rest, b"\r\n--x--\r\n"].concat();
    let cases = [
        // The case of the report
        ("the whole file as a part", with_range("bytes 0-99999/100000", &length(100_000), &whole)),
        ("no Content-Range, the whole", with_head("206 Partial Content", &tag[2..], &whole)),
        ("no Content-Range, the rest", with_head("206 Partial Content", &tag[2..], rest)),
        ("the whole file with the range asked for", with_range(fits, &length(100_000), &whole)),
        (
            "the range asked for, more than it",
            chunked(
                "206 Partial Content",
                &format!("\r\nContent-Range: {fits}\r\n{TAG}"),
                &whole,
                "\r\n0\r\n\r\n",
            ),
        ),
        ("more than it until the end", with_range(fits, &tag, &whole)),
        ("a longer file now", with_range("bytes 50000-99999/120000", &tag, rest)),
        ("a shorter file now", with_range("bytes 50000-79999/80000", &tag, &rest[..30_000])),
        (
            "several parts",
            with_head(
                "206 Partial Content",
                &format!("Content-Type: multipart/byteranges; boundary=x{tag}"),
                &multipart,
            ),
        ),
        ("no range in it", with_range("bytes */100000", &tag, rest)),
        ("a later part", with_range("bytes 60000-99999/100000", &tag, &rest[10_000..])),
        ("an earlier part", with_range("bytes 40000-99999/100000", &tag, &whole[40_000..])),
        ("backwards", with_range("bytes 99999-50000/100000", &tag, rest)),
        ("beyond the end", with_range("bytes 50000-99999/99999", &tag, rest)),
        ("numbers without end", with_range("bytes 50000-99999999999999999999999/*", &tag, rest)),
        ("signs", with_range("bytes +50000-+99999/100000", &tag, rest)),
        ("another unit", with_range("items 50000-99999/100000", &tag, rest)),
        ("nonsense", with_range("yes", &tag, rest)),
        ("Content-Length is another", with_range(fits, &length(25_000), &rest[..25_000])),
        (
            "another file, as it says",
            with_range(fits, "\r\nETag: \"v2\"\r\nContent-Length: 50000", &other[50_000..]),
        ),
        (
            "another file, without a word",
            with_range(fits, "\r\nContent-Length: 50000", &other[50_000..]),
        ),
        (
            "encoded",
            with_range(
                "bytes 50000-99999/100000",
                &format!("{tag}\r\nContent-Encoding: gzip"),
                &gzip(rest),
            ),
        ),
        ("the whole file, 200", part_with(&whole, None, TAG)),
        ("another range cannot be had", answer("416 Range Not Satisfiable", b"")),
    ];
    let count = cases.len();
    std::thread::scope(|scope| {
        for (what, odd) in cases {
            for sha1 in [Some(sha1(&whole)), None] {
                let (whole, odd) = (whole.clone(), odd.clone());
                scope.spawn(move || {
                    let body = whole.clone();
                    let server = Server::start(move |request| {
                        vec![Step::Send(match (request.number, request.start) {
                            (0, None) => {
                                let mut answer = part_with(&body, None, TAG);
                                answer.truncate(answer.len() - 50_000);
                                answer
                            }
                            (_, Some(_)) => odd.clone(),
                            (_, None) => part_with(&body, None, TAG),
                        })]
                    });
                    let folder = tempfile::tempdir().unwrap();
                    let result =
                        download_url(&server.url("set.zip"), folder.path(), sha1.as_deref());
                    let path = result.unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert!(fs::read(path).unwrap() == whole, "{what}: {sha1:?}");
                    assert_eq!(names(folder.path()), ["set.zip"], "{what}");
                    assert_eq!(server.starts().get(1), Some(&Some(50_000)), "{what}");
                    assert_eq!(server.conditions()[1].as_deref(), Some("\"v1\""), "{what}");
                });
            }
        }
    });
    seen("odd responses to a range request: number of kinds", &count.to_string());
}

/// F3: without a checksum the rest is requested only where the server can confirm that it is still the
/// same file, and accepted only where it does.
#[test]
fn without_a_checksum_resuming_needs_a_validator() {
    let date = "Date: Thu, 26 Nov 2026 10:00:00 GMT";
    let older = format!("Last-Modified: Wed, 25 Nov 2026 10:00:00 GMT\r\n{date}");
    let now = format!("Last-Modified: Thu, 26 Nov 2026 10:00:00 GMT\r\n{date}");
    let both = format!("{TAG}\r\n{older}");
    let last_modified = Some("Wed, 25 Nov 2026 10:00:00 GMT");
    let cases = [
        ("an ETag", TAG, Some("\"v1\"")),
        ("a date", &older, last_modified),
        ("both", &both, Some("\"v1\"")),
        ("a weak ETag", "ETag: W/\"v1\"", None),
        ("an ETag without quotes", "ETag: v1", None),
        ("a date of this second", &now, None),
        ("a date, and no time of the answer", "Last-Modified: Wed, 25 Nov 2026 10:00:00 GMT", None),
        ("nothing", "", None),
    ];
    let whole = body(100_000);
    std::thread::scope(|scope| {
        for (what, line, condition) in cases {
            let whole = whole.clone();
            scope.spawn(move || {
                let (body, line) = (whole.clone(), line.to_string());
                let server = Server::start(move |request| {
                    let mut answer = part_with(&body, request.start, &line);
                    if request.number == 0 {
                        answer.truncate(answer.len() - 50_000);
                    }
                    vec![Step::Send(answer)]
                });
                let folder = tempfile::tempdir().unwrap();
                let result = download_url(&server.url("set.zip"), folder.path(), None);
                is_whole(folder.path(), result, &whole);
                let start = condition.map(|_| 50_000);
                assert_eq!(server.starts(), [None, start], "{what}");
                assert_eq!(server.conditions()[1].as_deref(), condition, "{what}");
            });
        }
    });
}

/// F3: the beginning from one server and the rest from another are not joined unchecked, even if
/// both send the same validators.
#[test]
fn without_a_checksum_another_address_starts_over() {
    const NAME: &str = "download::without_a_checksum_another_address_starts_over";
    if common::in_child(NAME) {
        let folder = tempfile::tempdir().unwrap();
        let path = download_url(&std::env::var("TEST_URL").unwrap(), folder.path(), None).unwrap();
        assert!(fs::read(path).unwrap() == body(100_000));
        return;
    }
    let (whole, cut) = (body(100_000), other(&body(100_000)));
    let server = Server::start(move |request| {
        let mut answer = part_with(&cut, None, TAG);
        answer.truncate(answer.len() - 50_000);
        vec![Step::Send(if request.number == 0 { answer } else { self::answer("410 Gone", b"") })]
    });
    // Mirrors come last where nothing confirms that they have the same file.
    let mirror =
        Server::start(move |request| vec![Step::Send(part_with(&whole, request.start, TAG))]);
    let (url, address) = (server.url("set.zip"), mirror.url(""));
    let variables = [("D2L_MIRROR", address.as_str()), ("TEST_URL", &url)];
    common::run_in_child(NAME, &variables.map(|(name, value)| (name, Path::new(value))));
    assert_eq!((server.starts(), mirror.starts()), (vec![None, Some(50_000)], vec![None]));
}

/// F3: the validators of the file are stored beside the part, for the next call.
#[test]
fn the_next_call_asks_whether_it_is_still_the_same_file() {
    let (whole, is_new) = (body(100_000), Arc::new(AtomicBool::new(false)));
    let newer = other(&whole);
    let (old, new, switch) = (whole.clone(), newer.clone(), is_new.clone());
    let server = Server::start(move |request| {
        let is_new = switch.load(Ordering::Relaxed);
        vec![Step::Send(match (is_new, request.start) {
            (false, None) => {
                let mut answer = part_with(&old, None, TAG);
                answer.truncate(answer.len() - 50_000);
                answer
            }
            (false, Some(_)) => answer("404 Not Found", b""),
            (true, start) => {
                let is_same = request.if_range.is_none_or(|tag| tag == "\"v2\"");
                part_with(&new, start.filter(|_| is_same), "ETag: \"v2\"")
            }
        })]
    });
    let folder = tempfile::tempdir().unwrap();
    let url = server.url("set.zip");
    download_url(&url, folder.path(), Some(&sha1(&newer))).unwrap_err();
    assert_eq!(names(folder.path()), [".set.zip.part", ".set.zip.part.from"]);
    is_new.store(true, Ordering::Relaxed);
    let result = download_url(&url, folder.path(), Some(&sha1(&newer)));
    is_whole(folder.path(), result, &newer);
    assert_eq!(server.starts(), [None, Some(50_000), Some(50_000)]);
    assert_eq!(server.conditions()[2].as_deref(), Some("\"v1\""));
    // From another address: the checksum decides, and the other server's validators are not sent.
    let elsewhere = Server::file(whole.clone());
    fs::write(folder.path().join(".set.zip.part"), &whole[..50_000]).unwrap();
    let note = "http://127.0.0.1:1/set.zip\n\"v1\"\n100000\n";
    fs::write(folder.path().join(".set.zip.part.from"), note).unwrap();
    let result = download_url(&elsewhere.url("set.zip"), folder.path(), Some(&sha1(&whole)));
    is_whole(folder.path(), result, &whole);
    assert_eq!((elsewhere.starts(), elsewhere.conditions()), (vec![Some(50_000)], vec![None]));
}

/// F3: a first response that is not a file is not taken for one, whatever its body.
#[test]
fn only_status_200_starts_a_download() {
    let whole = body(1000);
    let range = "Content-Range: bytes 0-999/1000\r\nContent-Length: 1000";
    let cases = [
        ("202 Accepted", "Content-Length: 1000"),
        ("203 Non-Authoritative Information", "Content-Length: 1000"),
        ("204 No Content", ""),
        ("205 Reset Content", "Content-Length: 0"),
        ("206 Partial Content", range),
        ("206 Partial Content", "Content-Length: 1000"),
        ("226 IM Used", "Content-Length: 1000"),
        ("304 Not Modified", ""),
        ("401 Unauthorized", "Content-Length: 1000"),
        ("407 Proxy Authentication Required", "Content-Length: 1000"),
        ("451 Unavailable For Legal Reasons", "Content-Length: 1000"),
    ];
    for (status, head) in cases {
        for sha1 in [None, Some(sha1(&whole))] {
            let server = Server::always(with_head(status, head, &whole));
            let folder = tempfile::tempdir().unwrap();
            let result = download_url(&server.url("set.zip"), folder.path(), sha1.as_deref());
            let what = format!("a first response of {}", &status[..3]);
            refused(&what, &format!("answered {}", &status[..3]), &result.unwrap_err());
            assert!(names(folder.path()).is_empty(), "{status}");
        }
    }
}

/// F3: a response must have the length and encoding that its header declares.
#[test]
fn declared_lengths_and_encodings_are_enforced() {
    let whole = body(100_000);
    let page = b" \r\n<!DOCTYPE html>\n<title>log in</title>".to_vec();
    let gz = gzip(&whole);
    let encoded = |name: &str, body: &[u8]| {
        let head = format!("Content-Encoding: {name}\r\nContent-Length: {}", body.len());
        with_head("200 OK", &head, body)
    };
    let two = with_head("200 OK", "Content-Length: 100000\r\nContent-Length: 5", &whole);
    let chunked = |end| chunked("200 OK", "", &whole, end);
    let longer = with_head("200 OK", "Content-Length: 100000", &[&whole[..], b"more"].concat());
    // The file's name, the response, the outcome
    let cases = [
        ("set.zip", encoded("gzip", &gz), Ok(&whole)),
        ("set.zip", encoded("X-GZIP", &gz), Ok(&whole)),
        ("set.zip", encoded("identity", &whole), Ok(&whole)),
        // About the file, not the transfer
        ("set.tar.gz", encoded("gzip", &gz), Ok(&gz)),
        ("set.tgz", encoded("x-gzip", &gz), Ok(&gz)),
        ("set.zip", encoded("br", &whole), Err("encoded as \"br\"")),
        ("set.zip", encoded("gzip, br", &gz), Err("encoded as \"gzip, br\"")),
        ("set.zip", encoded("gzip", &gz[..gz.len() - 9]), Err("cut off")),
        ("set.zip", encoded("gzip", &whole), Err("gzip")),
        ("set.zip", longer, Ok(&whole)),
        ("set.zip", two, Err("length")),
        ("set.zip", chunked("\r\n0\r\n\r\n"), Ok(&whole)),
        ("set.zip", chunked("\r\n0\r\nX-Checksum: 1\r\n\r\n"), Ok(&whole)),
        // All of the file is here, the last line is missing.
        ("set.zip", chunked("\r\n0\r\n"), Ok(&whole)),
        ("set.zip", chunked("\r\n"), Err("cut off after 100000")),
        ("set.zip", chunked("\r\n5\r\nab"), Err("cut off after 10000")),
        ("set.zip", chunked("\r\nxyz\r\n"), Err("set.zip")),
        // A page without its content type
        ("set.zip", answer("200 OK", &page), Err("a page came")),
        ("page.html", answer("200 OK", &page), Ok(&page)),
    ];
    std::thread::scope(|scope| {
        for (name, answer, expected) in cases {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let result = download_url(&Server::always(answer).url(name), folder.path(), None);
                match expected {
                    Ok(body) => assert!(&fs::read(result.unwrap()).unwrap() == body, "{name}"),
                    Err(reason) => {
                        let text = result.expect_err(reason).to_string();
                        assert!(text.contains(reason), "{reason}: {text}");
                        assert!(names(folder.path()).is_empty(), "{reason}");
                    }
                }
            });
        }
    });
    // A checksum proves that it is the file itself, whatever the server calls it.
    let server = Server::always(encoded("aws-chunked", &whole));
    let (folder, result) = get(&server, &whole);
    is_whole(folder.path(), result, &whole);
}

/// F3: a download that was decompressed in transit is not resumed.
#[test]
fn a_response_that_was_compressed_starts_over() {
    let whole = body(100_000);
    let gz = gzip(&whole);
    let head = format!("{TAG}\r\nContent-Encoding: gzip");
    let server = Server::start(move |request| {
        let mut answer = part_with(&gz, request.start, &head);
        if request.number == 0 {
            answer.truncate(answer.len() - 20_000);
        }
        vec![Step::Send(answer)]
    });
    let (folder, result) = get(&server, &whole);
    is_whole(folder.path(), result, &whole);
    assert_eq!(server.starts(), [None, None]);
}

/// F3: a redirect to a log-in page is not a file, and a redirect to the file is followed for its rest.
#[test]
fn redirects_lead_to_files_not_to_pages() {
    let html = with_head("200 OK", "Content-Type: text/html", b"<html>log in</html>");
    let to = |place: &str| {
        with_head("302 Found", &format!("Location: {place}\r\nContent-Length: 0"), b"")
    };
    let log_in = Server::start(move |request| {
        let is_page = request.line.contains("/login");
        vec![Step::Send(if is_page { html.clone() } else { to("/login?to=set.zip") })]
    });
    for sha1 in [None, Some(sha1(b""))] {
        let folder = tempfile::tempdir().unwrap();
        let result = download_url(&log_in.url("set.zip"), folder.path(), sha1.as_deref());
        refused("redirected to a log-in page", "a page came", &result.unwrap_err());
        assert!(names(folder.path()).is_empty());
    }
    let whole = body(100_000);
    let body = whole.clone();
    let server = Server::start(move |request| {
        if !request.line.contains("/there") {
            return vec![Step::Send(to("/there/9f3"))];
        }
        let mut answer = part_with(&body, request.start, TAG);
        if request.start.is_none() {
            answer.truncate(answer.len() - 50_000);
        }
        vec![Step::Send(answer)]
    });
    let folder = tempfile::tempdir().unwrap();
    is_whole(folder.path(), download_url(&server.url("set.zip"), folder.path(), None), &whole);
    assert_eq!(server.starts(), [None, None, Some(50_000), Some(50_000)]);
}

/// A server that sends forever, without a length, is cut off at half of the free disk; nothing
/// of it stays. So is one whose few bytes decompress to many.
#[test]
fn an_endless_response_does_not_fill_the_disk() {
    let Some(disk) = SmallDisk::new() else { return };
    let room = Command::new("mount").args(["-o", "remount,size=8m"]).arg(disk.0.path()).status();
    assert!(room.unwrap().success());
    let zeros = gzip(&vec![0; 64 << 20]);
    let bomb = with_head("200 OK", "Content-Encoding: gzip", &zeros);
    let head = with_head("200 OK", "", b"");
    let chunk = [b"10000\r\n", &[7; 1 << 16][..], b"\r\n"].concat();
    let chunks = with_head("200 OK", "Transfer-Encoding: chunked", b"");
    let kinds = [
        ("a server that sends without end", vec![(head, vec![7; 1 << 16])]),
        ("a server that sends chunks without end", vec![(chunks, chunk)]),
        ("a server whose response is a bomb", vec![(bomb, vec![])]),
    ];
    for (what, steps) in kinds {
        for sha1 in [None, Some(sha1(b""))] {
            let steps = steps.clone();
            let server = Server::start(move |_| {
                let endless = |again: &Vec<u8>| match again.is_empty() {
                    true => Step::Wait(Duration::ZERO),
                    false => Step::Endless(again.clone()),
                };
                steps
                    .iter()
                    .flat_map(|(head, again)| [Step::Send(head.clone()), endless(again)])
                    .collect()
            });
            let result = download_url(&server.url("set.zip"), disk.0.path(), sha1.as_deref());
            refused(what, "half of what is free", &result.unwrap_err());
            assert!(names(disk.0.path()).is_empty(), "{what}");
            assert_eq!(server.starts().len(), 1, "{what}");
        }
    }
}

/// Retries end, even if much arrives each time and is discarded again.
#[test]
fn a_server_that_starts_over_forever_is_given_up() {
    let whole = body(3 << 20);
    let server = Server::start(move |request| {
        let mut answer = part_with(&whole, None, TAG);
        answer.truncate(answer.len() - (1 << 20));
        let odd = with_range("bytes 0-9/10", "", b"0123456789");
        vec![Step::Send(if request.start.is_some() { odd } else { answer })]
    });
    let folder = tempfile::tempdir().unwrap();
    download_url(&server.url("set.zip"), folder.path(), None).unwrap_err();
    assert!(server.starts().len() < 8, "{:?}", server.starts());
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_silent_server_is_given_up() {
    const NAME: &str = "download::a_silent_server_is_given_up";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[("D2L_TIMEOUT", Path::new("0.3"))]);
        return;
    }
    let body = body(100_000);
    for beginning in [vec![], half(&body, None)] {
        let beginning = if beginning.is_empty() { vec![] } else { beginning };
        let server = Server::start(move |_| {
            vec![Step::Send(beginning.clone()), Step::Wait(Duration::from_secs(60))]
        });
        let start = Instant::now();
        let (_, result) = get(&server, &body);
        refused("a server that goes silent", "nothing came for 0.3 s", &result.unwrap_err());
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    // Slow is not silent.
    let whole = body.clone();
    let server = Server::start(move |request| vec![Step::Drip(part(&whole, request.start))]);
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
}

/// A proxy that supports CONNECT.
fn proxy() -> Server {
    Server::start(|request: Request| {
        assert!(request.line.starts_with("CONNECT "), "{}", request.line);
        // Whatever is requested through it, this is the response.
        let tunnelled = answer("200 OK", b"through the proxy");
        vec![
            Step::Send(b"HTTP/1.1 200 Connected\r\n\r\n".to_vec()),
            Step::Wait(Duration::from_millis(200)),
            Step::Send(tunnelled),
        ]
    })
}

#[test]
fn proxies_are_used_unless_excepted() {
    const NAME: &str = "download::proxies_are_used_unless_excepted";
    if !common::in_child(NAME) {
        let proxy = proxy();
        let direct = Server::always(answer("200 OK", b"directly"));
        for (no_proxy, expected) in [("", "through the proxy"), ("127.0.0.1", "directly")] {
            let variables = [
                ("http_proxy", proxy.address.as_str()),
                ("no_proxy", no_proxy),
                ("TEST_URL", &direct.url("set.zip")),
                ("TEST_EXPECTED", expected),
            ];
            let variables = variables.map(|(name, value)| (name, Path::new(value)));
            common::run_in_child(NAME, &variables);
        }
        assert_eq!((proxy.starts().len(), direct.starts().len()), (1, 1));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = download_url(&std::env::var("TEST_URL").unwrap(), folder.path(), None).unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), std::env::var("TEST_EXPECTED").unwrap());
}

#[test]
fn offline_sends_no_request() {
    const NAME: &str = "download::offline_sends_no_request";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[("D2L_OFFLINE", Path::new("1"))]);
        return;
    }
    let server = Server::file(body(10));
    let (_, result) = get(&server, &body(10));
    refused("D2L_OFFLINE is set", "D2L_OFFLINE", &result.unwrap_err());
    assert!(server.starts().is_empty());
}

#[test]
fn an_address_without_a_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["http://127.0.0.1/", "http://127.0.0.1", "http://127.0.0.1/..", "", "set.zip"] {
        let error = download_url(url, folder.path(), None).unwrap_err();
        refused("an address without the name of a file", url, &error);
    }
    let server = Server::file(body(10));
    for hash in ["", "abc", "no hexadecimal digits, but forty of them"] {
        let error = download_url(&server.url("set.zip"), folder.path(), Some(hash)).unwrap_err();
        refused("an impossible SHA-1", "40 digits", &error);
    }
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = download_url(&server.url("set.zip"), &file, None).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    assert_eq!(names(folder.path()), ["file"]);
}

/// A link in the place of the part would make a download write elsewhere.
#[test]
fn a_link_at_the_target_is_not_followed() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::file(body(10));
    let precious = elsewhere.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    std::os::unix::fs::symlink(&precious, folder.path().join(".set.zip.part")).unwrap();
    let error = download_url(&server.url("set.zip"), folder.path(), None).unwrap_err();
    refused("a link where a download is to be written", ".set.zip.part", &error);
    let archive = folder.path().join("b.zip");
    fs::write(&archive, "").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(".b.zip.unpacking")).unwrap();
    let error = extract(&archive, None).unwrap_err();
    refused("a link where an archive is to be unpacked", ".b.zip.unpacking", &error);
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
}

/// Downloads `TEST_URL` into `TEST_FOLDER`; the content's SHA-1 is `TEST_SHA1`.
fn download_in_child(name: &str, server: &Server, folder: &Path, body: &[u8]) -> Child {
    let mut command: Command = common::child(name);
    command.env("TEST_URL", server.url("set.zip")).env("TEST_FOLDER", folder);
    command.env("TEST_SHA1", sha1(body)).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn as_child() {
    let variable = |name| std::env::var(name).unwrap();
    let folder = PathBuf::from(variable("TEST_FOLDER"));
    download_url(&variable("TEST_URL"), &folder, Some(&variable("TEST_SHA1"))).unwrap();
}

/// Killed at any moment, it leaves the whole file or a part that the next call finishes.
#[test]
fn a_killed_download_is_finished_by_the_next() {
    const NAME: &str = "download::a_killed_download_is_finished_by_the_next";
    if common::in_child(NAME) {
        return as_child();
    }
    let body = body(2_000_000);
    let whole = body.clone();
    let server = Server::start(move |request| vec![Step::Drip(part(&whole, request.start))]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("set.zip");
    let mut kills: usize = 0;
    loop {
        let asked = server.starts().len();
        let mut child = download_in_child(NAME, &server, folder.path(), &body);
        // One that was killed after the last byte leaves nothing to request.
        while server.starts().len() == asked && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // A moment that differs each time
        std::thread::sleep(Duration::from_millis((kills as u64 * 37) % 120));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        if target.exists() {
            assert!(fs::read(&target).unwrap() == body, "the file has its name and is not whole");
            break;
        }
        assert!(kills < 100);
    }
    assert_eq!(names(folder.path()), ["set.zip"]);
    let resumed = server.starts().iter().filter(|start| start.is_some()).count();
    assert!(kills > 2 && resumed > 0, "killed {kills} times, gone on {resumed} times");
}

#[test]
fn two_programs_do_not_spoil_each_others_download() {
    const NAME: &str = "download::two_programs_do_not_spoil_each_others_download";
    if common::in_child(NAME) {
        return as_child();
    }
    let body = body(100_000);
    let (whole, both_wait) = (body.clone(), Arc::new(AtomicBool::new(false)));
    let waiting = both_wait.clone();
    let server = Server::start(move |request| {
        while !waiting.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        vec![Step::Send(part(&whole, request.start))]
    });
    let folder = tempfile::tempdir().unwrap();
    let mut children: Vec<_> =
        (0..3).map(|_| download_in_child(NAME, &server, folder.path(), &body)).collect();
    let (sender, lines) = mpsc::channel();
    for child in &mut children {
        let (sender, output) = (sender.clone(), child.stdout.take().unwrap());
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(std::io::Result::ok).for_each(|line| {
                let _ = sender.send(line);
            });
        });
    }
    drop(sender);
    let waits = lines.iter().filter(|line| line.contains("Waiting for another program"));
    assert_eq!(waits.take(2).count(), 2);
    both_wait.store(true, Ordering::Relaxed);
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(fs::read(folder.path().join("set.zip")).unwrap() == body);
    assert_eq!((server.starts().len(), names(folder.path())), (1, vec!["set.zip".to_string()]));
}

/// A disk of one megabyte, if this user may mount one; unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(SmallDisk(folder)),
            _ => {
                common::report::skipped_here("this user cannot mount a small disk");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_named_and_the_part_stays() {
    let Some(disk) = SmallDisk::new() else { return };
    let body = body(1_500_000);
    let server = Server::file(body.clone());
    let url = server.url("set.zip");
    let error = download_url(&url, disk.0.path(), Some(&sha1(&body))).unwrap_err();
    let text = refused("a full disk", "set.zip.part", &error);
    assert!(text.contains("free some disk space"), "{text}");
    let room = Command::new("mount").args(["-o", "remount,size=4m"]).arg(disk.0.path()).status();
    assert!(room.unwrap().success());
    let result = download_url(&url, disk.0.path(), Some(&sha1(&body)));
    is_whole(disk.0.path(), result, &body);
    assert!(server.starts()[1].is_some_and(|start| start > 500_000));
    // Unpacking and saving
    let net = linear(1000, 1000).unwrap();
    let error = save_weights(&net, disk.0.path().join("net.safetensors")).unwrap_err();
    refused("a full disk while weights are saved", "net.safetensors", &error);
    assert_eq!(names(disk.0.path()), ["set.zip"]);
}

/// The body of the encrypted servers' file.
const CONTENT: &[u8] = b"through a connection that is encrypted";

/// Certificates, made for the test.
mod certificates {
    use rcgen::{
        BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
        date_time_ymd,
    };
    use rustls::pki_types::PrivateKeyDer;

    pub type Authority = CertifiedIssuer<'static, KeyPair>;

    pub fn authority(name: &str) -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// A server's certificate for a name, valid in these years: by an authority, or by itself.
    pub fn server(
        by: Option<&Authority>,
        name: &str,
        years: [i32; 2],
        is_authority: bool,
    ) -> (Certificate, rustls::ServerConfig) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_string()]).unwrap();
        [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 1, 1));
        if is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let certificate = match by {
            Some(authority) => params.signed_by(&key, authority).unwrap(),
            None => params.self_signed(&key).unwrap(),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let chain = vec![certificate.der().clone()];
        let config =
            rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
        (certificate, config.unwrap())
    }
}

/// F10: certificates are trusted as by curl and Python, and an error about one speaks of
/// certificates: of clocks, proxies, names or files, depending on the case.
#[test]
fn the_users_certificates_are_trusted() {
    const NAME: &str = "download::the_users_certificates_are_trusted";
    const HOST: &str = "127.0.0.1";
    if common::in_child(NAME) {
        let variable = |name| std::env::var(name).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let result = download_url(&variable("TEST_URL"), folder.path(), None);
        let (what, expected) = (variable("TEST_CASE"), variable("TEST_EXPECTED"));
        if expected.is_empty() {
            let path = result.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(fs::read(path).unwrap(), CONTENT, "{what}");
            return;
        }
        let text = refused(&what, &expected, &result.unwrap_err());
        assert!(text.contains("certificate"), "{what}: {text}");
        assert!(!text.contains("https_proxy") && !text.contains("D2L_MIRROR"), "{what}: {text}");
        assert!(names(folder.path()).is_empty(), "{what}");
        return;
    }
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        fs::create_dir_all(files.path().join(name).parent().unwrap()).unwrap();
        fs::write(files.path().join(name), content).unwrap();
        files.path().join(name).display().to_string()
    };
    let (own, other) = (certificates::authority("own"), certificates::authority("other"));
    let now = [2020, 2990];
    let server = |by, name, years, is_authority| {
        let (certificate, config) = certificates::server(by, name, years, is_authority);
        (certificate, Server::encrypted(config, CONTENT.to_vec()))
    };
    let (_, good) = server(Some(&own), HOST, now, false);
    let (_, expired) = server(Some(&own), HOST, [2001, 2002], false);
    let (_, early) = server(Some(&own), HOST, [2980, 2990], false);
    let (_, elsewhere) = server(Some(&own), "example.org", now, false);
    let (alone_pem, alone) = server(None, HOST, now, false);
    let (both_pem, both) = server(None, HOST, now, true);
    let plain = Server::file(CONTENT.to_vec());
    let ca = file("ca.pem", &own.pem());
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let bundle = format!("some text\n{}{damaged}{}", other.pem(), own.pem());
    let bundle = file("bundle.pem", &bundle);
    file("folder/ca.pem", &own.pem());
    file("empty/nothing.txt", "");
    let path = |name: &str| files.path().join(name).display().to_string();
    let (file_is, folder_is) = ("SSL_CERT_FILE", "SSL_CERT_DIR");
    let none = file("none.pem", "");
    let text = file("text.pem", "no certificate at all");
    let broken = file("broken.pem", damaged);
    let other_ca = file("other.pem", &other.pem());
    let alone_pem = file("alone.pem", &alone_pem.pem());
    let both_pem = file("both.pem", &both_pem.pem());
    let unknown = "issued by nobody who is trusted here";
    // Case, server, variable and its value, what the error says
    let cases = [
        ("the user's own authority", &good, file_is, ca.clone(), ""),
        ("a folder of authorities", &good, folder_is, path("folder"), ""),
        ("two folders of authorities", &good, folder_is, path("empty") + ":" + &path("folder"), ""),
        ("a bundle with a damaged certificate", &good, file_is, bundle, ""),
        ("a certificate by itself, trusted", &alone, file_is, alone_pem, ""),
        ("no encryption, a file that is not there", &plain, file_is, path("missing"), ""),
        ("a server whose authority is not known", &good, "UNUSED", String::new(), unknown),
        ("a server of another authority", &good, file_is, other_ca, "other.pem"),
        ("a certificate by itself", &alone, file_is, ca.clone(), unknown),
        ("an authority's certificate as a server's", &both, file_is, both_pem, "not accepted"),
        ("a certificate that has expired", &expired, file_is, ca.clone(), "clock"),
        ("a certificate that is not valid yet", &early, file_is, ca.clone(), "clock"),
        ("a certificate for another host", &elsewhere, file_is, ca, "another host name"),
        ("SSL_CERT_FILE that is not there", &good, file_is, path("missing"), "missing"),
        ("SSL_CERT_FILE that is empty", &good, file_is, none, "none.pem"),
        ("SSL_CERT_FILE that is a text", &good, file_is, text, "text.pem"),
        ("SSL_CERT_FILE whose certificate is damaged", &good, file_is, broken, "broken.pem"),
        ("SSL_CERT_FILE that is a folder", &good, file_is, path("folder"), "folder"),
        ("SSL_CERT_DIR without certificates", &good, folder_is, path("empty"), "SSL_CERT_DIR"),
    ];
    for (what, server, variable, value, expected) in cases {
        let url = server.url("set.zip");
        let variables = [
            (variable, value.as_str()),
            ("TEST_URL", &url),
            ("TEST_CASE", what),
            ("TEST_EXPECTED", expected),
        ];
        common::run_in_child(NAME, &variables.map(|(name, value)| (name, Path::new(value))));
    }
}

/// Where no thread can be started, the download is an error, and the program continues.
#[test]
fn a_limit_of_threads_is_an_error() {
    const NAME: &str = "download::a_limit_of_threads_is_an_error";
    const USER: &str = "54321";
    if common::in_child(NAME) {
        let folder = tempfile::tempdir().unwrap();
        let error = download_url("http://127.0.0.1:9/set.zip", folder.path(), None).unwrap_err();
        refused("a limit of threads", "no thread can be started", &error);
        return println!("it was an error");
    }
    // As a user whose limit is one thread, already in use
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "prlimit", "--nproc=1"]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture", "--test-threads=1"]);
    command.env("D2L_TEST_CHILD", NAME).env_remove("D2L_REPORT_DIR").env("OMP_NUM_THREADS", "1");
    let output = match command.output() {
        Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("setpriv:") => output,
        _ => return common::report::skipped_here("this user cannot become another"),
    };
    let text = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
    assert!(output.status.success() && text.contains("it was an error"), "{text}");
}

/// Without locks, as on some network disks, each program has a part and a folder of its own.
#[test]
fn without_locks_two_programs_do_not_spoil_each_others_work() {
    const NAME: &str = "download::without_locks_two_programs_do_not_spoil_each_others_work";
    if common::in_child(NAME) {
        let folder = PathBuf::from(std::env::var_os("TEST_FOLDER").unwrap());
        let path = download_url(&std::env::var("TEST_URL").unwrap(), &folder, None).unwrap();
        assert!(fs::read(path).unwrap() == body(1_000_000));
        extract(folder.join("many.tar"), None).unwrap();
        assert_eq!(names(&folder.join("many")).len(), 500);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let shim = folder.path().join("no_locks.c");
    fs::write(
        &shim,
        "#include <errno.h>\nint flock(int f, int o) { errno = ENOLCK; return -1; }\n",
    )
    .unwrap();
    let library = folder.path().join("no_locks.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&shim);
    assert!(compiler.status().unwrap().success());
    let whole = body(1_000_000);
    let server = Server::start(move |request| vec![Step::Drip(part(&whole, request.start))]);
    let work = tempfile::tempdir().unwrap();
    let mut tar = tar::Builder::new(vec![]);
    for i in 0..500 {
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        tar.append_data(&mut header, format!("many/{i}"), &b"data"[..]).unwrap();
    }
    fs::write(work.path().join("many.tar"), tar.into_inner().unwrap()).unwrap();
    let children: Vec<_> = (0..3)
        .map(|_| {
            let mut command = common::child(NAME);
            command.env("LD_PRELOAD", &library).env("TEST_FOLDER", work.path());
            command.env("TEST_URL", server.url("set.zip"));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(names(work.path()), ["many", "many.tar", "set.zip"]);
}

/// F10: a server without TLS, or with an old version, is told apart from a network that is down.
#[test]
fn an_unencrypted_connection_is_called_that() {
    let cases: [(&str, &[u8]); 3] = [
        ("https to a server of http", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        ("no common encryption", b"\x15\x03\x03\0\x02\x02\x28"),
        ("https to a server of another kind", b"SSH-2.0-x\r\n"),
    ];
    for (what, answer) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/set.zip", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The whole request must be read, or the response is lost.
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(answer).unwrap();
            let _ = stream.read(&mut [0; 4096]);
        });
        let folder = tempfile::tempdir().unwrap();
        let error = download_url(&url, folder.path(), None).unwrap_err();
        refused(what, "no encrypted connection can be made", &error);
    }
}
